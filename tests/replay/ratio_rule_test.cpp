// Does `ratio` divide as Whisper does, to the byte?
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "replay/stop_rules/registry.h"
#include "tests/replay/sample_texts.h"

namespace lil::replay {
namespace {

using tests::below;
using tests::Random;

std::optional<std::int64_t> stop(const std::string& rule, const Stream& stream) {
  return make_stop_rule(rule)->stop({stream.tokens(), nullptr, {}, &stream});
}

/// `text` as so many tokens, and one more token after them.
Stream times(const std::string& text, std::int64_t count) {
  return tests::stream_of(std::vector<std::string>(static_cast<std::size_t>(count) + 1, text));
}

TEST(RatioRule, GoldenCases) {
  std::ifstream lines(LIL_SOURCE_DIR "/tests/golden/whisper_ratio.tsv");
  int cases = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.front() == '#') continue;
    std::vector<std::string> fields;
    std::istringstream columns(line);
    for (std::string field; std::getline(columns, field, '\t');) fields.push_back(field);
    ASSERT_EQ(fields.size(), 5U) << line;
    const std::int64_t count = std::stoll(fields[1]);
    if (count == 0) continue;  // there is no check after no token
    const Stream stream = times(fields[0], count);
    const double ratio = std::stod(fields[2]) / std::stod(fields[3]);
    const auto stops_above = [&](double threshold) {
      return stop(fmt::format("ratio(f={},t={})", count, threshold), stream).has_value();
    };
    EXPECT_EQ(stop(fmt::format("ratio(f={})", count), stream).has_value(), fields[4] == "yes") << line;
    EXPECT_FALSE(stops_above(ratio)) << "equality does not stop: " << line;
    EXPECT_TRUE(stops_above(std::nextafter(ratio, 0))) << line;
    ++cases;
  }
  EXPECT_EQ(cases, 120);
}

/// len(text) / len(zlib.compress(text))
double whisper_ratio(const std::string& text) {
  uLongf size = compressBound(text.size());
  std::vector<Bytef> compressed(size);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): zlib's interface
  EXPECT_EQ(compress(compressed.data(), &size, reinterpret_cast<const Bytef*>(text.data()), text.size()),
            Z_OK);
  return static_cast<double>(text.size()) / static_cast<double>(size);
}

std::optional<std::int64_t> slow_stop(const Stream& stream, std::int64_t f, double t, std::int64_t window) {
  for (std::int64_t token = f; token < stream.tokens(); token += f) {
    const std::int64_t first = window == 0 ? 0 : std::max<std::int64_t>(0, token - window);
    const auto start = static_cast<std::size_t>(stream.offset_after(first));
    const auto end = static_cast<std::size_t>(stream.offset_after(token));
    if (whisper_ratio(stream.bytes.substr(start, end - start)) > t) return token;
  }
  return std::nullopt;
}

TEST(RatioRule, EqualsTheDefinitionWholeAndInAWindow) {
  Random random(11);
  int stops = 0;
  int rounds = 0;
  for (const auto& [name, text] : tests::sample_texts(6000, 23)) {
    const Stream stream = tests::cut_into_tokens(text, 0, 3);
    for (int round = 0; round < 40; ++round, ++rounds) {
      const auto f = 1 + static_cast<std::int64_t>(below(random, 400));
      const std::int64_t window = round % 2 == 0 ? 0 : 1 + static_cast<std::int64_t>(below(random, 600));
      const double t = 0.5 + static_cast<double>(below(random, 80)) / 10;
      const std::string rule = fmt::format("ratio(f={},t={},window={})", f, t, window);
      const auto expected = slow_stop(stream, f, t, window);
      ASSERT_EQ(stop(rule, stream), expected) << rule << " on " << name;
      stops += expected ? 1 : 0;
    }
  }
  EXPECT_GT(stops, rounds / 5);
  EXPECT_LT(stops, rounds * 4 / 5);
}

TEST(RatioRule, TheWindowHoldsTheLastTokensAlone) {
  std::vector<std::string> tokens(30, "over and over ");
  for (const std::string word : {"then", " it", " says", " something", " else", " once"})
    tokens.push_back(word);
  const Stream stream = tests::stream_of(tokens);
  EXPECT_EQ(stop("ratio(f=35,window=35)", stream), 35);
  EXPECT_EQ(stop("ratio(f=35,window=5)", stream), std::nullopt) << "nothing of the repetition is in it";
  EXPECT_EQ(stop("ratio(f=30,window=3)", stream), std::nullopt) << "42 bytes in 22";
  EXPECT_EQ(stop("ratio(f=30,window=4)", stream), 30) << "56 bytes in 23";
  EXPECT_EQ(stop("ratio(f=30,window=1000)", stream), 30) << "a window longer than the text takes all";
  EXPECT_EQ(stop("ratio(f=36)", stream), std::nullopt) << "nothing stops at the last token";
}

TEST(RatioRule, TokensWithoutBytesAreNoTrouble) {
  const Stream stream = tests::stream_of({"", "", "", ""});
  EXPECT_EQ(stop("ratio(f=1,t=0)", stream), std::nullopt);
  EXPECT_EQ(stop("ratio(f=1,t=0,window=2)", stream), std::nullopt);
}

}  // namespace
}  // namespace lil::replay
