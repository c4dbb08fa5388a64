#include "record/rope.h"

#include <cassert>
#include <cmath>
#include <numbers>

namespace lil::record {

std::vector<float> inverse_frequencies(const RopeConfig& config, std::int64_t head_dim) {
  std::vector<float> frequencies(static_cast<std::size_t>(head_dim / 2));
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim);
    frequencies[i] = 1.0F / std::pow(static_cast<float>(config.theta), exponent);
  }
  if (config.scaling == RopeConfig::Scaling::kNone) return frequencies;
  const auto original = static_cast<double>(config.original_positions);
  for (float& frequency : frequencies) {
    const double wavelength = 2 * std::numbers::pi / static_cast<double>(frequency);
    const double stretched = static_cast<double>(frequency) / config.factor;
    if (wavelength > original / config.low_frequency_factor) {
      frequency = static_cast<float>(stretched);
    } else if (wavelength >= original / config.high_frequency_factor) {
      const double share = (original / wavelength - config.low_frequency_factor) /
                           (config.high_frequency_factor - config.low_frequency_factor);
      frequency = static_cast<float>((1 - share) * stretched + share * static_cast<double>(frequency));
    }
  }
  return frequencies;
}

void Rope::extend(std::int64_t position) {
  const std::size_t half = frequencies_.size();
  for (std::size_t p = table_.size() / (2 * half); p <= static_cast<std::size_t>(position); ++p) {
    table_.resize(2 * half * (p + 1));
    float* cosines = table_.data() + 2 * half * p;
    for (std::size_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(p) * frequencies_[i];
      cosines[i] = std::cos(angle);
      cosines[half + i] = std::sin(angle);
    }
  }
}

void Rope::rotate(std::span<float> vector, std::int64_t position) {
  const std::size_t half = frequencies_.size();
  assert(vector.size() == 2 * half && position >= 0);
  if (table_.size() <= 2 * half * static_cast<std::size_t>(position)) extend(position);
  const float* cosines = table_.data() + 2 * half * static_cast<std::size_t>(position);
  const float* sines = cosines + half;
  float* low = vector.data();
  float* high = low + half;
  for (std::size_t i = 0; i < half; ++i) {
    const float first = low[i];
    const float second = high[i];
    low[i] = first * cosines[i] - second * sines[i];
    high[i] = second * cosines[i] + first * sines[i];
  }
}

}  // namespace lil::record
