#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace lil::analyze {

// Words after a number that change it, or make it no number at all.
inline constexpr std::array<std::string_view, 33> kNotUnits = {
    "a",  "am",  "and",  "billion", "cos", "dozen", "e",   "else", "exp", "for",      "hundred",
    "i",  "if",  "ln",   "log",     "mod", "n",     "not", "or",   "p",   "million",  "pi",
    "pm", "sin", "sqrt", "tan",     "to",  "then",  "no",  "when", "x",   "thousand", "trillion"};

/// Whether `word`, in lower case, is one of those; any other word after a number is a unit.
[[nodiscard]] inline bool changes_number(std::string_view word) {
  return std::find(kNotUnits.begin(), kNotUnits.end(), word) != kNotUnits.end();
}

}  // namespace lil::analyze
