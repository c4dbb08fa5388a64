// Turning one row for RoPE, for one of Highway's targets: included once by each target of a .cpp, as Highway
// has it. The loop is plain: its bits are the same on every target, and a compiler makes vectors of the
// target's width of it.
#if defined(LIL_KERNELS_ROTATE_ROW_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIL_KERNELS_ROTATE_ROW_INL_H
#undef LIL_KERNELS_ROTATE_ROW_INL_H
#else
#define LIL_KERNELS_ROTATE_ROW_INL_H
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <type_traits>

#include "kernels/half_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu {
namespace HWY_NAMESPACE {

/// out = R in for one row of 2 * half_dim fp32 channels, by the table's row of half_dim cosines, then
/// half_dim sines. `out` may be `in`, and overlaps it in no other way.
HWY_INLINE void turn(const float* in, float* out, const float* table_row, std::int64_t half_dim) {
#pragma GCC ivdep  // no turn reads what another writes, which a compiler cannot know of `in` and `out`
  for (std::int64_t i = 0; i < half_dim; ++i) {
    const float cosine = table_row[i];
    const float sine = table_row[half_dim + i];
    const float x = in[i];
    const float y = in[half_dim + i];
    out[i] = x * cosine - y * sine;
    out[half_dim + i] = y * cosine + x * sine;
  }
}

/// The same for rows of up to 512 channels of any type.
template <class T>
void rotate_row(const T* in, T* out, const float* table_row, std::int64_t half_dim) {
  if constexpr (std::is_same_v<T, float>) {
    turn(in, out, table_row, half_dim);
  } else {
    HWY_ALIGN float row[512];
    half_rows::widen(in, 2 * half_dim, row);
    turn(row, row, table_row, half_dim);
    half_rows::narrow(row, 2 * half_dim, out);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lil::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
