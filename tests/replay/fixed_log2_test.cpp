// Are logarithms in integers those of the real numbers, rounded down?
#include "replay/signals/fixed_log2.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/replay/sample_texts.h"

namespace lil::replay {
namespace {

std::int64_t floating(std::uint64_t x) {
  return static_cast<std::int64_t>(std::floor(65536.0L * std::log2(static_cast<long double>(x))));
}

TEST(FixedLog2, EverySmallNumber) {
  for (std::uint64_t x = 1; x <= 100000; ++x) ASSERT_EQ(log2_fixed(x), floating(x)) << x;
}

TEST(FixedLog2, LargeNumbers) {
  tests::Random random(5);
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t x = (random() >> (i % 34)) | 1U;
    ASSERT_EQ(log2_fixed(x), floating(x)) << x;
  }
  for (int power = 0; power < 64; ++power)
    ASSERT_EQ(log2_fixed(std::uint64_t{1} << power), std::int64_t{65536} * power);
  EXPECT_EQ(log2_fixed(std::numeric_limits<std::uint64_t>::max()), 64 * 65536 - 1);
}

}  // namespace
}  // namespace lil::replay
