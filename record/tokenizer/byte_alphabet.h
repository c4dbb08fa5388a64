#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lil::record {

/// The GPT-2 byte alphabet [Radford 2019, `bytes_to_unicode`]: every byte has a printable character of its
/// own, so that a vocabulary of any bytes can be spelt in JSON.

/// The character, in UTF-8, that stands for `byte`.
[[nodiscard]] std::string_view byte_spelling(unsigned char byte);

/// The bytes that `spelling` stands for; nothing where a character of it is not of the alphabet.
[[nodiscard]] std::optional<std::string> undo_byte_alphabet(std::string_view spelling);

}  // namespace lil::record
