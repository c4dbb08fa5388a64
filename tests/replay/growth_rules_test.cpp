// `slope` and `cusum`, which judge a signal's growth as `guardian` does, by other measures.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "replay/stop_rules/registry.h"
#include "tests/replay/sample_texts.h"

namespace lil::replay {
namespace {

using schemas::Curve;
using tests::below;
using tests::Random;

std::optional<std::int64_t> stop(const std::string& rule, std::int64_t tokens, const Curve& curve) {
  return make_stop_rule(rule)->stop({tokens, &curve, {}});
}

/// Grows at first, then less and less; now and then it falls.
Curve slowing_curve(Random& random, std::int64_t grid, std::int64_t tokens) {
  Curve curve{grid, {}};
  std::int64_t value = 8;
  for (std::int64_t token = 0; token <= tokens; token += grid) {
    curve.values.push_back(value);
    const auto most = static_cast<std::size_t>(10 + 20000 / (200 + token));
    value += static_cast<std::int64_t>(below(random, most)) - 4;
  }
  return curve;
}

TEST(SlopeRule, AGrowthOfExactlyTheShareIsNotLow) {
  EXPECT_EQ(stop("slope(f=50,share=0.25,windows=1)", 101, {50, {8, 108, 133}}), std::nullopt);
  EXPECT_EQ(stop("slope(f=50,share=0.25,windows=1)", 101, {50, {8, 108, 132}}), 100);
}

TEST(SlopeRule, MeasuresByTheMeanOfTheFirstWindows) {
  EXPECT_EQ(stop("slope(f=50,share=0.5,windows=2)", 200, {50, {0, 100, 160, 200, 240}}), std::nullopt)
      << "40 is half of 80";
  EXPECT_EQ(stop("slope(f=50,share=0.5,windows=2)", 200, {50, {0, 100, 160, 199, 240}}), 150);
  EXPECT_EQ(stop("slope(f=50,share=0.5,windows=1)", 200, {50, {0, 100, 160, 199, 300}}), 150);
  EXPECT_EQ(stop("slope(f=50,share=0.5,windows=3)", 200, {50, {0, 100, 160, 160, 200}}), std::nullopt)
      << "the first windows are not judged, and the last token is no check";
}

TEST(SlopeRule, PatienceAsksForLowChecksInARow) {
  const Curve curve{50, {0, 100, 100, 200, 200, 200, 300}};  // first, low, high, low, low, high
  EXPECT_EQ(stop("slope(f=50,windows=1)", 301, curve), 100);
  EXPECT_EQ(stop("slope(f=50,windows=1,patience=2)", 301, curve), 250);
  EXPECT_EQ(stop("slope(f=50,windows=1,patience=3)", 301, curve), std::nullopt);
}

TEST(SlopeRule, WhatDoesNotGrowAtFirstIsNotSeen) {
  EXPECT_EQ(stop("slope(f=50,windows=1)", 199, {50, {8, 8, 8, 8}}), std::nullopt);
  EXPECT_EQ(stop("slope(f=50,windows=1)", 199, {50, {8, 8, 7, 7}}), 100);
}

TEST(SlopeRule, EqualsTheFormulaOnRandomCurves) {
  Random random(5);
  int stops = 0;
  for (int round = 0; round < 3000; ++round) {
    const auto tokens = static_cast<std::int64_t>(below(random, 3000));
    const Curve curve = slowing_curve(random, 10, tokens);
    const std::int64_t f = 10 * (1 + static_cast<std::int64_t>(below(random, 20)));
    const double share = static_cast<double>(below(random, 128)) / 128;
    const auto windows = 1 + static_cast<std::int64_t>(below(random, 5));
    const auto patience = 1 + static_cast<std::int64_t>(below(random, 3));
    const auto size = [&](std::int64_t k) { return curve.values[static_cast<std::size_t>(k / 10)]; };
    const auto is_low = [&](std::int64_t k) {
      if (k <= windows * f) return false;
      const double first = static_cast<double>(size(windows * f) - size(0)) * share;
      return static_cast<double>((size(k) - size(k - f)) * windows) < first;
    };
    std::optional<std::int64_t> expected;
    for (std::int64_t k = f; k < tokens && !expected; k += f) {
      bool all = true;
      for (std::int64_t i = 0; i < patience; ++i) all = all && is_low(k - i * f);
      if (all) expected = k;
    }
    const std::string rule =
        fmt::format("slope(f={},share={},windows={},patience={})", f, share, windows, patience);
    ASSERT_EQ(stop(rule, tokens, curve), expected) << rule << " on " << tokens << " tokens";
    stops += expected ? 1 : 0;
  }
  EXPECT_GT(stops, 500);
  EXPECT_LT(stops, 2700);
}

TEST(CusumRule, StopsWhereTheIntervalIsReached) {
  const Curve curve{50, {0, 90, 180, 270}};
  EXPECT_EQ(stop("cusum(f=50,reference=100,interval=20)", 199, curve), 100) << "10 and 10 more are missing";
  EXPECT_EQ(stop("cusum(f=50,reference=100,interval=20.5)", 199, curve), 150);
  EXPECT_EQ(stop("cusum(f=50,reference=100,interval=30)", 199, curve), 150);
  EXPECT_EQ(stop("cusum(f=50,reference=100,interval=30)", 150, curve), std::nullopt)
      << "the trace ends there by itself";
  EXPECT_EQ(stop("cusum(f=50,reference=90,interval=1)", 199, curve), std::nullopt);
}

TEST(CusumRule, WhatGrewBeforeIsNoCredit) {
  EXPECT_EQ(stop("cusum(f=50,reference=100,interval=100)", 250, {50, {0, 900, 1800, 1800, 2800, 3800}}), 150);
}

TEST(CusumRule, AHighCheckPaysBackAndMissingAddsUp) {
  // missing after each check: 60, 20, 80, 0, 60
  const Curve curve{50, {0, 40, 180, 220, 480, 520}};
  EXPECT_EQ(stop("cusum(f=50,reference=100,interval=80)", 251, curve), 150);
  EXPECT_EQ(stop("cusum(f=50,reference=100,interval=81)", 251, curve), std::nullopt);
}

TEST(CusumRule, ComparesWithThePromptFirst) {
  EXPECT_EQ(stop("cusum(f=50,reference=100,interval=96)", 51, {50, {500, 505}}), std::nullopt);
  EXPECT_EQ(stop("cusum(f=50,reference=100,interval=95)", 51, {50, {500, 505}}), 50);
}

/// Page's own form: the sum since the start, above its lowest point so far.
TEST(CusumRule, EqualsPagesFormOnRandomCurves) {
  Random random(6);
  int stops = 0;
  for (int round = 0; round < 3000; ++round) {
    const auto tokens = static_cast<std::int64_t>(below(random, 3000));
    const Curve curve = slowing_curve(random, 10, tokens);
    const std::int64_t f = 10 * (1 + static_cast<std::int64_t>(below(random, 20)));
    const std::int64_t quarters = static_cast<std::int64_t>(below(random, 120)) * f / 10;
    const auto interval = 1 + static_cast<std::int64_t>(below(random, 400));
    std::int64_t sum = 0;  // in quarters, so that it is exact
    std::int64_t lowest = 0;
    std::optional<std::int64_t> expected;
    for (std::int64_t k = f; k < tokens && !expected; k += f) {
      const auto at = static_cast<std::size_t>(k / 10);
      sum += quarters - 4 * (curve.values[at] - curve.values[at - static_cast<std::size_t>(f / 10)]);
      if (sum - lowest >= 4 * interval) expected = k;
      lowest = std::min(lowest, sum);
    }
    const std::string rule =
        fmt::format("cusum(f={},reference={},interval={})", f, static_cast<double>(quarters) / 4, interval);
    ASSERT_EQ(stop(rule, tokens, curve), expected) << rule << " on " << tokens << " tokens";
    stops += expected ? 1 : 0;
  }
  EXPECT_GT(stops, 500);
  EXPECT_LT(stops, 2700);
}

}  // namespace
}  // namespace lil::replay
