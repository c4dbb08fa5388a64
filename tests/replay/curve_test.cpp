// Is every curve, at every grid point, what compressing that prefix from scratch gives?
#include "replay/curve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "replay/signals/registry.h"
#include "schemas/error.h"
#include "tests/replay/from_scratch.h"
#include "tests/replay/sample_texts.h"
#include "tests/support/test_data.h"

namespace lil::replay {
namespace {

using tests::curve_from_scratch;
using tests::cut_into_tokens;

/// Every row that reads bytes, and all levels of zlib.
std::vector<std::string> every_signal() {
  std::vector<std::string> signals;
  for (int level = 1; level <= 9; ++level) signals.push_back("zlib(level=" + std::to_string(level) + ")");
  for (const SignalRow& row : signal_rows()) {
    const bool reads_bytes = make_signal(row.name)->input() == SignalInput::kBytes;
    if (reads_bytes && row.name != "zlib") signals.push_back(make_signal(row.name)->name());
  }
  return signals;
}

/// A point of these costs a millisecond or more, in the signal or in its twin.
bool is_costly(const std::string& signal) {
  for (const std::string name : {"zstd", "brotli", "lzma", "bzip2", "ppm"}) {
    if (signal.rfind(name, 0) == 0) return true;
  }
  return false;
}

TEST(CurveTwin, SmallTextsOnManyGrids) {
  for (const auto& [name, text] : tests::sample_texts(2500, 31)) {
    for (const std::size_t prompt : {0U, 200U}) {
      const Stream stream = cut_into_tokens(text, prompt, 17);
      for (const std::string& signal : every_signal()) {
        for (const std::int64_t grid :
             {std::int64_t{13}, std::int64_t{50}, stream.tokens(), stream.tokens() + 1}) {
          if (is_costly(signal) && grid < stream.tokens() / 4) continue;
          const auto curve = compute_curve(*make_signal(signal), stream, grid);
          ASSERT_EQ(curve.grid_tokens, grid);
          ASSERT_EQ(curve.values, curve_from_scratch(signal, stream, grid))
              << signal << " of " << name << " after a prompt of " << prompt << ", every " << grid;
        }
      }
    }
  }
}

TEST(CurveTwin, EveryToken) {
  const Stream stream = cut_into_tokens(tests::multilingual_text(1200, 8), 0, 3);
  for (const std::string& signal : every_signal()) {
    const std::int64_t grid = is_costly(signal) ? 20 : 1;
    ASSERT_EQ(compute_curve(*make_signal(signal), stream, grid).values,
              curve_from_scratch(signal, stream, grid))
        << signal;
  }
}

TEST(CurveTwin, LongTextsPassWindowsAndBlocks) {
  for (const auto& [name, text] : tests::sample_texts(210000, 77)) {
    const Stream stream = cut_into_tokens(text, 1000, 5);
    for (const std::string signal :
         {"zlib(level=1)", "zlib(level=3)", "zlib(level=6)", "gzip(level=9)", "lz4"}) {
      const std::int64_t grid = stream.tokens() / 12;
      ASSERT_EQ(compute_curve(*make_signal(signal), stream, grid).values,
                curve_from_scratch(signal, stream, grid))
          << signal << " of " << name;
    }
  }
}

/// `text` in pieces of 5 bytes after `prompt`, which may be empty.
Stream five_bytes_a_token(const std::string& prompt, const std::string& text) {
  Stream stream{prompt + text, static_cast<std::int64_t>(prompt.size()), {}};
  for (std::size_t end = 5; end < text.size() + 5; end += 5) {
    stream.ends.push_back(static_cast<std::int64_t>(prompt.size() + std::min(end, text.size())));
  }
  return stream;
}

/// What append_ids makes of bytes as tokens, written out anew.
Stream bytes_as_ids(const std::string& text) {
  Stream stream;
  for (const char byte : text) {
    stream.bytes += {byte, '\0', '\0', '\0'};
    stream.ends.push_back(static_cast<std::int64_t>(stream.bytes.size()));
  }
  return stream;
}

// Needs no data from outside, so that texts of a model are always among those tried: one that ended, two that
// ran into the cap. The transcript golden_cells has all of them.
TEST(CurveTwin, TextsOfTheDemoModel) {
  std::ifstream lines(LIL_SOURCE_DIR "/tests/golden/demo_texts.jsonl");
  int tried = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto trace = nlohmann::json::parse(line);
    const auto id = trace.at("id").get<std::string>();
    if (id != "demo-0001-full" && id != "demo-0001-sink192" && id != "demo-0003-sink320") continue;
    ++tried;
    const auto question = trace.at("question").get<std::string>();
    const auto output = trace.at("output").get<std::string>();
    const std::string start = output.substr(0, 1200);
    struct Case {
      const char* name;
      Stream stream;
      Stream start;  ///< for lz77, whose twin is quadratic at best
      std::int64_t grid;
    };
    for (const auto& [name, stream, short_stream, grid] :
         {Case{"text", five_bytes_a_token("", output), five_bytes_a_token("", start), 17},
          Case{"prompt+text", five_bytes_a_token(question, output), five_bytes_a_token(question, start), 17},
          Case{"ids32", bytes_as_ids(output), bytes_as_ids(start.substr(0, 300)), 85}}) {
      for (const std::string& signal : every_signal()) {
        const Stream& tested = signal == "lz77" ? short_stream : stream;
        ASSERT_EQ(compute_curve(*make_signal(signal), tested, grid).values,
                  curve_from_scratch(signal, tested, grid))
            << signal << " of " << id << ", " << name;
      }
    }
  }
  EXPECT_EQ(tried, 3);
}

TEST(CurveTwin, RealText) {
  LIL_REAL_DATA_OR_SKIP(path, "traces/skythought/Sky-T1-math-correct-5K-14B__aime24.jsonl");
  std::ifstream lines(path);
  std::string line;
  for (int trace = 0; trace < 3 && std::getline(lines, line); ++trace) {
    std::string text = nlohmann::json::parse(line).at("code").at(0).get<std::string>();
    text.resize(std::min<std::size_t>(text.size(), 120000));
    const Stream stream = cut_into_tokens(text, 0, 1);
    for (const std::string signal :
         {"zlib(level=1)", "zlib(level=6)", "zlib(level=9)", "gzip(level=6)", "lz4"}) {
      const std::int64_t grid = std::max<std::int64_t>(1, stream.tokens() / 20);
      ASSERT_EQ(compute_curve(*make_signal(signal), stream, grid).values,
                curve_from_scratch(signal, stream, grid))
          << signal << " of trace " << trace;
    }
    const Stream start = cut_into_tokens(text.substr(0, 4000), 0, 1);
    ASSERT_EQ(compute_curve(*make_signal("lz77"), start, 100).values, curve_from_scratch("lz77", start, 100));
  }
}

TEST(Curve, StartsWithThePromptAlone) {
  const Stream stream = cut_into_tokens(tests::prose(1000, 1), 300, 1);
  const auto curve = compute_curve(*make_signal("zlib"), stream, 50);
  EXPECT_EQ(curve.values.front(), tests::zlib_from_scratch(stream.bytes.substr(0, 300), 6));
}

TEST(Curve, HasAValueAtTheLastTokenOnlyIfTheGridDoes) {
  Stream stream{"abcdefghij", 0, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};
  EXPECT_EQ(compute_curve(*make_signal("lz77"), stream, 5).values, (std::vector<std::int64_t>{0, 5, 10}));
  stream.ends.pop_back();
  EXPECT_EQ(compute_curve(*make_signal("lz77"), stream, 5).values, (std::vector<std::int64_t>{0, 5}));
}

TEST(Curve, ATraceWithoutTokensHasOneValue) {
  EXPECT_EQ(compute_curve(*make_signal("zlib"), {}, 50).values, std::vector<std::int64_t>{8});
}

TEST(Curve, TokensWithoutBytesChangeNothing) {
  const Stream stream{"abc", 0, {3, 3, 3, 3, 3}};
  const auto curve = compute_curve(*make_signal("zlib"), stream, 1);
  EXPECT_THAT(std::vector(curve.values.begin() + 1, curve.values.end()), testing::Each(curve.values[1]));
}

TEST(Curve, AGridBelowOneIsRefused) {
  EXPECT_THROW(static_cast<void>(compute_curve(*make_signal("zlib"), {}, 0)), Error);
}

}  // namespace
}  // namespace lil::replay
