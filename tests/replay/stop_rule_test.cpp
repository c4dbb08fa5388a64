#include "replay/stop_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "replay/stop_rules/registry.h"
#include "schemas/error.h"
#include "tests/replay/sample_texts.h"

namespace lil::replay {
namespace {

using schemas::AnswerEvent;
using schemas::Curve;
using testing::AllOf;
using testing::HasSubstr;
using tests::below;
using tests::Random;

std::optional<std::int64_t> stop(const std::string& rule, std::int64_t tokens, const Curve& curve,
                                 const std::vector<AnswerEvent>& events = {{0, "", "none"}}) {
  return make_stop_rule(rule)->stop({tokens, &curve, events});
}

std::string usage_message(const std::string& rule) {
  try {
    static_cast<void>(make_stop_rule(rule));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "no error";
}

Curve random_curve(Random& random, std::int64_t grid, std::int64_t tokens) {
  Curve curve{grid, {}};
  std::int64_t value = 8;
  for (std::int64_t token = 0; token <= tokens; token += grid) {
    curve.values.push_back(value);
    value += static_cast<std::int64_t>(below(random, 60)) - 5;
  }
  return curve;
}

std::vector<AnswerEvent> random_events(Random& random, std::int64_t tokens) {
  std::vector<AnswerEvent> events = {{0, "", "none"}};
  for (std::size_t i = below(random, 6); i > 0 && events.back().token < tokens; --i) {
    const std::int64_t token =
        std::min(tokens, events.back().token + 1 + static_cast<std::int64_t>(below(random, 300)));
    events.push_back({token, "7", std::vector<std::string>{"right", "wrong", "none"}[below(random, 3)]});
  }
  return events;
}

/// Tokens of four bytes, few different ones: text as good as ids.
Stream random_stream(Random& random, std::int64_t tokens) {
  std::vector<std::string> words;
  for (std::int64_t i = 0; i < tokens; ++i) words.push_back(std::string(4, "ab"[below(random, 20) / 19]));
  return tests::stream_of(words);
}

/// A rule of every row that can be made without being told more than it asks for.
std::vector<std::string> rules_to_try() {
  std::vector<std::string> specs;
  for (const StopRuleRow& row : stop_rule_rows()) {
    std::string required;
    for (const auto& parameter : row.parameters) {
      if (parameter.default_value.empty())
        required += (required.empty() ? "" : ",") + parameter.name + "=300";
    }
    specs.push_back(required.empty() ? row.name : row.name + "(" + required + ")");
  }
  return specs;
}

class StopRuleConformance : public testing::TestWithParam<std::string> {};

TEST_P(StopRuleConformance, NameMakesTheSameRuleAgain) {
  const auto rule = make_stop_rule(GetParam());
  EXPECT_EQ(make_stop_rule(rule->name())->name(), rule->name());
}

TEST_P(StopRuleConformance, StopsInsideTheTraceOrNotAtAll) {
  const auto rule = make_stop_rule(GetParam());
  Random random(1);
  for (int round = 0; round < 500; ++round) {
    const auto tokens = static_cast<std::int64_t>(below(random, 1500));
    const Curve curve = random_curve(random, 50, tokens);
    const auto events = random_events(random, tokens);
    const Stream stream = rule->schedule().reads_stream ? random_stream(random, tokens) : Stream{};
    const auto at = rule->stop({tokens, &curve, events, &stream});
    ASSERT_TRUE(!at || (*at >= 1 && *at <= tokens - 1)) << *at << " of " << tokens;
    ASSERT_EQ(rule->stop({tokens, &curve, events, &stream}), at)
        << "a rule keeps nothing from trace to trace";
  }
}

TEST_P(StopRuleConformance, ReadsNoPrompt) {
  const auto kind = make_stop_rule(GetParam())->schedule().reads_stream;
  EXPECT_TRUE(!kind || !has_prompt(*kind));
}

TEST_P(StopRuleConformance, WatchersAreIndependent) {
  const auto rule = make_stop_rule(GetParam());
  const auto first = rule->watch();
  const LookSchedule looks = rule->schedule();
  if (first == nullptr) {
    EXPECT_EQ(looks.every_tokens, 0) << "it cannot run live, so it has nothing to look at";
    return;
  }
  const auto second = rule->watch();
  std::int64_t fed = 0;
  for (std::int64_t look = 0; look < 5; ++look) {
    const std::int64_t token = looks.first_token + look * looks.every_tokens;
    for (; looks.reads_stream && fed < token; ++fed) {
      first->feed("once");
      second->feed("once");
    }
    const bool stops = first->observe(token, 100);
    EXPECT_EQ(second->observe(token, 100), stops);
    if (stops) break;
  }
}

std::string entry_name(const testing::TestParamInfo<std::string>& info) {
  return info.param.substr(0, info.param.find('('));
}

INSTANTIATE_TEST_SUITE_P(EveryRow, StopRuleConformance, testing::ValuesIn(rules_to_try()), entry_name);

TEST(GuardianRule, NameLeavesDefaultsOut) {
  EXPECT_EQ(make_stop_rule("guardian(t=20,patience=1,f=250)")->name(), "guardian(f=250,t=20)");
  EXPECT_EQ(make_stop_rule("guardian(t=-0.5,f=1k,patience=2)")->name(), "guardian(f=1024,t=-0.5,patience=2)");
}

TEST(GuardianRule, AGrowthOfExactlyTIsNotLow) {
  EXPECT_EQ(stop("guardian(f=50,t=20)", 101, {50, {8, 28, 48}}), std::nullopt);
  EXPECT_EQ(stop("guardian(f=50,t=20)", 101, {50, {8, 28, 47}}), 100);
}

TEST(GuardianRule, ThresholdMayBeFractionalOrNegative) {
  EXPECT_EQ(stop("guardian(f=50,t=19.5)", 101, {50, {0, 20, 40}}), std::nullopt);
  EXPECT_EQ(stop("guardian(f=50,t=20.5)", 101, {50, {0, 20, 40}}), 50);
  EXPECT_EQ(stop("guardian(f=50,t=-3)", 101, {50, {10, 7, 3}}), 100) << "-3 is not below -3, and -4 is";
  EXPECT_EQ(stop("guardian(f=50,t=0)", 101, {50, {10, 10, 9}}), 100) << "sizes may fall";
}

TEST(GuardianRule, ACheckAtTheLastTokenDoesNotTakePlace) {
  const Curve flat{50, {8, 8}};
  EXPECT_EQ(stop("guardian(f=50,t=20)", 50, flat), std::nullopt);
  EXPECT_EQ(stop("guardian(f=50,t=20)", 51, flat), 50);
  EXPECT_EQ(stop("guardian(f=50,t=20)", 49, {50, {8}}), std::nullopt);
  EXPECT_EQ(stop("guardian(f=50,t=20)", 0, {50, {8}}), std::nullopt);
}

TEST(GuardianRule, PatienceAsksForLowChecksInARow) {
  const Curve curve{50, {0, 0, 100, 100, 100, 200}};  // low, high, low, low, high
  EXPECT_EQ(stop("guardian(f=50,t=20,patience=1)", 300, {50, {0, 0, 100, 100, 100, 200, 300}}), 50);
  EXPECT_EQ(stop("guardian(f=50,t=20,patience=2)", 299, curve), 200);
  EXPECT_EQ(stop("guardian(f=50,t=20,patience=3)", 299, curve), std::nullopt);
}

TEST(GuardianRule, ChecksBeforeWarmupNeitherStopNorCount) {
  const Curve flat{50, {8, 8, 8, 8, 8}};
  EXPECT_EQ(stop("guardian(f=50,t=20,warmup=100)", 249, flat), 100) << "a check at the warm-up's end counts";
  EXPECT_EQ(stop("guardian(f=50,t=20,warmup=101)", 249, flat), 150);
  EXPECT_EQ(stop("guardian(f=50,t=20,warmup=100,patience=2)", 249, flat), 150);
  const Curve step{50, {0, 100, 100, 200}};
  EXPECT_EQ(stop("guardian(f=50,t=20,warmup=100)", 199, step), 100)
      << "compared with the value before warm-up";
}

TEST(GuardianRule, PhaseShiftsTheChecks) {
  const Curve curve{50, {0, 100, 100, 200, 200, 300}};  // flat from 50 to 100 and from 150 to 200
  EXPECT_EQ(stop("guardian(f=100,t=20)", 299, curve), std::nullopt);
  EXPECT_EQ(stop("guardian(f=100,t=101,phase=50)", 299, curve), 150)
      << "the first check compares with S(phase)";
  EXPECT_EQ(stop("guardian(f=50,t=20,phase=50)", 299, curve), 100);
  EXPECT_EQ(stop("guardian(f=50,t=20,phase=100)", 299, curve), 200);
}

TEST(GuardianRule, FirstSaysWhatTheFirstCheckComparesWith) {
  const Curve curve{50, {500, 505, 600}};
  EXPECT_EQ(stop("guardian(f=50,t=20,first=prompt)", 149, curve), 50);
  EXPECT_EQ(stop("guardian(f=50,t=20,first=zero)", 149, curve), std::nullopt);
  EXPECT_EQ(stop("guardian(f=50,t=20,phase=50,first=zero)", 149, {50, {0, 500, 505}}), std::nullopt);
}

/// stopping.md word for word: a check at k is low if S(k) - S(k-f) < t.
std::optional<std::int64_t> slow_guardian(const Curve& curve, std::int64_t tokens, std::int64_t f, double t,
                                          std::int64_t patience, std::int64_t warmup, std::int64_t phase,
                                          bool zero) {
  const auto size = [&](std::int64_t k) {
    return curve.values[static_cast<std::size_t>(k / curve.grid_tokens)];
  };
  const auto is_low = [&](std::int64_t k) {
    const std::int64_t before = k == phase + f && zero ? 0 : size(k - f);
    return static_cast<double>(size(k) - before) < t;
  };
  for (std::int64_t k = phase + f; k < tokens; k += f) {
    bool all_low = true;
    for (std::int64_t i = 0; i < patience; ++i) {
      const std::int64_t check = k - i * f;
      all_low = all_low && check >= phase + f && check >= warmup && is_low(check);
    }
    if (all_low) return k;
  }
  return std::nullopt;
}

TEST(GuardianRule, EqualsTheFormulaOnRandomCurves) {
  Random random(3);
  int stops = 0;
  for (int round = 0; round < 3000; ++round) {
    const auto tokens = static_cast<std::int64_t>(below(random, 3000));
    const Curve curve = random_curve(random, 10, tokens);
    const std::int64_t f = 10 * (1 + static_cast<std::int64_t>(below(random, 20)));
    const double t = static_cast<double>(below(random, 200)) * static_cast<double>(f) / 50 - 20;
    const auto patience = 1 + static_cast<std::int64_t>(below(random, 3));
    const auto warmup = static_cast<std::int64_t>(below(random, 500));
    const std::int64_t phase = 10 * static_cast<std::int64_t>(below(random, 30));
    const bool zero = below(random, 2) == 0;
    const std::string rule = "guardian(f=" + std::to_string(f) + ",t=" + std::to_string(t) +
                             ",patience=" + std::to_string(patience) + ",warmup=" + std::to_string(warmup) +
                             ",phase=" + std::to_string(phase) + ",first=" + (zero ? "zero" : "prompt") + ")";
    const auto expected = slow_guardian(curve, tokens, f, t, patience, warmup, phase, zero);
    ASSERT_EQ(stop(rule, tokens, curve), expected) << rule << " on " << tokens << " tokens";
    stops += expected ? 1 : 0;
  }
  EXPECT_GT(stops, 300);
  EXPECT_LT(stops, 2700);
}

TEST(GuardianRule, ACurveOnAnotherGridIsRefusedWithAWayOut) {
  const auto message = [](const std::string& rule, std::int64_t grid) -> std::string {
    try {
      static_cast<void>(
          stop(rule, 1000, {grid, std::vector<std::int64_t>(static_cast<std::size_t>(1000 / grid + 1))}));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message("guardian(f=250,t=20)", 250), "no error");
  EXPECT_EQ(message("guardian(f=250,t=20)", 125), "no error");
  EXPECT_THAT(message("guardian(f=250,t=20)", 100),
              AllOf(HasSubstr("f=250"), HasSubstr("every 100 tokens"), HasSubstr("lil replay --every 250")));
  EXPECT_THAT(message("guardian(f=250,t=20)", 500), HasSubstr("f=250"));
  EXPECT_THAT(message("guardian(f=250,t=20,phase=100)", 250),
              AllOf(HasSubstr("from token 100"), HasSubstr("lil replay --every 50")));
}

TEST(GuardianRule, ACurveOfAnotherLengthIsCorrupt) {
  for (const std::size_t values : {1U, 3U}) {
    try {
      static_cast<void>(stop("guardian(f=50,t=20)", 99, {50, std::vector<std::int64_t>(values)}));
      FAIL() << values;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
    }
  }
}

TEST(StopRules, AStreamOfAnotherLengthIsCorrupt) {
  int tried = 0;
  for (const std::string& spec : rules_to_try()) {
    const auto rule = make_stop_rule(spec);
    if (!rule->schedule().reads_stream) continue;
    for (const std::int64_t tokens : {99, 101}) {
      Random random(1);
      const Stream stream = random_stream(random, tokens);
      try {
        static_cast<void>(rule->stop({100, nullptr, {}, &stream}));
        FAIL() << spec << " on " << tokens;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
      }
      ++tried;
    }
  }
  EXPECT_EQ(tried, 4);
}

TEST(StopRules, ErrorsNameRuleKeyAndValue) {
  EXPECT_THAT(usage_message("guardian(f=250,t=low)"),
              AllOf(HasSubstr("guardian"), HasSubstr("t=low"), HasSubstr("a number")));
  EXPECT_THAT(usage_message("guardian(f=250,t=nan)"), HasSubstr("t=nan"));
  EXPECT_THAT(usage_message("guardian(f=250,t=inf)"), HasSubstr("t=inf"));
  EXPECT_THAT(usage_message("guardian(f=250,t=20x)"), HasSubstr("t=20x"));
  EXPECT_THAT(usage_message("guardian(f=0,t=20)"), AllOf(HasSubstr("f=0"), HasSubstr("from 1")));
  EXPECT_THAT(usage_message("guardian(f=250,t=20,patience=0)"), HasSubstr("patience=0"));
  EXPECT_THAT(usage_message("guardian(f=250,t=20,first=last)"),
              AllOf(HasSubstr("first=last"), HasSubstr("prompt, zero")));
  EXPECT_THAT(usage_message("guardian(every=3)"), AllOf(HasSubstr("'every'"), HasSubstr("patience")));
  EXPECT_THAT(usage_message("guardian(f=250)"), AllOf(HasSubstr("guardian"), HasSubstr("t=")));
  EXPECT_THAT(usage_message("cap"), HasSubstr("tokens"));
  EXPECT_THAT(usage_message("cap(tokens=0)"), HasSubstr("tokens=0"));
  EXPECT_THAT(usage_message("sometimes"),
              AllOf(HasSubstr("'sometimes'"), HasSubstr("guardian"), HasSubstr("oracle")));
}

TEST(CapRule, KeepsThatManyTokens) {
  const auto rule = make_stop_rule("cap(tokens=100)");
  EXPECT_EQ(rule->stop({99, nullptr, {}}), std::nullopt);
  EXPECT_EQ(rule->stop({100, nullptr, {}}), std::nullopt);
  EXPECT_EQ(rule->stop({101, nullptr, {}}), 100);
  EXPECT_EQ(make_stop_rule("cap(tokens=1)")->stop({2, nullptr, {}}), 1);
}

TEST(NeverRule, NeverStops) {
  EXPECT_EQ(make_stop_rule("never")->stop({1000000, nullptr, {}}), std::nullopt);
}

class OracleRule : public testing::Test {
 protected:
  std::optional<std::int64_t> stop_at(std::int64_t tokens, const std::vector<AnswerEvent>& events) {
    return make_stop_rule("oracle")->stop({tokens, nullptr, events});
  }
};

TEST_F(OracleRule, StopsRightAfterTheAnswerTurnsRight) {
  const std::vector<AnswerEvent> events = {{0, "", "none"}, {40, "6", "wrong"}, {70, "7", "right"}};
  EXPECT_EQ(stop_at(100, events), 70);
  EXPECT_EQ(stop_at(71, events), 70);
  EXPECT_EQ(stop_at(70, events), std::nullopt) << "the generation ends there anyway";
}

TEST_F(OracleRule, TakesTheLastTurnToRight) {
  EXPECT_EQ(stop_at(100, {{0, "", "none"}, {20, "7", "right"}, {40, "6", "wrong"}, {60, "7", "right"}}), 60);
  EXPECT_EQ(stop_at(100, {{0, "", "none"}, {20, "7", "right"}, {40, "7.0", "right"}}), 20)
      << "another spelling of the right answer is no turn";
}

TEST_F(OracleRule, GainsAnAnswerThatTheTraceGivesUp) {
  EXPECT_EQ(stop_at(100, {{0, "", "none"}, {20, "7", "right"}, {40, "6", "wrong"}}), 20);
}

TEST_F(OracleRule, StopsAtOnceWhereNothingIsToBeLost) {
  EXPECT_EQ(stop_at(100, {{0, "", "none"}, {40, "6", "wrong"}}), 1);
  EXPECT_EQ(stop_at(100, {{0, "", "none"}}), 1);
  EXPECT_EQ(stop_at(1, {{0, "", "none"}}), std::nullopt);
}

TEST_F(OracleRule, HarmsNothingAndNoRuleIsRightOnMore) {
  const auto verdict_at = [](const std::vector<AnswerEvent>& events, std::int64_t token) {
    std::string verdict;
    for (const AnswerEvent& event : events) {
      if (event.token <= token) verdict = event.verdict;
    }
    return verdict;
  };
  Random random(12);
  for (int round = 0; round < 2000; ++round) {
    const auto tokens = 1 + static_cast<std::int64_t>(below(random, 900));
    const auto events = random_events(random, tokens);
    bool ever_right = false;
    for (std::int64_t k = 1; k <= tokens; ++k) ever_right = ever_right || verdict_at(events, k) == "right";
    const std::int64_t kept = stop_at(tokens, events).value_or(tokens);
    ASSERT_EQ(verdict_at(events, kept) == "right", ever_right);
  }
}

TEST_F(OracleRule, NeedsAnswersAndTheWholeTrace) {
  EXPECT_THROW(static_cast<void>(stop_at(100, {})), Error);
  EXPECT_EQ(make_stop_rule("oracle")->watch(), nullptr);
}

}  // namespace
}  // namespace lil::replay
