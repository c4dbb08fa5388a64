// Does the sizer say, for every prefix, what one deflate(Z_FINISH) over it gives, to the byte?
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "replay/deflate/sizer.h"
#include "replay/signals/deflate.h"
#include "replay/signals/registry.h"
#include "tests/replay/from_scratch.h"
#include "tests/replay/sample_texts.h"
#include "tests/support/test_data.h"

namespace lil::replay::deflate {
namespace {

using tests::below;
using tests::Random;

constexpr std::size_t kSymbolsInBlock = 16383;

/// zlib itself, one call over the whole prefix.
class ZlibTwin {
 public:
  explicit ZlibTwin(int level) {
    if (deflateInit2(&stream_, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) std::abort();
  }
  ~ZlibTwin() { deflateEnd(&stream_); }
  ZlibTwin(const ZlibTwin&) = delete;
  ZlibTwin& operator=(const ZlibTwin&) = delete;

  std::int64_t size(std::string_view text) {
    EXPECT_EQ(deflateReset(&stream_), Z_OK);
    out_.resize(std::max(out_.size(), deflateBound(&stream_, text.size())));
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream_.avail_in = static_cast<uInt>(text.size());
    stream_.next_out = out_.data();
    stream_.avail_out = static_cast<uInt>(out_.size());
    EXPECT_EQ(::deflate(&stream_, Z_FINISH), Z_STREAM_END);
    return static_cast<std::int64_t>(stream_.total_out);
  }

 private:
  z_stream stream_{};
  std::vector<Bytef> out_;
};

/// The sizer of `level` is fed with `text` up to each of `ends` in turn, and agrees at each.
void expect_same(std::string_view text, int level, const std::set<std::size_t>& ends) {
  Sizer sizer(level);
  ZlibTwin zlib(level);
  std::size_t fed = 0;
  for (const std::size_t end : ends) {
    if (end > text.size()) break;
    sizer.feed(text.substr(fed, end - fed));
    fed = end;
    ASSERT_EQ(sizer.size(), zlib.size(text.substr(0, end))) << "level " << level << ", " << end << " bytes";
  }
}

std::set<std::size_t> every_end(std::size_t last) {
  std::set<std::size_t> ends;
  for (std::size_t end = 0; end <= last; ++end) ends.insert(end);
  return ends;
}

std::set<std::size_t> random_ends(std::size_t last, int times, std::uint64_t seed) {
  Random random(seed);
  std::set<std::size_t> ends = {last};
  while (times-- > 0) ends.insert(below(random, last));
  return ends;
}

std::string letters(std::size_t bytes, std::size_t alphabet, std::uint64_t seed) {
  Random random(seed);
  std::string text(bytes, '\0');
  for (char& byte : text) byte = static_cast<char>(below(random, alphabet));
  return text;
}

/// Three bytes at a time from anywhere in the window: matches too far to be worth it for levels 4 and up.
std::string far_repeats(std::size_t bytes, std::uint64_t seed) {
  Random random(seed);
  std::string text = letters(4000, 256, seed);
  while (text.size() < bytes) {
    const std::size_t back = 3 + below(random, std::min<std::size_t>(text.size() - 3, 32700));
    text += text.substr(text.size() - back, 3);
  }
  return text;
}

class SizerAtLevel : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Levels, SizerAtLevel, testing::Range(1, 10));

TEST_P(SizerAtLevel, EveryShortPrefix) {
  for (const auto& [name, text] : tests::sample_texts(350, 41)) {
    SCOPED_TRACE(name);
    expect_same(text, GetParam(), every_end(text.size()));
  }
  expect_same(letters(500, 2, 3), GetParam(), every_end(500));
  expect_same(std::string(900, 'a'), GetParam(), every_end(900));
}

TEST_P(SizerAtLevel, LongTexts) {
  for (const auto& [name, text] : tests::sample_texts(205000, 42)) {
    SCOPED_TRACE(name);
    expect_same(text, GetParam(), random_ends(text.size(), 3, 7));
  }
  expect_same(far_repeats(120000, 2), GetParam(), random_ends(120000, 3, 8));
}

TEST_P(SizerAtLevel, LongRuns) {
  std::string text;
  for (const std::size_t run : {257U, 258U, 259U, 260U, 516U, 517U, 40000U, 3U, 300U, 66000U}) {
    text += static_cast<char>('a' + run % 26);
    text.append(run, 'x');
  }
  std::set<std::size_t> ends = random_ends(text.size(), 40, 9);
  for (const std::size_t edge : {258U, 516U, 1033U, 32768U, 65536U, 98304U}) {
    for (std::size_t end = edge - 3; end <= edge + 4; ++end) ends.insert(end);
  }
  expect_same(text, GetParam(), ends);
}

TEST_P(SizerAtLevel, EveryByteAroundTheEndOfABlock) {
  const std::string text = letters(2 * kSymbolsInBlock + 400, 200, 5);  // next to no match: a symbol a byte
  std::set<std::size_t> ends;
  for (const std::size_t edge : {kSymbolsInBlock, 2 * kSymbolsInBlock}) {
    for (std::size_t end = edge - 8; end < edge + 70; end += end < edge + 12 ? 1 : 9) ends.insert(end);
  }
  expect_same(text, GetParam(), ends);
}

/// The second block is short, so its fixed codes come out about as long as its own; where it starts in a byte
/// decides what a bit more or less makes of the size.
TEST_P(SizerAtLevel, ShortBlocksAfterAFullOne) {
  for (std::size_t alphabet = 4; alphabet <= 60; alphabet += 8) {
    const std::string text = letters(kSymbolsInBlock, 200, alphabet) + letters(120, alphabet, alphabet);
    std::set<std::size_t> ends;
    for (std::size_t end = kSymbolsInBlock + 30; end < text.size(); end += 4) ends.insert(end);
    expect_same(text, GetParam(), ends);
  }
}

TEST_P(SizerAtLevel, StoredBlocksBeforeAndAfterText) {
  const std::string noise = tests::random_bytes(40000, 6);
  expect_same(noise, GetParam(), random_ends(noise.size(), 12, 1));
  const std::string mixed = tests::prose(7001, 1) + noise + tests::prose(30000, 2) + noise.substr(0, 20000);
  expect_same(mixed, GetParam(), random_ends(mixed.size(), 8, 2));
}

/// At the position where zlib may drop its older window, `run_up` bytes after a match, the only match is
/// as far back as one may be.
std::string text_with_match_at_window_edge(std::size_t position, std::size_t run_up, std::uint64_t seed) {
  std::string text = letters(position + 400, 120, seed);
  const auto at = static_cast<std::ptrdiff_t>(position);
  std::copy_n(text.begin() + 40000, run_up, text.begin() + at - static_cast<std::ptrdiff_t>(run_up));
  std::copy_n(text.begin() + at - 32506, 200, text.begin() + at);
  return text;
}

TEST_P(SizerAtLevel, AroundTheEdgesOfTheWindow) {
  for (const std::size_t position : {65274U, 65274U + 32768U}) {
    std::set<std::size_t> ends;
    for (const std::size_t edge : {position, position + 262}) {
      for (std::size_t end = edge - 2; end <= edge + 3; ++end) ends.insert(end);
    }
    for (std::size_t end = position - 260; end <= position + 380; end += 90) ends.insert(end);
    for (const std::size_t run_up : {0U, 200U}) {
      expect_same(text_with_match_at_window_edge(position, run_up, position), GetParam(), ends);
    }
  }
}

TEST_P(SizerAtLevel, NeitherPiecesNorQuestionsChangeTheSize) {
  Random random(7);
  const std::string text = tests::prose(60000, 1) + tests::looping_prose(80000, 2) + letters(9000, 30, 3);
  Sizer whole(GetParam());
  whole.feed(text);
  Sizer pieces(GetParam());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t piece = below(random, below(random, 4) == 0 ? 9000 : 60);
    pieces.feed(std::string_view(text).substr(at, piece));
    at += piece;
    if (below(random, 10) == 0) static_cast<void>(pieces.size());
  }
  EXPECT_EQ(pieces.size(), whole.size());
  EXPECT_EQ(pieces.size(), whole.size()) << "asked again";
  EXPECT_EQ(whole.size(), ZlibTwin(GetParam()).size(text));
  whole.reset();
  EXPECT_EQ(whole.size(), 2);
  whole.feed(std::string_view(text).substr(1000, 70000));
  EXPECT_EQ(whole.size(), ZlibTwin(GetParam()).size(std::string_view(text).substr(1000, 70000)));
}

TEST_P(SizerAtLevel, MixturesOfEverything) {
  Random random(static_cast<std::uint64_t>(GetParam()));
  for (int round = 0; round < 6; ++round) {
    std::string text;
    const std::size_t bytes = 1000 + below(random, round % 2 == 0 ? 4000 : 80000);
    while (text.size() < bytes) {
      const std::size_t length = 1 + below(random, below(random, 3) == 0 ? 9000 : 300);
      switch (below(random, 5)) {
        case 0:
          text += letters(length, 1 + below(random, 256), random());
          break;
        case 1:
          text.append(length, static_cast<char>(below(random, 256)));
          break;
        case 2:
          text +=
              text.substr(text.size() - std::min<std::size_t>(text.size(), 32506 + below(random, 2)), 300);
          break;
        case 3:
          text += text.substr(below(random, text.size() + 1), length);
          break;
        default:
          text += tests::prose(length, random());
      }
    }
    expect_same(text, GetParam(), random_ends(text.size(), 5, random()));
  }
}

TEST_P(SizerAtLevel, RealTraces) {
  LIL_REAL_DATA_OR_SKIP(path, "traces/topology/pilot_math500_qwen7b.jsonl");
  std::ifstream file(path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::set<std::size_t> ends;
  for (std::size_t end = 0; end < 150000; end += 4999) ends.insert(end);
  expect_same(text, GetParam(), ends);
}

std::pair<const SignalRow*, schemas::Arguments> row_of(const std::string& signal, int level) {
  const std::string spec = signal + "(level=" + std::to_string(level) + ")";
  return schemas::resolve_row("signal", signal_rows(), spec);
}

TEST_P(SizerAtLevel, BothWaysGiveTheSizesOfEveryFormat) {
  const std::string text = tests::prose(20000, 1) + tests::random_bytes(5000, 2);
  for (const auto& [format, wrapper] :
       {std::pair{"zlib", DeflateWrapper::kZlib}, std::pair{"gzip", DeflateWrapper::kGzip},
        std::pair{"zlib_raw", DeflateWrapper::kNone}}) {
    const auto arguments = row_of(format, GetParam()).second;
    const auto sized = make_deflate(arguments, wrapper);
    const auto copying = make_copying_deflate(arguments, wrapper);
    EXPECT_EQ(sized->name(), copying->name());
    EXPECT_EQ(sized->version(), copying->version());
    std::size_t fed = 0;
    for (const std::size_t end : {0U, 1U, 400U, 12000U, 20000U, 25000U}) {
      sized->feed(std::string_view(text).substr(fed, end - fed));
      copying->feed(std::string_view(text).substr(fed, end - fed));
      fed = end;
      const std::int64_t expected =
          tests::from_scratch(std::string(format) + "(level=" + std::to_string(GetParam()) + ")",
                              std::string_view(text).substr(0, end));
      ASSERT_EQ(sized->value(), expected) << format << ", " << end;
      ASSERT_EQ(copying->value(), expected) << format << ", " << end;
    }
  }
}

TEST_P(SizerAtLevel, IsUsedWithTheVersionsItIsWrittenFor) {
  const std::set<std::string_view> versions = {"1.2.11", "1.2.12", "1.2.13", "1.3", "1.3.1"};
  if (versions.count(zlibVersion()) == 0) GTEST_SKIP() << "zlib " << zlibVersion();
  EXPECT_TRUE(deflate_is_sized(GetParam()));
}

TEST(CopyingDeflate, PiecesThatEndAtTheEdgeOfTheWindowChangeNothing) {
  const auto arguments = row_of("zlib", 6).second;
  for (const auto& [run_up, first_piece] :
       {std::pair{0U, 65535U}, std::pair{200U, 65400U}, std::pair{257U, 65280U}}) {
    const std::string text = text_with_match_at_window_edge(65274, run_up, run_up) + tests::prose(9000, 1);
    const auto signal = make_copying_deflate(arguments, DeflateWrapper::kZlib);
    signal->feed(std::string_view(text).substr(0, first_piece));
    EXPECT_EQ(signal->value(), tests::zlib_from_scratch(std::string_view(text).substr(0, first_piece), 6));
    signal->feed(std::string_view(text).substr(first_piece));
    EXPECT_EQ(signal->value(), tests::zlib_from_scratch(text, 6));
    signal->reset();
    EXPECT_EQ(signal->value(), tests::zlib_from_scratch("", 6));
  }
}

TEST(DeflateBlock, IsStoredOnlyWhileItsTextIsAtHand) {
  Block block;
  for (int i = 0; i < 1000; ++i) block.add_literal(static_cast<std::uint8_t>(i * 37));
  EXPECT_EQ(block.bits_after(5, 1000, true), 8 + 32 + 8000) << "3 bits, to the next byte, two lengths";
  EXPECT_EQ(block.bits_after(6, 1000, true), 16 + 32 + 8000);
  EXPECT_GT(block.bits_after(5, 1000, false), 5 + 8000);
}

TEST(DeflateSymbols, FollowTheTablesOfRfc1951) {
  EXPECT_EQ(length_symbol(3), 257U);
  EXPECT_EQ(length_symbol(10), 264U);
  EXPECT_EQ(length_symbol(11), 265U);
  EXPECT_EQ(length_symbol(12), 265U);
  EXPECT_EQ(length_symbol(13), 266U);
  EXPECT_EQ(length_symbol(130), 280U);
  EXPECT_EQ(length_symbol(131), 281U);
  EXPECT_EQ(length_symbol(257), 284U);
  EXPECT_EQ(length_symbol(258), 285U);
  EXPECT_EQ(distance_symbol(1), 0U);
  EXPECT_EQ(distance_symbol(4), 3U);
  EXPECT_EQ(distance_symbol(5), 4U);
  EXPECT_EQ(distance_symbol(7), 5U);
  EXPECT_EQ(distance_symbol(24576), 28U);
  EXPECT_EQ(distance_symbol(24577), 29U);
  EXPECT_EQ(distance_symbol(32768), 29U);
}

}  // namespace
}  // namespace lil::replay::deflate
