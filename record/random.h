#pragma once

#include <array>
#include <cstdint>

namespace lil::record {

/// The counter-based generator Philox 4x32 with 10 rounds [Salmon 2011]: a pure function, equal on every
/// machine.
[[nodiscard]] std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                      std::array<std::uint32_t, 2> key);

/// What a random number of a run depends on, and all it depends on.
struct DrawKey {
  std::uint64_t seed = 0;
  std::uint64_t problem = 0;  ///< hash of the problem, see problem_hash
  std::uint32_t repeat = 0;
  std::uint32_t step = 0;  ///< index of the generated token
};

/// A number in [0, 1) with 53 random bits.
[[nodiscard]] double uniform(const DrawKey& key);

}  // namespace lil::record
