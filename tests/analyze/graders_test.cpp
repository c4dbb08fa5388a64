#include <gtest/gtest.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>
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

std::string name_of(Comparison comparison) {
  switch (comparison) {
    case Comparison::kEqual:
      return "equal";
    case Comparison::kUnequal:
      return "unequal";
    case Comparison::kTimeout:
      return "timeout";
    default:
      return "unread";
  }
}

bool equal(const Grader& grader, std::string_view a, std::string_view b) {
  return grader.compare(a, b) == Comparison::kEqual;
}

struct GoldenPair {
  std::string comparison;
  std::string left;
  std::string right;
};

std::vector<GoldenPair> golden_pairs(const std::string& grader) {
  std::ifstream file(std::string(LIL_GOLDEN_FOLDER) + "/grader_" + grader + ".tsv");
  EXPECT_TRUE(file) << grader;
  std::vector<GoldenPair> pairs;
  for (std::string line; std::getline(file, line);) {
    if (line.front() == '#') continue;
    std::istringstream row(line);
    GoldenPair pair;
    const bool whole = std::getline(row, pair.comparison, '\t') && std::getline(row, pair.left, '\t') &&
                       std::getline(row, pair.right);
    EXPECT_TRUE(whole) << line;
    pair.left = unescape(pair.left);
    pair.right = unescape(pair.right);
    pairs.push_back(pair);
  }
  return pairs;
}

/// Each pair of the grader's golden file, in both orders.
void expect_golden_pairs(const std::string& name, std::size_t at_least) {
  const auto grader = make_grader(name);
  const auto pairs = golden_pairs(name);
  for (const GoldenPair& pair : pairs) {
    EXPECT_EQ(name_of(grader->compare(pair.left, pair.right)), pair.comparison)
        << pair.left << " | " << pair.right;
    EXPECT_EQ(name_of(grader->compare(pair.right, pair.left)), pair.comparison)
        << pair.right << " | " << pair.left;
  }
  EXPECT_GE(pairs.size(), at_least);
}

TEST(NumberGrader, JudgesTheGoldenPairs) {
  expect_golden_pairs("number", 500);
}

TEST(MathGrader, JudgesTheGoldenPairs) {
  expect_golden_pairs("math", 800);
}

TEST(ChoiceGrader, JudgesTheGoldenPairs) {
  expect_golden_pairs("choice", 60);
}

TEST(MathGrader, WhatItReadsEqualsItself) {
  const auto grader = make_grader("math");
  for (const GoldenPair& pair : golden_pairs("math")) {
    if (pair.comparison == "unread") continue;
    EXPECT_TRUE(equal(*grader, pair.left, pair.left)) << pair.left;
    EXPECT_TRUE(equal(*grader, pair.right, pair.right)) << pair.right;
  }
}

TEST(MathGrader, BoundsAreWhereTheyAreSaidToBe) {
  const auto grader = make_grader("math");
  EXPECT_TRUE(equal(*grader, "1e4096", "10^{4096}"));
  EXPECT_EQ(grader->compare("1e4097", "1"), Comparison::kUnread);
  const std::string longest(2048, '7');
  EXPECT_TRUE(equal(*grader, longest, longest));
  EXPECT_EQ(grader->compare(longest + "7", longest + "7"), Comparison::kUnread);
  EXPECT_TRUE(equal(*grader, "1500!", "1500\\cdot 1499!"));
  EXPECT_EQ(grader->compare("1501!", "1"), Comparison::kUnread);
  const std::string deep = std::string(29, '(') + "1" + std::string(29, ')');
  EXPECT_TRUE(equal(*grader, deep, "1"));
  EXPECT_EQ(grader->compare(std::string(30, '(') + "1" + std::string(30, ')'), "1"), Comparison::kUnread);
}

TEST(MathGrader, GivesUpAfterSoManySteps) {
  const auto grader = make_grader("math");
  const auto sines = [](int count) {
    std::string sum = "0";
    for (int i = 0; i < count; ++i) sum += "+\\sin x";
    return sum;
  };
  EXPECT_TRUE(equal(*grader, sines(20), "20\\sin x"));
  EXPECT_EQ(grader->compare(sines(250), "250\\sin x"), Comparison::kTimeout);
  EXPECT_EQ(judge(sines(250), "250\\sin x", AnswerKind::kMath), Verdict::kTimeout);
}

TEST(MathGrader, SurvivesSeededGarbage) {
  const auto grader = make_grader("math");
  const std::vector<std::string> fragments = {"\\frac",
                                              "{",
                                              "}",
                                              "(",
                                              ")",
                                              "[",
                                              "]",
                                              "1",
                                              "23",
                                              "x",
                                              "y",
                                              "+",
                                              "-",
                                              "\\pm",
                                              "*",
                                              "/",
                                              "^",
                                              "_",
                                              ",",
                                              "=",
                                              "<",
                                              "\\cup",
                                              "\\le",
                                              "|",
                                              "!",
                                              "%",
                                              "\\circ",
                                              "\\pi",
                                              "e",
                                              "i",
                                              "\\sin",
                                              "\\log",
                                              "\\sqrt",
                                              "\\{",
                                              "\\}",
                                              "\\\\",
                                              "&",
                                              " ",
                                              ".",
                                              "\\infty",
                                              "\\text{or}",
                                              "\\text{ m}",
                                              ":",
                                              "\\binom",
                                              "\\begin{pmatrix}",
                                              "\\end{pmatrix}",
                                              "\xE2"};
  std::mt19937_64 random(7);
  const auto garbage = [&] {
    std::string text;
    for (auto n = 1 + random() % 12; n > 0; --n) text += fragments[random() % fragments.size()];
    return text;
  };
  for (int round = 0; round < 4000; ++round) {
    const std::string a = garbage();
    const std::string b = garbage();
    const Comparison there = grader->compare(a, b);
    ASSERT_EQ(there, grader->compare(b, a)) << a << " | " << b;
    const Comparison self = grader->compare(a, a);
    ASSERT_NE(self, Comparison::kUnequal) << a;
  }
}

TEST(NumberGrader, BoundsAreWhereTheyAreSaidToBe) {
  const auto grader = make_grader("number");
  EXPECT_TRUE(equal(*grader, "1e4096", "10^{4096}"));
  EXPECT_EQ(grader->compare("1e4097", "1"), Comparison::kUnread);
  const std::string longest(2048, '7');
  EXPECT_TRUE(equal(*grader, longest, longest));
  EXPECT_EQ(grader->compare(longest + "7", longest + "7"), Comparison::kUnread);
}

TEST(TextGrader, EvensOutSpellings) {
  const auto grader = make_grader("text");
  const std::vector<std::pair<std::string, std::string>> alike = {
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
  for (const auto& [a, b] : alike) {
    EXPECT_TRUE(equal(*grader, a, b)) << a << " | " << b;
    EXPECT_TRUE(equal(*grader, b, a)) << b << " | " << a;
  }
  const std::vector<std::pair<std::string, std::string>> unequal = {
      {"x+1", "x-1"},     {"(1,2)", "(2,1)"},       {"\\Delta", "\\delta"},
      {"A", "B"},         {"x^{12}", "x^12"},       {"\\frac{1}{23}", "\\frac123"},
      {"[1,2]", "(1,2)"}, {"\\leftarrow", "arrow"}, {"", "x"},
      {"(AB)", "AB"},
  };
  for (const auto& [a, b] : unequal) {
    EXPECT_EQ(grader->compare(a, b), Comparison::kUnequal) << a << " | " << b;
  }
}

TEST(Judge, TheKindOfTheGoldChoosesTheGraders) {
  EXPECT_EQ(judge("18.0", "18", AnswerKind::kNumber), Verdict::kRight);
  EXPECT_EQ(judge("17", "18", AnswerKind::kNumber), Verdict::kWrong);
  EXPECT_EQ(judge("eighteen", "18", AnswerKind::kNumber), Verdict::kWrong);
  EXPECT_EQ(judge("0.5", "\\frac12", AnswerKind::kMath), Verdict::kRight);
  EXPECT_EQ(judge("\\left(3, \\frac{\\pi}{2}\\right)", "(3,\\dfrac{\\pi}{2})", AnswerKind::kMath),
            Verdict::kRight);
  EXPECT_EQ(judge("\\frac{22}{7} - \\pi", "-\\pi + \\frac{22}{7}", AnswerKind::kMath), Verdict::kRight);
  EXPECT_EQ(judge("\\sqrt{16}", "4", AnswerKind::kNumber), Verdict::kRight);
  EXPECT_EQ(judge("Evelyn", "\\text{Evelyn}", AnswerKind::kMath), Verdict::kRight);
  EXPECT_EQ(judge("\\text{Carla}", "\\text{Evelyn}", AnswerKind::kMath), Verdict::kWrong);
  EXPECT_EQ(judge("\\textbf{(C)}\\ 12", "C", AnswerKind::kChoice), Verdict::kRight);
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
  EXPECT_EQ(guess_answer_kind("\\text{(C)}"), AnswerKind::kChoice);
  EXPECT_EQ(guess_answer_kind("(B)"), AnswerKind::kChoice);
  EXPECT_EQ(guess_answer_kind("C"), AnswerKind::kMath);
  EXPECT_EQ(guess_answer_kind("(x)"), AnswerKind::kMath);
  EXPECT_EQ(guess_answer_kind(" "), AnswerKind::kNone);
}

TEST(Judge, TheGradingNamesEverythingWithItsVersion) {
  EXPECT_EQ(grading_name(Extraction::parse(kDefaultExtractors)),
            "json+boxed+hash+phrase/1 number/3 math/2 choice/1 text/2");
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
  std::vector<std::string> hostile = {"10^{4096}",
                                      "1e-4096",
                                      "9999^{1233}",
                                      "9^{9^{9^9}}",
                                      "10^{99999999999999999999}",
                                      "1e999999999",
                                      "99999999!",
                                      "\\binom{99999999999}{49999999999}",
                                      "2^{2^{2^{2^{2^{2^2}}}}}",
                                      "\\sin(10^{4000})",
                                      "e^{e^{e^{e^e}}}",
                                      "\\gcd(10^{4096},3^{5000})",
                                      "x^{16384}+x^{16383}",
                                      "(1+x)^{4096}-(1-x)^{4096}"};
  for (const char* piece : {"\\pm1",
                            "+1e4096",
                            "+1/1e4000",
                            "+\\binom{3000}{1500}",
                            "+1499!",
                            "+\\arcsin x",
                            "\\sqrt{",
                            "!",
                            "\\pm",
                            "x",
                            "\\sin",
                            "9^",
                            "9^{",
                            "\\binom",
                            "1,",
                            "\\{",
                            "[",
                            "|",
                            "%",
                            "\\frac{1}{",
                            "(1,",
                            "\\pm1,",
                            "\\sin x+",
                            "\\cup(1,2)",
                            "<1",
                            "\\sqrt2,",
                            "1:",
                            "_1",
                            "\\begin{pmatrix}",
                            "1&",
                            "'",
                            "{",
                            "}",
                            "\\frac{",
                            "\\frac",
                            "9",
                            "1/",
                            "1.",
                            "1,",
                            "-",
                            "$",
                            "\\text{",
                            "(",
                            "^",
                            "1e",
                            "\\",
                            " ",
                            "=",
                            "x=",
                            ".",
                            "\xE2\x88\x92",
                            "\xff",
                            "\\left",
                            "{1}",
                            "**"}) {
    for (const std::size_t bytes : {100UL, 1023UL, 2048UL, 100000UL}) {
      hostile.push_back(repeated(piece, bytes));
      hostile.push_back("1" + repeated(piece, bytes) + "1");
    }
  }
  hostile.push_back(std::string(1000, '{') + "5" + std::string(1000, '}'));
  hostile.push_back("\\frac{" + std::string(1000, '7') + "}{" + std::string(1000, '3') + "}");
  hostile.push_back("\\frac{1}{" + repeated("1+\\frac{1}{", 300) + "2" + std::string(26, '}'));
  hostile.push_back(std::string("1\0 2", 4));
  for (const std::string& left : hostile) {
    const std::clock_t start = std::clock();  // CPU time: other programs must not fail the test
    (void)grader->compare(left, left);
    (void)grader->compare(left, "x+1");
    (void)grader->compare("\\sqrt{2}, 3", left);
    const double took = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    EXPECT_LT(took, 3.0) << left.substr(0, 40);
  }
}

TEST_P(EveryGrader, IsSymmetricAndAnswersEqualItself) {
  const auto grader = make_grader(GetParam());
  const std::vector<std::string> texts = {"1", "1.0", "18%",  "0.18", "x",  "\\frac12",
                                          "",  "(A)", "5 cm", "1/0",  "x=1"};
  for (const auto& a : texts) {
    EXPECT_NE(grader->compare(a, a), Comparison::kUnequal) << a;
    for (const auto& b : texts) EXPECT_EQ(grader->compare(a, b), grader->compare(b, a)) << a << " | " << b;
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
