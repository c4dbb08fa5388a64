#include "schemas/block_codec.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "schemas/error.h"

namespace lil::schemas {
namespace {

TEST(BlockCodec, IdsComeBackAndTakeOneToFiveBytes) {
  const std::vector<TokenId> ids{0, 1, 127, 128, 16383, 16384, 151642, std::numeric_limits<TokenId>::max()};
  const std::string bytes = encode_ids(ids);
  EXPECT_EQ(bytes.size(), 1U + 1 + 1 + 2 + 2 + 3 + 3 + 5);
  std::vector<TokenId> back;
  decode_ids(bytes, back);
  EXPECT_EQ(back, ids);
}

TEST(BlockCodec, NegativeIdIsRefused) {
  const std::vector<TokenId> ids{5, -1};
  EXPECT_THROW((void)encode_ids(ids), Error);
}

TEST(BlockCodec, CutOffBytesAreCorrupt) {
  const std::vector<TokenId> ids{300};
  const std::string bytes = encode_ids(ids);
  std::vector<TokenId> back;
  EXPECT_THROW(decode_ids(bytes.substr(0, 1), back), Error);
  EXPECT_THROW(decode_ids(std::string(11, '\xff'), back), Error);
}

TEST(BlockCodec, EveryHalfSurvivesTheWayThroughFloat) {
  for (std::uint32_t half = 0; half <= 0xffff; ++half) {
    const float value = float_from_half(static_cast<std::uint16_t>(half));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(float_from_half(half_from_float(value))));
      continue;
    }
    ASSERT_EQ(half_from_float(value), half) << "value " << value;
  }
}

// The slow twin: of the two neighbouring halves the nearer one, on a tie the one with an even last bit.
std::uint16_t nearest_half(float value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  const double magnitude = std::fabs(static_cast<double>(value));
  std::uint16_t low = 0;
  std::uint16_t high = 0x7c00;
  while (high - low > 1) {
    const auto middle = static_cast<std::uint16_t>((low + high) / 2);
    (static_cast<double>(float_from_half(middle)) <= magnitude ? low : high) = middle;
  }
  const double below = float_from_half(low);
  const double above = high == 0x7c00 ? 65536.0 : static_cast<double>(float_from_half(high));
  if (std::isinf(magnitude)) return sign | 0x7c00;
  if (magnitude - below != above - magnitude)
    return sign | (magnitude - below < above - magnitude ? low : high);
  return sign | (low % 2 == 0 ? low : high);
}

TEST(BlockCodec, HalvesRoundToNearestEven) {
  std::mt19937 generator(7);
  for (int i = 0; i < 200000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(generator()));
    if (std::isnan(value)) continue;
    ASSERT_EQ(half_from_float(value), nearest_half(value)) << value;
  }
  for (const float value : {0.0F, -0.0F, 65504.0F, 65519.9F, 65520.0F, 1e-8F, 2.98e-8F, 6.1e-5F, -12.34F}) {
    EXPECT_EQ(half_from_float(value), nearest_half(value)) << value;
  }
}

TEST(BlockCodec, CountsComeBackAndSteadyOnesAreSmall) {
  std::mt19937 generator(3);
  std::vector<std::int32_t> values;
  values.reserve(1000);
  for (int i = 0; i < 1000; ++i) values.push_back(static_cast<std::int32_t>(generator() % 5000));
  std::vector<std::int32_t> back;
  decode_counts(encode_counts(values), back);
  EXPECT_EQ(back, values);

  std::vector<std::int32_t> growing;
  growing.reserve(256);
  for (int i = 0; i < 128; ++i) growing.push_back(100 + i);
  growing.insert(growing.end(), 128, 228);
  EXPECT_LE(encode_counts(growing).size(), 10U);
  back.clear();
  decode_counts(encode_counts(growing), back);
  EXPECT_EQ(back, growing);
}

TEST(BlockCodec, DamagedRunOfCountsDoesNotFillTheMemory) {
  std::vector<std::int32_t> back;
  EXPECT_THROW(decode_counts(std::string("\x00\xff\xff\xff\xff\xff\x0f", 7), back), Error);
}

}  // namespace
}  // namespace lil::schemas
