#pragma once

#include <string>
#include <string_view>

namespace lil::analyze {

/// Longest answer that a grader looks into, in bytes.
inline constexpr std::size_t kMaxGradedBytes = 2048;

/// `text` with spellings that mean the same made one: `\dfrac` → `\frac`, `\textbf{` → `\text{`, `\left(` →
/// `(`, `{,}` → `,`, `\%` → `%`, thin spaces gone, Unicode minus, times and degree signs as ASCII or LaTeX.
/// Linear in `text`.
[[nodiscard]] std::string even_spelling(std::string_view text);

/// The content of what encloses `text` as a whole: `$…$`, `\(…\)`, `\[…\]`, `**…**`, `{…}`, `\text{…}`; no
/// white space nor full stop at its ends.
[[nodiscard]] std::string_view peel(std::string_view text);

/// Index of the brace that closes the one at `open`; npos where none does. Escaped braces do not count.
[[nodiscard]] std::size_t closing_brace(std::string_view text, std::size_t open);

}  // namespace lil::analyze
