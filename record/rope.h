#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "record/model_config.h"

namespace lil::record {

/// One inverse frequency for each pair of channels, in fp32: theta^(-2i/d), stretched as `config` says.
[[nodiscard]] std::vector<float> inverse_frequencies(const RopeConfig& config, std::int64_t head_dim);

/// Rotates vectors by their position, with a table of sines and cosines that grows as positions are
/// asked for. Used by one thread at a time.
class Rope {
 public:
  explicit Rope(std::vector<float> frequencies) : frequencies_(std::move(frequencies)) {}

  /// Rotates in place, channel i with channel i + d/2 (halves, not interleaved) [Su 2021].
  void rotate(std::span<float> vector, std::int64_t position);

 private:
  void extend(std::int64_t position);

  std::vector<float> frequencies_;
  std::vector<float> table_;  ///< (positions, 2, d/2): cosines, then sines
};

}  // namespace lil::record
