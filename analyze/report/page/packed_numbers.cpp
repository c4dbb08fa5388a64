#include "analyze/report/page/packed_numbers.h"

#include <algorithm>
#include <cassert>
#include <cstddef>

namespace lil::analyze::page {

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (k < count ? static_cast<std::uint8_t>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) text += k <= count ? kDigits[bits >> (18 - 6 * k) & 63U] : '=';
  }
  return text;
}

void PackedNumbers::add(std::uint64_t number) {
  constexpr std::uint64_t kMore = 128;
  for (; number >= kMore; number >>= 7U) bytes_ += static_cast<char>(number % kMore + kMore);
  bytes_ += static_cast<char>(number);
}

void PackedNumbers::add_signed(std::int64_t number) {
  const auto bits = static_cast<std::uint64_t>(number);
  add(number < 0 ? ~bits << 1U | 1U : bits << 1U);
}

std::string packed_differences(std::span<const std::int64_t> numbers) {
  PackedNumbers packed;
  std::int64_t last = 0;
  for (const std::int64_t number : numbers) {
    packed.add_signed(number - last);
    last = number;
  }
  return packed.base64();
}

std::string packed_runs(std::span<const std::int64_t> rising) {
  PackedNumbers packed;
  std::int64_t last = 0;
  for (std::size_t i = 0; i < rising.size();) {
    const std::int64_t difference = rising[i] - last;
    assert(difference >= 0);
    std::uint64_t count = 0;
    for (; i < rising.size() && rising[i] - last == difference; ++i, ++count) last = rising[i];
    packed.add(2 * static_cast<std::uint64_t>(difference) + (count > 1 ? 1 : 0));
    if (count > 1) packed.add(count);
  }
  return packed.base64();
}

}  // namespace lil::analyze::page
