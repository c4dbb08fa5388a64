// Does every attention policy keep the invariants that hold for all of them?

#include "record/attention_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "record/language_model.h"
#include "record/sampler.h"
#include "schemas/error.h"
#include "tests/record/tiny_model.h"
#include "tests/support/temporary_directory.h"

namespace lil::tests {
namespace {

using record::make_attention_policy;
using schemas::TokenId;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t kLayers = 3;
constexpr std::int64_t kKvHeads = 2;

class AttentionPolicyTest : public testing::Test {
 protected:
  static std::unique_ptr<record::LanguageModel> load(const std::string& dtype) {
    const TemporaryDirectory folder;
    make_tiny_model(9).write(folder / "tiny");
    return record::load_language_model(folder / "tiny", {dtype, "cpu"});
  }
  static std::vector<TokenId> prompt(std::int64_t tokens) {
    std::vector<TokenId> ids;
    for (std::int64_t i = 0; i < tokens; ++i) ids.push_back(static_cast<TokenId>((i * 13 + 3) % 50));
    return ids;
  }
};

bool has_budget(const record::AttentionPolicyRow& row) {
  return std::any_of(row.parameters.begin(), row.parameters.end(),
                     [](const schemas::Parameter& parameter) { return parameter.name == "budget"; });
}

std::string with_budget(const record::AttentionPolicyRow& row, std::int64_t budget,
                        const std::string& more = "") {
  if (!has_budget(row)) return row.name;
  return row.name + "(budget=" + std::to_string(budget) + more + ")";
}

/// The row at its defaults, and with every choice of every parameter.
std::vector<std::string> forms(const record::AttentionPolicyRow& row, std::int64_t budget) {
  std::vector<std::string> specs{with_budget(row, budget)};
  for (const schemas::Parameter& parameter : row.parameters) {
    for (const std::string& value : parameter.choices) {
      specs.push_back(with_budget(row, budget, "," + parameter.name + "=" + value));
    }
  }
  return specs;
}

/// All logits of a greedy generation, step after step.
std::vector<float> logits_of(const record::LanguageModel& model, const std::string& spec,
                             const std::vector<TokenId>& prompt, int steps) {
  const auto policy = make_attention_policy(spec);
  const auto sequence = model.start(*policy.policy);
  auto greedy = record::make_sampler("greedy");
  auto logits = sequence->prefill(prompt);
  std::vector<float> all(logits.begin(), logits.end());
  for (int step = 0; step < steps; ++step) {
    logits = sequence->decode(greedy.sampler->choose(logits, {}).id);
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

TEST_F(AttentionPolicyTest, BudgetOfAllTokensIsFullAttentionBitForBit) {
  for (const std::string dtype : {"fp32", "bf16", "fp16"}) {
    const auto model = load(dtype);
    for (const std::int64_t prompt_tokens : {1, 6, 130}) {
      const std::vector<float> full = logits_of(*model, "full", prompt(prompt_tokens), 20);
      for (const auto& row : record::attention_policy_rows()) {
        for (const std::string& spec : forms(row, prompt_tokens + 20)) {
          const bool same = logits_of(*model, spec, prompt(prompt_tokens), 20) == full;
          // Twice the distances is another computation from the first decoded token on.
          EXPECT_EQ(same, spec.find("pos=doubled") == std::string::npos) << spec << " " << dtype;
        }
      }
      EXPECT_NE(logits_of(*model, "sink(budget=" + std::to_string(prompt_tokens + 10) + ")",
                          prompt(prompt_tokens), 20),
                full);
    }
  }
}

TEST_F(AttentionPolicyTest, AttendsToTheBudgetTheCurrentTokenIncluded) {
  const auto model = load("fp32");
  for (const auto& row : record::attention_policy_rows()) {
    for (const std::int64_t budget : {1, 2, 3, 4, 5, 6, 9, 16}) {
      for (const std::int64_t prompt_tokens : {1, 5, 20}) {
        const auto policy = make_attention_policy(with_budget(row, budget));
        const auto sequence = model->start(*policy.policy);
        (void)sequence->prefill(prompt(prompt_tokens));
        EXPECT_EQ(sequence->attended(), prompt_tokens) << "the prompt is dense";
        for (std::int32_t step = 0; step < 12; ++step) {
          (void)sequence->decode(7);
          const std::int64_t tokens = prompt_tokens + step + 1;
          const std::int64_t expected = has_budget(row) ? std::min(tokens, budget) : tokens;
          ASSERT_EQ(sequence->attended(), expected) << policy.spec << " prompt " << prompt_tokens;
        }
      }
    }
  }
}

TEST_F(AttentionPolicyTest, KeepsTheCurrentTokenAndNeverBringsOneBack) {
  const auto model = load("fp32");
  for (const auto& row : record::attention_policy_rows()) {
    for (const std::string& spec : forms(row, 6)) {
      const auto policy = make_attention_policy(spec);
      const auto sequence = model->start(*policy.policy);
      (void)sequence->prefill(prompt(9));
      std::map<std::pair<std::int64_t, std::int64_t>, std::set<std::int32_t>> gone;
      for (std::int32_t position = 9; position < 24; ++position) {
        (void)sequence->decode(7);
        for (std::int64_t layer = 0; layer < kLayers; ++layer) {
          for (std::int64_t head = 0; head < kKvHeads; ++head) {
            const auto kept = sequence->kept(layer, head);
            ASSERT_TRUE(std::is_sorted(kept.begin(), kept.end()));
            ASSERT_EQ(kept.back(), position) << spec;
            auto& lost = gone[{layer, head}];
            for (std::int32_t old = 0; old <= position; ++old) {
              const bool here = std::binary_search(kept.begin(), kept.end(), old);
              ASSERT_FALSE(here && lost.contains(old)) << spec << " token " << old << " came back";
              if (!here) lost.insert(old);
            }
          }
        }
      }
    }
  }
}

// The kept set must not depend on where entries lie in memory or on a sequence that runs beside this one.
TEST_F(AttentionPolicyTest, SequencesSideBySideDoNotMeet) {
  const auto model = load("fp32");
  const auto policy = make_attention_policy("sink(budget=6)");
  const auto one = model->start(*policy.policy);
  const auto other = model->start(*policy.policy);
  std::vector<float> mixed;
  (void)one->prefill(prompt(9));
  (void)other->prefill(prompt(3));
  for (int step = 0; step < 10; ++step) {
    const auto logits = one->decode(7);
    mixed.assign(logits.begin(), logits.end());
    (void)other->decode(8);
  }
  const auto alone = model->start(*policy.policy);
  (void)alone->prefill(prompt(9));
  std::vector<float> expected;
  for (int step = 0; step < 10; ++step) {
    const auto logits = alone->decode(7);
    expected.assign(logits.begin(), logits.end());
  }
  EXPECT_EQ(mixed, expected);
}

class SinkTest : public AttentionPolicyTest {
 protected:
  /// What is kept after a prompt of one token each, decoded up to `last`.
  static std::vector<std::int32_t> kept_at(const std::string& spec, std::int64_t prompt_tokens,
                                           std::int32_t last, std::int64_t layer = 0) {
    const auto model = load("fp32");
    const auto policy = make_attention_policy(spec);
    const auto sequence = model->start(*policy.policy);
    (void)sequence->prefill(prompt(prompt_tokens));
    for (auto position = static_cast<std::int32_t>(prompt_tokens); position <= last; ++position) {
      (void)sequence->decode(7);
    }
    for (std::int64_t head = 0; head < kKvHeads; ++head) {
      EXPECT_EQ(sequence->kept(layer, head), sequence->kept(layer, 0));
    }
    return sequence->kept(layer, 0);
  }
};

TEST_F(SinkTest, WorkedExampleOfTheDocument) {
  EXPECT_THAT(kept_at("sink(budget=5,sinks=2)", 1, 7), ElementsAre(0, 1, 5, 6, 7));
  const auto policy = make_attention_policy("sink(budget=5,sinks=2)");
  EXPECT_TRUE(policy.policy->placement(0).by_place);
  EXPECT_EQ(policy.policy->placement(0).stride, 1);
}

TEST_F(SinkTest, PromptOverTheBudgetIsCutAtTheFirstDecodedToken) {
  EXPECT_THAT(kept_at("sink(budget=6,sinks=2)", 10, 9), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_THAT(kept_at("sink(budget=6,sinks=2)", 10, 10), ElementsAre(0, 1, 7, 8, 9, 10));
  EXPECT_THAT(kept_at("sink(budget=6,sinks=2,first_step=dense)", 10, 10),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  EXPECT_THAT(kept_at("sink(budget=6,sinks=2,first_step=dense)", 10, 11), ElementsAre(0, 1, 8, 9, 10, 11));
}

TEST_F(SinkTest, SmallBudgetsPreferTheCurrentTokenToSinks) {
  EXPECT_THAT(kept_at("sink(budget=1)", 3, 8), ElementsAre(8));
  EXPECT_THAT(kept_at("sink(budget=3)", 3, 8), ElementsAre(0, 1, 8));
  EXPECT_THAT(kept_at("sink(budget=5)", 3, 8), ElementsAre(0, 1, 2, 3, 8));
  EXPECT_THAT(kept_at("sink(budget=6)", 3, 8), ElementsAre(0, 1, 2, 3, 7, 8));
}

TEST_F(SinkTest, PinnedPromptStaysEvenOverTheBudget) {
  EXPECT_THAT(kept_at("sink(budget=8,sinks=2,pin_prompt=on)", 5, 12), ElementsAre(0, 1, 2, 3, 4, 10, 11, 12));
  EXPECT_THAT(kept_at("sink(budget=3,pin_prompt=on)", 5, 12), ElementsAre(0, 1, 2, 3, 4, 12));
  EXPECT_THAT(kept_at("sink(budget=5,sinks=4,pin_prompt=on)", 2, 9), ElementsAre(0, 1, 2, 3, 9));
}

TEST_F(SinkTest, EvictAfterAttendsToOneMore) {
  EXPECT_THAT(kept_at("sink(budget=5,sinks=2,evict=after)", 1, 7), ElementsAre(0, 1, 4, 5, 6, 7));
}

TEST_F(SinkTest, SkippedLayersStayDense) {
  EXPECT_EQ(kept_at("sink(budget=4,skip_layers=2)", 1, 7, 1).size(), 8U);
  EXPECT_EQ(kept_at("sink(budget=4,skip_layers=2)", 1, 7, 2).size(), 4U);
}

TEST(AttentionPolicyRegistry, ResolvedStringNamesEveryParameter) {
  EXPECT_EQ(make_attention_policy("full").spec, "full");
  EXPECT_EQ(make_attention_policy("sink(budget=64)").spec,
            "sink(budget=64,sinks=4,pos=cache,evict=before,first_step=prefill_scores,pin_prompt=off,skip_"
            "layers=0)");
  for (const auto& row : record::attention_policy_rows()) {
    const std::string spec = make_attention_policy(with_budget(row, 9)).spec;
    EXPECT_EQ(make_attention_policy(spec).spec, spec);
    EXPECT_FALSE(row.description.empty());
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
