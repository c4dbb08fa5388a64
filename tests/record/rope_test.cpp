// Are RoPE's angles those of transformers, far out too?

#include "record/rope.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace lil::tests {
namespace {

using record::RopeConfig;

RopeConfig llama3() {
  RopeConfig config;
  config.theta = 500000.0;
  config.scaling = RopeConfig::Scaling::kLlama3;
  config.factor = 8;
  config.low_frequency_factor = 1;
  config.high_frequency_factor = 4;
  config.original_positions = 8192;
  return config;
}

TEST(Rope, TableHoldsCosinesThenSinesOfAnglesRoundedToFp32) {
  const auto frequencies = record::inverse_frequencies(llama3(), 128);
  const auto table = record::rope_table(llama3(), 128, 100000, 3);
  ASSERT_EQ(table.size(), 3U * 128);
  for (std::size_t p = 0; p < 3; ++p) {
    for (std::size_t i = 0; i < 64; ++i) {
      const auto angle = static_cast<double>(static_cast<float>(100000 + p) * frequencies[i]);
      EXPECT_NEAR(static_cast<double>(table[p * 128 + i]), std::cos(angle), 1e-7);
      EXPECT_NEAR(static_cast<double>(table[p * 128 + 64 + i]), std::sin(angle), 1e-7);
    }
  }
}

TEST(Rope, TablesOfPartsAreThoseOfTheWhole) {
  const RopeConfig config;
  const auto whole = record::rope_table(config, 12, 0, 20);
  const auto part = record::rope_table(config, 12, 7, 13);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + 7 * 12, whole.end()));
}

TEST(Rope, FrequenciesFollowTheFormula) {
  RopeConfig config;
  config.theta = 1e6;
  const auto plain = record::inverse_frequencies(config, 64);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const double exact = std::pow(1e6, -2.0 * static_cast<double>(i) / 64);
    EXPECT_NEAR(static_cast<double>(plain[i]), exact, 2e-7 * exact);
  }
}

// Wavelengths above 8192 are 8 times as long, those below 2048 as they were, between them both meet.
TEST(Rope, Llama3StretchesLongWavelengths) {
  RopeConfig unscaled = llama3();
  unscaled.scaling = RopeConfig::Scaling::kNone;
  const auto before = record::inverse_frequencies(unscaled, 128);
  const auto after = record::inverse_frequencies(llama3(), 128);
  int between = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double wavelength = 2 * std::acos(-1.0) / static_cast<double>(before[i]);
    const double keep = std::clamp((8192 / wavelength - 1) / 3, 0.0, 1.0);
    const double exact = static_cast<double>(before[i]) * (keep + (1 - keep) / 8);
    EXPECT_NEAR(static_cast<double>(after[i]), exact, 5e-7 * exact) << i;
    between += keep > 0 && keep < 1 ? 1 : 0;
  }
  EXPECT_GT(between, 2);
}

}  // namespace
}  // namespace lil::tests
