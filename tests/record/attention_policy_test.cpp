// The invariants that every row of the table of policies is held to, with every choice of its parameters.

#include "record/attention_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <numeric>
#include <set>

#include "schemas/error.h"
#include "tests/record/policy_runs.h"
#include "tests/record/slow_llama.h"
#include "tests/support/temporary_directory.h"

namespace lil::tests {
namespace {

using record::Engine;
using record::make_attention_policy;
using record::SequenceId;
using schemas::TokenId;
using testing::ElementsAre;
using testing::HasSubstr;
using Kind = RowTraits::Kind;

/// The small model, loaded once for each dtype.
const LoadedTiny& tiny(const std::string& dtype = "fp32") {
  static std::map<std::string, LoadedTiny> loaded;
  const auto found = loaded.find(dtype);
  return found != loaded.end() ? found->second : loaded.emplace(dtype, load_tiny(dtype)).first->second;
}

/// Logits after the prompt and each further token.
std::vector<std::vector<float>> logits_of(const record::LanguageModel& model, const std::string& spec,
                                          std::int64_t prompt_tokens, std::int64_t steps) {
  PolicyRun run(model, spec);
  const SequenceId sequence = run.admit(some_tokens(prompt_tokens));
  std::vector<std::vector<float>> all{run.logits(sequence)};
  for (const TokenId token : some_tokens(steps, prompt_tokens)) {
    run.read(sequence, token);
    all.push_back(run.logits(sequence));
  }
  return all;
}

/// Decodes and lets `check` look at each step, the first being 1.
void walk(const Form& form, std::int64_t prompt_tokens, std::int64_t steps,
          const std::function<void(const Engine&, SequenceId, std::int64_t)>& check) {
  SCOPED_TRACE(form.spec + ", prompt " + std::to_string(prompt_tokens));
  PolicyRun run(*tiny().model, form.spec);
  const SequenceId sequence = run.admit(some_tokens(prompt_tokens));
  EXPECT_EQ(run.engine().attended(sequence), prompt_tokens) << "the prompt is dense";
  std::int64_t step = 0;
  for (const TokenId token : some_tokens(steps, prompt_tokens)) {
    run.read(sequence, token);
    check(run.engine(), sequence, ++step);
    if (testing::Test::HasFatalFailure() || testing::Test::HasNonfatalFailure()) return;
  }
}

/// For each governed layer and query head.
void for_each_head(const Form& form, const std::function<void(std::int64_t layer, std::int64_t head)>& look) {
  const auto& config = tiny().model->config();
  for (std::int64_t layer = form.number("skip_layers"); layer < config.layers; ++layer) {
    for (std::int64_t head = 0; head < config.heads; ++head) look(layer, head);
  }
}

/// Query heads of a kv head.
std::int64_t group() {
  return tiny().model->config().heads / tiny().model->config().kv_heads;
}

std::vector<std::int32_t> numbers_below(std::int64_t end) {
  std::vector<std::int32_t> numbers(static_cast<std::size_t>(end));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

// 1. A budget that holds everything.

TEST(AttentionPolicyTest, ABudgetOfAllTokensIsFullAttentionBitForBit) {
  constexpr std::int64_t kSteps = 12;
  for (const std::string dtype : {"fp32", "bf16", "fp16"}) {
    for (const std::int64_t prompt_tokens : {1, 6, 70}) {
      const auto full = logits_of(*tiny(dtype).model, "full", prompt_tokens, kSteps);
      for (const auto& row : record::attention_policy_rows()) {
        for (const Form& form : forms_of(row, traits_of(row).whole_budget(prompt_tokens + kSteps))) {
          const bool same = logits_of(*tiny(dtype).model, form.spec, prompt_tokens, kSteps) == full;
          // Twice the distances is another computation from the first decoded token on.
          EXPECT_EQ(same, form.places() != Places::kDoubled) << form.spec << " " << dtype;
        }
      }
    }
  }
}

TEST(AttentionPolicyTest, ASmallerBudgetIsNotFullAttention) {
  for (const Form& form : all_forms(8)) {
    const bool pinned = form.is("pin_prompt", "on");
    if (form.row->name == "full" || (pinned && form.number("every") == 128)) continue;
    const std::int64_t prompt_tokens = pinned ? 6 : 70;
    EXPECT_NE(logits_of(*tiny().model, form.spec, prompt_tokens, 20),
              logits_of(*tiny().model, "full", prompt_tokens, 20))
        << form.spec;
  }
}

// 2. How many entries are attended to; 12. odd cases: budgets below the sinks, of 1, not a multiple of a
// page, prompts of one token, and of a token less or more than the budget.

TEST(AttentionPolicyTest, AttendsToWhatTheBudgetSays) {
  for (const std::int64_t budget : {1, 2, 5, 9, 16, 17, 33}) {
    for (const Form& form : all_forms(budget)) {
      for (const std::int64_t prompt_tokens :
           std::set<std::int64_t>{1, 5, 40, std::max<std::int64_t>(budget - 1, 1), budget, budget + 1}) {
        walk(form, prompt_tokens, 6, [&](const Engine& engine, SequenceId sequence, std::int64_t step) {
          const Range range = attended_range(form, prompt_tokens, step);
          EXPECT_GE(engine.attended(sequence), range.low) << "step " << step;
          EXPECT_LE(engine.attended(sequence), range.high) << "step " << step;
        });
      }
    }
  }
}

TEST(AttentionPolicyTest, SaysAttendedWhatHeadsHaveSeen) {
  for (const Form& form : all_forms(18)) {
    walk(form, 30, 20, [&](const Engine& engine, SequenceId sequence, std::int64_t /*step*/) {
      std::size_t most = 0;
      for_each_head(form, [&](std::int64_t layer, std::int64_t head) {
        most = std::max(most, engine.seen(sequence, layer, head).size());
      });
      EXPECT_EQ(engine.attended(sequence), form.row->name == "full" ? engine.tokens(sequence) : most);
    });
  }
}

// 3. The current token; and what is seen is held.

TEST(AttentionPolicyTest, AttendsToTheCurrentTokenAndToNothingThatIsNotHeld) {
  for (const std::int64_t budget : {1, 6, 18}) {
    for (const Form& form : all_forms(budget)) {
      walk(form, 9, 20, [&](const Engine& engine, SequenceId sequence, std::int64_t step) {
        for_each_head(form, [&](std::int64_t layer, std::int64_t head) {
          const auto seen = engine.seen(sequence, layer, head);
          const auto held = engine.held(sequence, layer, head / group());
          EXPECT_TRUE(std::is_sorted(held.begin(), held.end()));
          EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), seen.size());
          EXPECT_TRUE(std::includes(held.begin(), held.end(), seen.begin(), seen.end()));
          ASSERT_FALSE(seen.empty());
          EXPECT_EQ(seen.back(), 8 + step);
        });
      });
    }
  }
}

// 4. What is gone is gone; who selects keeps all.

TEST(AttentionPolicyTest, AnEvictedTokenNeverReturns) {
  for (const Form& form : all_forms(6)) {
    std::map<std::pair<std::int64_t, std::int64_t>, std::set<std::int32_t>> held_before;
    walk(form, 9, 30, [&](const Engine& engine, SequenceId sequence, std::int64_t step) {
      for_each_head(form, [&](std::int64_t layer, std::int64_t head) {
        const auto held = engine.held(sequence, layer, head / group());
        const std::set<std::int32_t> now(held.begin(), held.end());
        auto& before = held_before[{layer, head}];
        if (step > 1) {
          before.insert(static_cast<std::int32_t>(8 + step));
          EXPECT_TRUE(std::includes(before.begin(), before.end(), now.begin(), now.end())) << "step " << step;
        }
        before = now;
        const Kind kind = traits_of(*form.row).kind;
        const bool keeps_all = kind == Kind::kFull || kind == Kind::kSelects;
        EXPECT_TRUE(!keeps_all || held == numbers_below(9 + step));
      });
    });
  }
}

TEST(AttentionPolicyTest, SkippedLayersStayDense) {
  for (const auto& row : record::attention_policy_rows()) {
    if (row.parameters.empty()) continue;
    const bool pins = forms_of(row, 4).front().has("pin_prompt");
    const Form form = form_of(row.name + "(budget=4,skip_layers=2" + (pins ? ",pin_prompt=off)" : ")"));
    walk(form, 40, 8, [&](const Engine& engine, SequenceId sequence, std::int64_t step) {
      for (const std::int64_t layer : {0, 1}) {
        EXPECT_EQ(engine.seen(sequence, layer, 0), numbers_below(40 + step));
        EXPECT_EQ(engine.held(sequence, layer, 0), numbers_below(40 + step));
      }
      EXPECT_LT(engine.seen(sequence, 2, 0).size(), 40U);
    });
    EXPECT_EQ(logits_of(*tiny().model, row.name + "(budget=4,skip_layers=9)", 10, 5),
              logits_of(*tiny().model, "full", 10, 5));
  }
}

// 5. What may never go.

TEST(AttentionPolicyTest, ThePinnedPromptStays) {
  for (const std::int64_t budget : {3, 18}) {
    for (const Form& form : all_forms(budget)) {
      if (!form.is("pin_prompt", "on")) continue;
      walk(form, 7, 30, [&](const Engine& engine, SequenceId sequence, std::int64_t /*step*/) {
        for_each_head(form, [&](std::int64_t layer, std::int64_t head) {
          const auto held = engine.held(sequence, layer, head / group());
          ASSERT_GE(held.size(), 7U);
          EXPECT_EQ(held[6], 6);
        });
      });
    }
  }
}

TEST(AttentionPolicyTest, SinksAndTheLatestTokensStay) {
  for (const std::int64_t budget : {2, 6, 18}) {
    for (const Form& form : all_forms(budget)) {
      const std::int64_t sinks = std::min(form.number("sinks"), budget - 1);
      const std::int64_t latest =
          std::min(std::max(form.number("recent"), form.number("window")), budget - sinks);
      walk(form, 5, 30, [&](const Engine& engine, SequenceId sequence, std::int64_t step) {
        if (form.is("pin_prompt", "on") && budget < 18) return;  // the prompt comes before the latest
        for_each_head(form, [&](std::int64_t layer, std::int64_t head) {
          const auto seen = engine.seen(sequence, layer, head);
          const std::int64_t tokens = 5 + step;
          const std::set<std::int32_t> set(seen.begin(), seen.end());
          for (std::int64_t t = 0; t < std::min(sinks, tokens); ++t) {
            EXPECT_TRUE(set.contains(static_cast<std::int32_t>(t))) << t;
          }
          for (std::int64_t t = std::max<std::int64_t>(tokens - latest, 0); t < tokens; ++t) {
            EXPECT_TRUE(set.contains(static_cast<std::int32_t>(t))) << t;
          }
        });
      });
    }
  }
}

// 6. Neither the sequences beside a sequence nor its lane change what it keeps.

TEST(AttentionPolicyTest, SequencesSideBySideDoNotMeet) {
  const LoadedTiny two_threads = load_tiny("fp32", 2);
  for (const Form& form : all_forms(6)) {
    PolicyRun alone(*tiny().model, form.spec);
    PolicyRun batch(*two_threads.model, form.spec, 4);
    const SequenceId single = alone.admit(some_tokens(9));
    const SequenceId early = batch.admit(some_tokens(3, 50));
    const SequenceId neighbour = batch.admit(some_tokens(17, 60));
    const SequenceId watched = batch.admit(some_tokens(9));
    std::optional<SequenceId> refill;
    std::int64_t step = 0;
    for (const TokenId token : some_tokens(30, 9)) {
      alone.read(single, token);
      std::vector<record::StepInput> inputs{{watched, token}};
      if (step < 8) inputs.insert(inputs.begin(), {early, 4});
      if (step == 8) batch.engine().release(early);  // the watched one moves to its lane
      if (step == 12) refill = batch.admit(some_tokens(20, 70));
      if (refill) inputs.insert(step % 2 == 0 ? inputs.begin() : inputs.end(), {*refill, 11});
      if (step % 3 != 0) inputs.push_back({neighbour, token});
      batch.engine().step(inputs);
      ASSERT_EQ(batch.logits(watched), alone.logits(single)) << form.spec << ", step " << step;
      ASSERT_EQ(batch.held(watched), alone.held(single)) << form.spec << ", step " << step;
      ASSERT_EQ(batch.engine().attended(watched), alone.engine().attended(single));
      ++step;
    }
  }
}

// 10. A copy in mid-decode goes on as the original, and disturbs it in nothing.

TEST(AttentionPolicyTest, AForkAndItsOriginalGoOnAlike) {
  for (const Form& form : all_forms(6)) {
    PolicyRun alone(*tiny().model, form.spec);
    PolicyRun pair(*tiny().model, form.spec, 3);
    const SequenceId single = alone.admit(some_tokens(9));
    const SequenceId original = pair.admit(some_tokens(9));
    std::optional<SequenceId> copy;
    std::int64_t step = 0;
    for (const TokenId token : some_tokens(36, 9)) {
      if (step == 7 || step == 20) {  // a copy that goes its own way, as a probe does
        const SequenceId probe = pair.engine().fork(original);
        for (const TokenId other : some_tokens(9, 90)) pair.read(probe, other);
        pair.engine().release(probe);
      }
      if (step == 13) copy = pair.engine().fork(original);
      alone.read(single, token);
      pair.read(original, token);
      if (copy) {
        pair.read(*copy, token);
        ASSERT_EQ(pair.logits(*copy), alone.logits(single)) << form.spec << ", the copy in step " << step;
        ASSERT_EQ(pair.held(*copy), alone.held(single)) << form.spec << ", the copy in step " << step;
      }
      ASSERT_EQ(pair.held(original), alone.held(single)) << form.spec << ", step " << step;
      ++step;
    }
    EXPECT_EQ(pair.logits(original), [&] { return alone.logits(single); }());
  }
}

// 9. What the cache computes is what a mask computes.

TEST(AttentionPolicyTest, ADenseMaskedReferenceComputesTheSame) {
  for (const std::int64_t budget : {3, 18}) {
    for (const Form& form : all_forms(budget)) {
      PolicyRun run(*tiny().model, form.spec);
      SlowLlama slow(tiny().tiny);
      const std::vector<TokenId> prompt = some_tokens(25);
      const SequenceId sequence = run.admit(prompt);
      const auto everything = [&](std::int64_t /*layer*/) {
        return std::vector<AttentionView>(static_cast<std::size_t>(slow.heads()),
                                          dense_view(slow.tokens() - 1));
      };
      for (const TokenId token : prompt) (void)slow.read(token, everything);
      for (const TokenId token : some_tokens(14, 25)) {
        run.read(sequence, token);
        const auto expected = slow.read(token, [&](std::int64_t layer) {
          if (form.row->parameters.empty() || layer < form.number("skip_layers")) return everything(layer);
          std::vector<AttentionView> views;
          for (std::int64_t head = 0; head < slow.heads(); ++head) {
            views.push_back(view_of(form, run.engine().seen(sequence, layer, head)));
          }
          return views;
        });
        const std::vector<float> logits = run.logits(sequence);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          ASSERT_NEAR(logits[i], expected[i], 2e-4) << form.spec << ", token " << slow.tokens() - 1;
        }
      }
    }
  }
}

// The greatest budget that is asked for, on either side of it.
TEST(AttentionPolicyTest, ABudgetOf8192IsKeptTo) {
  constexpr std::int64_t kBudget = 8192;
  const std::vector<TokenId> prompt = some_tokens(kBudget - 3);
  // One layer and kv head, since prompts take a time that grows with their square.
  const TemporaryDirectory folder;
  make_tiny_model(9, {{"num_hidden_layers", 1}, {"num_attention_heads", 2}, {"num_key_value_heads", 1}})
      .write(folder / "tiny");
  const auto device = record::make_cpu_device(2);
  const auto model = record::load_language_model(folder / "tiny", *device, {"fp32"});
  for (const auto& row : record::attention_policy_rows()) {
    if (traits_of(row).kind == Kind::kFull) continue;
    const bool skips = form_of(row.name + "(budget=8192)").has("skip_layers");
    const std::string spec = row.name + (skips ? "(budget=8192,skip_layers=0)" : "(budget=8192)");
    const Form form = form_of(spec);
    const auto policy = make_attention_policy(spec);
    Engine engine(*model, *policy.policy, {1, kBudget + 20, 0, kBudget});
    const SequenceId sequence = engine.admit(prompt, kBudget + 20);
    std::int64_t step = 0;
    for (const TokenId token : some_tokens(8, kBudget)) {
      const record::StepInput input{sequence, token};
      engine.step({&input, 1});
      ++step;
      const Range range = attended_range(form, kBudget - 3, step);
      ASSERT_GE(engine.attended(sequence), range.low) << spec << ", step " << step;
      ASSERT_LE(engine.attended(sequence), range.high) << spec << ", step " << step;
      const auto seen = engine.seen(sequence, 0, 1);
      ASSERT_EQ(static_cast<std::int64_t>(seen.size()), engine.attended(sequence)) << spec;
      ASSERT_EQ(seen.back(), kBudget - 4 + step) << spec;
      ASSERT_TRUE(std::adjacent_find(seen.begin(), seen.end(), std::greater_equal<>()) == seen.end()) << spec;
    }
  }
}

// Memory: what is dropped is free again.

TEST(AttentionPolicyTest, TakesNoMoreMemoryThanItSaidItWould) {
  for (const std::int64_t budget : {5, 16, 33}) {
    for (const Form& form : all_forms(budget)) {
      for (const std::int64_t prompt_tokens : {1, 50}) {
        const auto policy = make_attention_policy(form.spec);
        const std::int64_t most = record::kv_bytes_needed(tiny().model->config(), kernels::DType::kFp32,
                                                          *policy.policy, prompt_tokens, prompt_tokens + 60);
        Engine engine(*tiny().model, *policy.policy, {1, prompt_tokens + 60, 0});
        const SequenceId sequence = engine.admit(some_tokens(prompt_tokens), prompt_tokens + 60);
        for (const TokenId token : some_tokens(60, prompt_tokens)) {
          const record::StepInput input{sequence, token};
          engine.step({&input, 1});
          ASSERT_LE(engine.kv_bytes_taken(), most) << form.spec;
        }
        engine.release(sequence);
        EXPECT_EQ(engine.kv_bytes_taken(), 0) << form.spec;
      }
    }
  }
}

/// The host's memory, counted.
class CountingDevice final : public record::Device {
 public:
  [[nodiscard]] const char* name() const override { return inner_->name(); }
  [[nodiscard]] const kernels::Backend& kernels() const override { return inner_->kernels(); }
  [[nodiscard]] kernels::Stream stream() const override { return inner_->stream(); }
  void* allocate(std::size_t bytes) override {
    held_ += static_cast<std::int64_t>(bytes);
    return inner_->allocate(bytes);
  }
  void free(void* memory, std::size_t bytes) noexcept override {
    held_ -= static_cast<std::int64_t>(bytes);
    inner_->free(memory, bytes);
  }
  void upload(void* to, const void* from, std::size_t bytes) override { inner_->upload(to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes) override { inner_->download(to, from, bytes); }
  void copy(void* to, const void* from, std::size_t bytes) override { inner_->copy(to, from, bytes); }
  void zero(void* memory, std::size_t bytes) override { inner_->zero(memory, bytes); }
  [[nodiscard]] std::int64_t held() const { return held_; }

 private:
  std::unique_ptr<record::Device> inner_ = record::make_cpu_device(1);
  std::int64_t held_ = 0;
};

TEST(AttentionPolicyTest, SaysAllTheMemoryThatGrowsWithThePool) {
  const TemporaryDirectory folder;
  make_tiny_model(9).write(folder / "tiny");
  CountingDevice device;
  for (const char* dtype : {"fp32", "bf16"}) {
    const auto model = record::load_language_model(folder / "tiny", device, {dtype});
    for (const Form& form : all_forms(33)) {
      const auto policy = make_attention_policy(form.spec);
      // Twice the pool, and what it takes: lists and scratch are those of the lanes.
      const auto memory_of = [&](std::int64_t kv_bytes) {
        const std::int64_t before = device.held();
        const Engine engine(*model, *policy.policy, {2, 200, kv_bytes});
        return std::pair{engine.kv_bytes(), device.held() - before};
      };
      const auto [small, small_held] = memory_of(0);
      const auto [large, large_held] = memory_of(2 * small);
      ASSERT_EQ(large, 2 * small) << form.spec;
      EXPECT_EQ(large_held - small_held, large - small) << form.spec << " " << dtype;
    }
  }
}

TEST(AttentionPolicyTest, DroppingPoliciesHoldTheBudgetInMemory) {
  const auto& config = tiny().model->config();
  const record::KvShape shape{config.kv_heads, config.head_dim, kernels::DType::kFp32};
  const std::int64_t full_bytes = config.layers * config.kv_heads * (2 * config.head_dim * 4 + 4);
  for (const auto& row : record::attention_policy_rows()) {
    if (traits_of(row).kind != Kind::kDropsTokens) continue;
    const bool seldom = form_of(row.name + "(budget=32)").has("every");
    const std::string spec = row.name + "(budget=32" + (seldom ? ",every=16)" : ")");
    const std::int64_t extra =
        make_attention_policy(spec).policy->extra_group_bytes(shape, config.heads / config.kv_heads);
    const std::int64_t token_bytes = full_bytes + config.layers * extra / 16;
    PolicyRun run(*tiny().model, spec);
    const SequenceId sequence = run.admit(some_tokens(10));
    for (std::int64_t tokens = 11; tokens < 250; ++tokens) {
      run.read(sequence, 7);
      const std::int64_t most = std::min<std::int64_t>(tokens, seldom ? 48 : 32);
      ASSERT_EQ(run.engine().kv_bytes_taken(), (most + 15) / 16 * 16 * token_bytes) << row.name;
    }
  }
  PolicyRun full(*tiny().model, "full");
  (void)full.admit(some_tokens(200));
  EXPECT_GE(full.engine().kv_bytes_taken(), 200 * full_bytes);
}

// The table itself.

TEST(AttentionPolicyRegistry, EveryRowHasItsTraits) {
  std::vector<std::string> rows;
  for (const auto& row : record::attention_policy_rows()) rows.push_back(row.name);
  std::vector<std::string> known;
  for (const RowTraits& traits : row_traits()) known.push_back(traits.name);
  EXPECT_EQ(rows, known);
}

TEST(AttentionPolicyRegistry, EveryFormSaysInItsStringAllThatItIs) {
  EXPECT_EQ(make_attention_policy("full").spec, "full");
  EXPECT_THAT(make_attention_policy("sink(budget=3)").spec, HasSubstr("sinks=2,"));
  EXPECT_EQ(make_attention_policy("sink(budget=64)").spec,
            "sink(budget=64,sinks=4,pos=cache,evict=before,first_step=prefill_scores,pin_prompt=off,skip_"
            "layers=0)");
  EXPECT_EQ(make_attention_policy("h2o(budget=128)").spec,
            "h2o(budget=128,heavy=64,recent=64,score_init=prefill,gqa=sum,pos=orig,evict=before,first_step="
            "prefill_scores,pin_prompt=off,skip_layers=0)");
  EXPECT_EQ(
      make_attention_policy("rkv(budget=128)").spec,
      "rkv(budget=128,window=8,every=128,pool=7,lambda=0.07,similar=0.5,evict=before,first_step=prefill_"
      "scores,pin_prompt=off,skip_layers=0)");
  for (const Form& form : all_forms(9)) {
    const std::string spec = make_attention_policy(form.spec).spec;
    EXPECT_EQ(make_attention_policy(spec).spec, spec);
    EXPECT_FALSE(form.row->description.empty());
    for (const auto& parameter : form.row->parameters) EXPECT_THAT(spec, HasSubstr(parameter.name + "="));
  }
}

TEST(AttentionPolicyRegistry, RefusesWhatItDoesNotKnow) {
  const auto message = [](const std::string& spec) -> std::string {
    try {
      (void)make_attention_policy(spec);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message("h3o(budget=4)"),
              testing::AllOf(HasSubstr("known are: "), HasSubstr("full"), HasSubstr("sink")));
  EXPECT_THAT(message("sink"), HasSubstr("budget"));
  EXPECT_THAT(message("sink(budget=0)"), HasSubstr("budget"));
  EXPECT_THAT(message("sink(budget=4,pos=other)"), HasSubstr("doubled"));
  EXPECT_THAT(message("h2o(budget=8,heavy=4,recent=5)"),
              HasSubstr("heavy=4 and recent=5 make 9, not budget=8"));
  EXPECT_THAT(message("h2o(budget=8,heavy=9)"), HasSubstr("heavy=9 and recent=0 make 9, not budget=8"));
  EXPECT_THAT(message("snapkv(budget=8,pool=4)"), HasSubstr("pool=4"));
  EXPECT_THAT(message("rkv(budget=8,lambda=1.5)"), HasSubstr("lambda"));
}

TEST(AttentionPolicyRegistry, EveryFileHasItsRow) {
  std::set<std::string> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(LIL_RECORD_FOLDER) / "policies")) {
    if (entry.path().extension() == ".cpp") files.insert(entry.path().stem().string());
  }
  std::set<std::string> rows{"registry"};
  for (const auto& row : record::attention_policy_rows()) rows.insert(row.name);
  EXPECT_EQ(files, rows);
}

}  // namespace
}  // namespace lil::tests
