#include "analyze/report/page/page_text.h"

#include <algorithm>
#include <cstddef>

namespace lil::analyze::page {
namespace {

/// The bytes that may follow a lead byte directly, and how many follow in all [Unicode 15, table 3-7].
struct Lead {
  std::size_t following = 0;
  unsigned second_low = 0x80;
  unsigned second_high = 0xbf;
  bool valid = true;
};

Lead lead_of(unsigned byte) {
  if (byte < 0x80) return {};
  if (byte < 0xc2 || byte > 0xf4) return {.valid = false};
  if (byte < 0xe0) return {1};
  if (byte < 0xf0) return {2, byte == 0xe0 ? 0xa0U : 0x80U, byte == 0xed ? 0x9fU : 0xbfU};
  return {3, byte == 0xf0 ? 0x90U : 0x80U, byte == 0xf4 ? 0x8fU : 0xbfU};
}

/// Bytes of the character, or of the broken piece, at `at`.
struct Piece {
  std::size_t bytes = 1;
  bool whole = false;
};

Piece piece_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<std::uint8_t>(text[i])); };
  const Lead lead = lead_of(byte(at));
  if (!lead.valid) return {};
  std::size_t bytes = 1;
  for (; bytes <= lead.following && at + bytes < text.size(); ++bytes) {
    const unsigned low = bytes == 1 ? lead.second_low : 0x80;
    const unsigned high = bytes == 1 ? lead.second_high : 0xbf;
    if (byte(at + bytes) < low || byte(at + bytes) > high) break;
  }
  return {bytes, bytes == lead.following + 1};
}

}  // namespace

PageText::PageText(std::string_view bytes) : units_(bytes.size() + 1) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  constexpr std::size_t kPairBytes = 4;  // characters of so many bytes are two units
  utf8_.reserve(bytes.size());
  std::uint32_t units = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const Piece piece = piece_at(bytes, at);
    std::fill_n(units_.begin() + static_cast<std::ptrdiff_t>(at), piece.bytes, units);
    utf8_ += piece.whole ? bytes.substr(at, piece.bytes) : kReplacement;
    units += piece.whole && piece.bytes == kPairBytes ? 2 : 1;
    at += piece.bytes;
  }
  units_.back() = units;
}

std::string json_in_html(std::string_view json) {
  std::string safe;
  safe.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

}  // namespace lil::analyze::page
