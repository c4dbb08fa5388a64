#pragma once

#include <cstdint>

#include "kernels/status.h"

namespace lil::kernels {

/// The places of the highest scores of each row, in ascending order of place. On equal scores the higher
/// place is kept; -0 equals 0. So keeping all but one also evicts by the rule "smallest score, on equality
/// the lowest position". Scores are not NaN (one would count as greater than infinity, or, with its sign bit
/// set, as less than minus infinity).
///
/// The first `front` and the last `back` places are kept whatever their scores (sinks, a pinned prompt, the
/// recent window, the last page) and count among the `keep`; min(count, max(keep, front + back)) are kept.
struct TopkArgs {
  std::int32_t rows = 0;
  const float* scores = nullptr;  ///< (rows, scores_stride)
  std::int64_t scores_stride = 0;
  const std::int32_t* counts = nullptr;  ///< (rows) scores of each row
  std::int64_t max_count = 0;            ///< no row is longer
  const std::int32_t* keep = nullptr;    ///< (rows) 0 or more
  const std::int32_t* front = nullptr;   ///< (rows); null: 0
  const std::int32_t* back = nullptr;    ///< (rows); null: 0
  std::int32_t* places = nullptr;        ///< (rows, places_stride)
  std::int64_t places_stride = 0;        ///< at least what any row keeps
  std::int32_t* kept = nullptr;          ///< (rows) how many places were written
};

}  // namespace lil::kernels
