#pragma once

#include <cstdint>
#include <span>

namespace lil::replay::deflate {

/// What code_lengths() says besides the lengths.
struct CodeSummary {
  int last_symbol;    ///< the highest symbol that has a code
  std::int64_t bits;  ///< sum of count · length over the symbols
};

/// Lengths of a Huffman code over `counts`, none above `longest` bits, exactly as zlib's deflate assigns
/// them: symbols with a count of 0 get length 0; a code has at least two symbols, the lowest unused of 0 and
/// up standing in with a length of 1 where there are fewer. Of subtrees of equal count the shallower is
/// joined first, and of equally deep ones that which a binary heap happens to give first; lengths above
/// `longest` are repaired as in [RFC 1951]'s reference.
///
/// `lengths` and `counts` have the same size, 3 to 286, and the counts sum to at most 16384. One pass costs
/// O(n log n) in the symbols used; nothing is allocated.
[[nodiscard]] CodeSummary code_lengths(std::span<const std::uint16_t> counts, int longest,
                                       std::span<std::uint8_t> lengths);

}  // namespace lil::replay::deflate
