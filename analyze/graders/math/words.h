#pragma once

#include <string_view>

namespace lil::analyze::math {

/// Whether `word` names a function that may stand before its argument without brackets: `sin`, `log`.
[[nodiscard]] bool is_function(std::string_view word);

/// Whether `word`, in plain letters after a value, is a unit: `cm`, `miles`.
[[nodiscard]] bool is_unit(std::string_view word);

/// What a word multiplies the number before it by: 1000 for `thousand`; 0 where it is no such word.
[[nodiscard]] long long scale_of(std::string_view word);

}  // namespace lil::analyze::math
