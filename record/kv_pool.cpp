#include "record/kv_pool.h"

#include <cassert>

namespace lil::record {

KvPool::KvPool(Device& device, const KvShape& shape, std::int32_t page_tokens, std::int64_t groups)
    : device_(&device), shape_(shape), page_tokens_(page_tokens), groups_(groups) {
  const auto bytes = static_cast<std::size_t>(slots() * row_bytes());
  keys_ = DeviceArray<std::byte>(device, bytes);
  values_ = DeviceArray<std::byte>(device, bytes);
  slot_positions_ = DeviceArray<std::int32_t>(device, static_cast<std::size_t>(slots()));
  free_.reserve(static_cast<std::size_t>(groups));
  for (std::int64_t group = groups; group-- > 0;) free_.push_back(static_cast<std::int32_t>(group));
}

void KvPool::take(std::int64_t count, std::vector<std::int32_t>& groups) {
  assert(count <= static_cast<std::int64_t>(free_.size()));
  for (std::int64_t i = 0; i < count; ++i) {
    groups.push_back(free_.back());
    free_.pop_back();
  }
}

void KvPool::give_back(std::span<const std::int32_t> groups) {
  free_.insert(free_.end(), groups.rbegin(), groups.rend());
}

void KvPool::copy_group(std::int64_t from, std::int64_t to) {
  const std::int64_t slots = shape_.kv_heads * page_tokens_;
  const std::int64_t bytes = slots * row_bytes();
  for (DeviceArray<std::byte>* entries : {&keys_, &values_}) {
    device_->copy(entries->data() + to * bytes, entries->data() + from * bytes,
                  static_cast<std::size_t>(bytes));
  }
  device_->copy(slot_positions_.data() + to * slots, slot_positions_.data() + from * slots,
                static_cast<std::size_t>(slots) * sizeof(std::int32_t));
}

std::int64_t KvPool::group_bytes(const KvShape& shape, std::int32_t page_tokens) {
  return shape.kv_heads * page_tokens *
         (2 * shape.row_bytes() + static_cast<std::int64_t>(sizeof(std::int32_t)));
}

std::vector<std::int32_t> KvPool::positions_in(std::span<const std::int32_t> pages,
                                               std::int64_t tokens) const {
  std::vector<std::int32_t> slots;
  for (std::int64_t i = 0; i < tokens; ++i) {
    const std::int64_t page = pages[static_cast<std::size_t>(i / page_tokens_)];
    slots.push_back(static_cast<std::int32_t>(page * page_tokens_ + i % page_tokens_));
  }
  return positions_of(slots);
}

std::vector<std::int32_t> KvPool::positions_of(std::span<const std::int32_t> slots) const {
  std::vector<std::int32_t> positions;
  for (const std::int32_t slot : slots) {
    positions.push_back(slot_positions_.download(static_cast<std::size_t>(slot), 1).front());
  }
  return positions;
}

}  // namespace lil::record
