#include "kernels/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lil::tests {
namespace {

using kernels::Bf16;
using kernels::Fp16;
using kernels::from_float;
using kernels::to_float;

/// Bits of a 16-bit type with `kFraction` bits of fraction and an exponent that is 0 at `kBias`, as the
/// standard defines their value. Infinity for the exponent of infinities and NaNs.
template <int kFraction, int kBias>
double value_of(std::uint32_t magnitude) {
  const auto exponent = static_cast<int>(magnitude >> kFraction);
  const std::uint32_t fraction = magnitude & ((1U << kFraction) - 1);
  if (exponent == (1 << (15 - kFraction)) - 1) {
    return std::numeric_limits<double>::infinity();
  }
  const std::uint32_t hidden = exponent == 0 ? 0 : 1U << kFraction;
  return std::ldexp(fraction + hidden, std::max(exponent, 1) - kBias - kFraction);
}

/// Every number of the type reads as it should and comes back; halfway to the next one goes to the even of
/// the two, and a hair to either side goes there.
template <class T, int kFraction, int kBias>
void expect_exact() {
  const std::uint32_t infinity = ((1U << (15 - kFraction)) - 1) << kFraction;
  for (std::uint32_t magnitude = 0; magnitude < infinity; ++magnitude) {
    const double value = value_of<kFraction, kBias>(magnitude);
    // Beyond the greatest number the next one would be where infinity's bits are.
    const double step = magnitude + 1 < infinity ? value_of<kFraction, kBias>(magnitude + 1) - value
                                                 : value - value_of<kFraction, kBias>(magnitude - 1);
    const auto halfway = static_cast<float>(value + step / 2);
    const std::uint32_t even = magnitude % 2 == 0 ? magnitude : magnitude + 1;
    for (const std::uint32_t sign : {0U, 0x8000U}) {
      const float signed_value = to_float(T{static_cast<std::uint16_t>(magnitude | sign)});
      const float one = sign == 0 ? 1.0F : -1.0F;
      ASSERT_EQ(signed_value, one * value) << magnitude;
      ASSERT_EQ(std::signbit(signed_value), sign != 0) << magnitude;
      ASSERT_EQ(from_float<T>(signed_value).bits, magnitude | sign);
      ASSERT_EQ(from_float<T>(one * halfway).bits, even | sign) << magnitude;
      ASSERT_EQ(from_float<T>(one * std::nextafter(halfway, 0.0F)).bits, magnitude | sign);
      ASSERT_EQ(from_float<T>(one * std::nextafter(halfway, std::numeric_limits<float>::infinity())).bits,
                (magnitude + 1) | sign);
    }
  }
}

template <class T, int kFraction>
void expect_special() {
  const auto infinity_bits = static_cast<std::uint16_t>(((1U << (15 - kFraction)) - 1) << kFraction);
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(to_float(T{infinity_bits}), infinity);
  EXPECT_EQ(to_float(T{static_cast<std::uint16_t>(infinity_bits | 0x8000U)}), -infinity);
  EXPECT_EQ(from_float<T>(infinity).bits, infinity_bits);
  EXPECT_EQ(from_float<T>(-infinity).bits, infinity_bits | 0x8000U);
  EXPECT_EQ(from_float<T>(std::numeric_limits<float>::max()).bits, infinity_bits);
  for (std::uint32_t bits = infinity_bits + 1U; bits < 0x8000U; ++bits) {
    ASSERT_TRUE(std::isnan(to_float(T{static_cast<std::uint16_t>(bits)}))) << bits;
  }
  for (const std::uint32_t bits : {0x7f800001U, 0x7fc00000U, 0x7fffffffU, 0xff800001U, 0xffffffffU}) {
    const T narrow = from_float<T>(std::bit_cast<float>(bits));
    EXPECT_TRUE(std::isnan(to_float(narrow))) << bits;
    EXPECT_EQ(narrow.bits >> 15, bits >> 31) << bits;
  }
}

TEST(Half, Bf16IsExactAndRoundsToEven) {
  expect_exact<Bf16, 7, 127>();
  expect_special<Bf16, 7>();
}

TEST(Half, Fp16IsExactAndRoundsToEven) {
  expect_exact<Fp16, 10, 15>();
  expect_special<Fp16, 10>();
}

TEST(Half, ConstantsOfTheCompiler) {
  static_assert(to_float(Fp16{0x3c00}) == 1.0F);
  static_assert(from_float<Fp16>(65520.0F).bits == 0x7c00);
  static_assert(from_float<Bf16>(1.0F).bits == 0x3f80);
}

}  // namespace
}  // namespace lil::tests
