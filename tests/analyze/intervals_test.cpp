#include "analyze/intervals.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lil::analyze {
namespace {

/// P(X <= k), X binomial, summed term by term.
double binomial_at_most(std::int64_t k, std::int64_t n, double p) {
  double sum = 0;
  for (std::int64_t i = 0; i <= k; ++i) {
    const double ways = std::lgamma(static_cast<double>(n) + 1) - std::lgamma(static_cast<double>(i) + 1) -
                        std::lgamma(static_cast<double>(n - i) + 1);
    sum +=
        std::exp(ways + static_cast<double>(i) * std::log(p) + static_cast<double>(n - i) * std::log1p(-p));
  }
  return sum;
}

TEST(ClopperPearson, AgreesWithPublishedValues) {
  // Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 5.
  struct Row {
    std::int64_t k, n;
    double low, high;
  };
  for (const Row& row : {Row{81, 263, .2527, .3676}, Row{15, 148, .0578, .1617}, Row{0, 20, 0, .1684},
                         Row{1, 29, .0009, .1776}}) {
    const Interval interval = clopper_pearson(row.k, row.n);
    EXPECT_NEAR(interval.low, row.low, 5e-5) << row.k;
    EXPECT_NEAR(interval.high, row.high, 5e-5) << row.k;
  }
}

TEST(ClopperPearson, EachTailHasHalfTheError) {
  for (const std::int64_t n : {1, 2, 7, 30, 200, 1319}) {
    for (const std::int64_t k : {std::int64_t{0}, std::int64_t{1}, n / 3, n - 1, n}) {
      for (const double confidence : {0.9, 0.95, 0.99}) {
        const Interval interval = clopper_pearson(k, n, confidence);
        const double tail = (1 - confidence) / 2;
        if (k > 0) {
          EXPECT_NEAR(1 - binomial_at_most(k - 1, n, interval.low), tail, 1e-9) << k << "/" << n;
        }
        if (k < n) {
          EXPECT_NEAR(binomial_at_most(k, n, interval.high), tail, 1e-9) << k << "/" << n;
        }
        if (k == 0) {
          EXPECT_EQ(interval.low, 0);
        }
        if (k == n) {
          EXPECT_EQ(interval.high, 1);
        }
      }
    }
  }
}

TEST(Wilson, AgreesWithPublishedValues) {
  // The same table, method 3.
  EXPECT_NEAR(wilson(81, 263).low, .2553, 5e-5);
  EXPECT_NEAR(wilson(81, 263).high, .3662, 5e-5);
  EXPECT_NEAR(wilson(15, 148).low, .0624, 5e-5);
  EXPECT_NEAR(wilson(15, 148).high, .1605, 5e-5);
  EXPECT_EQ(wilson(0, 20).low, 0);
  EXPECT_NEAR(wilson(0, 20).high, .1611, 5e-5);
  EXPECT_NEAR(wilson(1, 29).low, .0061, 5e-5);
  EXPECT_NEAR(wilson(1, 29).high, .1718, 5e-5);
  EXPECT_EQ(wilson(20, 20).high, 1);
}

TEST(Intervals, OfNoTrialsSayNothing) {
  for (const Interval interval : {clopper_pearson(0, 0), wilson(0, 0)}) {
    EXPECT_EQ(interval.low, 0);
    EXPECT_EQ(interval.high, 1);
  }
}

std::vector<RatioPart> coin_parts(int count) {
  std::vector<RatioPart> parts;
  for (int i = 0; i < count; ++i) parts.push_back({i % 2 == 0 ? 1.0 : 0.0, 1.0});
  return parts;
}

TEST(BootstrapRatio, HasTheWidthOfAKnownSamplingDistribution) {
  // Half of 400 ones: the resampled share is binomial(400, 1/2) / 400, standard error 0.025.
  const Interval interval = bootstrap_ratio(coin_parts(400), {.seed = 1, .replicates = 4000});
  EXPECT_NEAR(interval.low, 0.5 - 1.96 * 0.025, 0.006);
  EXPECT_NEAR(interval.high, 0.5 + 1.96 * 0.025, 0.006);
}

TEST(BootstrapRatio, IsOfSumsAndNotOfRatios) {
  // Half of the draws of two have one long part and one short: 1/1001 as sums, 1/2 as a mean of ratios.
  const std::vector<RatioPart> parts = {{0, 1000}, {1, 1}};
  const Interval interval = bootstrap_ratio(parts, {.seed = 2, .replicates = 1000, .confidence = 0.4});
  EXPECT_DOUBLE_EQ(interval.low, 1.0 / 1001);
  EXPECT_DOUBLE_EQ(interval.high, 1.0 / 1001);
}

TEST(BootstrapRatio, TheSeedAloneDecides) {
  const auto parts = coin_parts(37);
  const Interval once = bootstrap_ratio(parts, {.seed = 3});
  const Interval again = bootstrap_ratio(parts, {.seed = 3});
  EXPECT_EQ(once.low, again.low);
  EXPECT_EQ(once.high, again.high);
  EXPECT_NE(bootstrap_ratio(parts, {.seed = 3, .replicates = 1}).low,
            bootstrap_ratio(parts, {.seed = 5, .replicates = 1}).low);
}

TEST(BootstrapRatio, WithoutPartsOrTokensIsZero) {
  EXPECT_EQ(bootstrap_ratio({}, {}).high, 0);
  const std::vector<RatioPart> empty = {{0, 0}};
  EXPECT_EQ(bootstrap_ratio(empty, {}).high, 0);
}

}  // namespace
}  // namespace lil::analyze
