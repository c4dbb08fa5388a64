// Does a signal, fed piece by piece and asked at any moment, say what measuring the prefix anew says?
#include "replay/signal.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "replay/signals/registry.h"
#include "schemas/error.h"
#include "tests/replay/from_scratch.h"
#include "tests/replay/sample_texts.h"

namespace lil::replay {
namespace {

using tests::below;
using tests::from_scratch;
using tests::Random;

/// Every row of the registry, each whole-number parameter at both ends of its range and at its default, each
/// choice.
std::vector<std::string> signals_to_try() {
  std::vector<std::string> specs;
  const auto add = [&](const std::string& spec) {
    const std::string name = make_signal(spec)->name();
    if (std::find(specs.begin(), specs.end(), name) == specs.end()) specs.push_back(name);
  };
  for (const SignalRow& row : signal_rows()) {
    add(row.name);
    for (const auto& parameter : row.parameters) {
      const std::string start = row.name + "(" + parameter.name + "=";
      for (const std::string& choice : parameter.choices) add(start + choice + ")");
      if (parameter.type != schemas::Parameter::Type::kInteger) continue;
      for (const double end : {parameter.min, parameter.max})
        add(start + std::to_string(static_cast<int>(end)) + ")");
    }
  }
  return specs;
}

/// A check of these, or of their twin, costs a millisecond or more, so they are asked less often.
bool is_costly(const std::string& spec) {
  const std::string name = spec.substr(0, spec.find('('));
  return name == "zstd" || name == "brotli" || name == "lzma" || name == "bzip2" || name == "ppm";
}

/// Enough for three blocks of most libraries; less where that takes long.
std::size_t long_text_bytes(const std::string& spec) {
  if (spec == "brotli(quality=11)") return 70000;
  if (spec.substr(0, 4) == "ppm(") return 30000;
  return 150000;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name;
  for (const char c : info.param) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
}

class SignalConformance : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Signal> signal_ = make_signal(GetParam());
};

TEST_P(SignalConformance, HasANameThatMakesItAgainAndAVersion) {
  EXPECT_EQ(make_signal(signal_->name())->name(), signal_->name());
  EXPECT_FALSE(signal_->version().empty());
  EXPECT_EQ(make_signal(GetParam())->version(), signal_->version());
}

TEST_P(SignalConformance, TheEmptyPrefixHasItsValue) {
  EXPECT_EQ(signal_->value(), from_scratch(signal_->name(), ""));
  signal_->feed("");
  EXPECT_EQ(signal_->value(), from_scratch(signal_->name(), ""));
}

TEST_P(SignalConformance, EveryShortPrefixEqualsFromScratch) {
  const std::size_t later_step = is_costly(GetParam()) ? 59 : 1;
  for (const auto& [name, text] : tests::sample_texts(300, 11)) {
    signal_->reset();
    std::size_t fed = 0;
    for (std::size_t n = 1; n <= text.size(); n += n < 12 ? 1 : later_step) {
      signal_->feed(std::string_view(text).substr(fed, n - fed));
      fed = n;
      ASSERT_EQ(signal_->value(), from_scratch(signal_->name(), text.substr(0, n)))
          << name << ", " << n << " bytes";
    }
  }
}

TEST_P(SignalConformance, NeitherPiecesNorQuestionsChangeTheValue) {
  Random random(7);
  const std::size_t pieces_a_question = is_costly(GetParam()) ? 50 : 20;
  for (const auto& [name, text] : tests::sample_texts(long_text_bytes(GetParam()), 5)) {
    const auto whole = make_signal(GetParam());
    whole->feed(text);
    signal_->reset();
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t piece = below(random, below(random, 4) == 0 ? 9000 : 60);
      signal_->feed(std::string_view(text).substr(at, piece));
      at += piece;
      if (below(random, pieces_a_question) == 0) static_cast<void>(signal_->value());
    }
    EXPECT_EQ(signal_->value(), whole->value()) << name;
    EXPECT_EQ(signal_->value(), whole->value()) << name << ", asked again";
  }
}

TEST_P(SignalConformance, ResetIsAsFresh) {
  const std::string first = tests::multilingual_text(140000, 3);
  const std::string second = tests::prose(90000, 4);
  signal_->feed(first);
  static_cast<void>(signal_->value());
  signal_->reset();
  const auto fresh = make_signal(GetParam());
  EXPECT_EQ(signal_->value(), fresh->value());
  for (std::size_t at = 0; at < second.size(); at += 30000) {
    signal_->feed(std::string_view(second).substr(at, 30000));
    fresh->feed(std::string_view(second).substr(at, 30000));
    EXPECT_EQ(signal_->value(), fresh->value()) << at;
  }
}

INSTANTIATE_TEST_SUITE_P(EveryRow, SignalConformance, testing::ValuesIn(signals_to_try()), test_name);

/// Text in which position 65274, the first at which deflate may drop its older window, has its only match
/// 32506 bytes before, at what becomes offset 0. A match of `run_up` bytes ends right before it.
std::string text_with_match_at_window_edge(std::uint64_t seed, std::size_t run_up) {
  Random random(seed);
  std::string text(80000, '\0');
  for (char& byte : text) byte = static_cast<char>(below(random, 120));
  std::copy_n(text.begin() + 40000, run_up, text.begin() + 65274 - static_cast<std::ptrdiff_t>(run_up));
  std::copy_n(text.begin() + 32768, 200, text.begin() + 65274);
  return text;
}

std::int64_t zlib_in_two_pieces(const std::string& text, std::size_t first, int flush) {
  z_stream stream{};
  EXPECT_EQ(deflateInit(&stream, 6), Z_OK);
  std::vector<Bytef> out(compressBound(text.size()) + 1000);
  std::string input = text;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(first);
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, flush), Z_OK);
  stream.avail_in = static_cast<uInt>(text.size() - first);
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  const auto size = static_cast<std::int64_t>(stream.total_out);
  deflateEnd(&stream);
  return size;
}

/// A first piece after which deflate, fed with it as it is, stands at position 65274 and wants more.
struct WindowEdgeCase {
  std::size_t run_up;
  std::size_t first_piece;
};

class DeflateWindowEdge : public testing::TestWithParam<WindowEdgeCase> {};

TEST_P(DeflateWindowEdge, PiecesThatEndThereChangeNothing) {
  const auto [run_up, first_piece] = GetParam();
  int plain_feeding_differs = 0;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const std::string text = text_with_match_at_window_edge(seed, run_up);
    const std::string_view first = std::string_view(text).substr(0, first_piece);
    const std::int64_t expected = tests::zlib_from_scratch(text, 6);
    plain_feeding_differs += zlib_in_two_pieces(text, first_piece, Z_NO_FLUSH) != expected ? 1 : 0;
    const auto signal = make_signal("zlib(level=6)");
    signal->feed(first);
    ASSERT_EQ(signal->value(), tests::zlib_from_scratch(first, 6)) << seed;
    signal->feed(std::string_view(text).substr(first_piece));
    ASSERT_EQ(signal->value(), expected) << seed;
  }
  EXPECT_GT(plain_feeding_differs, 0) << "the texts no longer show what this test is about";
}

INSTANTIATE_TEST_SUITE_P(Pieces, DeflateWindowEdge,
                         testing::Values(WindowEdgeCase{0, 65535}, WindowEdgeCase{200, 65400},
                                         WindowEdgeCase{257, 65280}));

TEST(DeflateSignal, ResetForgetsWhatWasHeldBack) {
  const auto signal = make_signal("zlib");
  signal->feed(tests::prose(65500, 1));
  signal->reset();
  EXPECT_EQ(signal->value(), tests::zlib_from_scratch("", 6));
}

TEST(DeflateSignal, EveryByteAroundTheWindowsEdgesEqualsFromScratch) {
  const std::string text = tests::prose(131400, 21);
  for (const std::string spec : {"zlib(level=1)", "zlib(level=6)"}) {
    const auto signal = make_signal(spec);
    std::size_t fed = 0;
    for (const std::size_t edge : {65536U, 98304U, 131072U}) {
      for (std::size_t n = edge - 264; n <= edge + 5; n += n < edge - 5 ? 37 : 1) {
        signal->feed(std::string_view(text).substr(fed, n - fed));
        fed = n;
        ASSERT_EQ(signal->value(), from_scratch(spec, text.substr(0, n))) << spec << ", " << n << " bytes";
      }
    }
  }
}

TEST(DeflateSignal, TheTwinTellsAFlushFromAFinish) {
  const std::string text = tests::prose(5000, 2);
  EXPECT_NE(zlib_in_two_pieces(text, 2500, Z_SYNC_FLUSH), tests::zlib_from_scratch(text, 6));
  EXPECT_EQ(zlib_in_two_pieces(text, 2500, Z_NO_FLUSH), tests::zlib_from_scratch(text, 6));
}

TEST(DeflateSignal, GzipIsZlibWithTwelveMoreBytesAround) {
  const std::string text = tests::prose(5000, 2);
  const auto zlib = make_signal("zlib");
  const auto gzip = make_signal("gzip");
  EXPECT_EQ(gzip->value(), zlib->value() + 12);
  zlib->feed(text);
  gzip->feed(text);
  EXPECT_EQ(gzip->value(), zlib->value() + 12);
}

TEST(Lz4Signal, EveryByteAroundTheBlocksEqualsFromScratch) {
  for (const auto& [name, text] : tests::sample_texts(3 * 65536 + 10, 9)) {
    const auto signal = make_signal("lz4");
    std::size_t fed = 0;
    for (const std::size_t edge : {65536U, 131072U, 196608U}) {
      for (std::size_t n = edge - 6; n <= edge + 6; ++n) {
        signal->feed(std::string_view(text).substr(fed, n - fed));
        fed = n;
        ASSERT_EQ(signal->value(), from_scratch("lz4", text.substr(0, n))) << name << ", " << n << " bytes";
      }
    }
  }
}

TEST(Lz77Signal, CountsThePhrasesOfKnownParses) {
  const auto phrases = [](std::string_view text) {
    const auto signal = make_signal("lz77");
    signal->feed(text);
    return signal->value();
  };
  EXPECT_EQ(phrases(""), 0);
  EXPECT_EQ(phrases("a"), 1);
  EXPECT_EQ(phrases("aa"), 2) << "a | a, the second not finished";
  EXPECT_EQ(phrases("aaaaaaaaab"), 2) << "a | aaaaaaaab: the copy overlaps itself";
  EXPECT_EQ(phrases("0001101001000101"), 6) << "0 001 10 100 1000 101 [Lempel, Ziv 1976]";
}

TEST(Lz77Signal, AMatchMayLieAnyDistanceBack) {
  const std::string far_back = tests::prose(2000, 1);
  const auto signal = make_signal("lz77");
  signal->feed(far_back);
  signal->feed(tests::random_bytes(100000, 2));
  const std::int64_t before = signal->value();
  signal->feed(far_back);
  EXPECT_LE(signal->value(), before + 2);
}

TEST(Lz77Signal, RandomStringsOfFewLettersEqualFromScratch) {
  Random random(99);
  for (int round = 0; round < 300; ++round) {
    const std::size_t letters = 1 + below(random, 4);
    std::string text(below(random, 120), '\0');
    for (char& byte : text) byte = static_cast<char>('a' + below(random, letters));
    const auto signal = make_signal("lz77");
    for (std::size_t n = 1; n <= text.size(); ++n) {
      signal->feed(std::string_view(text).substr(n - 1, 1));
      ASSERT_EQ(signal->value(), tests::lz77_from_scratch(text.substr(0, n))) << text.substr(0, n);
    }
  }
}

}  // namespace
}  // namespace lil::replay
