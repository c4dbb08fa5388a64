#include "tests/support/simt/memory.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>

#include "tests/support/simt/block.h"

namespace lil::tests::simt {
namespace {

constexpr std::uint64_t kAlignment = 256;  // as cudaMalloc

/// Live allocations by where they begin.
std::map<std::uintptr_t, Allocation>& allocations() {
  static std::map<std::uintptr_t, Allocation> live;
  return live;
}

Traffic traffic_in(const Allocation& allocation) {
  Traffic traffic{allocation.bytes_read, allocation.bytes_written, 0, 0};
  for (const std::uint8_t reads : allocation.reads) {
    traffic.distinct_bytes_read += reads > 0 ? 1 : 0;
    traffic.most_reads_of_a_byte = std::max<int>(traffic.most_reads_of_a_byte, reads);
  }
  return traffic;
}

/// Flags of a range, which must lie inside one allocation.
std::uint8_t* flags_of(const void* data, std::int64_t bytes) {
  Allocation* allocation = find_allocation(data);
  assert(allocation != nullptr);
  const std::uint64_t offset = reinterpret_cast<std::uintptr_t>(data) - allocation->begin;
  assert(bytes >= 0 && offset + static_cast<std::uint64_t>(bytes) <= allocation->bytes);
  static_cast<void>(bytes);
  return allocation->written.data() + offset;
}

}  // namespace

void* allocate(const std::string& name, std::int64_t bytes) {
  const std::uint64_t size = static_cast<std::uint64_t>(bytes);
  void* data = ::operator new (std::max<std::uint64_t>(size, 1), std::align_val_t{kAlignment});
  std::memset(data, 0xFF, size);
  const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(data);
  allocations()[begin] = {name, begin, size, std::vector<std::uint8_t>(size), {}, 0, 0};
  return data;
}

void free(void* data) {
  const std::size_t erased = allocations().erase(reinterpret_cast<std::uintptr_t>(data));
  assert(erased == 1);
  static_cast<void>(erased);
  ::operator delete (data, std::align_val_t{kAlignment});
}

std::vector<std::byte> written(const void* data, std::int64_t bytes) {
  const std::byte* flags = reinterpret_cast<const std::byte*>(flags_of(data, bytes));
  return {flags, flags + bytes};
}

void set_written(void* data, const std::vector<std::byte>& flags) {
  if (flags.empty()) return;
  std::memcpy(flags_of(data, static_cast<std::int64_t>(flags.size())), flags.data(), flags.size());
}

void fill_written(void* data, std::int64_t bytes, bool flag) {
  std::fill_n(flags_of(data, bytes), bytes, static_cast<std::uint8_t>(flag ? 1 : 0));
}

Allocation* find_allocation(const void* data) {
  const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(data);
  auto after = allocations().upper_bound(address);
  if (after == allocations().begin()) return nullptr;
  Allocation& candidate = std::prev(after)->second;
  return address - candidate.begin <= candidate.bytes ? &candidate : nullptr;
}

void start_counting() {
  for (auto& [ignored, allocation] : allocations()) {
    allocation.reads.assign(allocation.bytes, 0);
    allocation.bytes_read = allocation.bytes_written = 0;
  }
}

void stop_counting() {
  for (auto& [ignored, allocation] : allocations()) allocation.reads.clear();
}

Traffic traffic_of(const void* data) {
  const Allocation* allocation = find_allocation(data);
  assert(allocation != nullptr);
  return traffic_in(*allocation);
}

std::vector<std::pair<std::string, Traffic>> traffic() {
  std::vector<std::pair<std::string, Traffic>> all;
  for (const auto& [ignored, allocation] : allocations())
    all.emplace_back(allocation.name, traffic_in(allocation));
  return all;
}

void fail_access(const Allocation* allocation, std::uintptr_t address, std::uint64_t bytes, bool is_write,
                 Location where) {
  const std::string verb = (is_write ? "writes " : "reads ") + std::to_string(bytes) + " bytes ";
  if (allocation == nullptr) fail(verb + "of an array that is null or not of the device", where);
  const std::int64_t offset = static_cast<std::int64_t>(address - allocation->begin);
  const std::int64_t size = static_cast<std::int64_t>(bytes);
  const std::string place = verb + "at byte " + std::to_string(offset) + " of \"" + allocation->name +
                            "\", " + std::to_string(allocation->bytes) + " bytes long: ";
  if (offset < 0) fail(place + "before its begin", where);
  if (offset + size > static_cast<std::int64_t>(allocation->bytes)) fail(place + "beyond its end", where);
  if (offset % size != 0) fail(place + "not at a multiple of the access", where);
  fail(place + "nothing wrote them", where);
}

}  // namespace lil::tests::simt
