#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/ids.h"

namespace lil::record {

/// A hash of a short byte string, made of a few multiplications.
[[nodiscard]] inline std::uint64_t hash_piece(std::string_view piece) {
  constexpr std::uint64_t kMultiplier = 0x9E3779B97F4A7C15U;
  const auto load = [&](std::size_t offset, std::size_t bytes) {
    std::uint64_t word = 0;
    std::memcpy(&word, piece.data() + offset, bytes);
    return word;
  };
  const auto mix = [&](std::uint64_t hash, std::uint64_t word) {
    hash = (hash ^ word) * kMultiplier;
    return hash ^ (hash >> 32);
  };
  const std::size_t size = piece.size();
  std::uint64_t hash = size * kMultiplier;
  std::size_t offset = 0;
  for (; offset + 8 <= size; offset += 8) hash = mix(hash, load(offset, 8));
  if (size % 8 == 0) return mix(hash, 0);
  if (size >= 8) return mix(hash, load(size - 8, 8));
  if (size >= 4) return mix(hash, load(0, 4) | (load(size - 4, 4) << 32));
  return mix(hash, load(0, 1) | (load(size / 2, 1) << 8) | (load(size - 1, 1) << 16));
}

/// Byte strings to ids: a flat hash table with linear probing, filled once and then read by any number of
/// threads.
class PieceTable {
 public:
  PieceTable() : slots_(16) {}

  /// False, and nothing changes, where `piece` is there already.
  bool insert(std::string_view piece, schemas::TokenId id);
  [[nodiscard]] std::optional<schemas::TokenId> find(std::string_view piece) const {
    return find(piece, hash_piece(piece));
  }
  /// The same with hash_piece(piece) at hand.
  [[nodiscard]] std::optional<schemas::TokenId> find(std::string_view piece, std::uint64_t hash) const {
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = hash & mask; slots_[at].id >= 0; at = (at + 1) & mask) {
      const Slot& slot = slots_[at];
      if (slot.tag == tag_of(hash) && slot.length == piece.size() &&
          std::memcmp(bytes_.data() + slot.offset, piece.data(), piece.size()) == 0) {
        return slot.id;
      }
    }
    return std::nullopt;
  }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t length = 0;
    std::uint32_t offset = 0;
    schemas::TokenId id = -1;  // negative: the slot is free
  };

  static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
  void place(const Slot& slot, std::uint64_t hash);
  void grow();

  std::vector<Slot> slots_;  // a power of two of them, at most half in use
  std::string bytes_;
  std::size_t count_ = 0;
};

}  // namespace lil::record
