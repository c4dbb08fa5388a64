#pragma once

#include <bit>
#include <cstdint>

#include "kernels/dtype.h"

namespace lil::kernels {

/// The 16-bit floating-point types of the host, as they lie in memory.
struct Bf16 {
  std::uint16_t bits = 0;
};
struct Fp16 {
  std::uint16_t bits = 0;
};

// Conversions to fp32 are exact. Conversions from it round to nearest, on a tie to even, and overflow to
// infinity; NaN stays NaN, with its sign. Without branches, so that loops over arrays become vectors.

/// `yes` or `no` by masks: a compiler will not make a floating-point operation of one side unconditional.
constexpr std::uint32_t choose(bool condition, std::uint32_t yes, std::uint32_t no) {
  const std::uint32_t mask = 0U - static_cast<std::uint32_t>(condition);
  return (yes & mask) | (no & ~mask);
}

constexpr float to_float(float value) {
  return value;
}

constexpr float to_float(Bf16 value) {
  return std::bit_cast<float>(std::uint32_t{value.bits} << 16);
}

/// Exponent and fraction move into fp32's fields, and a factor of 2^(127-15) corrects the exponent's bias,
/// which also makes subnormal numbers right.
constexpr float to_float(Fp16 value) {
  const std::uint32_t magnitude = value.bits & 0x7fffU;
  const std::uint32_t sign = std::uint32_t{value.bits & 0x8000U} << 16;
  const auto finite = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude << 13) * 0x1p112F);
  const std::uint32_t special = (magnitude << 13) | 0x7f800000U;  // infinity and NaN
  return std::bit_cast<float>(sign | choose(magnitude >= 0x7c00U, special, finite));
}

/// from_float<T>(value): `value` rounded to float, Bf16 or Fp16.
template <class T>
constexpr T from_float(float value) = delete;

template <>
constexpr float from_float<float>(float value) {
  return value;
}

template <>
constexpr Bf16 from_float<Bf16>(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  const std::uint32_t quiet_nan = (bits >> 16) | 0x40U;
  const bool is_nan = (bits & 0x7fffffffU) > 0x7f800000U;
  return Bf16{static_cast<std::uint16_t>(choose(is_nan, quiet_nan, rounded))};
}

template <>
constexpr Fp16 from_float<Fp16>(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  // From 2^-14: rebias the exponent and round the fraction; a carry runs into the exponent as it should.
  const std::uint32_t normal = (magnitude - 0x38000000U + 0xfffU + ((magnitude >> 13) & 1U)) >> 13;
  // Below: 1/2 has a last place of 2^-24, as these have, so that the sum rounds to it.
  const std::uint32_t subnormal =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - 0x3f000000U;
  std::uint32_t result = choose(magnitude < 0x38800000U, subnormal, normal);
  result = choose(magnitude >= 0x477ff000U, 0x7c00U, result);  // from 65520 on
  result = choose(magnitude > 0x7f800000U, 0x7e00U, result);
  return Fp16{static_cast<std::uint16_t>(((bits >> 16) & 0x8000U) | result)};
}

/// action(zero of the type that `dtype` names).
template <class Action>
constexpr void for_dtype(DType dtype, const Action& action) {
  switch (dtype) {
    case DType::kFp32:
      action(float{});
      break;
    case DType::kBf16:
      action(Bf16{});
      break;
    case DType::kFp16:
      action(Fp16{});
      break;
  }
}

}  // namespace lil::kernels
