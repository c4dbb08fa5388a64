// Do the signals of compressing libraries and of counting agree with their slow twins, where it is hardest?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "replay/signals/registry.h"
#include "tests/replay/from_scratch.h"
#include "tests/replay/sample_texts.h"
#include "tests/support/test_data.h"

namespace lil::replay {
namespace {

using tests::below;
using tests::from_scratch;
using tests::Random;

constexpr std::size_t kKiB = 1024;

/// The signal is asked at every one of `lengths`, ascending, in one pass; the twin starts anew each time.
void expect_twins_agree(const std::string& spec, const std::string& text,
                        const std::vector<std::size_t>& lengths, const std::string& what) {
  const auto signal = make_signal(spec);
  std::size_t fed = 0;
  for (const std::size_t length : lengths) {
    ASSERT_LE(length, text.size());
    signal->feed(std::string_view(text).substr(fed, length - fed));
    fed = length;
    ASSERT_EQ(signal->value(), from_scratch(signal->name(), std::string_view(text).substr(0, length)))
        << spec << " of " << length << " bytes of " << what;
  }
}

/// Around the end of the library's blocks and of the pieces that it is fed.
TEST(LibraryTwin, EveryKindOfTextAroundBlocks) {
  const std::vector<std::size_t> lengths = {8 * kKiB - 1,  8 * kKiB,       8 * kKiB + 1,
                                            64 * kKiB - 1, 64 * kKiB,      64 * kKiB + 1,
                                            128 * kKiB,    128 * kKiB + 1, 200 * kKiB};
  for (const auto& [name, text] : tests::sample_texts(200 * kKiB, 51)) {
    for (const std::string spec :
         {"lz4hc(level=3)", "lz4hc(level=9)", "lz4hc(level=12)", "zstd(level=1)", "zstd(level=3)",
          "brotli(quality=2)", "brotli(quality=5)", "lzma(preset=0)"})
      expect_twins_agree(spec, text, lengths, name);
  }
}

TEST(LibraryTwin, EveryLevelPastTheFirstBlock) {
  const std::string text = tests::multilingual_text(70 * kKiB, 8) + tests::looping_prose(61 * kKiB, 9);
  const std::vector<std::size_t> lengths = {65 * kKiB + 17, 130 * kKiB + 1};
  for (const auto& [name, first, last] : {std::tuple{"lz4hc(level=", 3, 12},
                                          {"zstd(level=", 1, 19},
                                          {"brotli(quality=", 2, 10},
                                          {"lzma(preset=", 0, 6},
                                          {"bzip2(level=", 1, 9}}) {
    for (int level = first; level <= last; ++level)
      expect_twins_agree(name + std::to_string(level) + ")", text, lengths, "mixed text");
  }
  expect_twins_agree("brotli(quality=11)", text, {65 * kKiB + 17, 66 * kKiB}, "mixed text");
}

TEST(LibraryTwin, ABlockOfBzip2EndsInsideTheText) {
  const std::string text = tests::prose(230000, 4) + std::string(3000, 'a') + tests::random_bytes(2000, 4);
  expect_twins_agree("bzip2(level=1)", text, {99980, 99981, 100000, 199961, 199963, 231000, text.size()},
                     "prose");
}

/// A match that begins before the window does is not there: the windows are as large as said.
TEST(LibraryTwin, PastTheWindow) {
  const std::string repeated = tests::random_bytes(100 * kKiB, 1);
  const std::string text = repeated + std::string(1024 * kKiB, 'x') + repeated;
  const auto size_of_repetition = [&](const std::string& spec) {
    const auto signal = make_signal(spec);
    signal->feed(std::string_view(text).substr(0, 1124 * kKiB));
    const std::int64_t before = signal->value();
    signal->feed(repeated);
    EXPECT_EQ(signal->value(), from_scratch(signal->name(), text)) << spec;
    return signal->value() - before;
  };
  for (const std::string spec : {"zstd(level=3)", "brotli(quality=5)", "lzma(preset=1)"})
    EXPECT_GT(size_of_repetition(spec), 100 * 1000) << spec;
}

/// What the signals rest on: a library's output depends on the bytes and the parameters alone.
TEST(LibraryDeterminism, PiecesChangeNothing) {
  for (const auto& [name, text] : tests::sample_texts(140 * kKiB, 13)) {
    for (const std::size_t piece : {std::size_t{997}, 64 * kKiB, 128 * kKiB}) {
      EXPECT_EQ(tests::zstd_from_scratch(text, 3, piece), tests::zstd_from_scratch(text, 3)) << name;
      EXPECT_EQ(tests::brotli_from_scratch(text, 5, piece), tests::brotli_from_scratch(text, 5)) << name;
      EXPECT_EQ(tests::lzma_from_scratch(text, 1, piece), tests::lzma_from_scratch(text, 1)) << name;
    }
  }
}

TEST(LibraryDeterminism, WhatAnObjectDidBeforeChangesNothing) {
  const std::string text = tests::prose(150 * kKiB, 2);
  for (const std::string spec : {"lz4hc", "zstd(level=19)", "brotli(quality=9)", "lzma", "bzip2"}) {
    const auto used = make_signal(spec);
    used->feed(tests::random_bytes(150 * kKiB, 1));
    static_cast<void>(used->value());
    used->reset();
    const auto fresh = make_signal(spec);
    for (const std::size_t end : {70 * kKiB, 150 * kKiB}) {
      const std::string_view piece = std::string_view(text).substr(end - 70 * kKiB, 70 * kKiB);
      used->feed(piece);
      fresh->feed(piece);
      EXPECT_EQ(used->value(), fresh->value()) << spec;
    }
  }
}

std::vector<std::string> counting_signals() {
  return {"lz77",        "lz77(unit=bits)", "lz78",         "matchlen",     "ngram(n=1)",   "ngram(n=2)",
          "ngram(n=16)", "substrings",      "ppm(order=1)", "ppm(order=2)", "ppm(order=5)", "ppm(order=16)"};
}

TEST(CountingTwin, EveryPrefixOfStringsOfFewLetters) {
  Random random(99);
  for (int round = 0; round < 60; ++round) {
    const std::size_t letters = 1 + below(random, 4);
    std::string text(below(random, 80), '\0');
    for (char& byte : text) byte = static_cast<char>('a' + below(random, letters));
    std::vector<std::size_t> lengths;
    for (std::size_t n = 0; n <= text.size(); ++n) lengths.push_back(n);
    for (const std::string& spec : counting_signals()) expect_twins_agree(spec, text, lengths, text);
  }
}

TEST(CountingTwin, LongerTexts) {
  for (const auto& [name, text] : tests::sample_texts(1500, 3)) {
    for (const std::string& spec : counting_signals()) expect_twins_agree(spec, text, {1499, 1500}, name);
  }
  const std::string text = tests::multilingual_text(12000, 3);
  for (const std::string spec : {"lz78", "matchlen", "ngram(n=16)", "substrings", "ppm(order=5)"})
    expect_twins_agree(spec, text, {12000}, "multilingual");
}

TEST(CountingTwin, AllBytesOverAndOver) {
  std::string text;
  for (int i = 0; i < 1500; ++i) text += static_cast<char>(i * 7);
  for (const std::string& spec : counting_signals())
    expect_twins_agree(spec, text, {255, 256, 257, 1500}, "all bytes");
}

std::int64_t value_of(const std::string& spec, std::string_view text) {
  const auto signal = make_signal(spec);
  signal->feed(text);
  return signal->value();
}

TEST(CountingSignal, ValuesOfKnownTexts) {
  EXPECT_EQ(value_of("lz78", "aababcabcd"), 4) << "a ab abc abcd";
  EXPECT_EQ(value_of("lz78", "aababcabc"), 4) << "a ab abc, and abc again";
  EXPECT_EQ(value_of("substrings", "banana"), 15);
  EXPECT_EQ(value_of("ngram(n=2)", "banana"), 3) << "ba an na";
  EXPECT_EQ(value_of("ngram(n=7)", "banana"), 0);
  EXPECT_EQ(value_of("lz77(unit=bits)", "a"), 1 + 8) << "gamma(1) and the byte";
  EXPECT_EQ(value_of("lz77(unit=bits)", "aaaab"), 9 + (5 + 0 + 8))
      << "a, then 3 bytes from the one place, and b";
  EXPECT_EQ(value_of("matchlen", "abcd"), 4) << "log2 of 1, 2, 3 and 4: 4.58";
  EXPECT_EQ(value_of("ppm(order=1)", "a"), 8) << "one of 256";
  EXPECT_EQ(value_of("ppm(order=1)", "aa"), 9) << "then 1/2 after nothing";
}

TEST(CountingSignal, ALoopAddsNextToNothing) {
  const std::string text = tests::looping_prose(60000, 5);
  const auto growth = [&](const std::string& spec, std::size_t from, std::size_t to) {
    return value_of(spec, std::string_view(text).substr(0, to)) -
           value_of(spec, std::string_view(text).substr(0, from));
  };
  for (const std::string spec : {"lz77", "lz77(unit=bits)", "lz78", "matchlen", "ngram", "ppm"})
    EXPECT_LT(4 * growth(spec, 50000, 59000), growth(spec, 20000, 29000)) << spec;
}

TEST(SignalTwin, RealText) {
  LIL_REAL_DATA_OR_SKIP(path, "traces/skythought/Sky-T1-math-correct-5K-14B__aime24.jsonl");
  std::ifstream lines(path);
  std::string line;
  for (int trace = 0; trace < 2 && std::getline(lines, line); ++trace) {
    std::string text = nlohmann::json::parse(line).at("code").at(0).get<std::string>();
    text.resize(std::min<std::size_t>(text.size(), 80000));
    const std::size_t n = text.size();
    const std::string start = text.substr(0, 3000);
    for (const std::string spec : {"lz4hc", "zstd", "brotli", "lzma", "bzip2"})
      expect_twins_agree(spec, text, {n / 7, n / 3, n / 2 + 1, n - 1, n}, "a real trace");
    for (const std::string& spec : counting_signals())
      expect_twins_agree(spec, start, {1, start.size() / 2, start.size()}, "a real trace");
  }
}

}  // namespace
}  // namespace lil::replay
