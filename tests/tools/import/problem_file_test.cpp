// Are problem sets read as they come, and refused where a recording could not rest on them?
#include "tools/import/problem_file.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "schemas/error.h"
#include "tests/support/import_support.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_data.h"

namespace lil::tools {
namespace {

using schemas::AnswerKind;

class ProblemFiles : public ::testing::Test {
 protected:
  ProblemFile read(const std::string& content, const ProblemFileOptions& options = {}) {
    return read_problem_file(tests::write_file(folder_ / "set.jsonl", content), options);
  }

  std::string error(const std::string& content, const ProblemFileOptions& options = {}) {
    try {
      read(content, options);
    } catch (const Error& error) {
      const std::string message = error.what();
      const std::string path = (folder_ / "set.jsonl").string();
      return message.starts_with(path) ? "SET" + message.substr(path.size()) : message;
    }
    return "no error";
  }

  tests::TemporaryDirectory folder_;
};

TEST_F(ProblemFiles, ReadsTheUsualSets) {
  const auto first = [&](const std::string& content) { return read(content).problems.at(0); };
  const schemas::Problem gsm8k = first(R"({"question":"Q","answer":"It is <<1+1=2>>2.\n#### 1,002"})");
  EXPECT_EQ(gsm8k.set, "set");
  EXPECT_EQ(gsm8k.id, "0");
  EXPECT_EQ(gsm8k.text, "Q");
  EXPECT_EQ(gsm8k.gold, "1,002");
  EXPECT_EQ(gsm8k.kind, AnswerKind::kNumber);
  const schemas::Problem math = first(
      R"({"problem":"P","solution":"S","answer":"\\frac{\\pi}{2}","level":2,"unique_id":"test/a/1.json"})");
  EXPECT_EQ(math.id, "test/a/1.json");
  EXPECT_EQ(math.gold, "\\frac{\\pi}{2}");
  EXPECT_EQ(math.kind, AnswerKind::kMath);
  const schemas::Problem amc = first(R"({"id":4,"problem":"P","answer":27.0,"question":"P"})");
  EXPECT_EQ(amc.id, "4");
  EXPECT_EQ(amc.gold, "27");
  const ProblemFile aime = read(R"([{"problem":"P1","answer":"60"},{"problem":"P2","answer":"7"}])");
  ASSERT_EQ(aime.problems.size(), 2U);
  EXPECT_EQ(aime.problems[1].id, "1");
  EXPECT_EQ(aime.sha256.size(), 64U);
}

TEST_F(ProblemFiles, FollowsGivenFieldsAndSetName) {
  const ProblemFile file = read(R"({"q":{"text":"Q"},"a":["3"],"key":"k"})",
                                {.set = "mine", .fields = {"problem=/q/text", "gold=a", "id=key"}});
  EXPECT_EQ(file.problems.at(0).set, "mine");
  EXPECT_EQ(file.problems.at(0).id, "k");
  EXPECT_EQ(file.problems.at(0).text, "Q");
  EXPECT_EQ(file.problems.at(0).gold, "3");
}

TEST_F(ProblemFiles, RefusesAProblemWithoutAnswerUnlessAllowed) {
  const std::string content =
      "{\"problem\":\"P\",\"answer\":\"1\"}\n{\"problem\":\"Q\",\"solution\":\"S\"}\n";
  EXPECT_EQ(
      error(content),
      "SET:2: problem '1' has no answer: tried 'gold', 'gold_answer', 'ground_truth', 'gt_answer', 'gt', "
      "'reference_answer', 'expected_answer', 'target', 'answer'; the record's keys are problem, solution");
  const ProblemFile file = read(content, {.set = "", .fields = {}, .allow_missing_answers = true});
  EXPECT_EQ(file.problems.at(1).kind, AnswerKind::kNone);
  EXPECT_EQ(file.problems.at(1).gold, "");
}

TEST_F(ProblemFiles, TakesAnEmptyPromptButNothingThatIsNoText) {
  EXPECT_EQ(read(R"({"problem":"","answer":"1"})").problems.at(0).text, "");
  EXPECT_THAT(error(R"({"problem":{"en":"P"},"answer":"1"})"),
              ::testing::StartsWith("SET:1: no problem text"));
}

TEST_F(ProblemFiles, NamesThePlaceOfWhatIsWrong) {
  EXPECT_EQ(error("{\"problem\":\"P\",\"answer\":1}\n{\"problem\":\"Q\" \"answer\":2}\n"),
            "SET:2:16: malformed JSON: missing a comma or '}' after an object member");
  EXPECT_EQ(
      error(R"({"text":"P","answer":"1"})"),
      "SET:1: no problem text: tried 'problem', 'question', 'problem_text', 'query'; the record's keys are "
      "text, answer");
  EXPECT_EQ(
      error("{\"id\":7,\"problem\":\"P\",\"answer\":1}\n\n{\"id\":\"7\",\"problem\":\"Q\",\"answer\":1}\n"),
      "SET:3: the id '7' stands on line 1 already");
  EXPECT_EQ(error(""), "SET holds no problem");
  EXPECT_EQ(error("{}", {.set = "", .fields = {"output=x"}, .allow_missing_answers = false}),
            "--field output: a problem file has the fields problem, gold and id");
}

struct RealSet {
  const char* name;
  std::size_t problems;
};

class RealProblemFiles : public ::testing::TestWithParam<RealSet> {};

TEST_P(RealProblemFiles, HasTheDocumentedNumberOfProblems) {
  LIL_REAL_DATA_OR_SKIP(path, std::filesystem::path("problems") / GetParam().name);
  const ProblemFile file = read_problem_file(path, {});
  EXPECT_EQ(file.problems.size(), GetParam().problems);
  for (const schemas::Problem& problem : file.problems) {
    EXPECT_NE(problem.kind, AnswerKind::kNone) << problem.id;
    EXPECT_EQ(problem.gold.find("####"), std::string::npos) << problem.id;
  }
}

INSTANTIATE_TEST_SUITE_P(All, RealProblemFiles,
                         ::testing::Values(RealSet{"gsm8k_test.jsonl", 1319}, RealSet{"math500.jsonl", 500},
                                           RealSet{"aime1983_2023.json", 975}, RealSet{"aime2024.jsonl", 30},
                                           RealSet{"aime2025.jsonl", 30}, RealSet{"amc23.jsonl", 40}));

}  // namespace
}  // namespace lil::tools
