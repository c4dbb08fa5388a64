#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "schemas/ids.h"

namespace lil::record {

/// What joining two neighbouring tokens gives.
struct Merge {
  static constexpr std::uint32_t kNever = 0xFFFFFFFFU;

  std::uint32_t rank = kNever;  ///< the lower, the sooner; each pair has a rank of its own
  schemas::TokenId joined = -1;
};

/// Pairs of ids to merges: a flat hash table with linear probing, filled once and then read by any number
/// of threads.
class MergeTable {
 public:
  MergeTable() : slots_(16) {}

  /// False, and nothing changes, where the pair is there already.
  bool insert(schemas::TokenId left, schemas::TokenId right, Merge merge) {
    if (find(left, right).rank != Merge::kNever) return false;
    if (2 * (count_ + 1) > slots_.size()) grow();
    place({key_of(left, right), merge});
    ++count_;
    return true;
  }

  /// Rank Merge::kNever where the pair does not merge.
  [[nodiscard]] Merge find(schemas::TokenId left, schemas::TokenId right) const {
    const std::uint64_t key = key_of(left, right);
    for (std::size_t at = start_of(key);; at = (at + 1) & (slots_.size() - 1)) {
      const Slot& slot = slots_[at];
      if (slot.key == key || slot.merge.rank == Merge::kNever) return slot.merge;
    }
  }

 private:
  struct Slot {
    std::uint64_t key = kNoKey;
    Merge merge;  // rank kNever: the slot is free
  };
  static constexpr std::uint64_t kNoKey = ~std::uint64_t{0};  // ids are not negative: no pair has this key

  static std::uint64_t key_of(schemas::TokenId left, schemas::TokenId right) {
    return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
           static_cast<std::uint32_t>(right);
  }
  [[nodiscard]] std::size_t start_of(std::uint64_t key) const {
    const std::uint64_t hash = key * 0x9E3779B97F4A7C15U;
    return (hash ^ (hash >> 32)) & (slots_.size() - 1);
  }
  void place(const Slot& slot) {
    std::size_t at = start_of(slot.key);
    while (slots_[at].merge.rank != Merge::kNever) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = slot;
  }
  void grow() {
    const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(2 * slots_.size()));
    for (const Slot& slot : old) {
      if (slot.merge.rank != Merge::kNever) place(slot);
    }
  }

  std::vector<Slot> slots_;  // a power of two of them, at most half in use
  std::size_t count_ = 0;
};

}  // namespace lil::record
