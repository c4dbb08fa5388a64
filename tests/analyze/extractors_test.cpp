#include <gtest/gtest.h>

#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "analyze/answers/registry.h"
#include "analyze/extraction.h"
#include "schemas/error.h"

namespace lil::analyze {
namespace {

std::string last_answer(std::string_view extractors, std::string_view text, bool finished = false) {
  const auto found = Extraction::parse(extractors).find(text, finished);
  return found.empty() ? "" : found.back().answer;
}

struct Case {
  std::string text;
  std::string answer;
};

TEST(BoxedExtractor, ReadsTheLastCompleteBox) {
  const std::vector<Case> cases = {
      {"", ""},
      {"no box", ""},
      {"\\boxed{5}", "5"},
      {"so \\boxed{ 5 }.", "5"},
      {"\\boxed {5}", "5"},
      {"\\boxed\n{5}", "5"},
      {"\\fbox{5}", "5"},
      {"\\boxed{1} then \\boxed{2}", "2"},
      {"\\boxed{1} then \\fbox{2}", "2"},
      {"\\boxed{1} then \\boxed{2", "1"},
      {"\\boxed{1} then \\boxed{", "1"},
      {"\\boxed{1} then \\boxed{}", "1"},
      {"\\boxed{1} then \\boxed{ \n }", "1"},
      {"\\boxed{2 and \\boxed{3}", "3"},
      {"\\boxed{x = \\boxed{3}}", "3"},
      {"\\boxed{\\frac{3}{4}}", "\\frac{3}{4}"},
      {"\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"},
      {"\\boxed{\\{1, 2}", "\\{1, 2"},
      {"\\boxed{1\\}", ""},
      {"\\boxed{1\\\\}", "1\\\\"},
      {"\\\\boxed{5}", "5"},
      {"{{{ \\boxed{5}", "5"},
      {"}}} \\boxed{5} }", "5"},
      {"boxed{5}", ""},
      {"\\boxedx{5}", ""},
      {"\\boxed 5", ""},
      {"\\boxed", ""},
      {"\\", ""},
  };
  for (const Case& c : cases) EXPECT_EQ(last_answer("boxed", c.text), c.answer) << c.text;
}

TEST(BoxedExtractor, AnAnswerMayHaveSoManyBytesAndNoMore) {
  const std::string longest(kMaxAnswerBytes, '7');
  EXPECT_EQ(last_answer("boxed", "\\boxed{" + longest + "}"), longest);
  EXPECT_EQ(last_answer("boxed", "\\boxed{1}\\boxed{" + longest + "7}"), "1");
}

TEST(JsonExtractor, ReadsTheAnswerOfAnObject) {
  const std::vector<Case> cases = {
      {"{\"reasoning\": \"so 5\", \"answer\": \"12\"}", "12"},
      {"\n{\n  \"reasoning\": \"the answer is 5. \",\n  \"answer\": 12\n}", "12"},
      {"```json\n{\"answer\": \"12\"}\n```", "12"},
      {"{\"answer\": \"12\"", "12"},
      {"{\"answer\": 12}", "12"},
      {"{\"answer\": -1.5e3 }", "-1.5e3"},
      {"{\"answer\": 12", ""},
      {"{\"answer\": \"12", ""},
      {"{\"answer\": \"\\\\frac{1}{2}\"}", "\\frac{1}{2}"},
      {"{\"answer\": \"\\frac{1}{2}\"}", "\\frac{1}{2}"},
      {"{\"answer\": \"a \\\"b\\\"\"}", "a \"b\""},
      {"{\"answer\": \"\", \"x\": 1}", ""},
      {"{\"steps\": {\"answer\": \"5\"}}", ""},
      {"{\"steps\": [\"answer\", \"5\"]}", ""},
      {"{\"answer\": \"1\", \"answer\": \"2\"}", "2"},
      {"{\"answer\": \"1\"} {\"answer\": \"2\"}", "1"},
      {"The answer is: \n```json\n{\n  \"answer\": 7\n}\n```", "7"},
      {"{\"answer\": \"1\"}\n{\"answer\": \"2\"}", "2"},
      {"{1, 2}\n{\"answer\": \"1\"}", "1"},
      {"It is {\"answer\": \"1\"}", ""},
      {"{\"reasoning\": \"\\\"answer\\\": \\\"5\\\"\"", ""},
      {"{", ""},
      {"", ""},
  };
  for (const Case& c : cases) EXPECT_EQ(last_answer("json", c.text), c.answer) << c.text;
  EXPECT_EQ(last_answer("json", "{\"answer\": 12", true), "12");
  EXPECT_EQ(last_answer("json+boxed", "{\"r\": \"\\\\boxed{5}\", \"answer\": \"12\"}"), "12");
}

TEST(HashExtractor, ReadsALineWithFourMarksAndANumber) {
  const std::vector<Case> cases = {
      {"#### 18\n", "18"},
      {"6 * 3 = 18\n#### 18\n", "18"},
      {"#### -1,234.5\n", "-1,234.5"},
      {"####18\n", "18"},
      {"#### $18\n", "$18"},
      {"#### 3/4\n", "3/4"},
      {"#### 18%\n", "18%"},
      {"#### 18.\r\n", "18"},
      {"#### 18  \n", "18"},
      {"#### 1\n#### 2\n", "2"},
      {"#### 1\n#### 2", "1"},
      {"#### 18", ""},
      {"#### 1. Introduction\n", ""},
      {"#### Step 1\n", ""},
      {"##### 18\n", ""},
      {"### 18\n", ""},
      {"####\n18\n", ""},
      {"####", ""},
  };
  for (const Case& c : cases) EXPECT_EQ(last_answer("hash", c.text), c.answer) << c.text;
  EXPECT_EQ(last_answer("hash", "#### 18", true), "18");
  EXPECT_EQ(last_answer("hash", "#### 18. ", true), "18");
}

TEST(PhraseExtractor, ReadsWhatIsAnnounced) {
  const std::vector<Case> cases = {
      {"The answer is 12. ", "12"},
      {"the answer is 12\n", "12"},
      {"THE ANSWER IS 12 ", "12"},
      {"so the final answer is: 12, ", "12"},
      {"Final answer: 12\n", "12"},
      {"**Final Answer:** 12\n", "12"},
      {"**Final Answer**: **12**\n", "12"},
      {"Final Answer:\n\n12\n", "12"},
      {"The answer is 12.5. ", "12.5"},
      {"The answer is 1,234 apples", "1,234"},
      {"The answer is $18 a day.\n", "$18"},
      {"The answer is $18 a day and $5 more.\n", "$18"},
      {"The answer is $18$.", "18"},
      {"The answer is $\\frac{3}{4}$.", "\\frac{3}{4}"},
      {"The answer is \\(x + 1\\)", "x + 1"},
      {"The answer is \\[\nx + 1\n\\]", "x + 1"},
      {"The answer is $$x$$", "x"},
      {"The answer is 2^{10}. So", "2^{10}"},
      {"The answer is 3x+1.\n", "3x+1"},
      {"The answer is (B). Since", "(B)"},
      {"The answer is yes\n", "yes"},
      {"The answer is 1. Wait, the answer is 2. ", "2"},
      {"The answer is that Answer: 5, I think. ", "5"},
      {"The answer isn't 5. ", ""},
      {"The answer is", ""},
      {"The answer is ", ""},
      {"The answer is 1", ""},
      {"The answer is 1.", ""},
      {"The answer is $1", ""},
      {"The answer is yes", ""},
      {"The answer is \\boxed{12}. ", ""},
      {"The answers are 1 and 2. ", ""},
      {"unanswer: 5 ", ""},
      {"Answer the question. ", ""},
  };
  for (const Case& c : cases) EXPECT_EQ(last_answer("phrase", c.text), c.answer) << c.text;
}

TEST(PhraseExtractor, AFinishedTextEndsAnAnswer) {
  for (const char* text : {"The answer is 12", "The answer is 12.", "The answer is **12**", "Answer: $12$"}) {
    EXPECT_EQ(last_answer("phrase", text, true), "12") << text;
  }
  EXPECT_EQ(last_answer("phrase", "The answer is $12.", true), "$12");
  EXPECT_EQ(last_answer("phrase", "The answer is yes.", true), "yes");
}

TEST(PhraseExtractor, WordsMayRunSoLongAndNoLonger) {
  const std::string words(255, 'w');
  EXPECT_EQ(last_answer("phrase", "answer: " + words + "\n"), words);
  EXPECT_EQ(last_answer("phrase", "answer: w" + words + "\n"), "");
}

TEST(NumberExtractor, ReadsTheLastNumberThatHasEnded) {
  const std::vector<Case> cases = {
      {"1 and 22 ", "22"}, {"1 and 22", "1"},
      {"1.", ""},          {"1. ", "1"},
      {"1.5 ", "1.5"},     {"x = -3, ", "-3"},
      {"5-3=2;", "2"},     {"a-3 ", "3"},
      {"H2O ", ""},        {"-$1,234.50 ", "-$1,234.50"},
      {"costs .5 ", ".5"}, {"3/4 of", "3/4"},
      {"18% of", "18%"},   {"1, 2, 3, ", "3"},
      {"none", ""},
  };
  for (const Case& c : cases) EXPECT_EQ(last_answer("number", c.text), c.answer) << c.text;
  EXPECT_EQ(last_answer("number", "1 and 22", true), "22");
}

TEST(Extraction, ACompleteBoxEndsTheFallbacks) {
  EXPECT_EQ(last_answer("boxed+hash+phrase", "\\boxed{1}\n#### 2\nThe answer is 3. "), "1");
  EXPECT_EQ(last_answer("boxed+hash+phrase", "The answer is 3. \n#### 2\n\\boxed{1"), "2");
  EXPECT_EQ(last_answer("boxed+phrase+hash", "The answer is 3. \n#### 2\n"), "3");
  EXPECT_EQ(last_answer("boxed+hash+phrase", "It is 4 or 5. "), "");
  EXPECT_EQ(last_answer("boxed+number", "It is 4 or 5. "), "5");
  EXPECT_EQ(Extraction::parse("boxed+hash+phrase").name(), "boxed+hash+phrase/1");
}

TEST(Extraction, AnUnknownNameIsAUsageErrorThatListsTheKnownOnes) {
  for (const char* names : {"boxed+hsh", "", "boxed+", "+boxed"}) {
    try {
      (void)Extraction::parse(names);
      FAIL() << names;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
    }
  }
  try {
    (void)Extraction::parse("boxed+hsh");
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("json, boxed, hash, phrase, number"), std::string::npos)
        << error.what();
  }
}

/// The last complete box found the slow way: every opening from the last to the first, its depth counted.
std::string slow_boxed(const std::string& text) {
  for (std::size_t at = text.size(); at-- > 0;) {
    if (text[at] != '\\') continue;
    std::size_t open = std::string::npos;
    if (text.compare(at, 7, "\\boxed{") == 0) open = at + 6;
    if (text.compare(at, 6, "\\fbox{") == 0) open = at + 5;
    if (open == std::string::npos) continue;
    int depth = 0;
    for (std::size_t i = open; i < text.size(); ++i) {
      if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '{' || text[i + 1] == '}')) {
        ++i;
        continue;
      }
      if (text[i] == '{') ++depth;
      if (text[i] == '}') --depth;
      if (depth == 0) {
        std::string inside = text.substr(open + 1, i - open - 1);
        const auto first = inside.find_first_not_of(" \n");
        if (first == std::string::npos) break;
        return inside.substr(first, inside.find_last_not_of(" \n") - first + 1);
      }
    }
  }
  return "";
}

std::string random_text(std::mt19937_64& random, const std::vector<std::string>& fragments, int most) {
  std::string text;
  for (auto n = random() % static_cast<unsigned>(most); n > 0; --n)
    text += fragments[random() % fragments.size()];
  return text;
}

TEST(BoxedExtractor, AgreesWithTheSlowTwin) {
  const std::vector<std::string> fragments = {"\\boxed{", "\\fbox{", "{", "}", "}", "\\{",
                                              "\\}",      "1",       "2", " ", "\n"};
  std::mt19937_64 random(1);
  for (int round = 0; round < 20000; ++round) {
    const std::string text = random_text(random, fragments, 24);
    ASSERT_EQ(last_answer("boxed", text), slow_boxed(text)) << text;
  }
}

/// Holds every extractor there is to the contract of Extractor::find.
class EveryExtractor : public testing::TestWithParam<std::string> {};

std::vector<std::string> extractor_names() {
  std::vector<std::string> names;
  for (const auto& row : extractor_registry()) names.push_back(row.name);
  return names;
}

TEST_P(EveryExtractor, FindsInAPrefixWhatTheWholeTextHasThere) {
  const std::vector<std::string> fragments = {"\\boxed{",
                                              "\\fbox{",
                                              "{",
                                              "}",
                                              "}",
                                              "\\{",
                                              "\\\\",
                                              "\\",
                                              "1",
                                              "20",
                                              ".",
                                              ",",
                                              "/",
                                              "-",
                                              "$",
                                              "$",
                                              "$$",
                                              "%",
                                              "#### ",
                                              "#",
                                              "the answer is ",
                                              "Answer: ",
                                              "final answer",
                                              ":",
                                              "is",
                                              "*",
                                              "\\(",
                                              "\\)",
                                              " ",
                                              "\n",
                                              "x",
                                              "yes",
                                              "\xE2",
                                              "\x88\x92",
                                              "\\%",
                                              "\\$",
                                              "!",
                                              "{\"answer\": ",
                                              "\"answer\": \"",
                                              "\""};
  const auto [row, arguments] = schemas::resolve_row("extractor", extractor_registry(), GetParam());
  const auto extractor = row->make(arguments);
  std::mt19937_64 random(2);
  for (int round = 0; round < 3000; ++round) {
    const std::string text = random_text(random, fragments, 40);
    const auto whole = extractor->find(text, true);
    std::size_t before = 0;
    for (const auto& found : whole) {
      ASSERT_FALSE(found.answer.empty());
      ASSERT_LE(before, found.readable_at) << text;
      ASSERT_LE(found.readable_at, text.size()) << text;
      before = found.readable_at;
    }
    for (std::size_t length = 0; length <= text.size(); ++length) {
      std::string expected;
      for (const auto& found : whole) {
        if (!found.at_end && found.readable_at <= length) expected = found.answer;
      }
      const auto prefix = extractor->find(std::string_view(text).substr(0, length), false);
      ASSERT_EQ(prefix.empty() ? "" : prefix.back().answer, expected) << text << "\nprefix of " << length;
    }
  }
}

TEST_P(EveryExtractor, IsLinearOnAMegabyteOfAnything) {
  const auto [row, arguments] = schemas::resolve_row("extractor", extractor_registry(), GetParam());
  const auto extractor = row->make(arguments);
  for (const char* piece :
       {"\\boxed{", "{",          "}",       "\\boxed{1}", "\\boxed ",    "\\", "#", "#### ",
        "#### 1",   "answer is ", "answer:", "answer: $",  "answer: \\(", "a",  "1", "1,",
        "1.",       "-",          "$",       " ",          "\n",          "1\n"}) {
    std::string text;
    while (text.size() < 1'000'000) text += piece;
    const std::clock_t start = std::clock();  // CPU time: other programs must not fail the test
    (void)extractor->find(text, true);
    const double took = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    EXPECT_LT(took, 3.0) << piece;  // milliseconds in a release build; a quadratic one takes minutes
  }
}

INSTANTIATE_TEST_SUITE_P(Extractors, EveryExtractor, testing::ValuesIn(extractor_names()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace lil::analyze
