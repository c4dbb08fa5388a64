#include "replay/deflate/block.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "replay/deflate/code_lengths.h"

namespace lil::replay::deflate {
namespace {

constexpr int kLongestCode = 15;
constexpr int kLongestRunCode = 7;
constexpr std::int64_t kBlockHeaderBits = 3;
constexpr std::int64_t kStoredLengthBits = 32;
constexpr std::int64_t kCodeSizesBits = 5 + 5 + 4;  // HLIT, HDIST, HCLEN
constexpr std::int64_t kRunCodeLengthBits = 3;

// The alphabet in which code lengths are described [RFC 1951, 3.2.7]: 0 to 15 and three kinds of runs.
constexpr std::size_t kRunSymbols = 19;
constexpr std::size_t kRepeat = 16;     // the last length, 3 to 6 times
constexpr std::size_t kZeros = 17;      // 3 to 10 zeros
constexpr std::size_t kManyZeros = 18;  // 11 to 138 zeros
constexpr std::array<std::uint8_t, kRunSymbols> kRunSymbolOrder = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                                   11, 4,  12, 3, 13, 2, 14, 1, 15};
using RunCounts = std::array<std::uint16_t, kRunSymbols>;

template <std::size_t n>
using Costs = std::array<std::uint8_t, n>;

/// Bits of the numbers that follow a symbol.
constexpr Costs<kLiteralLengthSymbols> kLiteralLengthExtraBits = [] {
  Costs<kLiteralLengthSymbols> bits{};
  for (std::uint32_t length = kMinMatch + 8; length < kMaxMatch; ++length) {
    bits[length_symbol(length)] = static_cast<std::uint8_t>(std::bit_width(length - kMinMatch) - 3);
  }
  return bits;
}();
constexpr Costs<kDistanceSymbols> kDistanceExtraBits = [] {
  Costs<kDistanceSymbols> bits{};
  for (std::size_t symbol = 4; symbol < bits.size(); ++symbol) {
    bits[symbol] = static_cast<std::uint8_t>(symbol / 2 - 1);
  }
  return bits;
}();

/// Lengths of the fixed codes [RFC 1951, 3.2.6].
constexpr Costs<kLiteralLengthSymbols> kFixedLiteralLengthBits = [] {
  Costs<kLiteralLengthSymbols> bits{};
  for (std::size_t symbol = 0; symbol < bits.size(); ++symbol) {
    bits[symbol] = symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
  }
  return bits;
}();
constexpr std::int64_t kFixedDistanceBits = 5;

template <std::size_t n>
std::int64_t weighted_sum(const std::array<std::uint16_t, n>& counts, const Costs<n>& costs) {
  std::int32_t sum = 0;  // 16384 counts, 15 bits each
  for (std::size_t i = 0; i < n; ++i) sum += counts[i] * costs[i];
  return sum;
}

/// How many symbols of which kind describe a run of equal lengths, by how long it is.
struct RunSymbols {
  std::uint8_t own, repeat, zeros, many_zeros;
};
using RunTable = std::array<RunSymbols, kLiteralLengthSymbols + 1>;

/// A run of zeros is up to 138 at a time; what is left at the end is spelled out if shorter than 3.
constexpr RunTable kRunsOfZeros = [] {
  RunTable runs{};
  for (std::size_t times = 1; times < runs.size(); ++times) {
    const std::size_t left = times % 138;
    runs[times].own = static_cast<std::uint8_t>(left < 3 ? left : 0);
    runs[times].zeros = left >= 3 && left < 11 ? 1 : 0;
    runs[times].many_zeros = static_cast<std::uint8_t>(times / 138 + (left >= 11 ? 1 : 0));
  }
  return runs;
}();

/// A run of another length is spelled out once and then repeated up to 6 at a time, likewise.
constexpr RunTable kRunsOfOthers = [] {
  RunTable runs{};
  for (std::size_t times = 1; times < runs.size(); ++times) {
    const std::size_t left = (times - 1) % 6;
    runs[times].own = static_cast<std::uint8_t>(1 + (left < 3 ? left : 0));
    runs[times].repeat = static_cast<std::uint8_t>((times - 1) / 6 + (left >= 3 ? 1 : 0));
  }
  return runs;
}();

/// Counts the symbols that describe the lengths of one code. No run goes on into the next code.
void count_runs(std::span<const std::uint8_t> lengths, RunCounts& counts) {
  std::array<std::uint16_t, kLiteralLengthSymbols + 1> starts;
  std::size_t runs = 0;
  starts[runs++] = 0;
  for (std::size_t i = 1; i < lengths.size(); ++i) {
    starts[runs] = static_cast<std::uint16_t>(i);
    runs += lengths[i] != lengths[i - 1] ? 1 : 0;
  }
  starts[runs] = static_cast<std::uint16_t>(lengths.size());
  for (std::size_t run = 0; run < runs; ++run) {
    const std::uint8_t length = lengths[starts[run]];
    const std::size_t times = std::size_t{starts[run + 1]} - starts[run];
    const RunSymbols symbols = (length == 0 ? kRunsOfZeros : kRunsOfOthers)[times];
    counts[length] = static_cast<std::uint16_t>(counts[length] + symbols.own);
    counts[kRepeat] = static_cast<std::uint16_t>(counts[kRepeat] + symbols.repeat);
    counts[kZeros] = static_cast<std::uint16_t>(counts[kZeros] + symbols.zeros);
    counts[kManyZeros] = static_cast<std::uint16_t>(counts[kManyZeros] + symbols.many_zeros);
  }
}

/// Bits of the description of both codes.
std::int64_t description_bits(std::span<const std::uint8_t> literal_lengths,
                              std::span<const std::uint8_t> distances) {
  RunCounts counts{};
  count_runs(literal_lengths, counts);
  count_runs(distances, counts);
  std::array<std::uint8_t, kRunSymbols> run_lengths;
  const std::int64_t bits = code_lengths(counts, kLongestRunCode, run_lengths).bits;
  std::size_t described = kRunSymbolOrder.size();
  while (described > 4 && run_lengths[kRunSymbolOrder[described - 1]] == 0) --described;
  const int extra = 2 * counts[kRepeat] + 3 * counts[kZeros] + 7 * counts[kManyZeros];
  return kCodeSizesBits + kRunCodeLengthBits * static_cast<std::int64_t>(described) + bits + extra;
}

std::int64_t whole_bytes(std::int64_t bits) {
  return (bits + 7) / 8;
}

}  // namespace

std::int64_t Block::bits_with_own_codes() const {
  std::array<std::uint8_t, kLiteralLengthSymbols> literal_lengths;
  std::array<std::uint8_t, kDistanceSymbols> distances;
  const CodeSummary text = code_lengths(literal_lengths_, kLongestCode, literal_lengths);
  const CodeSummary back = code_lengths(distances_, kLongestCode, distances);
  return text.bits + back.bits +
         description_bits(std::span(literal_lengths).first(static_cast<std::size_t>(text.last_symbol) + 1),
                          std::span(distances).first(static_cast<std::size_t>(back.last_symbol) + 1));
}

std::int64_t Block::bits_after(std::int64_t bits_before, std::int64_t bytes, bool may_store) const {
  const std::int64_t extra =
      weighted_sum(literal_lengths_, kLiteralLengthExtraBits) + weighted_sum(distances_, kDistanceExtraBits);
  std::int64_t matches = 0;
  for (const std::uint16_t count : distances_) matches += count;
  const std::int64_t fixed = kBlockHeaderBits + extra + kFixedDistanceBits * matches +
                             weighted_sum(literal_lengths_, kFixedLiteralLengthBits);
  const std::int64_t own = kBlockHeaderBits + extra + bits_with_own_codes();
  const bool takes_fixed = whole_bytes(fixed) <= whole_bytes(own);
  const std::int64_t coded = takes_fixed ? fixed : own;
  if (may_store && bytes + 4 <= whole_bytes(coded)) {
    return 8 * whole_bytes(bits_before + kBlockHeaderBits) + kStoredLengthBits + 8 * bytes;
  }
  return bits_before + coded;
}

}  // namespace lil::replay::deflate
