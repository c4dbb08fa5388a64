#pragma once

// CUDA's names for fp16, as far as the kernels use them.

#include "tests/support/simt/float16.h"

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)

struct alignas(2) __half {
  std::uint16_t bits;
};

inline float __half2float(__half value) {
  return lil::tests::simt::float_of_half(value.bits);
}
inline __half __float2half_rn(float value) {
  return {lil::tests::simt::half_of_float(value)};
}
inline __half __float2half(float value) {
  return __float2half_rn(value);
}
inline unsigned short __half_as_ushort(__half value) {
  return value.bits;
}
inline __half __ushort_as_half(unsigned short bits) {
  return {bits};
}

// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
