#include "analyze/answer_events.h"

#include <gtest/gtest.h>

#include <random>

namespace lil::analyze {
namespace {

using schemas::AnswerEvent;

struct Tokens {
  std::string text;
  std::vector<std::int64_t> ends;
};

Tokens tokenize(const std::vector<std::string>& pieces) {
  Tokens tokens;
  for (const auto& piece : pieces) {
    tokens.text += piece;
    tokens.ends.push_back(static_cast<std::int64_t>(tokens.text.size()));
  }
  return tokens;
}

std::vector<std::pair<std::int64_t, std::string>> events_of(
    const std::vector<std::string>& pieces, bool finished, std::string_view extractors = kDefaultExtractors) {
  const Tokens tokens = tokenize(pieces);
  std::vector<std::pair<std::int64_t, std::string>> events;
  for (const auto& event :
       find_answer_events(tokens.text, tokens.ends, Extraction::parse(extractors), finished)) {
    events.emplace_back(event.token, event.answer);
  }
  return events;
}

using Events = std::vector<std::pair<std::int64_t, std::string>>;

TEST(AnswerEvents, BeginWithNoAnswerAtTokenZero) {
  EXPECT_EQ(events_of({}, true), (Events{{0, ""}}));
  EXPECT_EQ(events_of({"", "", "no answer"}, true), (Events{{0, ""}}));
}

TEST(AnswerEvents, ABoxCountsFromTheTokenThatClosesIt) {
  EXPECT_EQ(events_of({"\\boxed", "{1", "}", " so ", "\\boxed{2} ok"}, false),
            (Events{{0, ""}, {3, "1"}, {5, "2"}}));
  EXPECT_EQ(events_of({"\\boxed{1}"}, false), (Events{{0, ""}, {1, "1"}}));
}

TEST(AnswerEvents, TokensWithoutTextDelayNothing) {
  EXPECT_EQ(events_of({"", "\\boxed{1}", "", ""}, true), (Events{{0, ""}, {2, "1"}}));
}

TEST(AnswerEvents, WhatChangesNothingIsLeftOut) {
  EXPECT_EQ(events_of({"\\boxed{1}", "\\boxed{1}", "\\boxed{2}\\boxed{1}", "\\boxed{2}"}, false),
            (Events{{0, ""}, {1, "1"}, {4, "2"}}));
}

TEST(AnswerEvents, AFallbackCountsOnceItsEndIsSeen) {
  EXPECT_EQ(events_of({"the answer is 1", "2", ".", " So"}, false), (Events{{0, ""}, {4, "12"}}));
  EXPECT_EQ(events_of({"the answer is 1", "2"}, false), (Events{{0, ""}}));
}

TEST(AnswerEvents, AFinishedTextEndsAFallbackAtItsLastToken) {
  // The last token has no text: only it tells that the answer goes on no further.
  EXPECT_EQ(events_of({"the answer is 12", "", ""}, true), (Events{{0, ""}, {3, "12"}}));
}

TEST(AnswerEvents, ABoxTakesOverFromAFallback) {
  EXPECT_EQ(events_of({"#### 7\n", "\\boxed{8}", "\n#### 9\n"}, true), (Events{{0, ""}, {1, "7"}, {2, "8"}}));
}

TEST(AnswerEvents, EachDistinctAnswerIsJudgedOnce) {
  const Tokens tokens = tokenize({"\\boxed{1}", "\\boxed{2}", "\\boxed{1}"});
  std::vector<std::string> asked;
  const auto events = find_answer_events(tokens.text, tokens.ends, Extraction::parse("boxed"), true,
                                         [&](const std::string& answer) {
                                           asked.push_back(answer);
                                           return answer == "1" ? "right" : "wrong";
                                         });
  EXPECT_EQ(asked, (std::vector<std::string>{"", "1", "2"}));
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[1].verdict, "right");
  EXPECT_EQ(events[2].verdict, "wrong");
  EXPECT_EQ(events[3].verdict, "right");
}

TEST(AnswerEvents, EventAtIsTheLastOneAtOrBefore) {
  const std::vector<AnswerEvent> events = {{0, "", "none"}, {5, "1", "wrong"}, {9, "2", "right"}};
  EXPECT_EQ(event_at(events, 0).answer, "");
  EXPECT_EQ(event_at(events, 4).answer, "");
  EXPECT_EQ(event_at(events, 5).answer, "1");
  EXPECT_EQ(event_at(events, 8).answer, "1");
  EXPECT_EQ(event_at(events, 9).answer, "2");
  EXPECT_EQ(event_at(events, 1000).answer, "2");
}

TEST(AnswerEvents, AgreeWithExtractingFromEveryPrefixAfresh) {
  const std::vector<std::string> fragments = {"\\boxed{", "}", "{",        "1",          "2",    "0", "}",
                                              "####",     " ", "\n",       "the answer", " is ", ".", "$",
                                              "",         "",  "Answer: ", "\\fbox{3}",  "x"};
  std::mt19937_64 random(3);
  for (int round = 0; round < 4000; ++round) {
    std::vector<std::string> pieces;
    for (auto n = random() % 30; n > 0; --n) pieces.push_back(fragments[random() % fragments.size()]);
    const Tokens tokens = tokenize(pieces);
    const bool finished = random() % 2 == 0;
    const auto extraction =
        Extraction::parse(random() % 2 == 0 ? "boxed+hash+phrase" : "boxed+hash+phrase+number");
    const auto events = find_answer_events(tokens.text, tokens.ends, extraction, finished);
    for (std::size_t i = 1; i < events.size(); ++i) {
      ASSERT_LT(events[i - 1].token, events[i].token);
      ASSERT_NE(events[i - 1].answer, events[i].answer);
    }
    for (std::size_t k = 0; k <= pieces.size(); ++k) {
      const auto bytes = k == 0 ? 0 : static_cast<std::size_t>(tokens.ends[k - 1]);
      const auto found =
          extraction.find(std::string_view(tokens.text).substr(0, bytes), finished && k == pieces.size());
      ASSERT_EQ(event_at(events, static_cast<std::int64_t>(k)).answer,
                found.empty() ? "" : found.back().answer)
          << tokens.text << "\nafter " << k << " tokens";
    }
  }
}

}  // namespace
}  // namespace lil::analyze
