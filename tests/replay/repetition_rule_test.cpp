// Does `repetition` stop on the very token on which vLLM's repetition_detection does?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "replay/stop_rules/registry.h"
#include "schemas/error.h"
#include "tests/replay/sample_texts.h"

namespace lil::replay {
namespace {

using schemas::TokenId;
using testing::HasSubstr;
using tests::below;
using tests::Random;

std::string repetition(std::int64_t max_size, std::int64_t min_size, std::int64_t count) {
  return "repetition(max_pattern_size=" + std::to_string(max_size) +
         ",min_pattern_size=" + std::to_string(min_size) + ",min_count=" + std::to_string(count) + ")";
}

Stream id_stream(std::vector<TokenId> prompt, std::vector<TokenId> ids) {
  schemas::TraceTokens tokens;
  tokens.prompt_ids = std::move(prompt);
  tokens.ids = std::move(ids);
  return build_stream(StreamKind::kIds32, tokens, schemas::Vocabulary::bytes());
}

/// After how many of the ids the rule stops. One more follows them: at the last token of a trace nothing
/// stops any more.
std::optional<std::int64_t> stop(const std::string& rule, std::vector<TokenId> ids) {
  ids.push_back(0);
  const Stream stream = id_stream({}, std::move(ids));
  return make_stop_rule(rule)->stop({stream.tokens(), nullptr, {}, &stream});
}

TEST(RepetitionRule, GoldenCases) {
  std::ifstream lines(LIL_SOURCE_DIR "/tests/golden/repetition.tsv");
  int cases = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.front() == '#') continue;
    std::vector<std::string> fields;
    std::istringstream columns(line);
    for (std::string field; std::getline(columns, field, '\t');) fields.push_back(field);
    ASSERT_EQ(fields.size(), 5U) << line;
    std::vector<TokenId> ids;
    std::istringstream words(fields[3]);
    for (TokenId id = 0; words >> id;) ids.push_back(id);
    const auto found =
        stop(repetition(std::stoll(fields[0]), std::stoll(fields[1]), std::stoll(fields[2])), ids);
    EXPECT_EQ(found ? std::to_string(*found) : "-", fields[4]) << line;
    ++cases;
  }
  EXPECT_EQ(cases, 160);
}

/// Word for word: is there a p whose last p * count ids are the same p ids count times over?
bool stands_at_the_end(const std::vector<TokenId>& ids, std::size_t tokens, std::size_t size,
                       std::size_t count) {
  if (size * count > tokens) return false;
  for (std::size_t back = 1; back <= size; ++back) {
    for (std::size_t copy = 1; copy < count; ++copy) {
      if (ids[tokens - back] != ids[tokens - back - copy * size]) return false;
    }
  }
  return true;
}

std::optional<std::int64_t> slow_stop(const std::vector<TokenId>& ids, std::size_t max_size,
                                      std::size_t min_size, std::size_t count) {
  for (std::size_t tokens = 1; tokens <= ids.size(); ++tokens) {
    for (std::size_t size = std::max<std::size_t>(min_size, 1); size <= max_size; ++size) {
      if (stands_at_the_end(ids, tokens, size, count)) return static_cast<std::int64_t>(tokens);
    }
  }
  return std::nullopt;
}

/// Chance, then a pattern again and again, then perhaps a slip in it, several times over.
std::vector<TokenId> stuttering_ids(Random& random) {
  const std::size_t alphabet = 1 + below(random, 5);
  std::vector<TokenId> ids;
  const auto any = [&] { return static_cast<TokenId>(below(random, alphabet)); };
  for (std::size_t part = 1 + below(random, 4); part > 0; --part) {
    for (std::size_t i = below(random, 15); i > 0; --i) ids.push_back(any());
    std::vector<TokenId> pattern(1 + below(random, 12));
    for (TokenId& id : pattern) id = any();
    for (std::size_t copy = below(random, 5); copy > 0; --copy) {
      ids.insert(ids.end(), pattern.begin(), pattern.end());
    }
    if (!ids.empty() && below(random, 2) == 0) ids[ids.size() - 1 - below(random, ids.size())] = any();
  }
  return ids;
}

TEST(RepetitionRule, EqualsTheDefinitionAtEveryPrefix) {
  Random random(7);
  int stops = 0;
  for (int round = 0; round < 4000; ++round) {
    const auto ids = stuttering_ids(random);
    const std::size_t max_size = below(random, 15);
    const std::size_t min_size = below(random, max_size + 1);
    const std::size_t count = 2 + below(random, 4);
    const std::string rule =
        repetition(static_cast<std::int64_t>(max_size), static_cast<std::int64_t>(min_size),
                   static_cast<std::int64_t>(count));
    const auto expected = slow_stop(ids, max_size, min_size, count);
    ASSERT_EQ(stop(rule, ids), expected) << rule << " round " << round;
    stops += expected ? 1 : 0;
  }
  EXPECT_GT(stops, 1000);
  EXPECT_LT(stops, 3500);
}

TEST(RepetitionRule, NothingStopsAtTheLastToken) {
  const auto rule = make_stop_rule(repetition(3, 0, 2));
  for (const int tokens : {5, 6, 7}) {
    const std::vector<TokenId> loop = {1, 2, 3, 1, 2, 3, 1};
    const Stream stream = id_stream({}, {loop.begin(), loop.begin() + tokens});
    const auto at = rule->stop({stream.tokens(), nullptr, {}, &stream});
    EXPECT_EQ(at, tokens == 7 ? std::optional<std::int64_t>(6) : std::nullopt) << tokens;
  }
}

TEST(RepetitionRule, ThePromptDoesNotCount) {
  const Stream stream = id_stream({1, 2, 3}, {1, 2, 3, 4, 5});
  EXPECT_EQ(make_stop_rule(repetition(3, 0, 2))->stop({5, nullptr, {}, &stream}), std::nullopt);
}

TEST(RepetitionRule, TakesWhatVllmTakes) {
  EXPECT_EQ(make_stop_rule("repetition(max_pattern_size=20,min_count=3)")->name(),
            "repetition(max_pattern_size=20,min_count=3)");
  const auto refusal = [](const std::string& rule) -> std::string {
    try {
      static_cast<void>(make_stop_rule(rule));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(refusal(repetition(5, 5, 2)), "no error");
  EXPECT_THAT(refusal(repetition(5, 6, 2)),
              testing::AllOf(HasSubstr("min_pattern_size=6"), HasSubstr("max_pattern_size=5")));
  EXPECT_THAT(refusal(repetition(5, 0, 1)), HasSubstr("min_count=1"));
  EXPECT_THAT(refusal("repetition(max_pattern_size=5)"), HasSubstr("min_count="));
  EXPECT_THAT(refusal("repetition(min_count=5)"), HasSubstr("max_pattern_size="));
  EXPECT_THAT(refusal("repetition(max_pattern_size=2000m,min_count=2)"), HasSubstr("max_pattern_size=2000m"));
}

}  // namespace
}  // namespace lil::replay
