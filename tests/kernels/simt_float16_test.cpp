// The 16-bit types against their definition: sign, exponent and fraction by arithmetic in fp64.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

#include "tests/support/simt/float16.h"

namespace lil::tests {
namespace {

using simt::bf16_of_float;
using simt::float_of_bf16;
using simt::float_of_half;
using simt::half_of_float;

struct Format {
  const char* name;
  int fraction_bits;
  int bias;
  float (*to_float)(std::uint16_t);
  std::uint16_t (*from_float)(float);
};

constexpr Format kHalf{"fp16", 10, 15, float_of_half, half_of_float};
constexpr Format kBrain{"bf16", 7, 127, float_of_bf16, bf16_of_float};

/// The value that bits stand for.
double value_of(const Format& format, std::uint16_t bits) {
  const int exponent_bits = 15 - format.fraction_bits;
  const int fraction = bits & ((1 << format.fraction_bits) - 1);
  const int exponent = (bits >> format.fraction_bits) & ((1 << exponent_bits) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) return fraction != 0 ? std::nan("") : sign * INFINITY;
  const int implied = exponent == 0 ? 0 : 1 << format.fraction_bits;
  return sign *
         std::ldexp(implied + fraction, (exponent == 0 ? 1 : exponent) - format.bias - format.fraction_bits);
}

class SimtFloat16 : public ::testing::TestWithParam<Format> {};
// NOLINTNEXTLINE(readability-identifier-naming): the name that gtest looks for
void PrintTo(const Format& format, std::ostream* out) {
  *out << format.name;
}
INSTANTIATE_TEST_SUITE_P(Types, SimtFloat16, ::testing::Values(kHalf, kBrain),
                         [](const ::testing::TestParamInfo<Format>& type) { return type.param.name; });

TEST_P(SimtFloat16, All65536BitsWidenExactlyAndNarrowBack) {
  const Format format = GetParam();
  for (std::uint32_t word = 0; word <= 0xFFFF; ++word) {
    const auto bits = static_cast<std::uint16_t>(word);
    const double expected = value_of(format, bits);
    const float widened = format.to_float(bits);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(widened)) << word;
      ASSERT_TRUE(std::isnan(format.to_float(format.from_float(widened)))) << word;
    } else {
      ASSERT_EQ(double{widened}, expected) << word;
      ASSERT_EQ(std::signbit(widened), (word & 0x8000U) != 0) << word;
      ASSERT_EQ(format.from_float(widened), bits) << word;
    }
  }
}

/// Between two neighbours: below the middle the lower one, above it the upper one, in the middle the even
/// one.
TEST_P(SimtFloat16, EveryGapIsRoundedToNearestEven) {
  const Format format = GetParam();
  const std::uint32_t largest = std::uint32_t{0x7FFF} - (1U << format.fraction_bits);  // the largest finite
  for (std::uint32_t word = 0; word < largest; ++word) {
    const auto low = static_cast<std::uint16_t>(word);
    const auto high = static_cast<std::uint16_t>(word + 1);
    const auto even = (word & 1U) == 0 ? low : high;
    const auto middle = static_cast<float>((value_of(format, low) + value_of(format, high)) / 2);
    for (const float sign : {1.0F, -1.0F}) {
      const auto with_sign = [sign](std::uint16_t bits) {
        return static_cast<std::uint16_t>(sign < 0 ? bits | 0x8000 : bits);
      };
      ASSERT_EQ(format.from_float(sign * middle), with_sign(even)) << word;
      ASSERT_EQ(format.from_float(sign * std::nextafter(middle, 0.0F)), with_sign(low)) << word;
      ASSERT_EQ(format.from_float(sign * std::nextafter(middle, INFINITY)), with_sign(high)) << word;
    }
  }
}

TEST_P(SimtFloat16, TheEndsOfTheRange) {
  const Format format = GetParam();
  const auto infinity = static_cast<std::uint16_t>(0x8000 - (1 << format.fraction_bits));
  const auto largest = static_cast<std::uint16_t>(infinity - 1);
  const double step = value_of(format, largest) - value_of(format, static_cast<std::uint16_t>(largest - 1));
  const auto middle = static_cast<float>(value_of(format, largest) + step / 2);
  EXPECT_EQ(format.from_float(middle), infinity);
  EXPECT_EQ(format.from_float(std::nextafter(middle, 0.0F)), largest);
  EXPECT_EQ(format.from_float(INFINITY), infinity);
  EXPECT_EQ(format.from_float(-INFINITY), infinity | 0x8000);
  EXPECT_EQ(format.from_float(0.0F), 0);
  EXPECT_EQ(format.from_float(-0.0F), 0x8000);
  EXPECT_TRUE(std::isnan(format.to_float(format.from_float(NAN))));
  EXPECT_TRUE(std::isnan(format.to_float(format.from_float(-NAN))));
}

}  // namespace
}  // namespace lil::tests
