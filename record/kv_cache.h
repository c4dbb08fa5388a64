#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "record/dtype.h"

namespace lil::record {

/// Keys and values of one sequence: for each layer and kv head a list of entries in order of position,
/// their own per head so that a policy may keep other tokens in each. An entry's place is its index in
/// that list; a dropped entry's memory is used again. Used by one thread at a time.
class KvCache {
 public:
  KvCache(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_dim, DType dtype);

  /// Room for `tokens` entries in every list, so that so many are appended without copying.
  void reserve(std::int64_t tokens);

  /// Adds the entry of the token at `position`, which is past all others of the list. Key and value hold
  /// head_dim numbers of the cache's type.
  void append(std::int64_t layer, std::int64_t kv_head, std::int32_t position, std::span<const float> key,
              std::span<const float> value);
  /// Removes the entries at `places` (ascending). They are gone for good.
  void drop(std::int64_t layer, std::int64_t kv_head, std::span<const std::int32_t> places);

  /// Positions of the entries, ascending.
  [[nodiscard]] std::span<const std::int32_t> positions(std::int64_t layer, std::int64_t kv_head) const;
  /// Where the entries' keys and values lie, in order of place: each head_dim numbers of the cache's type.
  /// Valid until the next append.
  void rows(std::int64_t layer, std::int64_t kv_head, std::vector<const std::byte*>& keys,
            std::vector<const std::byte*>& values) const;

  [[nodiscard]] DType dtype() const { return dtype_; }

 private:
  struct List {
    std::vector<std::byte> keys;    ///< (slots, head_dim)
    std::vector<std::byte> values;  ///< (slots, head_dim)
    std::vector<std::int32_t> positions;
    std::vector<std::int32_t> slots;       ///< of each entry
    std::vector<std::int32_t> free_slots;  ///< of dropped entries
  };

  [[nodiscard]] const List& list(std::int64_t layer, std::int64_t kv_head) const;
  [[nodiscard]] List& list(std::int64_t layer, std::int64_t kv_head);
  std::size_t take_slot(List& entries) const;

  std::int64_t kv_heads_;
  std::size_t row_bytes_;
  DType dtype_;
  std::vector<List> lists_;  ///< (layers, kv_heads)
};

}  // namespace lil::record
