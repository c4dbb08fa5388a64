#include "record/tokenizer/utf8.h"

#include <cstdint>
#include <cstring>

namespace lil::record {
namespace {

unsigned byte_at(std::string_view text, std::size_t index) {
  return static_cast<unsigned char>(text[index]);
}

bool continues(std::string_view text, std::size_t index, unsigned low = 0x80, unsigned high = 0xBF) {
  return index < text.size() && byte_at(text, index) >= low && byte_at(text, index) <= high;
}

std::size_t ascii_prefix_length(std::string_view text) {
  std::size_t length = 0;
  for (std::uint64_t word = 0; length + sizeof word <= text.size(); length += sizeof word) {
    std::memcpy(&word, text.data() + length, sizeof word);
    if ((word & 0x8080808080808080U) != 0) break;
  }
  while (length < text.size() && byte_at(text, length) < 0x80) ++length;
  return length;
}

}  // namespace

std::size_t character_length(std::string_view text) {
  if (text.empty()) return 0;
  const unsigned lead = byte_at(text, 0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  if (lead < 0xE0) return continues(text, 1) ? 2 : 0;
  if (lead < 0xF0) {
    const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : 0xBF;
    return continues(text, 1, low, high) && continues(text, 2) ? 3 : 0;
  }
  const unsigned low = lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
  return continues(text, 1, low, high) && continues(text, 2) && continues(text, 3) ? 4 : 0;
}

std::size_t valid_prefix_length(std::string_view text) {
  std::size_t length = 0;
  while (true) {
    length += ascii_prefix_length(text.substr(length));
    const std::size_t character = character_length(text.substr(length));
    if (character == 0) return length;
    length += character;
  }
}

std::size_t invalid_prefix_length(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && character_length(text.substr(length)) == 0) ++length;
  return length;
}

char32_t decode_character(std::string_view text) {
  const unsigned lead = byte_at(text, 0);
  if (lead < 0x80) return lead;
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t code_point = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) code_point = (code_point << 6) | (byte_at(text, i) & 0x3FU);
  return code_point;
}

}  // namespace lil::record
