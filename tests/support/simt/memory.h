#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/simt/location.h"

// Device memory of the emulation: host memory, of which each byte has a flag that says whether something
// wrote it, and counts of what kernels read and wrote. Not for several host threads at once.
namespace lil::tests::simt {

/// One live allocation.
struct Allocation {
  std::string name;
  std::uintptr_t begin = 0;
  std::uint64_t bytes = 0;
  std::vector<std::uint8_t> written;  ///< (bytes) 1 where something wrote
  std::vector<std::uint8_t> reads;    ///< (bytes) how often kernels read each, up to 255; empty: not counted
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
};

/// Memory at a multiple of 256 bytes; nothing is written in it.
[[nodiscard]] void* allocate(const std::string& name, std::int64_t bytes);
void free(void* data);

/// Flags of a range inside one allocation, 0 or 1 each.
[[nodiscard]] std::vector<std::byte> written(const void* data, std::int64_t bytes);
void set_written(void* data, const std::vector<std::byte>& flags);
/// All of them.
void fill_written(void* data, std::int64_t bytes, bool flag);

/// The allocation in which `data` lies (or at whose end), or null.
[[nodiscard]] Allocation* find_allocation(const void* data);

/// What kernels did with an allocation while they were counted.
struct Traffic {
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t distinct_bytes_read = 0;
  int most_reads_of_a_byte = 0;
};

/// Counts from zero on, for each allocation that lives now.
void start_counting();
void stop_counting();
/// Since start_counting: of the allocation that holds `data`, and of all of them, by name.
[[nodiscard]] Traffic traffic_of(const void* data);
[[nodiscard]] std::vector<std::pair<std::string, Traffic>> traffic();

/// Ends the thread with a fault that says what is wrong with an access.
[[noreturn]] void fail_access(const Allocation* allocation, std::uintptr_t address, std::uint64_t bytes,
                              bool is_write, Location where);

/// Whether an access lies inside, at a multiple of its size.
template <std::uint64_t kBytes>
bool fits(const Allocation* allocation, std::uintptr_t address) {
  if (allocation == nullptr || address < allocation->begin) return false;
  const std::uint64_t offset = address - allocation->begin;
  return offset <= allocation->bytes && allocation->bytes - offset >= kBytes && offset % kBytes == 0;
}

template <std::uint64_t kBytes>
constexpr std::array<std::uint8_t, kBytes> ones() {
  std::array<std::uint8_t, kBytes> all{};
  for (std::uint8_t& one : all) one = 1;
  return all;
}

/// Checks a kernel's access and counts it.
template <std::uint64_t kBytes>
void note_read(Allocation* allocation, std::uintptr_t address, Location where) {
  constexpr std::array<std::uint8_t, kBytes> kAll = ones<kBytes>();
  if (!fits<kBytes>(allocation, address) ||
      std::memcmp(allocation->written.data() + (address - allocation->begin), kAll.data(), kBytes) != 0) {
    fail_access(allocation, address, kBytes, false, where);
  }
  if (allocation->reads.empty()) return;
  allocation->bytes_read += kBytes;
  std::uint8_t* counts = allocation->reads.data() + (address - allocation->begin);
  for (std::uint64_t i = 0; i < kBytes; ++i) {
    if (counts[i] != 255) ++counts[i];
  }
}

template <std::uint64_t kBytes>
void note_write(Allocation* allocation, std::uintptr_t address, Location where) {
  if (!fits<kBytes>(allocation, address)) fail_access(allocation, address, kBytes, true, where);
  std::memset(allocation->written.data() + (address - allocation->begin), 1, kBytes);
  allocation->bytes_written += kBytes;
}

}  // namespace lil::tests::simt
