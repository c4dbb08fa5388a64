#include "schemas/named_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "schemas/error.h"
#include "schemas/registry.h"

namespace lil::schemas {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<Parameter>& guardian_parameters() {
  static const std::vector<Parameter> parameters{
      {"f", Parameter::Type::kInteger, "250", 1, 1e9, {}, ""},
      {"t",
       Parameter::Type::kReal,
       "20",
       -std::numeric_limits<double>::infinity(),
       std::numeric_limits<double>::infinity(),
       {},
       ""},
      {"first", Parameter::Type::kChoice, "prompt", 0, 0, {"prompt", "zero"}, ""}};
  return parameters;
}

Arguments resolve(const std::string& text) {
  return resolve_arguments("rule", parse_named_spec(text), guardian_parameters());
}

std::string message_of(const std::string& text) {
  try {
    (void)resolve(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "no error";
}

TEST(NamedSpec, DefaultsAreFilledInAndNamed) {
  EXPECT_EQ(resolve("guardian").to_string(), "guardian(f=250,t=20,first=prompt)");
  const Arguments arguments = resolve(" guardian( t = 2.5 , f=1k ) ");
  EXPECT_EQ(arguments.integer("f"), 1024);
  EXPECT_DOUBLE_EQ(arguments.real("t"), 2.5);
  EXPECT_EQ(arguments.text("first"), "prompt");
  EXPECT_EQ(resolve(arguments.to_string()).to_string(), arguments.to_string());
}

TEST(NamedSpec, BriefSpellingLeavesDefaultsOutButNotWhatMustBeGiven) {
  EXPECT_EQ(resolve("guardian(first=prompt,f=250)").to_brief_string(), "guardian");
  EXPECT_EQ(resolve("guardian(t=2e1,f=1k)").to_brief_string(), "guardian(f=1024)");
  const std::vector<Parameter> needed{{"tokens", Parameter::Type::kInteger, "", 1, 100, {}, ""}};
  EXPECT_EQ(resolve_arguments("rule", parse_named_spec("cap(tokens=5)"), needed).to_brief_string(),
            "cap(tokens=5)");
}

TEST(NamedSpec, ErrorsNameEntryKeyAndRange) {
  EXPECT_EQ(message_of("guardian(f=0)"), "rule 'guardian': f=0 is not a whole number from 1 to 1000000000");
  EXPECT_EQ(message_of("guardian(t=abc)"), "rule 'guardian': t=abc is not a number");
  EXPECT_EQ(message_of("guardian(first=x)"), "rule 'guardian': first=x is not one of prompt, zero");
  EXPECT_EQ(message_of("guardian(g=1)"), "rule 'guardian' has no parameter 'g'; it has: f, t, first");
  EXPECT_EQ(message_of("guardian(f=1,f=2)"), "rule 'guardian': parameter 'f' is given twice");
}

TEST(NamedSpec, SyntaxErrorsSayWhere) {
  EXPECT_EQ(message_of("guardian(f=1"), "'guardian(f=1': a ')' is missing at character 13");
  EXPECT_EQ(message_of("guardian(f=1))"), "'guardian(f=1))': text after the last ')' at character 14");
  EXPECT_EQ(message_of("guardian(,)"), "'guardian(,)': expected key=value at character 10");
  EXPECT_THAT(message_of("(f=1)"), HasSubstr("a name is missing"));
  EXPECT_THAT(message_of(""), HasSubstr("a name is missing"));
}

TEST(NamedSpec, NestedSpecsKeepTheirCommas) {
  const NamedSpec spec = parse_named_spec("guardian(f=5,signal=zlib(level=6,x=1))");
  ASSERT_EQ(spec.values.size(), 2U);
  EXPECT_EQ(spec.values[1].second, "zlib(level=6,x=1)");
}

TEST(NamedSpec, ListsAndRangesMakeACrossProduct) {
  EXPECT_THAT(expand_named_spec("zlib"), ElementsAre("zlib"));
  EXPECT_THAT(expand_named_spec("guardian(f=50..150+50,t=20)"),
              ElementsAre("guardian(f=50,t=20)", "guardian(f=100,t=20)", "guardian(f=150,t=20)"));
  EXPECT_THAT(expand_named_spec("guardian(f=50,250,t=20,40)"),
              ElementsAre("guardian(f=50,t=20)", "guardian(f=50,t=40)", "guardian(f=250,t=20)",
                          "guardian(f=250,t=40)"));
  EXPECT_THAT(expand_named_spec("guardian(f=5,signal=zlib(level=1,9))"),
              ElementsAre("guardian(f=5,signal=zlib(level=1))", "guardian(f=5,signal=zlib(level=9))"));
}

TEST(NamedSpec, SeveralSpecsStandBetweenCommas) {
  EXPECT_THAT(expand_named_specs("zlib(level=1,6),lz4"),
              ElementsAre("zlib(level=1)", "zlib(level=6)", "lz4"));
}

TEST(NamedSpec, CountsHaveSuffixes) {
  EXPECT_EQ(parse_count("--max-tokens", "32k"), 32768);
  EXPECT_EQ(parse_count("--max-tokens", "250"), 250);
  EXPECT_THROW((void)parse_count("--max-tokens", "-1"), Error);
  EXPECT_THROW((void)parse_count("--max-tokens", "32kk"), Error);
  EXPECT_THROW((void)parse_count("--max-tokens", "9223372036854775807k"), Error);
  EXPECT_THAT(parse_count_list("--every", "50,250"), ElementsAre(50, 250));
  EXPECT_THAT(parse_count_list("--every", "1..3"), ElementsAre(1, 2, 3));
  EXPECT_THROW((void)parse_count_list("--every", "3..1"), Error);
  EXPECT_THROW((void)parse_count_list("--every", "1..5+0"), Error);
}

TEST(Registry, UnknownNameListsTheKnown) {
  using Row = RegistryRow<int (*)()>;
  const std::vector<Row> rows{{"zlib", nullptr, "", {}}, {"lz4", nullptr, "", {}}};
  try {
    (void)find_row<int (*)()>("signal", rows, "zip");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "unknown signal 'zip'; known are: zlib, lz4");
  }
}

}  // namespace
}  // namespace lil::schemas
