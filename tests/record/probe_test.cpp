// Does a probe's answer begin and end where it should?

#include "record/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "schemas/error.h"

namespace lil::tests {
namespace {

using record::parse_probe_options;
using record::ProbeAnswer;
using record::ProbeOptions;
using schemas::ProbeFinish;
using testing::HasSubstr;

TEST(ProbeOptions, HaveDefaultsByTemplate) {
  const ProbeOptions plain = parse_probe_options("every=50", "{problem}");
  EXPECT_EQ(plain.every_tokens, 50);
  EXPECT_EQ(plain.most_tokens, 32);
  EXPECT_EQ(plain.closing, "\n\n\\boxed{");
  EXPECT_EQ(parse_probe_options("every=1k", "{problem}<think>\n").closing, "</think>\n\n\\boxed{");
  EXPECT_EQ(parse_probe_options("every=1k", "").every_tokens, 1024);
}

TEST(ProbeOptions, ClosingMayHoldAnything) {
  const ProbeOptions options = parse_probe_options("every=5,tokens=7,closing=\\nSo, (a=1): $\\boxed{", "");
  EXPECT_EQ(options.most_tokens, 7);
  EXPECT_EQ(options.closing, "\nSo, (a=1): $\\boxed{");
  EXPECT_EQ(parse_probe_options("every=5,closing=\\\\neq \\n\\boxed{\\", "").closing, "\\neq \n\\boxed{\\");
}

TEST(ProbeOptions, RefuseWhatIsWrong) {
  for (const char* text :
       {"", "50", "every=0", "every=5,tokens=0", "tokens=4", "every=5,often=1", "closing=x"}) {
    EXPECT_THROW((void)parse_probe_options(text, ""), Error) << text;
  }
}

/// Feeds one token a character; what is left of the text after the last one is not read.
schemas::Probe answer(const std::string& closing, const std::string& text, std::int64_t most = 100) {
  const schemas::Vocabulary bytes = schemas::Vocabulary::bytes();
  ProbeAnswer reader({1, most, closing}, 40, bytes);
  for (const char c : text) {
    if (reader.add(static_cast<unsigned char>(c), c == '$')) break;
  }
  return reader.probe();
}

TEST(ProbeAnswer, EndsWithTheBraceThatTheClosingOpened) {
  const schemas::Probe probe = answer("</think>\n\n\\boxed{", "\\frac{1}{2}}. So");
  EXPECT_EQ(probe.text, "\\frac{1}{2}");
  EXPECT_EQ(probe.ids.size(), 12U) << "the brace is a token too";
  EXPECT_EQ(probe.finish, ProbeFinish::kClosed);
  EXPECT_EQ(probe.token, 40);
  EXPECT_EQ(answer("\\boxed{", "}").text, "");
  EXPECT_EQ(answer("\\boxed{", "\\{1, 2\\}}").text, "\\{1, 2\\}");
  EXPECT_EQ(answer("\\boxed{\\text{", "a} or b}c").text, "a} or b");
}

TEST(ProbeAnswer, EndsWithTheSequenceOrTheCap) {
  EXPECT_EQ(answer("\\boxed{", "42$").finish, ProbeFinish::kStop);
  EXPECT_EQ(answer("\\boxed{", "42$").text, "42");
  EXPECT_EQ(answer("\\boxed{", "42$").ids.size(), 3U);
  const schemas::Probe cut = answer("\\boxed{", "123456}", 4);
  EXPECT_EQ(cut.finish, ProbeFinish::kLength);
  EXPECT_EQ(cut.text, "1234");
  EXPECT_EQ(answer("\\boxed{", "123}", 4).finish, ProbeFinish::kClosed) << "at the cap, but closed";
  EXPECT_EQ(answer("Answer: ", "4}2}", 4).finish, ProbeFinish::kLength) << "no brace is open";
}

TEST(ProbeAnswer, TextIsUtf8) {
  EXPECT_EQ(answer("{", "\xc3\xa9}").text, "\xc3\xa9");
  EXPECT_EQ(answer("{", "4\xc3", 2).text, "4\xef\xbf\xbd");
}

}  // namespace
}  // namespace lil::tests
