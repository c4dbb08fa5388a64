// Do the policies that work with pages and blocks attend to what the document says?

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <random>

#include "record/context_split.h"
#include "record/page_bounds.h"
#include "schemas/error.h"
#include "tests/record/policy_runs.h"
#include "tests/record/selecting_twins.h"
#include "tests/record/slow_llama.h"

namespace lil::tests {
namespace {

using record::ContextSizes;
using record::ContextSplit;
using record::SequenceId;
using schemas::TokenId;
using testing::ElementsAre;
using testing::HasSubstr;

const LoadedTiny& tiny() {
  static const LoadedTiny loaded = load_tiny("fp32");
  return loaded;
}

// --- Quest's bound.

/// Pages of one kv head with these keys, in fp32.
class BoundedPages {
 public:
  BoundedPages(std::int64_t head_dim, std::int32_t page_tokens, std::int64_t group,
               const std::vector<float>& keys)
      : device_(record::make_cpu_device(1)),
        tokens_(static_cast<std::int64_t>(keys.size()) / head_dim),
        pages_(kernels::pages_of(tokens_, page_tokens)),
        pool_(*device_, {1, head_dim, kernels::DType::kFp32}, page_tokens, pages_),
        bounds_(context(head_dim, group)),
        list_(*device_, static_cast<std::size_t>(pages_)),
        count_(*device_, 1),
        group_(group) {
    device_->upload(pool_.keys(), keys.data(), keys.size() * sizeof(float));
    std::vector<std::int32_t> pages;
    for (std::int64_t page = 0; page < pages_; ++page) pages.push_back(static_cast<std::int32_t>(page));
    list_.upload(pages);
    count_.upload(std::vector<std::int32_t>{static_cast<std::int32_t>(tokens_)});
    lists_ = {list_.data(), pages_, count_.data(), tokens_, page_tokens};
    bounds_.find(1, lists_);
  }

  /// By query head and page, or where joined, by page.
  std::vector<float> scores(const std::vector<float>& queries, bool joined) {
    record::DeviceArray<float> device_queries(*device_, queries.size());
    device_queries.upload(queries);
    record::DeviceArray<float> scores(*device_, static_cast<std::size_t>(group_ * pages_));
    record::PageBounds::Scores out;
    out.per_query_head = !joined;
    out.scores = scores.data();
    out.stride = pages_;
    bounds_.score(1, device_queries.data(), lists_, out);
    return scores.download(0, static_cast<std::size_t>((joined ? 1 : group_) * pages_));
  }

 private:
  record::PolicyContext context(std::int64_t head_dim, std::int64_t group) {
    record::PolicyContext context;
    context.device = device_.get();
    context.pool = &pool_;
    context.heads = group;
    context.kv_heads = 1;
    context.head_dim = head_dim;
    context.lanes = 1;
    return context;
  }

  std::unique_ptr<record::Device> device_;
  std::int64_t tokens_;
  std::int64_t pages_;
  record::KvPool pool_;
  record::PageBounds bounds_;
  record::DeviceArray<std::int32_t> list_;
  record::DeviceArray<std::int32_t> count_;
  std::int64_t group_;
  kernels::PageLists lists_;
};

TEST(PageBoundsTest, TheExampleOfTheDocument) {
  BoundedPages pages(2, 2, 1, {1, 1, 2, -1, 0, 3, 1, 0});
  EXPECT_THAT(pages.scores({1, -2}, false), ElementsAre(4, 1));
}

TEST(PageBoundsTest, NoKeyExceedsTheBoundOfItsPage) {
  std::mt19937 random(5);
  std::uniform_real_distribution<float> number(-2, 2);
  constexpr std::size_t kDim = 12;
  for (const std::int32_t page_tokens : {1, 2, 5, 16}) {
    std::vector<float> keys(kDim * 37);
    std::vector<float> queries(kDim * 3);
    for (float& value : keys) value = number(random);
    for (float& value : queries) value = number(random);
    BoundedPages pages(kDim, page_tokens, 3, keys);
    const std::vector<float> scores = pages.scores(queries, false);
    const std::size_t count = scores.size() / 3;
    for (std::size_t head = 0; head < 3; ++head) {
      for (std::size_t token = 0; token < 37; ++token) {
        double product = 0;
        for (std::size_t i = 0; i < kDim; ++i) {
          product +=
              static_cast<double>(queries[head * kDim + i]) * static_cast<double>(keys[token * kDim + i]);
        }
        const double score = scores[head * count + token / static_cast<std::size_t>(page_tokens)];
        EXPECT_NEAR(score, product, page_tokens == 1 ? 1e-5 : 100);
        EXPECT_GE(score, product - 1e-5) << "page of " << page_tokens << ", token " << token;
      }
    }
    const std::vector<float> joined = pages.scores(queries, true);
    for (std::size_t page = 0; page < count; ++page) {
      EXPECT_NEAR(joined[page], scores[page] + scores[count + page] + scores[2 * count + page], 1e-4);
    }
  }
}

// --- InfLLM's parts.

TEST(ContextSplitTest, TheExampleOfTheDocument) {
  const ContextSizes sizes{1, 2, 2, 1};
  const ContextSplit split(sizes, 7);  // at token 6
  EXPECT_EQ(split.init, 1);            // {0}
  EXPECT_EQ(split.blocks, 1);          // [1, 2]
  EXPECT_EQ(split.remainder, 2);       // {3, 4}
  EXPECT_EQ(split.local, 2);           // {5, 6}
  EXPECT_TRUE(split.block_completes);
  EXPECT_EQ(sizes.most(), 7);
  PolicyRun run(*tiny().model, "infllm(budget=7,n_init=1,n_local=2,block=2,topk=1)");
  const SequenceId sequence = run.admit(some_tokens(6));
  run.read(sequence, 3);
  EXPECT_THAT(run.engine().seen(sequence, 0, 0), ElementsAre(0, 1, 2, 3, 4, 5, 6));
  run.read(sequence, 3);  // one of the blocks [1, 2] and [3, 4]
  const auto seen = run.engine().seen(sequence, 0, 0);
  EXPECT_EQ(seen.size(), 6U);
  EXPECT_EQ(std::vector<std::int32_t>(seen.end() - 3, seen.end()), (std::vector<std::int32_t>{5, 6, 7}));
}

/// As the public code does it, with queues of tokens.
TEST(ContextSplitTest, IsWhatTokensThatStreamByLeave) {
  for (const ContextSizes sizes :
       {ContextSizes{1, 2, 2, 1}, ContextSizes{0, 1, 1, 0}, ContextSizes{3, 5, 4, 2},
        ContextSizes{5, 1, 3, 9}, ContextSizes{4, 6, 1, 2}}) {
    std::deque<int> remainder;
    std::int64_t init = 0;
    std::int64_t blocks = 0;
    for (int token = 0; token < 60; ++token) {
      remainder.push_back(token);
      const ContextSplit split(sizes, token + 1);
      const auto waiting = static_cast<std::int64_t>(remainder.size());
      EXPECT_EQ(split.blocks, blocks) << token;
      EXPECT_EQ(split.init + split.remainder, init + std::max<std::int64_t>(waiting - sizes.local, 0))
          << token;
      EXPECT_EQ(split.local, std::min<std::int64_t>(token + 1, sizes.local));
      EXPECT_LE(split.init + split.far(sizes) + split.local, sizes.most());
      const std::int64_t blocks_before = blocks;
      while (init<sizes.init&& static_cast<std::int64_t>(remainder.size())> sizes.local) {
        ++init;
        remainder.pop_front();
      }
      while (static_cast<std::int64_t>(remainder.size()) - sizes.block >= sizes.local) {
        ++blocks;
        remainder.erase(remainder.begin(), remainder.begin() + sizes.block);
      }
      EXPECT_EQ(split.block_completes, blocks > blocks_before) << token;
    }
  }
}

// --- Slow twins.

/// Runs an engine beside a twin, and compares what every query head sees, and the logits, in each step.
void expect_twins(const std::string& spec, std::int64_t prompt_tokens, std::int64_t steps) {
  const Form form = form_of(spec);
  SCOPED_TRACE(spec + ", prompt " + std::to_string(prompt_tokens));
  PolicyRun run(*tiny().model, spec);
  SlowLlama slow(tiny().tiny);
  const auto twin = make_selecting_twin(form, slow, prompt_tokens);
  std::vector<AttentionView> views;
  bool in_prompt = true;
  const auto choose = [&](std::int64_t layer) {
    if (in_prompt || layer < form.number("skip_layers")) {
      views.assign(static_cast<std::size_t>(slow.heads()), dense_view(slow.tokens() - 1));
    } else {
      views = twin->choose(layer);
    }
    return views;
  };
  const auto see = [&](std::int64_t layer, const std::vector<SlowLlama::Vector>& weights) {
    if (layer >= form.number("skip_layers")) twin->see(layer, views, weights);
    for (std::int64_t head = 0; head < slow.heads() && !in_prompt; ++head) {
      const auto& tokens = views[static_cast<std::size_t>(head)].tokens;
      std::vector<std::int32_t> expected(tokens.begin(), tokens.end());
      std::sort(expected.begin(), expected.end());
      const SequenceId first{0};
      EXPECT_EQ(run.engine().seen(first, layer, head), expected)
          << "token " << slow.tokens() - 1 << ", layer " << layer << ", head " << head;
    }
  };
  const std::vector<TokenId> prompt = some_tokens(prompt_tokens);
  const SequenceId sequence = run.admit(prompt);
  ASSERT_EQ(sequence, SequenceId{0});
  for (const TokenId token : prompt) (void)slow.read(token, choose, see);
  in_prompt = false;
  for (std::int64_t step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
    const TokenId token = some_tokens(1, prompt_tokens + step).front();
    run.read(sequence, token);
    const SlowLlama::Vector expected = slow.read(token, choose, see);
    const std::vector<float> logits = run.logits(sequence);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(logits[i], expected[i], 2e-4 * (1 + std::abs(expected[i]))) << "step " << step;
    }
  }
}

TEST(SelectingTwinsTest, QuestSeesTheSamePages) {
  expect_twins("quest(budget=32,skip_layers=0)", 50, 70);
  expect_twins("quest(budget=20,page=4)", 3, 70);
  expect_twins("quest(budget=11,page=4,skip_layers=0)", 30, 64);
  expect_twins("quest(budget=5,page=1,skip_layers=0)", 1, 64);
  expect_twins("quest(budget=1,skip_layers=0)", 9, 64);
  for (const std::string gqa : {"mean", "max", "per_query_head"}) {
    expect_twins("quest(budget=24,page=8,skip_layers=0,gqa=" + gqa + ")", 10, 64);
  }
}

TEST(SelectingTwinsTest, RaasStampsAndDropsTheSamePages) {
  expect_twins("raas(budget=32)", 20, 64);
  expect_twins("raas(budget=24,page=4)", 5, 90);
  expect_twins("raas(budget=22,page=4,pin_prompt=off)", 50, 64);
  expect_twins("raas(budget=6,page=2,pin_prompt=off)", 1, 64);
  expect_twins("raas(budget=1,pin_prompt=off)", 7, 64);
  expect_twins("raas(budget=5)", 30, 64);
  for (const std::string more : {"gqa=mean", "gqa=max", "touch=alpha,alpha=0.12", "skip_layers=2"}) {
    expect_twins("raas(budget=20,page=4,pin_prompt=off," + more + ")", 10, 64);
  }
}

TEST(SelectingTwinsTest, InfllmSeesTheSameBlocks) {
  expect_twins("infllm(budget=32)", 50, 64);
  expect_twins("infllm(budget=64)", 10, 90);
  expect_twins("infllm(budget=16)", 1, 64);
  expect_twins("infllm(budget=24,n_init=3,n_local=6,block=4,topk=2,repr=2)", 29, 64);
  expect_twins("infllm(budget=24,n_init=4,n_local=5,block=4,topk=2,repr=9)", 7, 64);
  expect_twins("infllm(budget=20,n_init=0,n_local=8,block=3,topk=3,repr=1,skip_layers=1)", 40, 64);
  expect_twins("infllm(budget=9,n_init=2,n_local=7,block=0,topk=0)", 20, 40);
  for (const std::string budget : {"1", "2", "3", "8"}) expect_twins("infllm(budget=" + budget + ")", 12, 40);
}

// --- Beside others.

const std::vector<std::string>& specs() {
  static const std::vector<std::string> all{
      "quest(budget=20,page=4,skip_layers=1)",
      "quest(budget=20,page=4,skip_layers=0,gqa=per_query_head)",
      "raas(budget=20,page=4)",
      "raas(budget=20,page=4,pin_prompt=off)",
      "raas(budget=20,page=4,pin_prompt=off,touch=alpha,alpha=0.12)",
      "infllm(budget=24,n_init=3,n_local=6,block=4,topk=2,repr=2)",
  };
  return all;
}

/// Logits and views of every step of a sequence alone.
struct Trace {
  std::vector<std::vector<float>> logits;
  std::vector<std::vector<std::int32_t>> seen;

  void add(PolicyRun& run, SequenceId sequence) {
    logits.push_back(run.logits(sequence));
    for (std::int64_t layer = 0; layer < 3; ++layer) {
      for (std::int64_t head = 0; head < 4; ++head) {
        seen.push_back(run.engine().seen(sequence, layer, head));
        EXPECT_LE(static_cast<std::int64_t>(seen.back().size()),
                  layer == 0 ? run.engine().tokens(sequence) : run.engine().attended(sequence));
      }
    }
  }
  bool operator==(const Trace&) const = default;
};

Trace alone(const std::string& spec, std::int64_t prompt_tokens, std::int64_t steps) {
  PolicyRun run(*tiny().model, spec);
  const SequenceId sequence = run.admit(some_tokens(prompt_tokens));
  Trace trace;
  for (std::int64_t step = 0; step < steps; ++step) {
    run.read(sequence, some_tokens(1, prompt_tokens + step).front());
    trace.add(run, sequence);
  }
  return trace;
}

struct Running {
  SequenceId id{};
  std::int64_t prompt_tokens = 0;
  std::int64_t steps = 0;
  Trace trace;
};

/// One more token for these.
void step_all(PolicyRun& run, std::vector<Running*> sequences) {
  std::vector<record::StepInput> inputs;
  for (const Running* one : sequences) {
    inputs.push_back({one->id, some_tokens(1, one->prompt_tokens + one->steps).front()});
  }
  run.engine().step(inputs);
  for (Running* one : sequences) {
    ++one->steps;
    one->trace.add(run, one->id);
  }
}

TEST(SelectingBatchTest, ASequenceDoesNotDependOnThoseBesideIt) {
  for (const std::string& spec : specs()) {
    SCOPED_TRACE(spec);
    PolicyRun run(*tiny().model, spec, 3);
    Running a{run.admit(some_tokens(9)), 9, 0, {}};
    Running b{run.admit(some_tokens(41)), 41, 0, {}};
    for (int i = 0; i < 5; ++i) step_all(run, {&b, &a});
    Running c{run.admit(some_tokens(1)), 1, 0, {}};
    for (int i = 0; i < 9; ++i) step_all(run, {&c, &a, &b});
    for (int i = 0; i < 4; ++i) step_all(run, {&c});  // c trades lanes with a
    for (int i = 0; i < 7; ++i) step_all(run, {&b, &c});
    run.engine().release(a.id);
    Running d{run.admit(some_tokens(2)), 2, 0, {}};  // in memory that a has used
    for (int i = 0; i < 30; ++i) step_all(run, {&b, &d, &c});
    EXPECT_EQ(a.trace, alone(spec, a.prompt_tokens, a.steps));
    EXPECT_EQ(b.trace, alone(spec, b.prompt_tokens, b.steps));
    EXPECT_EQ(c.trace, alone(spec, c.prompt_tokens, c.steps));
    EXPECT_EQ(d.trace, alone(spec, d.prompt_tokens, d.steps));
    for (const Running* one : {&b, &c, &d}) run.engine().release(one->id);
    EXPECT_EQ(run.engine().kv_bytes_taken(), 0);
  }
}

TEST(SelectingBatchTest, AForkGoesOnAsTheOriginal) {
  for (const std::string& spec : specs()) {
    for (const std::int64_t before : {0, 1, 14}) {
      SCOPED_TRACE(spec + " after " + std::to_string(before));
      PolicyRun run(*tiny().model, spec, 2);
      Running original{run.admit(some_tokens(26)), 26, 0, {}};
      for (std::int64_t i = 0; i < before; ++i) step_all(run, {&original});
      Running copy = original;
      copy.id = run.engine().fork(original.id);
      EXPECT_EQ(run.held(copy.id), run.held(original.id));
      for (std::int64_t head = 0; head < 4; ++head) {
        EXPECT_EQ(run.engine().seen(copy.id, 2, head), run.engine().seen(original.id, 2, head));
      }
      for (int i = 0; i < 20; ++i) step_all(run, {&copy});  // writes over nothing of the original
      for (int i = 0; i < 20; ++i) step_all(run, {&original});
      EXPECT_EQ(copy.trace, alone(spec, 26, before + 20));
      EXPECT_EQ(original.trace, copy.trace);
    }
  }
}

// --- Numbers.

TEST(SelectingPoliciesTest, ABudgetOfAllTokensIsFullAttentionBitForBit) {
  for (const std::string dtype : {"fp32", "bf16", "fp16"}) {
    const LoadedTiny loaded = load_tiny(dtype);
    for (const std::string spec :
         {"quest(budget=60)", "quest(budget=61,page=7,skip_layers=0)",
          "quest(budget=60,skip_layers=0,gqa=per_query_head)", "raas(budget=60)",
          "raas(budget=60,page=7,pin_prompt=off)", "infllm(budget=120)", "infllm(budget=128,n_local=60)"}) {
      PolicyRun run(*loaded.model, spec);
      PolicyRun full(*loaded.model, "full");
      const SequenceId own = run.admit(some_tokens(30));
      const SequenceId other = full.admit(some_tokens(30));
      for (std::int64_t step = 30; step < 60; ++step) {
        run.read(own, some_tokens(1, step).front());
        full.read(other, some_tokens(1, step).front());
        ASSERT_EQ(run.logits(own), full.logits(other)) << spec << " " << dtype << " token " << step;
        ASSERT_EQ(run.engine().attended(own), step + 1);
      }
      for (std::int64_t step = 60; step < 64; ++step) {
        run.read(own, some_tokens(1, step).front());
        full.read(other, some_tokens(1, step).front());
      }
      if (spec.find("raas(budget=60)") == std::string::npos) {
        EXPECT_NE(run.logits(own), full.logits(other)) << spec;
      }
    }
  }
}

TEST(SelectingPoliciesTest, NoQueryHeadAttendsToMoreThanTheBudget) {
  for (const std::string name : {"quest", "raas", "infllm"}) {
    const std::string more = name == "raas" ? ",pin_prompt=off" : name == "quest" ? ",skip_layers=0" : "";
    for (const std::int64_t budget : {1, 2, 3, 5, 7, 15, 16, 17, 31, 33, 64, 100}) {
      for (const std::int64_t prompt_tokens : {1, 16, 50}) {
        PolicyRun run(*tiny().model, name + "(budget=" + std::to_string(budget) + more + ")");
        const SequenceId sequence = run.admit(some_tokens(prompt_tokens));
        for (std::int64_t step = 0; step < 40; ++step) {
          run.read(sequence, 7);
          const auto seen = run.engine().seen(sequence, 1, 2);
          ASSERT_LE(run.engine().attended(sequence), budget) << name;
          ASSERT_EQ(static_cast<std::int64_t>(seen.size()), run.engine().attended(sequence));
          ASSERT_EQ(seen.back(), prompt_tokens + step);
          if (prompt_tokens + step < budget && name != "infllm") {
            ASSERT_EQ(run.engine().attended(sequence), prompt_tokens + step + 1);
          }
        }
      }
    }
  }
}

TEST(SelectingPoliciesTest, RaasGivesMemoryBack) {
  PolicyRun run(*tiny().model, "raas(budget=32,page=4,pin_prompt=off)", 2);
  const SequenceId sequence = run.admit(some_tokens(100));
  // Of layers and heads: keys, values, positions and slots of a page, and its bounds and timestamp.
  const std::int64_t page_bytes = 3 * 2 * (4 * (2 * 12 * 4 + 4 + 4) + 2 * 12 * 4 + 4);
  EXPECT_EQ(run.engine().kv_bytes_taken(), 7 * page_bytes) << "the rest of the prompt never came";
  for (int step = 0; step < 120; ++step) {
    run.read(sequence, 7);
    ASSERT_LE(run.engine().kv_bytes_taken(), 8 * page_bytes);
  }
  EXPECT_EQ(run.engine().kv_bytes(), 2 * 8 * page_bytes);
}

TEST(SelectingPoliciesTest, RaasNeverDropsAPinnedPrompt) {
  PolicyRun run(*tiny().model, "raas(budget=16,page=4)");
  const SequenceId sequence = run.admit(some_tokens(22));
  for (std::int64_t step = 0; step < 60; ++step) {
    run.read(sequence, 7);
    for (std::int64_t head = 0; head < 2; ++head) {
      const auto held = run.engine().held(sequence, 1, head);
      for (std::int32_t token = 0; token < 22; ++token)
        ASSERT_EQ(held[static_cast<std::size_t>(token)], token);
      ASSERT_LE(held.size(), 28U) << "six pages of the prompt, one of the current token";
    }
  }
}

TEST(SelectingPoliciesTest, TheResolvedStringsNameEverything) {
  const auto resolved = [](const std::string& spec) { return record::make_attention_policy(spec).spec; };
  EXPECT_EQ(resolved("quest(budget=128)"), "quest(budget=128,page=16,gqa=sum,skip_layers=2)");
  EXPECT_EQ(resolved("quest(budget=5)"), "quest(budget=5,page=5,gqa=sum,skip_layers=2)");
  EXPECT_EQ(resolved("raas(budget=128)"),
            "raas(budget=128,page=16,touch=half,alpha=0.0001,gqa=sum,pin_prompt=on,skip_layers=0)");
  EXPECT_EQ(resolved("infllm(budget=128)"),
            "infllm(budget=128,n_init=16,n_local=64,block=16,topk=2,repr=4,skip_layers=0)");
  EXPECT_EQ(resolved("infllm(budget=16)"),
            "infllm(budget=16,n_init=2,n_local=8,block=3,topk=1,repr=4,skip_layers=0)");
  EXPECT_EQ(resolved("infllm(budget=2048)"),
            "infllm(budget=2048,n_init=16,n_local=1024,block=64,topk=14,repr=4,skip_layers=0)");
  EXPECT_EQ(resolved("infllm(budget=1)"),
            "infllm(budget=1,n_init=0,n_local=1,block=0,topk=0,repr=4,skip_layers=0)");
}

TEST(SelectingPoliciesTest, RefusesWhatIsOverTheBudget) {
  const auto refusal = [](const std::string& spec) -> std::string {
    try {
      (void)record::make_attention_policy(spec);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refusal("quest(budget=8,page=9)"), HasSubstr("a page of 9 tokens is over budget=8"));
  EXPECT_EQ(refusal("quest(budget=9,page=9)"), "");
  EXPECT_THAT(refusal("raas(budget=8,page=9)"), HasSubstr("a page of 9 tokens is over budget=8"));
  EXPECT_THAT(refusal("infllm(budget=32,block=16)"),
              HasSubstr("n_init=4, n_local=16, topk=0 blocks of 16 and as much for tokens between blocks and "
                        "window make 36, over budget=32"));
  EXPECT_EQ(refusal("infllm(budget=36,n_init=4,n_local=16,block=16,topk=0)"), "");
}

}  // namespace
}  // namespace lil::tests
