#pragma once

#include <cstdint>

#include "kernels/half.h"

namespace lil::kernels {

/// out = R in for one row of 2 * half_dim channels, by the table's row of half_dim cosines, then half_dim
/// sines. `out` may be `in`, and overlaps it in no other way.
template <class T>
void rotate_row(const T* in, T* out, const float* table_row, std::int64_t half_dim) {
#pragma GCC ivdep  // no turn reads what another writes, which a compiler cannot know of `in` and `out`
  for (std::int64_t i = 0; i < half_dim; ++i) {
    const float cosine = table_row[i];
    const float sine = table_row[half_dim + i];
    const float x = to_float(in[i]);
    const float y = to_float(in[half_dim + i]);
    out[i] = from_float<T>(x * cosine - y * sine);
    out[half_dim + i] = from_float<T>(y * cosine + x * sine);
  }
}

}  // namespace lil::kernels
