#include "record/tokenizer/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "record/tokenizer/utf8.h"

namespace lil::record {
namespace {

constexpr std::size_t kAlphabetEnd = 0x100 + 68;  // 68 bytes have no printable character of their own

struct Alphabet {
  std::array<std::string, 256> spelling;
  std::array<std::int16_t, kAlphabetEnd> byte_of;

  Alphabet() : byte_of() {
    byte_of.fill(-1);
    unsigned next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
      const unsigned code_point = printable ? byte : next++;
      byte_of[code_point] = static_cast<std::int16_t>(byte);
      if (code_point < 0x80) {
        spelling[byte] = static_cast<char>(code_point);
      } else {
        spelling[byte] = {static_cast<char>(0xC0U | (code_point >> 6)),
                          static_cast<char>(0x80U | (code_point & 0x3FU))};
      }
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet the_alphabet;
  return the_alphabet;
}

}  // namespace

std::string_view byte_spelling(unsigned char byte) {
  return alphabet().spelling[byte];
}

std::optional<std::string> undo_byte_alphabet(std::string_view spelling) {
  std::string bytes;
  while (!spelling.empty()) {
    const std::size_t length = character_length(spelling);
    if (length == 0 || length > 2) return std::nullopt;
    const char32_t code_point = decode_character(spelling);
    if (code_point >= kAlphabetEnd || alphabet().byte_of[code_point] < 0) return std::nullopt;
    bytes += static_cast<char>(alphabet().byte_of[code_point]);
    spelling.remove_prefix(length);
  }
  return bytes;
}

}  // namespace lil::record
