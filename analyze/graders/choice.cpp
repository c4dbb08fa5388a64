#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "analyze/answers/trim.h"
#include "analyze/graders/grader.h"
#include "analyze/latex_spelling.h"

namespace lil::analyze {
namespace {

constexpr int kVersion = 1;
constexpr char kLastLetter = 'J';  // of ten options
constexpr std::array<std::string_view, 6> kIntroductions = {"the answer is", "answer",    "option",
                                                            "choice",        "statement", "the"};

bool starts_without_case(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() && std::equal(lower.begin(), lower.end(), text.begin(),
                                                   [](char a, char b) { return a == to_lower(b); });
}

/// `text` without "Option", "The answer is" and the like before the letter.
std::string_view without_introduction(std::string_view text) {
  for (const std::string_view words : kIntroductions) {
    if (!starts_without_case(text, words)) continue;
    const std::string_view rest = text.substr(words.size());
    if (rest.empty() || is_letter(rest.front())) continue;
    text = trim(rest);
    if (!text.empty() && text.front() == ':') text = trim(text.substr(1));
  }
  return text;
}

/// Spelling evened out and `\text{` with its brace gone, wherever it stands.
std::string plain_spelling(std::string_view text) {
  const std::string even = even_spelling(text);
  std::string plain;
  for (std::size_t at = 0; at < even.size();) {
    constexpr std::string_view kText = "\\text{";
    if (even.compare(at, kText.size(), kText) == 0) {
      at += kText.size();
      continue;
    }
    const char c = even[at++];
    if (c != '{' && c != '}' && c != '$' && c != '*') plain += c;
  }
  return plain;
}

/// Whether what follows an option names more of them: `(A), (B)`, `(A) and (C)`.
bool goes_on_listing(std::string_view rest) {
  if (rest.empty()) return false;
  return std::string_view(",;&/(").find(rest.front()) != std::string_view::npos ||
         starts_without_case(rest, "and ") || starts_without_case(rest, "or ");
}

/// The option that an answer names: `B`, `(B)`, `B.`, `B) 12`, `(B) 12`, `Option B: 12`, `\textbf{(B)}\ 12`.
/// A letter that goes on as a word or a formula (`Both`, `B + 1`) names none.
std::optional<char> option_of(std::string_view text) {
  if (text.size() > kMaxGradedBytes) return std::nullopt;
  const std::string plain = plain_spelling(text);
  std::string_view rest = without_introduction(trim(plain));
  const bool bracketed = !rest.empty() && (rest.front() == '(' || rest.front() == '[');
  if (bracketed) rest = trim(rest.substr(1));
  if (rest.empty()) return std::nullopt;
  const char letter = static_cast<char>(to_lower(rest.front()) - 'a' + 'A');
  if (!is_letter(rest.front()) || letter > kLastLetter) return std::nullopt;
  rest = trim(rest.substr(1));
  const bool closed = !rest.empty() && (rest.front() == ')' || rest.front() == ']');
  if (bracketed && !closed) return std::nullopt;
  if (closed) return goes_on_listing(trim(rest.substr(1))) ? std::nullopt : std::optional(letter);
  if (rest.empty()) return letter;
  return rest.front() == '.' || rest.front() == ':' ? std::optional(letter) : std::nullopt;
}

/// Letters of multiple choice.
class ChoiceGrader final : public Grader {
 public:
  [[nodiscard]] int version() const override { return kVersion; }
  [[nodiscard]] bool serves(schemas::AnswerKind kind) const override {
    return kind == schemas::AnswerKind::kChoice;
  }
  [[nodiscard]] Comparison compare(std::string_view answer, std::string_view gold) const override {
    const auto left = option_of(answer);
    const auto right = left ? option_of(gold) : std::nullopt;
    if (!right) return Comparison::kUnread;
    return *left == *right ? Comparison::kEqual : Comparison::kUnequal;
  }
};

}  // namespace

std::unique_ptr<Grader> make_choice_grader(const schemas::Arguments& /*arguments*/) {
  return std::make_unique<ChoiceGrader>();
}

}  // namespace lil::analyze
