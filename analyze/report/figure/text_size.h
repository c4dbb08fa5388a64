#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lil::analyze::figure {

/// Sizes of text in an SVG, in its units.
inline constexpr double kTextSize = 12;
inline constexpr double kSmallSize = 11;

/// How wide a text is at most in a plain sans-serif face: by classes of letters, after the wider of the
/// common ones. Combining marks and what is invisible count as nothing.
[[nodiscard]] double text_width(std::string_view text, double size = kTextSize);

/// Lines of at most `width`, broken at spaces; in a word that is wider after `_ - / ,`, else anywhere; at
/// most `most_lines`, the last of which then ends in `…`.
[[nodiscard]] std::vector<std::string> wrapped(std::string_view text, double width, int most_lines,
                                               double size = kTextSize);

}  // namespace lil::analyze::figure
