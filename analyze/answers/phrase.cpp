#include <algorithm>
#include <optional>
#include <utility>

#include "analyze/answers/extractor.h"
#include "analyze/answers/number_span.h"

namespace lil::analyze {
namespace {

constexpr std::string_view kWord = "answer";
constexpr std::string_view kAfterNumber = ".,;:!?)]*\"'";
constexpr std::size_t kMaxPhraseBytes = 256;  // an answer in words is short; also what keeps this linear

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}
bool is_mark_up(char c) {
  return c == '*' || c == '_';
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) { return to_lower(a) == b; });
}

/// Where the answer begins if the word "answer" at `word` announces one with "is" or a colon.
std::optional<std::size_t> announced(std::string_view text, std::size_t word) {
  if (word > 0 && is_letter(text[word - 1])) return std::nullopt;
  if (!equals_ignoring_case(text.substr(word, kWord.size()), kWord)) return std::nullopt;
  std::size_t at = word + kWord.size();
  const auto skip = [&](auto skipped) {
    while (at < text.size() && skipped(text[at])) ++at;
  };
  skip([](char c) { return is_blank(c) || is_mark_up(c); });
  const bool is = equals_ignoring_case(text.substr(at, 2), "is");
  if (is) at += 2;
  if (is && at < text.size() && is_letter(text[at])) return std::nullopt;
  if (!is && (at >= text.size() || text[at] != ':')) return std::nullopt;
  skip([](char c) { return c == ':' || is_space(c) || is_mark_up(c); });
  return at;
}

/// An answer and the bytes that had to be seen for it.
struct Reading {
  std::string_view answer;
  std::size_t seen = 0;
  bool at_end = false;
};

/// The text between `opening` and `closing` within one stretch of kMaxPhraseBytes.
std::optional<Reading> read_between(std::string_view text, std::size_t at, std::string_view opening,
                                    std::string_view closing) {
  if (text.substr(at, opening.size()) != opening) return std::nullopt;
  const std::size_t begin = at + opening.size();
  const std::size_t length = text.substr(begin, kMaxPhraseBytes).find(closing);
  if (length == std::string_view::npos) return std::nullopt;
  const std::string_view inside = text.substr(begin, length);
  if (closing == "$" && inside.find('\n') != std::string_view::npos) return std::nullopt;
  return Reading{inside, begin + length + closing.size(), false};
}

/// A number that a space, punctuation or the end follows: not the beginning of `3x` or `2^{10}`.
std::optional<Reading> read_number(std::string_view text, std::size_t at, bool finished) {
  const auto number = number_span(text, at);
  if (!number) return std::nullopt;
  const std::string_view answer = text.substr(at, number->end - at);
  const std::size_t seen = std::max(number->seen, number->end + 1);
  const std::string_view rest = text.substr(std::min(number->end, text.size()));
  const bool ends =
      rest.empty() || is_space(rest.front()) || kAfterNumber.find(rest.front()) != std::string_view::npos;
  if (seen > text.size()) {
    return finished && ends ? std::optional<Reading>({answer, text.size(), true}) : std::nullopt;
  }
  return ends ? std::optional<Reading>({answer, seen, false}) : std::nullopt;
}

/// Words up to the end of the line or of the sentence.
std::optional<Reading> read_words(std::string_view text, std::size_t at, bool finished) {
  const std::size_t limit = std::min(text.size(), at + kMaxPhraseBytes);
  for (std::size_t end = at; end < limit; ++end) {
    if (text[end] == '\n') return Reading{text.substr(at, end - at), end + 1, false};
    const bool stop = text[end] == '.' || text[end] == '!' || text[end] == '?';
    if (stop && end + 1 < limit && is_space(text[end + 1])) {
      return Reading{text.substr(at, end - at), end + 2, false};
    }
  }
  if (!finished || limit != text.size()) return std::nullopt;
  return Reading{text.substr(at), text.size(), true};
}

/// What stands at `at`. Dollar signs are mathematics if the line closes them, else currency, so the line
/// must be known; `$18 and $5 more` is told from `$18$` by the letter after the number.
std::optional<Reading> read_dollars(std::string_view text, std::size_t at, bool finished) {
  if (const auto display = read_between(text, at, "$$", "$$")) return display;
  const auto math = read_between(text, at, "$", "$");
  if (math) {
    const auto number = number_span(math->answer, 0);
    const bool currency = number && number->end + 1 < math->answer.size() &&
                          is_blank(math->answer[number->end]) && is_letter(math->answer[number->end + 1]);
    if (!currency) return math;
  }
  auto number = read_number(text, at, finished);
  if (!number || number->at_end) return number;
  if (math) {
    number->seen = std::max(number->seen, math->seen);
    return number;
  }
  const std::size_t line_end = std::min(text.find('\n', at), at + kMaxPhraseBytes + 1);
  if (line_end < text.size()) {
    number->seen = std::max(number->seen, line_end + 1);
    return number;
  }
  return finished ? std::optional<Reading>({number->answer, text.size(), true}) : std::nullopt;
}

std::optional<Reading> read_answer(std::string_view text, std::size_t at, bool finished) {
  if (at >= text.size()) return std::nullopt;
  if (text[at] == '$') return read_dollars(text, at, finished);
  if (text.substr(at, 2) == "\\(") return read_between(text, at, "\\(", "\\)");
  if (text.substr(at, 2) == "\\[") return read_between(text, at, "\\[", "\\]");
  if (const auto number = read_number(text, at, finished)) return number;
  return read_words(text, at, finished);
}

std::string_view without_trailing_marks(std::string_view answer) {
  answer = trim(answer);
  while (!answer.empty() && (answer.back() == '.' || answer.back() == ',' || is_mark_up(answer.back()))) {
    answer = trim(answer.substr(0, answer.size() - 1));
  }
  return answer;
}

/// "The answer is …" and "Final answer: …", in any case. Of several, the one that begins last. A box is
/// left to the extractor `boxed`.
class PhraseExtractor final : public Extractor {
 public:
  [[nodiscard]] std::vector<FoundAnswer> find(std::string_view text, bool finished) const override {
    std::vector<FoundAnswer> found;
    for (std::size_t word = text.find_first_of("aA"); word != std::string_view::npos;
         word = text.find_first_of("aA", word + 1)) {
      const auto at = announced(text, word);
      if (!at) continue;
      const auto reading = read_answer(text, *at, finished);
      if (!reading) continue;
      const std::string_view answer = without_trailing_marks(reading->answer);
      if (answer.empty() || answer.find("\\boxed") != std::string_view::npos) continue;
      // A phrase within the sentence of an earlier one replaces it.
      const auto when = std::pair(reading->seen, reading->at_end);
      while (!found.empty() && std::pair(found.back().readable_at, found.back().at_end) >= when)
        found.pop_back();
      found.push_back({reading->seen, reading->at_end, std::string(answer)});
    }
    return found;
  }
};

}  // namespace

std::unique_ptr<Extractor> make_phrase_extractor(const schemas::Arguments& /*arguments*/) {
  return std::make_unique<PhraseExtractor>();
}

}  // namespace lil::analyze
