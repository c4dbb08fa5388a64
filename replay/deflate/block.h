#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace lil::replay::deflate {

inline constexpr std::uint32_t kMinMatch = 3;
inline constexpr std::uint32_t kMaxMatch = 258;
inline constexpr std::uint32_t kEndOfBlock = 256;
inline constexpr std::size_t kLiteralLengthSymbols = 286;
inline constexpr std::size_t kDistanceSymbols = 30;
/// A block of this many literals and matches is closed (zlib's memLevel 8).
inline constexpr std::uint32_t kMostSymbolsInBlock = 16383;

/// Symbol of a match of 3 to 258 bytes [RFC 1951, 3.2.5].
constexpr std::uint32_t length_symbol(std::uint32_t length) {
  const std::uint32_t past = length - kMinMatch;
  if (past < 8) return kEndOfBlock + 1 + past;
  if (length == kMaxMatch) return kLiteralLengthSymbols - 1;
  const auto extra_bits = static_cast<std::uint32_t>(std::bit_width(past)) - 3;
  return kEndOfBlock + 1 + 4 * extra_bits + (past >> extra_bits);
}

/// Symbol of a distance of 1 to 32768 [RFC 1951, 3.2.5].
constexpr std::uint32_t distance_symbol(std::uint32_t distance) {
  const std::uint32_t past = distance - 1;
  if (past < 4) return past;
  const auto extra_bits = static_cast<std::uint32_t>(std::bit_width(past)) - 2;
  return 2 * extra_bits + (past >> extra_bits);
}

/// The open block of a deflate stream, as far as its cost depends on it: how often each symbol occurs.
/// A value; a copy costs about as much as a tenth of bits_after().
class Block {
 public:
  void add_literal(std::uint8_t byte) {
    ++literal_lengths_[byte];
    ++symbols_;
  }
  void add_match(std::uint32_t length, std::uint32_t distance) {
    ++literal_lengths_[length_symbol(length)];
    ++distances_[distance_symbol(distance)];
    ++symbols_;
  }
  [[nodiscard]] bool full() const { return symbols_ == kMostSymbolsInBlock; }

  /// Where the stream stands, in bits, once this block is written at bit `bits_before`, in the cheapest of
  /// the three forms as zlib's deflate judges them (default strategy): its own Huffman codes, the fixed ones
  /// if they are no longer in whole bytes, stored if that is no longer still. The block stands for `bytes`
  /// bytes of text; `may_store` says whether they are all still in zlib's window.
  [[nodiscard]] std::int64_t bits_after(std::int64_t bits_before, std::int64_t bytes, bool may_store) const;

 private:
  [[nodiscard]] std::int64_t bits_with_own_codes() const;

  std::array<std::uint16_t, kLiteralLengthSymbols> literal_lengths_ = [] {
    std::array<std::uint16_t, kLiteralLengthSymbols> counts{};
    counts[kEndOfBlock] = 1;
    return counts;
  }();
  std::array<std::uint16_t, kDistanceSymbols> distances_{};
  std::uint32_t symbols_ = 0;
};

}  // namespace lil::replay::deflate
