#pragma once

#include <string>
#include <string_view>

namespace lil::analyze {

/// Longest answer that a grader looks into, in bytes.
inline constexpr std::size_t kMaxGradedBytes = 2048;

/// `½` and its kind: one character that is a fraction.
struct VulgarFraction {
  std::string_view character;
  std::string_view above;
  std::string_view below;
};

/// The one that `text` begins with; nullptr where it does with none.
[[nodiscard]] const VulgarFraction* vulgar_fraction_at(std::string_view text);

/// `text` with spellings that mean the same made one: `\dfrac` → `\frac`, `\textbf{` → `\text{`, `\left(` →
/// `(`, `{,}` → `,`, `\%` → `%`, thin spaces gone, Unicode minus, times, degree signs and vulgar fractions as
/// ASCII or LaTeX. Linear in `text`.
[[nodiscard]] std::string even_spelling(std::string_view text);

/// The content of what encloses `text` as a whole: `$…$`, `\(…\)`, `\[…\]`, `**…**`, `{…}`, `\text{…}`; no
/// white space nor full stop at its ends.
[[nodiscard]] std::string_view peel(std::string_view text);

/// Index of the brace that closes the one at `open`; npos where none does. Escaped braces do not count.
[[nodiscard]] std::size_t closing_brace(std::string_view text, std::size_t open);

}  // namespace lil::analyze
