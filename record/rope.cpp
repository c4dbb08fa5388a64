#include "record/rope.h"

#include <cmath>
#include <cstddef>
#include <numbers>

namespace lil::record {
namespace {

float stretched(float frequency, const RopeConfig& config) {
  const auto original = static_cast<float>(config.original_positions);
  const auto low = static_cast<float>(config.low_frequency_factor);
  const auto factor = static_cast<float>(config.factor);
  const auto range = static_cast<float>(config.high_frequency_factor - config.low_frequency_factor);
  const float wavelength = static_cast<float>(2 * std::numbers::pi) / frequency;
  const auto positions = static_cast<double>(config.original_positions);
  if (wavelength > static_cast<float>(positions / config.low_frequency_factor)) return frequency / factor;
  if (wavelength < static_cast<float>(positions / config.high_frequency_factor)) return frequency;
  const float share = (original / wavelength - low) / range;
  return (1.0F - share) * frequency / factor + share * frequency;
}

}  // namespace

std::vector<float> inverse_frequencies(const RopeConfig& config, std::int64_t head_dim) {
  std::vector<float> frequencies(static_cast<std::size_t>(head_dim / 2));
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim);
    frequencies[i] = 1.0F / std::pow(static_cast<float>(config.theta), exponent);
    if (config.scaling == RopeConfig::Scaling::kLlama3) frequencies[i] = stretched(frequencies[i], config);
  }
  return frequencies;
}

std::vector<float> rope_table(const RopeConfig& config, std::int64_t head_dim, std::int64_t first_position,
                              std::int64_t positions) {
  const std::vector<float> frequencies = inverse_frequencies(config, head_dim);
  const std::size_t half = frequencies.size();
  std::vector<float> table(static_cast<std::size_t>(positions) * 2 * half);
  for (std::int64_t p = 0; p < positions; ++p) {
    float* cosines = table.data() + static_cast<std::size_t>(p) * 2 * half;
    for (std::size_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(first_position + p) * frequencies[i];
      cosines[i] = std::cos(angle);
      cosines[half + i] = std::sin(angle);
    }
  }
  return table;
}

}  // namespace lil::record
