// Do the policies that drop tokens keep what the document says, step by step?

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "kernels/merge_states.h"
#include "record/attention_step.h"
#include "record/prompt_pass.h"
#include "record/rope.h"
#include "record/token_sets.h"
#include "tests/record/policy_runs.h"
#include "tests/record/policy_twin.h"
#include "tests/record/slow_llama.h"

namespace lil::tests {
namespace {

using record::SequenceId;
using schemas::TokenId;
using testing::ElementsAre;

const LoadedTiny& tiny() {
  static const LoadedTiny loaded = load_tiny("fp32");
  return loaded;
}

/// What a comparison came to.
struct Agreement {
  std::int64_t sets = 0;
  std::int64_t close_calls = 0;  ///< sets that differ because scores are equal up to rounding
  std::int64_t drops = 0;        ///< sets that lack a token
};

/// Scores that differ by less are equal up to rounding.
constexpr double kTie = 2e-6;

/// Compares the engine's sets with the twin's in each step.
Agreement compare(const Form& form, std::int64_t prompt_tokens, std::int64_t steps) {
  SCOPED_TRACE(form.spec + ", prompt " + std::to_string(prompt_tokens));
  PolicyRun run(*tiny().model, form.spec);
  SlowLlama slow(tiny().tiny);
  PolicyTwin twin(form, slow, prompt_tokens);
  Agreement found;
  const auto everything = [&](std::int64_t /*layer*/) {
    return std::vector<AttentionView>(static_cast<std::size_t>(slow.heads()), dense_view(slow.tokens() - 1));
  };
  const std::vector<TokenId> prompt = some_tokens(prompt_tokens);
  const SequenceId sequence = run.admit(prompt);
  for (const TokenId token : prompt) {
    (void)slow.read(token, everything,
                    [&](std::int64_t layer, const auto& weights) { twin.see_prompt(layer, weights); });
  }
  const std::int64_t dense_layers = form.number("skip_layers");
  const auto choose = [&](std::int64_t layer) {
    if (layer < dense_layers) return everything(layer);
    twin.make_room(layer);
    std::vector<AttentionView> views;
    for (std::int64_t head = 0; head < slow.heads(); ++head) {
      const auto seen = run.engine().seen(sequence, layer, head);
      if (head % slow.group() == 0) {
        const auto expected = twin.kept(layer, head / slow.group());
        const double apart = twin.adopt(layer, head / slow.group(), seen);
        EXPECT_LE(apart, kTie) << "token " << slow.tokens() - 1 << ", layer " << layer << ", head " << head
                               << ": " << testing::PrintToString(seen) << ", not "
                               << testing::PrintToString(expected);
        ++found.sets;
        found.close_calls += seen == expected ? 0 : 1;
        found.drops += static_cast<std::int64_t>(seen.size()) < slow.tokens() ? 1 : 0;
      }
      views.push_back(view_of(form, seen));
    }
    return views;
  };
  for (const TokenId token : some_tokens(steps, prompt_tokens)) {
    run.read(sequence, token);
    (void)slow.read(token, choose, [&](std::int64_t layer, const auto& weights) {
      if (layer >= dense_layers) twin.see(layer, weights);
    });
    if (testing::Test::HasNonfatalFailure()) break;
  }
  return found;
}

class DroppingPolicyTwin : public testing::TestWithParam<std::string> {};

TEST_P(DroppingPolicyTwin, KeepsTheSameTokensInEveryStep) {
  Agreement all;
  const auto& row = *form_of(GetParam() + "(budget=1)").row;
  for (const std::int64_t budget : {3, 10, 24}) {
    for (const Form& form : forms_of(row, budget)) {
      for (const std::int64_t prompt_tokens : {1, 30}) {
        const Agreement one = compare(form, prompt_tokens, 60);
        ASSERT_FALSE(HasFailure());
        all.sets += one.sets;
        all.close_calls += one.close_calls;
        all.drops += one.drops;
      }
    }
  }
  EXPECT_LE(all.close_calls * 500, all.sets);
  EXPECT_GE(all.drops * 4, all.sets) << "too little was dropped to show anything";
}

std::vector<std::string> dropping_rows() {
  std::vector<std::string> names;
  for (const RowTraits& traits : row_traits()) {
    if (traits.kind == RowTraits::Kind::kDropsTokens) names.push_back(traits.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Rows, DroppingPolicyTwin, testing::ValuesIn(dropping_rows()),
                         [](const auto& one) { return one.param; });

// --- A policy at work on made-up keys and queries.

/// One layer with one head whose softmax weights the test says: key j points along channel j, and a query has
/// the logarithms of the weights in its channels.
class Bench {
 public:
  static constexpr std::int64_t kChannels = 16;
  static constexpr std::int64_t kMost = 16;

  explicit Bench(const std::string& spec)
      : device_(record::make_cpu_device(1)),
        policy_(record::make_attention_policy(spec)),
        pool_(*device_, {1, kChannels, kernels::DType::kFp32}, 16, 4),
        rope_(*device_, static_cast<std::size_t>(2 * kMost * kChannels)),
        context_(make_context()),
        attention_(context_),
        state_(policy_.policy->start(context_)),
        mixed_(static_cast<std::size_t>(kChannels)) {}

  /// A prompt with these scores, where the policy asks for scores.
  void prompt(std::vector<float> scores, bool equal_keys = false) {
    const auto tokens = static_cast<std::int64_t>(scores.size());
    equal_keys_ = equal_keys;
    record::PromptLayer layer;
    layer.tokens = tokens;
    layer.capacity = kMost;
    std::vector<float> keys;
    for (std::int64_t t = 0; t < kMost; ++t) {
      for (const float channel : key(t)) keys.push_back(channel);
    }
    const std::vector<float> queries(keys.size(), 0.5F);
    scores.resize(static_cast<std::size_t>(kMost));
    layer.keys = keys.data();
    layer.raw_keys = keys.data();
    layer.values = keys.data();
    layer.queries = queries.data();
    const bool wanted = policy_.policy->prompt_needs().scores != record::PromptNeeds::Scores::kNone;
    layer.scores = wanted ? scores.data() : nullptr;
    state_->open(0, tokens);
    state_->take_prompt(0, layer);
    tokens_ = tokens;
  }

  /// One token whose query gives these weights, by position; what is not held is not looked at.
  void step(const std::vector<float>& weights) {
    const std::int64_t position = tokens_++;
    state_->begin_step(std::span(&position, 1));
    const auto slot = static_cast<std::size_t>(*state_->plan_append(0).slots);
    const std::vector<float> own = key(position);
    std::copy(own.begin(), own.end(), static_cast<float*>(pool_.keys()) + slot * own.size());
    pool_.slot_positions()[slot] = static_cast<std::int32_t>(position);
    std::vector<float> query(static_cast<std::size_t>(kChannels));
    for (std::size_t j = 0; j < weights.size(); ++j) query[j] = std::log(weights[j]);
    std::vector<record::AttentionPart> parts;
    state_->attend(0, query.data(), parts);
    state_->observe(0, attention_.attend(1, query.data(), parts, mixed_.data()));
  }

  [[nodiscard]] std::vector<std::int32_t> held() const { return state_->held(0, 0, 0); }
  [[nodiscard]] std::vector<float> scores() const {
    return dynamic_cast<const record::TokenSets&>(*state_).scores(0, 0, 0);
  }

 private:
  [[nodiscard]] std::vector<float> key(std::int64_t position) const {
    std::vector<float> key(static_cast<std::size_t>(kChannels));
    key[equal_keys_ ? 0 : static_cast<std::size_t>(position)] = std::sqrt(static_cast<float>(kChannels));
    return key;
  }

  record::PolicyContext make_context() {
    record::PolicyContext context;
    context.device = device_.get();
    context.pool = &pool_;
    context.layers = 1;
    context.heads = 1;
    context.kv_heads = 1;
    context.head_dim = kChannels;
    context.lanes = 1;
    context.max_tokens = kMost;
    context.rope = rope_.data();
    context.rope_positions = 2 * kMost;
    return context;
  }

  std::unique_ptr<record::Device> device_;
  record::ResolvedPolicy policy_;
  record::KvPool pool_;
  record::DeviceArray<float> rope_;
  record::PolicyContext context_;
  record::AttentionStep attention_;
  std::unique_ptr<record::PolicyState> state_;
  std::vector<float> mixed_;
  std::int64_t tokens_ = 0;
  bool equal_keys_ = false;
};

MATCHER_P(AreNear, expected, "") {
  if (arg.size() != expected.size()) return false;
  for (std::size_t i = 0; i < arg.size(); ++i) {
    if (std::abs(arg[i] - expected[i]) > 1e-5F) return false;
  }
  return true;
}

TEST(H2oExample, OfTheDocument) {
  Bench bench("h2o(budget=4,heavy=2,recent=2,score_init=zero,evict=after)");
  bench.prompt({0, 0, 0});
  bench.step({.4F, .1F, .2F, .3F});  // token 3
  EXPECT_THAT(bench.held(), ElementsAre(0, 1, 2, 3));
  bench.step({.3F, .05F, .25F, .2F, .2F});  // token 4; then 1 goes
  EXPECT_THAT(bench.scores(), AreNear(std::vector<float>{.7F, .15F, .45F, .5F, .2F}));
  bench.step({.1F, 1, .1F, .5F, .2F, .1F});  // token 5; then 2 goes
  EXPECT_THAT(bench.held(), ElementsAre(0, 2, 3, 4, 5));
  EXPECT_THAT(bench.scores(), AreNear(std::vector<float>{.8F, .55F, 1.0F, .4F, .1F}));
  bench.step({.2F, 1, 1, .2F, .2F, .2F, .2F});  // token 6
  EXPECT_THAT(bench.held(), ElementsAre(0, 3, 4, 5, 6));
}

TEST(H2oExample, APromptStartsWithItsScoresAndIsCutByThem) {
  Bench bench("h2o(budget=4)");
  bench.prompt({.3F, 2.0F, .2F, .9F, .4F, .1F});
  EXPECT_THAT(bench.held(), ElementsAre(1, 3, 5));  // two heavy ones, and with the next token two recent ones
  EXPECT_THAT(bench.scores(), AreNear(std::vector<float>{2.0F, .9F, .1F}));
  bench.step({1, .1F, 1, .2F, 1, .3F, .4F});
  EXPECT_THAT(bench.held(), ElementsAre(1, 3, 5, 6));
  EXPECT_THAT(bench.scores(), AreNear(std::vector<float>{2.1F, 1.1F, .4F, .4F}));
}

// Invariant 7.
TEST(H2oScores, WithFullAttentionSumToTheNumberOfQueries) {
  Bench bench("h2o(budget=16)");
  bench.prompt({1});  // a token's weight on itself
  for (float query = 2; query < 16; ++query) {
    std::vector<float> weights;
    for (float j = 0; j < query; ++j) weights.push_back(1 + j * query);
    bench.step(weights);
    float sum = 0;
    for (const float score : bench.scores()) sum += score;
    EXPECT_NEAR(sum, query, 1e-5);
  }
}

TEST(H2oScores, OfAPromptSumToTheNumberOfItsQueries) {
  const auto& config = tiny().model->config();
  for (const std::string gqa : {"sum", "mean", "max"}) {
    const auto policy = record::make_attention_policy("h2o(budget=8,gqa=" + gqa + ")");
    record::KvPool pool(tiny().model->device(), {config.kv_heads, config.head_dim, kernels::DType::kFp32}, 16,
                        1);
    const std::vector<float> table = record::rope_table(config.rope, config.head_dim, 0, 64);
    record::PolicyContext context;
    context.device = &tiny().model->device();
    context.pool = &pool;
    context.layers = config.layers;
    context.heads = config.heads;
    context.kv_heads = config.kv_heads;
    context.head_dim = config.head_dim;
    context.lanes = 1;
    context.max_tokens = 64;
    context.rope = table.data();
    context.rope_positions = 64;
    record::AttentionStep attention(context);
    record::PromptPass prompts(context, policy.policy->prompt_needs(), false, attention);
    const auto decoder = tiny().model->make_decoder();
    const auto check = [&](const record::PromptLayer& layer) {
      for (std::int64_t head = 0; head < config.kv_heads; ++head) {
        double sum = 0;
        for (std::int64_t t = 0; t < 37; ++t) sum += layer.scores[head * layer.capacity + t];
        const double heads = gqa == "sum" ? static_cast<double>(context.group()) : 1.0;
        if (gqa == "max") {
          EXPECT_GT(sum, 37.1);
        } else {
          EXPECT_NEAR(sum, 37 * heads, 1e-3);
        }
      }
    };
    ASSERT_TRUE(prompts.run(*decoder, some_tokens(37), check, {}));
  }
}

TEST(TovaExample, DropsWhatTheLatestQueryLooksAtLeast) {
  Bench bench("tova(budget=3)");
  bench.prompt({.2F, .1F, .4F, .3F});  // of its last query
  EXPECT_THAT(bench.held(), ElementsAre(2, 3));
  bench.step({1, 1, .5F, .3F, .2F});
  EXPECT_THAT(bench.held(), ElementsAre(2, 3, 4));
  bench.step({1, 1, .9F, .1F, .2F, .3F});  // 4 had least; then 3 will have
  EXPECT_THAT(bench.held(), ElementsAre(2, 3, 5));
  bench.step({1, 1, .9F, .1F, .2F, .3F, .4F});
  EXPECT_THAT(bench.held(), ElementsAre(2, 5, 6));
}

/// What Sink holds, by places, of a model whose sets a mask has confirmed.
TEST(SinkExample, OfTheDocument) {
  PolicyRun run(*tiny().model, "sink(budget=5,sinks=2)");
  const SequenceId sequence = run.admit(some_tokens(1));
  for (int i = 1; i < 8; ++i) run.read(sequence, 7);
  const auto seen = run.engine().seen(sequence, 0, 0);
  EXPECT_THAT(seen, ElementsAre(0, 1, 5, 6, 7));
  const AttentionView view = view_of(form_of("sink(budget=5,sinks=2)"), seen);
  EXPECT_THAT(view.key_positions, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(view.query_position, 4);
}

std::vector<std::int32_t> seen_at(const std::string& spec, std::int64_t prompt_tokens, std::int64_t last) {
  PolicyRun run(*tiny().model, spec);
  const SequenceId sequence = run.admit(some_tokens(prompt_tokens));
  for (std::int64_t position = prompt_tokens; position <= last; ++position) run.read(sequence, 7);
  return run.engine().seen(sequence, 0, 0);
}

TEST(SinkExample, APromptOverTheBudgetIsCutAtTheFirstDecodedToken) {
  EXPECT_THAT(seen_at("sink(budget=6,sinks=2)", 10, 10), ElementsAre(0, 1, 7, 8, 9, 10));
  EXPECT_THAT(seen_at("sink(budget=6,sinks=2,first_step=dense)", 10, 10),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  EXPECT_THAT(seen_at("sink(budget=6,sinks=2,first_step=dense)", 10, 11), ElementsAre(0, 1, 8, 9, 10, 11));
}

TEST(SinkExample, SmallBudgetsPreferTheCurrentTokenToSinks) {
  EXPECT_THAT(seen_at("sink(budget=1)", 3, 8), ElementsAre(8));
  EXPECT_THAT(seen_at("sink(budget=3)", 3, 8), ElementsAre(0, 1, 8));
  EXPECT_THAT(seen_at("sink(budget=5)", 3, 8), ElementsAre(0, 1, 2, 3, 8));
  EXPECT_THAT(seen_at("sink(budget=6)", 3, 8), ElementsAre(0, 1, 2, 3, 7, 8));
}

TEST(SinkExample, ThePinnedPromptStaysEvenOverTheBudget) {
  EXPECT_THAT(seen_at("sink(budget=8,sinks=2,pin_prompt=on)", 5, 12), ElementsAre(0, 1, 2, 3, 4, 10, 11, 12));
  EXPECT_THAT(seen_at("sink(budget=3,pin_prompt=on)", 5, 12), ElementsAre(0, 1, 2, 3, 4, 12));
  EXPECT_THAT(seen_at("sink(budget=5,sinks=4,pin_prompt=on)", 2, 9), ElementsAre(0, 1, 2, 3, 9));
}

TEST(SinkExample, EvictAfterAttendsToOneMore) {
  EXPECT_THAT(seen_at("sink(budget=5,sinks=2,evict=after)", 1, 7), ElementsAre(0, 1, 4, 5, 6, 7));
}

// Invariant 11: of equal scores the lowest position goes.
TEST(TieRule, OfEqualKeysTheLowestPositionGoes) {
  for (const std::string spec :
       {"sink(budget=3,sinks=0)", "tova(budget=3)", "h2o(budget=3,heavy=2,recent=1,score_init=zero)",
        "snapkv(budget=3,window=1,every=1)", "rkv(budget=3,window=1,every=1)"}) {
    Bench bench(spec);
    bench.prompt({.25F, .25F, .25F, .25F, .25F}, true);
    EXPECT_THAT(bench.held(), ElementsAre(3, 4)) << spec;
    bench.step({1});
    EXPECT_THAT(bench.held(), ElementsAre(3, 4, 5)) << spec;
    bench.step({1});
    EXPECT_THAT(bench.held(), ElementsAre(4, 5, 6)) << spec;
  }
}

// --- The control.

TEST(RandomPolicy, PicksEvenlyAmongAllThatMayGo) {
  // Which place goes in each drop, of 9 that are held before the current one comes.
  std::vector<std::int64_t> gone(9);
  for (int seed = 0; seed < 30; ++seed) {
    PolicyRun run(*tiny().model, "random(budget=9,seed=" + std::to_string(seed) + ")");
    const SequenceId sequence = run.admit(some_tokens(8));
    run.read(sequence, 7);
    auto before = run.held(sequence);
    for (int step = 0; step < 40; ++step) {
      run.read(sequence, 7);
      const auto after = run.held(sequence);
      for (std::size_t set = 0; set < before.size(); ++set) {
        const auto place = std::mismatch(before[set].begin(), before[set].end(), after[set].begin()).first;
        ++gone[static_cast<std::size_t>(place - before[set].begin())];
      }
      before = after;
    }
  }
  // 7200 drops; each place has a ninth of them, give or take 5 standard deviations of 27.
  for (const std::int64_t count : gone) EXPECT_NEAR(static_cast<double>(count), 800, 135);
}

TEST(RandomPolicy, DiffersBySeedLayerAndHeadAndIsTheSameAgain) {
  const auto held_of = [](const std::string& spec) {
    PolicyRun run(*tiny().model, spec);
    const SequenceId sequence = run.admit(some_tokens(30));
    for (int i = 0; i < 20; ++i) run.read(sequence, 7);
    return run.held(sequence);
  };
  const auto first = held_of("random(budget=8)");
  EXPECT_EQ(std::set(first.begin(), first.end()).size(), first.size());
  EXPECT_EQ(held_of("random(budget=8,seed=0)"), first);
  EXPECT_NE(held_of("random(budget=8,seed=1)"), first);
}

// --- SnapKV and R-KV cut seldom.

TEST(SeldomDrops, AttendToTheBudgetAndUpToTheStepsBetweenMore) {
  for (const std::string name : {"snapkv", "rkv"}) {
    PolicyRun run(*tiny().model, name + "(budget=20)");
    const SequenceId sequence = run.admit(some_tokens(60));
    for (std::int64_t step = 0; step < 200; ++step) {
      run.read(sequence, static_cast<TokenId>(step % 50));
      ASSERT_EQ(run.engine().attended(sequence), 20 + step % 128) << name << ", step " << step;
    }
  }
}

TEST(SeldomDrops, CutAPromptOverTheBudgetAtOnceOrAfterADenseStep) {
  const auto attended = [](const std::string& first_step, std::int64_t prompt_tokens) {
    PolicyRun run(*tiny().model, "snapkv(budget=20,first_step=" + first_step + ")");
    const SequenceId sequence = run.admit(some_tokens(prompt_tokens));
    std::vector<std::int32_t> steps;
    for (int step = 0; step < 3; ++step) {
      run.read(sequence, 7);
      steps.push_back(run.engine().attended(sequence));
    }
    return steps;
  };
  EXPECT_THAT(attended("prefill_scores", 60), ElementsAre(20, 21, 22));
  EXPECT_THAT(attended("prefill_scores", 20), ElementsAre(20, 21, 22));
  EXPECT_THAT(attended("prefill_scores", 19), ElementsAre(20, 21, 22));
  EXPECT_THAT(attended("dense", 60), ElementsAre(61, 20, 21));
  EXPECT_THAT(attended("dense", 20), ElementsAre(21, 20, 21));
  EXPECT_THAT(attended("dense", 19), ElementsAre(20, 21, 22));
}

}  // namespace
}  // namespace lil::tests
