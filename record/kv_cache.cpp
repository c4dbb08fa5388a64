#include "record/kv_cache.h"

#include <algorithm>
#include <cassert>

namespace lil::record {

KvCache::KvCache(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_dim, DType dtype)
    : kv_heads_(kv_heads),
      row_bytes_(static_cast<std::size_t>(head_dim) * bytes_of(dtype)),
      dtype_(dtype),
      lists_(static_cast<std::size_t>(layers * kv_heads)) {}

const KvCache::List& KvCache::list(std::int64_t layer, std::int64_t kv_head) const {
  return lists_[static_cast<std::size_t>(layer * kv_heads_ + kv_head)];
}

KvCache::List& KvCache::list(std::int64_t layer, std::int64_t kv_head) {
  return lists_[static_cast<std::size_t>(layer * kv_heads_ + kv_head)];
}

void KvCache::reserve(std::int64_t tokens) {
  const auto count = static_cast<std::size_t>(tokens);
  for (List& entries : lists_) {
    entries.keys.reserve(count * row_bytes_);
    entries.values.reserve(count * row_bytes_);
    entries.positions.reserve(count);
    entries.slots.reserve(count);
  }
}

std::size_t KvCache::take_slot(List& entries) const {
  if (!entries.free_slots.empty()) {
    const auto slot = static_cast<std::size_t>(entries.free_slots.back());
    entries.free_slots.pop_back();
    return slot;
  }
  const std::size_t slot = entries.keys.size() / row_bytes_;
  entries.keys.resize(entries.keys.size() + row_bytes_);
  entries.values.resize(entries.values.size() + row_bytes_);
  return slot;
}

void KvCache::append(std::int64_t layer, std::int64_t kv_head, std::int32_t position,
                     std::span<const float> key, std::span<const float> value) {
  List& entries = list(layer, kv_head);
  assert(entries.positions.empty() || entries.positions.back() < position);
  const std::size_t slot = take_slot(entries);
  narrow(dtype_, key, entries.keys.data() + slot * row_bytes_);
  narrow(dtype_, value, entries.values.data() + slot * row_bytes_);
  entries.positions.push_back(position);
  entries.slots.push_back(static_cast<std::int32_t>(slot));
}

void KvCache::drop(std::int64_t layer, std::int64_t kv_head, std::span<const std::int32_t> places) {
  if (places.empty()) return;
  List& entries = list(layer, kv_head);
  assert(std::is_sorted(places.begin(), places.end()));
  auto kept = static_cast<std::size_t>(places.front());
  std::size_t next_dropped = 0;
  for (std::size_t place = kept; place < entries.positions.size(); ++place) {
    if (next_dropped < places.size() && static_cast<std::size_t>(places[next_dropped]) == place) {
      entries.free_slots.push_back(entries.slots[place]);
      ++next_dropped;
    } else {
      entries.positions[kept] = entries.positions[place];
      entries.slots[kept] = entries.slots[place];
      ++kept;
    }
  }
  assert(next_dropped == places.size());
  entries.positions.resize(kept);
  entries.slots.resize(kept);
}

std::span<const std::int32_t> KvCache::positions(std::int64_t layer, std::int64_t kv_head) const {
  return list(layer, kv_head).positions;
}

void KvCache::rows(std::int64_t layer, std::int64_t kv_head, std::vector<const std::byte*>& keys,
                   std::vector<const std::byte*>& values) const {
  const List& entries = list(layer, kv_head);
  keys.resize(entries.slots.size());
  values.resize(entries.slots.size());
  for (std::size_t place = 0; place < keys.size(); ++place) {
    const std::size_t offset = static_cast<std::size_t>(entries.slots[place]) * row_bytes_;
    keys[place] = entries.keys.data() + offset;
    values[place] = entries.values.data() + offset;
  }
}

}  // namespace lil::record
