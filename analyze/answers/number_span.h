#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "analyze/answers/trim.h"

namespace lil::analyze {

/// A number as it stands in running text: `-$1,234.50`, `3/4`, `18%`.
struct NumberSpan {
  std::size_t end = 0;   ///< one past its last byte
  std::size_t seen = 0;  ///< bytes of text that must be there to know that it ends; past the text's end
                         ///< where the text ends first and the number might go on
};

/// Whether the byte at `at`, with the one after it, goes on with a number that has digits already.
[[nodiscard]] inline std::size_t number_continuation(std::string_view text, std::size_t at) {
  const char c = text[at];
  if (is_digit(c)) return 1;
  const char next = at + 1 < text.size() ? text[at + 1] : '\0';
  return (c == ',' || c == '.' || c == '/') && is_digit(next) ? 2 : 0;
}

/// The number that begins at `begin`; nothing where none does.
[[nodiscard]] inline std::optional<NumberSpan> number_span(std::string_view text, std::size_t begin) {
  std::size_t at = begin;
  const auto accept = [&](std::string_view piece) {
    if (text.substr(at, piece.size()) != piece) return false;
    at += piece.size();
    return true;
  };
  if (!accept("-") && !accept("+")) accept("\u2212");
  if (!accept("\\$")) accept("$");
  if (at < text.size() && text[at] == '.') ++at;
  if (at >= text.size() || !is_digit(text[at])) return std::nullopt;
  while (at < text.size()) {
    const std::size_t step = number_continuation(text, at);
    if (step == 0) break;
    at += step;
  }
  const std::size_t digits_end = at;
  if (!accept("%")) accept("\\%");
  if (at != digits_end) return NumberSpan{at, at};
  const bool looked_past =
      at < text.size() && std::string_view(",./\\").find(text[at]) != std::string_view::npos;
  return NumberSpan{at, at + (looked_past ? 2 : 1)};
}

}  // namespace lil::analyze
