#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lil::analyze {

/// A confidence interval, `low` <= `high`.
struct Interval {
  double low = 0;
  double high = 0;
};

/// The confidence of every interval that is not asked for otherwise.
inline constexpr double kConfidence = 0.95;

/// Exact (never too narrow) interval for a proportion: `successes` of `trials` independent ones. Of no trials
/// it is [0, 1]. [Clopper, Pearson 1934, "The use of confidence or fiducial limits", Biometrika 26]
[[nodiscard]] Interval clopper_pearson(std::int64_t successes, std::int64_t trials,
                                       double confidence = kConfidence);

/// Score interval for a proportion, without continuity correction; of no trials [0, 1].
/// [Wilson 1927, "Probable inference", JASA 22]
[[nodiscard]] Interval wilson(std::int64_t successes, std::int64_t trials, double confidence = kConfidence);

/// Resampling for a bootstrap. The draws depend on `seed` and their place alone, so that threads and the
/// order of calls do not change a result.
struct Bootstrap {
  std::uint64_t seed = 0;
  int replicates = 1000;
  double confidence = kConfidence;
};

/// What one unit of resampling, a problem with all its repeats, adds to a ratio of sums.
struct RatioPart {
  double numerator = 0;
  double denominator = 0;
};

/// Percentile interval of sum(numerator) / sum(denominator) over `parts` drawn with replacement, as many as
/// there are; a denominator of 0 makes the ratio 0. [Efron, Tibshirani 1993, "An Introduction to the
/// Bootstrap", chapter 13] It has no width where all parts agree: it is descriptive and certifies nothing.
[[nodiscard]] Interval bootstrap_ratio(std::span<const RatioPart> parts, const Bootstrap& bootstrap);

/// How often each of `times.size()` units is drawn in resample number `replicate`, with replacement and as
/// many as there are; the same draws as bootstrap_ratio() has, so that statistics of the same problems are
/// resampled together and their differences are paired.
void resample(const Bootstrap& bootstrap, int replicate, std::span<std::int32_t> times);

/// The interval that leaves (1 - confidence) / 2 of `values` out on either side; of no values [0, 0].
[[nodiscard]] Interval percentile_interval(std::vector<double> values, double confidence = kConfidence);

/// A number with the interval around it.
struct Estimate {
  double value = 0;
  Interval interval{};
};

}  // namespace lil::analyze
