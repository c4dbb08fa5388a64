#pragma once

#include <cstddef>
#include <string_view>

namespace lil::record {

/// Bytes of the well-formed UTF-8 character at the head of `text` [Unicode 15, table 3-7: no surrogates,
/// no overlong forms]; 0 where there is none.
[[nodiscard]] std::size_t character_length(std::string_view text);

/// Length of the longest prefix of `text` that is well-formed UTF-8.
[[nodiscard]] std::size_t valid_prefix_length(std::string_view text);

/// Length of the longest prefix of `text` in which no well-formed character starts.
[[nodiscard]] std::size_t invalid_prefix_length(std::string_view text);

/// The code point at the head of `text`, which must be well-formed there.
[[nodiscard]] char32_t decode_character(std::string_view text);

/// Calls `take(stretch, is_valid)` for the longest valid and invalid stretches of `text`, in order.
template <class Take>
void for_each_stretch(std::string_view text, Take&& take) {
  while (!text.empty()) {
    if (const std::size_t valid = valid_prefix_length(text); valid > 0) {
      take(text.substr(0, valid), true);
      text.remove_prefix(valid);
    }
    if (const std::size_t invalid = invalid_prefix_length(text); invalid > 0) {
      take(text.substr(0, invalid), false);
      text.remove_prefix(invalid);
    }
  }
}

}  // namespace lil::record
