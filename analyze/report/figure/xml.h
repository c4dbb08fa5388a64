#pragma once

#include <string>
#include <string_view>

namespace lil::analyze::figure {

/// Text as XML 1.0 and HTML take it, in content and in quoted attributes: `& < > " '` escaped, bytes that are
/// no UTF-8 (overlong forms, surrogates and what is beyond U+10FFFF too) replaced by U+FFFD, one for each
/// maximal wrong piece as Unicode's chapter 3.9 has it; control characters dropped but for tab and newline,
/// and so are the noncharacters U+FFFE and U+FFFF.
[[nodiscard]] std::string xml_text(std::string_view text);

/// The code points of a text, broken ones as U+FFFD, none dropped.
[[nodiscard]] std::u32string code_points(std::string_view text);

/// Percent-encoded for a query of a URL: all but letters, digits and `-._~`.
[[nodiscard]] std::string url_component(std::string_view text);

/// A text as an id or a file name: letters and digits in lower case, all else one `-`; at most 60 characters,
/// and `x` where nothing is left.
[[nodiscard]] std::string slug(std::string_view text);

}  // namespace lil::analyze::figure
