#pragma once

#include <cstdint>

#include "analyze/intervals.h"

namespace lil::analyze {

/// Pairs of yes and no: the same problem in two ways, A and B. The pairs must be independent.
struct PairedCounts {
  std::int64_t pairs = 0;
  std::int64_t only_a = 0;  ///< right in A, not in B
  std::int64_t only_b = 0;  ///< right in B, not in A
};

/// Score interval for the share right in B less that in A, from -1 to 1; of no pairs [-1, 1].
/// [Tango 1998, "Equivalence test and confidence interval for the difference in proportions for the
/// paired-sample design", Statistics in Medicine 17] Descriptive: its coverage is close to, not at least,
/// what it says.
[[nodiscard]] Interval tango(const PairedCounts& counts, double confidence = kConfidence);

/// Two-sided p-value of "A and B are right equally often", exact given the pairs that differ.
/// [McNemar 1947; exact as the sign test, binomial with 1/2] That it does not reject shows nothing.
[[nodiscard]] double mcnemar_exact(const PairedCounts& counts);

}  // namespace lil::analyze
