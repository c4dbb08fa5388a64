#pragma once

#include <cstdint>

namespace lil::analyze {

/// The exact upper bound of a share at confidence 1 - delta: where it is at most alpha, the binomial p-value
/// of "the share is alpha or more" is at most delta. One-sided: the upper end of the Clopper-Pearson interval
/// of confidence 1 - 2 delta. 1 of no traces. Thresholds that were looked for on the same traces are not
/// certified.
[[nodiscard]] double harm_bound(std::int64_t harmed, std::int64_t traces, double delta);

/// The fewest traces of which none harmed has a bound of at most alpha.
[[nodiscard]] std::int64_t traces_without_harm(double alpha, double delta);

}  // namespace lil::analyze
