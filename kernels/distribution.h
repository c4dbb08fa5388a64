#pragma once

#include <cstdint>

#include "kernels/status.h"

namespace lil::kernels {

/// What the softmax of one row of logits says.
struct Distribution {
  /// False where a logit is NaN or +infinity or all are -infinity; the rest then means nothing.
  bool is_finite = false;
  std::int32_t id = 0;  ///< of the greatest logit; the lowest among equals
  float greatest = 0;   ///< that logit
  /// ln sum_i exp(logits[i] - greatest): the log-probability of i is (logits[i] - greatest) - log_sum.
  double log_sum = 0;
  double entropy = 0;  ///< nats
};

/// The distribution of each row of logits. Weights exp(logits[i] - greatest) are computed in fp32, within 2
/// units in the last place, and added in fp64 in one order: 16 lanes, lane l the logits l, l + 16, … in
/// turn; then lane l takes lane l + 8, l + 4, l + 2, l + 1. CPU only.
struct DistributionArgs {
  std::int32_t rows = 0;
  std::int64_t vocabulary = 0;  ///< 1 or more
  const float* logits = nullptr;
  std::int64_t logits_stride = 0;
  Distribution* out = nullptr;  ///< (rows)
};

}  // namespace lil::kernels
