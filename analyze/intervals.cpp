#include "analyze/intervals.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/special_functions/beta.hpp>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <utility>

namespace lil::analyze {
namespace {

/// The finaliser of SplitMix64 [Steele, Lea, Flood 2014]: bits of `key` mixed so that counters may be keys.
std::uint64_t mix(std::uint64_t key) {
  key = (key ^ (key >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  key = (key ^ (key >> 27U)) * 0x94d049bb133111ebULL;
  return key ^ (key >> 31U);
}

constexpr std::uint64_t kOddStep = 0x9e3779b97f4a7c15ULL;

/// A number below `count`, by its place in the stream of random numbers `stream`.
std::size_t draw(std::uint64_t stream, std::size_t place, std::size_t count) {
  const std::uint64_t high_bits = mix(stream + (place + 1) * kOddStep) >> 32U;
  return static_cast<std::size_t>((high_bits * count) >> 32U);
}

std::uint64_t stream_of(const Bootstrap& bootstrap, int replicate) {
  return mix(mix(bootstrap.seed + kOddStep) + static_cast<std::uint64_t>(replicate));
}

double resampled_ratio(std::span<const RatioPart> parts, std::uint64_t stream) {
  RatioPart sum;
  for (std::size_t place = 0; place < parts.size(); ++place) {
    const RatioPart& part = parts[draw(stream, place, parts.size())];
    sum.numerator += part.numerator;
    sum.denominator += part.denominator;
  }
  return sum.denominator == 0 ? 0 : sum.numerator / sum.denominator;
}

}  // namespace

Interval clopper_pearson(std::int64_t successes, std::int64_t trials, double confidence) {
  assert(0 <= successes && successes <= trials && confidence > 0 && confidence < 1);
  const double tail = (1 - confidence) / 2;
  const auto k = static_cast<double>(successes);
  const auto n = static_cast<double>(trials);
  Interval interval{0, 1};
  if (successes > 0) interval.low = boost::math::ibeta_inv(k, n - k + 1, tail);
  if (successes < trials) interval.high = boost::math::ibetac_inv(k + 1, n - k, tail);
  return interval;
}

Interval wilson(std::int64_t successes, std::int64_t trials, double confidence) {
  assert(0 <= successes && successes <= trials && confidence > 0 && confidence < 1);
  if (trials == 0) return {0, 1};
  const double z = boost::math::quantile(boost::math::normal(), 0.5 + confidence / 2);
  const auto n = static_cast<double>(trials);
  const double share = static_cast<double>(successes) / n;
  const double centre = share + z * z / (2 * n);
  const double spread = z * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  const double scale = 1 + z * z / n;
  // At the ends the two terms cancel exactly; rounding must not push the limit past them.
  const double low = successes == 0 ? 0 : (centre - spread) / scale;
  const double high = successes == trials ? 1 : (centre + spread) / scale;
  return {low, high};
}

Interval bootstrap_ratio(std::span<const RatioPart> parts, const Bootstrap& bootstrap) {
  assert(bootstrap.replicates > 0 && parts.size() < (std::size_t{1} << 32U));
  if (parts.empty()) return {0, 0};
  std::vector<double> ratios;
  ratios.reserve(static_cast<std::size_t>(bootstrap.replicates));
  for (int i = 0; i < bootstrap.replicates; ++i)
    ratios.push_back(resampled_ratio(parts, stream_of(bootstrap, i)));
  return percentile_interval(std::move(ratios), bootstrap.confidence);
}

void resample(const Bootstrap& bootstrap, int replicate, std::span<std::int32_t> times) {
  std::fill(times.begin(), times.end(), 0);
  const std::uint64_t stream = stream_of(bootstrap, replicate);
  for (std::size_t place = 0; place < times.size(); ++place) ++times[draw(stream, place, times.size())];
}

Interval percentile_interval(std::vector<double> values, double confidence) {
  if (values.empty()) return {0, 0};
  std::sort(values.begin(), values.end());
  const double tail = (1 - confidence) / 2;
  const auto skipped = static_cast<std::size_t>(tail * static_cast<double>(values.size()));
  return {values[skipped], values[values.size() - 1 - skipped]};
}

}  // namespace lil::analyze
