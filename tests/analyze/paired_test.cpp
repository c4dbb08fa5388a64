#include "analyze/paired.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lil::analyze {
namespace {

constexpr double kZ = 1.959963984540054;

/// Log-likelihood of the pairs with P(only A) = a and P(only B) = a + difference.
double log_likelihood(const PairedCounts& c, double a, double difference) {
  const auto term = [](std::int64_t count, double p) {
    return count == 0 ? 0 : static_cast<double>(count) * std::log(std::max(p, 1e-300));
  };
  return term(c.only_a, a) + term(c.only_b, a + difference) +
         term(c.pairs - c.only_a - c.only_b, 1 - 2 * a - difference);
}

/// The score statistic with the nuisance parameter found by searching for the likelihood's maximum.
double slow_score(const PairedCounts& c, double difference) {
  double low = std::max(0.0, -difference);
  double high = (1 - difference) / 2;
  for (int i = 0; i < 200; ++i) {
    const double left = low + (high - low) / 3;
    const double right = high - (high - low) / 3;
    (log_likelihood(c, left, difference) < log_likelihood(c, right, difference) ? low : high) =
        log_likelihood(c, left, difference) < log_likelihood(c, right, difference) ? left : right;
  }
  const double a = (low + high) / 2;
  const auto n = static_cast<double>(c.pairs);
  const double variance = (2 * a + difference - difference * difference) / n;
  return (static_cast<double>(c.only_b - c.only_a) / n - difference) / std::sqrt(variance);
}

TEST(Tango, EndsWhereTheScoreReachesTheNormalQuantile) {
  for (const PairedCounts c : {PairedCounts{200, 3, 1}, PairedCounts{50, 10, 4}, PairedCounts{44, 0, 1},
                               PairedCounts{100, 0, 7}, PairedCounts{1319, 17, 12}}) {
    const Interval interval = tango(c);
    EXPECT_NEAR(slow_score(c, interval.low), kZ, 2e-3) << c.only_a << " " << c.only_b;
    EXPECT_NEAR(slow_score(c, interval.high), -kZ, 2e-3) << c.only_a << " " << c.only_b;
  }
}

TEST(Tango, IsSymmetricAndHasAWidthWithoutDifferences) {
  const Interval one = tango({80, 5, 2});
  const Interval other = tango({80, 2, 5});
  EXPECT_NEAR(one.low, -other.high, 1e-12);
  EXPECT_NEAR(one.high, -other.low, 1e-12);
  // Without any difference the score interval is that of z^2 / (n + z^2).
  const Interval none = tango({100, 0, 0});
  EXPECT_NEAR(none.high, kZ * kZ / (100 + kZ * kZ), 1e-6);
  EXPECT_NEAR(none.low, -none.high, 1e-9);
  EXPECT_EQ(tango({0, 0, 0}).low, -1);
  EXPECT_NEAR(tango({10, 10, 0}).low, -1, 1e-9);
}

TEST(McNemar, IsTheSignTest) {
  EXPECT_DOUBLE_EQ(mcnemar_exact({100, 0, 0}), 1);
  EXPECT_DOUBLE_EQ(mcnemar_exact({100, 3, 3}), 1);
  EXPECT_NEAR(mcnemar_exact({100, 5, 0}), 2.0 / 32, 1e-12);
  EXPECT_NEAR(mcnemar_exact({100, 1, 5}), 2 * 7.0 / 64, 1e-12);
  EXPECT_DOUBLE_EQ(mcnemar_exact({100, 2, 1}), 1);
}

}  // namespace
}  // namespace lil::analyze
