#pragma once

#include <bit>
#include <cassert>
#include <cstdint>

namespace lil::replay {

/// Fractional bits of what log2_fixed gives.
inline constexpr int kLog2FractionBits = 16;

/// log2(x) * 2^16, rounded down, x >= 1. Integers alone, so that code lengths are the same on every machine:
/// squaring the mantissa doubles its logarithm, whose next bit is then the integer part [Knuth, TAOCP 1,
/// 1.2.2, exercise 25].
[[nodiscard]] inline std::int64_t log2_fixed(std::uint64_t x) {
  __extension__ using Product = unsigned __int128;
  assert(x >= 1);
  const int whole = static_cast<int>(std::bit_width(x)) - 1;
  std::uint64_t mantissa = x << (63 - whole);  // in [1, 2), 63 bits after the point
  std::int64_t result = whole;
  for (int bit = 0; bit < kLog2FractionBits; ++bit) {
    const auto squared = static_cast<std::uint64_t>((Product{mantissa} * mantissa) >> 64);  // 62 bits
    const bool at_least_two = (squared >> 63) != 0;
    mantissa = at_least_two ? squared : squared << 1;
    result = 2 * result + (at_least_two ? 1 : 0);
  }
  return result;
}

}  // namespace lil::replay
