#include <gtest/gtest.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "analyze/answers/registry.h"
#include "analyze/graders/registry.h"
#include "analyze/verdict.h"

namespace lil::analyze {
namespace {

using schemas::AnswerKind;

std::unique_ptr<Grader> make_grader(std::string_view name) {
  const auto [row, arguments] = schemas::resolve_row("grader", grader_registry(), name);
  return row->make(arguments);
}

std::string unescape(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      plain += text[i];
      continue;
    }
    ++i;
    plain += text[i] == 'n' ? '\n' : text[i] == 't' ? '\t' : text[i];
  }
  return plain;
}

TEST(NumberGrader, JudgesTheGoldenPairs) {
  std::ifstream file(std::string(LIL_GOLDEN_FOLDER) + "/grader_number.tsv");
  ASSERT_TRUE(file);
  const auto grader = make_grader("number");
  int cases = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.front() == '#') continue;
    std::istringstream row(line);
    std::string verdict;
    std::string left;
    std::string right;
    ASSERT_TRUE(std::getline(row, verdict, '\t') && std::getline(row, left, '\t') && std::getline(row, right))
        << line;
    for (int order = 0; order < 2; ++order) {
      const auto equal = grader->equal(unescape(left), unescape(right));
      const std::string judged = !equal ? "unread" : *equal ? "equal" : "unequal";
      EXPECT_EQ(judged, verdict) << line;
      std::swap(left, right);
    }
    ++cases;
  }
  EXPECT_GE(cases, 500);
}

TEST(NumberGrader, BoundsAreWhereTheyAreSaidToBe) {
  const auto grader = make_grader("number");
  EXPECT_TRUE(grader->equal("1e4096", "10^{4096}").value_or(false));
  EXPECT_FALSE(grader->equal("1e4097", "1").has_value());
  const std::string longest(2048, '7');
  EXPECT_TRUE(grader->equal(longest, longest).value_or(false));
  EXPECT_FALSE(grader->equal(longest + "7", longest + "7").has_value());
}

TEST(TextGrader, EvensOutSpellings) {
  const auto grader = make_grader("text");
  const std::vector<std::pair<std::string, std::string>> equal = {
      {"x + 1", "x+1"},
      {"$x+1$", "x+1"},
      {"x+1.", "x+1"},
      {"\\left(1, 2\\right)", "(1,2)"},
      {"\\dfrac{a}{b}", "\\frac{a}{b}"},
      {"\\frac12", "\\frac{1}{2}"},
      {"\\tfrac{1}{2}", "\\frac{1}2"},
      {"x^{2}", "x^2"},
      {"\\sqrt{2}", "\\sqrt2"},
      {"\\text{Evelyn}", "Evelyn"},
      {"yes", "Yes"},
      {"(A)", "A"},
      {"\\text{(A)}", "A"},
      {"b.", "(B)"},
      {"\\mathbf{C}", "C"},
      {"(-\\infty, 3]", "(-\\infty,\\,3]"},
      {"90^{\\circ}", "90^\\circ"},
      {"\\{1, 2\\}", "\\{1,2\\}"},
      {"New  York", "new york"},
  };
  for (const auto& [a, b] : equal) {
    EXPECT_TRUE(grader->equal(a, b).value_or(false)) << a << " | " << b;
    EXPECT_TRUE(grader->equal(b, a).value_or(false)) << b << " | " << a;
  }
  const std::vector<std::pair<std::string, std::string>> unequal = {
      {"x+1", "x-1"},     {"(1,2)", "(2,1)"},       {"\\Delta", "\\delta"},
      {"A", "B"},         {"x^{12}", "x^12"},       {"\\frac{1}{23}", "\\frac123"},
      {"[1,2]", "(1,2)"}, {"\\leftarrow", "arrow"}, {"", "x"},
      {"(AB)", "AB"},
  };
  for (const auto& [a, b] : unequal) EXPECT_FALSE(grader->equal(a, b).value_or(true)) << a << " | " << b;
}

TEST(Judge, TheKindOfTheGoldChoosesTheGraders) {
  EXPECT_EQ(judge("18.0", "18", AnswerKind::kNumber), Verdict::kRight);
  EXPECT_EQ(judge("17", "18", AnswerKind::kNumber), Verdict::kWrong);
  EXPECT_EQ(judge("eighteen", "18", AnswerKind::kNumber), Verdict::kWrong);
  EXPECT_EQ(judge("0.5", "\\frac12", AnswerKind::kMath), Verdict::kRight);
  EXPECT_EQ(judge("\\left(3, \\frac{\\pi}{2}\\right)", "(3,\\dfrac{\\pi}{2})", AnswerKind::kMath),
            Verdict::kRight);
  EXPECT_EQ(judge("x^2", "4", AnswerKind::kMath), Verdict::kWrong);
  EXPECT_EQ(judge("(C)", "C", AnswerKind::kChoice), Verdict::kRight);
  EXPECT_EQ(judge("0.50", "0.5", AnswerKind::kText), Verdict::kWrong);
  EXPECT_EQ(judge("10^{5000}", "10^{5000}", AnswerKind::kNumber), Verdict::kRight);
  EXPECT_EQ(judge("10^{5001}", "10^{5000}", AnswerKind::kNumber), Verdict::kWrong);
}

TEST(Judge, WithoutAnswerOrGoldThereIsNoVerdict) {
  EXPECT_EQ(judge("", "18", AnswerKind::kNumber), Verdict::kNone);
  EXPECT_EQ(judge(" ", "18", AnswerKind::kNumber), Verdict::kNone);
  EXPECT_EQ(judge("18", "", AnswerKind::kNumber), Verdict::kNone);
  EXPECT_EQ(judge("18", "18", AnswerKind::kNone), Verdict::kNone);
}

TEST(Judge, GuessesTheKindOfAGold) {
  EXPECT_EQ(guess_answer_kind("204"), AnswerKind::kNumber);
  EXPECT_EQ(guess_answer_kind("27.0"), AnswerKind::kNumber);
  EXPECT_EQ(guess_answer_kind("336^\\circ"), AnswerKind::kNumber);
  EXPECT_EQ(guess_answer_kind("\\frac{3}{4}"), AnswerKind::kNumber);
  EXPECT_EQ(guess_answer_kind("3\\sqrt{13}"), AnswerKind::kMath);
  EXPECT_EQ(guess_answer_kind("\\text{Evelyn}"), AnswerKind::kMath);
  EXPECT_EQ(guess_answer_kind(" "), AnswerKind::kNone);
}

TEST(Judge, TheGradingNamesEverythingWithItsVersion) {
  EXPECT_EQ(grading_name(Extraction::parse(kDefaultExtractors)), "boxed+hash+phrase/1 number/1 text/1");
}

/// Holds every grader there is to the contract of Grader.
class EveryGrader : public testing::TestWithParam<std::string> {};

std::vector<std::string> grader_names() {
  std::vector<std::string> names;
  for (const auto& row : grader_registry()) names.push_back(row.name);
  return names;
}

std::string repeated(const std::string& piece, std::size_t bytes) {
  std::string text;
  while (text.size() + piece.size() <= bytes) text += piece;
  return text;
}

TEST_P(EveryGrader, NoInputHangsIt) {
  const auto grader = make_grader(GetParam());
  std::vector<std::string> hostile = {"10^{4096}", "1e-4096", "9999^{1233}", "9^{9^{9^9}}",
                                      "10^{99999999999999999999}"};
  for (const char* piece :
       {"{", "}",  "\\frac{", "\\frac", "9", "1/", "1.", "1,",           "-",    "$",      "\\text{", "(",
        "^", "1e", "\\",      " ",      "=", "x=", ".",  "\xE2\x88\x92", "\xff", "\\left", "{1}",     "**"}) {
    for (const std::size_t bytes : {100UL, 1023UL, 2048UL, 100000UL}) {
      hostile.push_back(repeated(piece, bytes));
      hostile.push_back("1" + repeated(piece, bytes) + "1");
    }
  }
  hostile.push_back(std::string(1000, '{') + "5" + std::string(1000, '}'));
  hostile.push_back("\\frac{" + std::string(1000, '7') + "}{" + std::string(1000, '3') + "}");
  hostile.push_back(std::string("1\0 2", 4));
  for (const std::string& left : hostile) {
    const std::clock_t start = std::clock();  // CPU time: other programs must not fail the test
    (void)grader->equal(left, left);
    (void)grader->equal(left, "1");
    const double took = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    EXPECT_LT(took, 0.5) << left.substr(0, 40);
  }
}

TEST_P(EveryGrader, IsSymmetricAndAnswersEqualItself) {
  const auto grader = make_grader(GetParam());
  const std::vector<std::string> texts = {"1", "1.0", "18%",  "0.18", "x",  "\\frac12",
                                          "",  "(A)", "5 cm", "1/0",  "x=1"};
  for (const auto& a : texts) {
    EXPECT_TRUE(grader->equal(a, a).value_or(true)) << a;
    for (const auto& b : texts) EXPECT_EQ(grader->equal(a, b), grader->equal(b, a)) << a << " | " << b;
  }
}

INSTANTIATE_TEST_SUITE_P(Graders, EveryGrader, testing::ValuesIn(grader_names()),
                         [](const auto& test) { return test.param; });

template <class Rows>
std::set<std::string> names_of(const Rows& rows) {
  std::set<std::string> names;
  for (const auto& row : rows) names.insert(row.name);
  return names;
}

std::set<std::string> files_of(const std::string& folder) {
  std::set<std::string> stems;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(LIL_ANALYZE_FOLDER) + "/" + folder)) {
    if (entry.path().extension() == ".cpp" && entry.path().stem() != "registry")
      stems.insert(entry.path().stem());
  }
  return stems;
}

TEST(Registries, HaveOneRowForEachFile) {
  EXPECT_EQ(names_of(extractor_registry()), files_of("answers"));
  EXPECT_EQ(names_of(grader_registry()), files_of("graders"));
}

}  // namespace
}  // namespace lil::analyze
