#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/dtype.h"
#include "record/device.h"

namespace lil::record {

/// Sizes of a model's KV entries.
struct KvShape {
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  kernels::DType dtype = kernels::DType::kFp32;

  /// Of one key or value.
  [[nodiscard]] std::int64_t row_bytes() const { return head_dim * kernels::bytes_of(dtype); }
};

/// The memory of all KV entries of a recording: slots of one key and one value, in pages of `page_tokens`
/// slots. Pages are handed out in groups, one page for each kv head of a layer: group g has the pages
/// g * kv_heads + h. Who takes a group knows what it is for; the pool knows only which are free. Used by one
/// thread at a time.
class KvPool {
 public:
  /// Throws Error(kEnvironment) where the device lacks the memory.
  KvPool(Device& device, const KvShape& shape, std::int32_t page_tokens, std::int64_t groups);

  /// Appends `count` free groups to `groups`; there are so many.
  void take(std::int64_t count, std::vector<std::int32_t>& groups);
  void give_back(std::span<const std::int32_t> groups);
  /// Copies all entries of a group, and their positions, to another.
  void copy_group(std::int64_t from, std::int64_t to);

  [[nodiscard]] Device& device() const { return *device_; }
  [[nodiscard]] const KvShape& shape() const { return shape_; }
  [[nodiscard]] std::int32_t page_tokens() const { return page_tokens_; }
  [[nodiscard]] std::int64_t groups() const { return groups_; }
  [[nodiscard]] std::int64_t taken() const { return groups_ - static_cast<std::int64_t>(free_.size()); }
  [[nodiscard]] std::int64_t pages() const { return groups_ * shape_.kv_heads; }
  [[nodiscard]] std::int64_t slots() const { return pages() * page_tokens_; }
  [[nodiscard]] std::int64_t row_bytes() const { return shape_.row_bytes(); }
  /// Of one group: keys, values and positions.
  [[nodiscard]] static std::int64_t group_bytes(const KvShape& shape, std::int32_t page_tokens);

  [[nodiscard]] void* keys() { return keys_.data(); }      ///< (slots, head_dim)
  [[nodiscard]] void* values() { return values_.data(); }  ///< (slots, head_dim)
  /// (slots) positions of the tokens whose entries they hold.
  [[nodiscard]] std::int32_t* slot_positions() { return slot_positions_.data(); }
  [[nodiscard]] std::vector<std::int32_t> positions_of(std::span<const std::int32_t> slots) const;
  /// Of the first `tokens` slots of these pages.
  [[nodiscard]] std::vector<std::int32_t> positions_in(std::span<const std::int32_t> pages,
                                                       std::int64_t tokens) const;

 private:
  Device* device_;
  KvShape shape_;
  std::int32_t page_tokens_;
  std::int64_t groups_;
  std::vector<std::int32_t> free_;
  DeviceArray<std::byte> keys_;
  DeviceArray<std::byte> values_;
  DeviceArray<std::int32_t> slot_positions_;
};

}  // namespace lil::record
