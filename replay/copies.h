#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace lil::replay {

/// A piece of a text that stands in it already, `distance` bytes before; the two overlap where distance is
/// less than bytes.
struct Copy {
  std::int64_t start = 0;
  std::int64_t bytes = 0;
  std::int64_t distance = 0;

  bool operator==(const Copy&) const = default;
};

/// The matches of the parse that the signal `lz77` counts the phrases of, as far as they have `least_bytes`
/// >= 1 or more, in order; each with the least distance at which its bytes stand before. What lies between
/// two of them is new, or copied in pieces too short. Time: that of the signal, and for each match a look at
/// the places that begin with the same bytes as it does (8, or `least_bytes` if that is less), the last one
/// first.
[[nodiscard]] std::vector<Copy> find_copies(std::string_view text, std::int64_t least_bytes);

}  // namespace lil::replay
