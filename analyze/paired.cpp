#include "analyze/paired.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/special_functions/beta.hpp>
#include <cassert>
#include <cmath>

namespace lil::analyze {
namespace {

/// Tango's score statistic for "the difference of the shares is `difference`"; falls as that rises. The
/// probability of a pair that is right in A alone is estimated under that constraint.
double score(const PairedCounts& counts, double difference) {
  const auto n = static_cast<double>(counts.pairs);
  const auto up = static_cast<double>(counts.only_b);
  const auto down = static_cast<double>(counts.only_a);
  const double a = 2 * n;
  const double b = (2 * n - up + down) * difference - up - down;
  const double c = -down * difference * (1 - difference);
  const double only_a_share = (std::sqrt(std::max(0.0, b * b - 4 * a * c)) - b) / (2 * a);
  const double variance = n * (2 * only_a_share + difference * (1 - difference));
  const double distance = up - down - n * difference;
  if (variance <= 0) return distance == 0 ? 0 : std::copysign(HUGE_VAL, distance);
  return distance / std::sqrt(variance);
}

/// Where the score falls to `level`, between `low` and `high`.
double crossing(const PairedCounts& counts, double level, double low, double high) {
  constexpr int kHalvings = 60;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (score(counts, middle) > level ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

Interval tango(const PairedCounts& counts, double confidence) {
  assert(0 <= counts.only_a && 0 <= counts.only_b && counts.only_a + counts.only_b <= counts.pairs);
  if (counts.pairs == 0) return {-1, 1};
  const double z = boost::math::quantile(boost::math::normal(), 0.5 + confidence / 2);
  const double estimate =
      static_cast<double>(counts.only_b - counts.only_a) / static_cast<double>(counts.pairs);
  return {crossing(counts, z, -1, estimate), crossing(counts, -z, estimate, 1)};
}

double mcnemar_exact(const PairedCounts& counts) {
  const auto differ = static_cast<double>(counts.only_a + counts.only_b);
  const auto fewer = static_cast<double>(std::min(counts.only_a, counts.only_b));
  if (2 * fewer >= differ) return 1;
  return std::min(1.0, 2 * boost::math::ibetac(fewer + 1, differ - fewer, 0.5));
}

}  // namespace lil::analyze
