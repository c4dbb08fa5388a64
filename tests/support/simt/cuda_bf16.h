#pragma once

// CUDA's names for bf16, as far as the kernels use them.

#include "tests/support/simt/float16.h"

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)

struct alignas(2) __nv_bfloat16 {
  std::uint16_t bits;
};

inline float __bfloat162float(__nv_bfloat16 value) {
  return lil::tests::simt::float_of_bf16(value.bits);
}
inline __nv_bfloat16 __float2bfloat16_rn(float value) {
  return {lil::tests::simt::bf16_of_float(value)};
}
inline __nv_bfloat16 __float2bfloat16(float value) {
  return __float2bfloat16_rn(value);
}
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 value) {
  return value.bits;
}
inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits) {
  return {bits};
}

// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
