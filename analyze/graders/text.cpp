#include <algorithm>
#include <string>

#include "analyze/answers/trim.h"
#include "analyze/graders/grader.h"
#include "analyze/latex_spelling.h"

namespace lil::analyze {
namespace {

constexpr int kVersion = 2;

/// Bytes of the control sequence at `at`: `\frac`, `\{`.
std::size_t control_length(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  while (end < text.size() && is_letter(text[end])) ++end;
  return end == at + 1 ? std::min<std::size_t>(2, text.size() - at) : end - at;
}

/// Whether a brace at `at` holds one character alone, and so means the same without: `x^{2}`, `\frac{1}2`.
bool braces_one(std::string_view text, std::size_t at) {
  return at + 2 < text.size() && text[at] == '{' && text[at + 2] == '}' &&
         (is_letter(text[at + 1]) || is_digit(text[at + 1]));
}

std::string without_text_command(std::string_view text) {
  constexpr std::string_view kCommand = "\\text{";
  std::string plain(text);
  for (std::size_t at = plain.find(kCommand); at != std::string::npos; at = plain.find(kCommand, at)) {
    const std::size_t close = closing_brace(plain, at + kCommand.size() - 1);
    if (close == std::string::npos) break;
    plain.erase(close, 1);
    plain.erase(at, kCommand.size());
  }
  return plain;
}

/// One spelling for all that this grader holds to be equal.
std::string normal_form(std::string_view text) {
  const std::string even = without_text_command(peel(even_spelling(text)));
  std::string compact;
  for (std::size_t at = 0; at < even.size();) {
    if (even[at] == '\\') {
      const std::size_t length = control_length(even, at);
      compact.append(even, at, length);
      at += length;
    } else if (braces_one(even, at)) {
      compact += to_lower(even[at + 1]);
      at += 3;
    } else {
      if (!is_space(even[at])) compact += to_lower(even[at]);
      ++at;
    }
  }
  const bool lettered =
      compact.size() == 3 && compact.front() == '(' && is_letter(compact[1]) && compact.back() == ')';
  return lettered ? compact.substr(1, 1) : compact;
}

/// Equal strings, apart from white space, letter case (not of LaTeX commands), spellings of LaTeX, what
/// encloses the whole, a full stop at the end; `(A)` is `A`.
class TextGrader final : public Grader {
 public:
  [[nodiscard]] int version() const override { return kVersion; }
  [[nodiscard]] bool serves(schemas::AnswerKind kind) const override {
    return kind != schemas::AnswerKind::kNone;
  }
  [[nodiscard]] Comparison compare(std::string_view answer, std::string_view gold) const override {
    const bool looked_into = answer.size() <= kMaxGradedBytes && gold.size() <= kMaxGradedBytes;
    const bool equal = looked_into ? normal_form(answer) == normal_form(gold) : answer == gold;
    return equal ? Comparison::kEqual : Comparison::kUnequal;
  }
};

}  // namespace

std::unique_ptr<Grader> make_text_grader(const schemas::Arguments& /*arguments*/) {
  return std::make_unique<TextGrader>();
}

}  // namespace lil::analyze
