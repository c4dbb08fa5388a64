#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lil::analyze::page {

/// RFC 4648, with padding.
[[nodiscard]] std::string base64(std::string_view bytes);

/// Whole numbers as LEB128 (7 bits a byte, the lowest first; the highest bit says that more follow) in
/// base64: what script/packed.js reads.
class PackedNumbers {
 public:
  void add(std::uint64_t number);
  /// Zigzag: 0, -1, 1, -2, … are 0, 1, 2, 3, …
  void add_signed(std::int64_t number);
  [[nodiscard]] std::string base64() const { return page::base64(bytes_); }

 private:
  std::string bytes_;
};

/// The first number and then the differences, signed.
[[nodiscard]] std::string packed_differences(std::span<const std::int64_t> numbers);

/// The same of numbers that never fall, with runs of the same difference d written once: 2d for one of them,
/// else 2d + 1 and how many.
[[nodiscard]] std::string packed_runs(std::span<const std::int64_t> rising);

}  // namespace lil::analyze::page
