#include <algorithm>
#include <optional>

#include "analyze/answers/extractor.h"
#include "analyze/answers/trim.h"

namespace lil::analyze {
namespace {

constexpr std::string_view kKey = "answer";

std::size_t skip_spaces(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

/// Index of the quote that ends the string whose content begins at `at`; npos where none does.
std::size_t closing_quote(std::string_view text, std::size_t at) {
  for (; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at;
    }
  }
  return std::string_view::npos;
}

/// The content of a JSON string. Models forget to escape the backslash of `\frac`, which is then no form
/// feed.
std::string unescaped(std::string_view inside) {
  std::string plain;
  for (std::size_t at = 0; at < inside.size(); ++at) {
    if (inside[at] != '\\' || at + 1 == inside.size()) {
      plain += inside[at];
      continue;
    }
    const char next = inside[++at];
    if (next == '\\' || next == '"' || next == '/') {
      plain += next;
    } else if (next == 'n') {
      plain += '\n';
    } else {
      plain += '\\';
      plain += next;
    }
  }
  return plain;
}

/// Where the next object begins: a brace that is the first thing on its line, and a key after it (`{1, 2}` is
/// mathematics). npos where none does.
std::size_t object_begin(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const std::size_t brace = skip_spaces(text, at);
    if (brace < text.size() && text[brace] == '{') {
      const std::size_t key = skip_spaces(text, brace + 1);
      if (key < text.size() && text[key] == '"') return brace;
    }
    const std::size_t line_end = text.find('\n', brace);
    if (line_end == std::string_view::npos) break;
    at = line_end + 1;
  }
  return std::string_view::npos;
}

/// The `answer` of a JSON object that begins on a line of its own: a string, or a number, which counts once
/// it has ended. Only the object's own keys are looked at; what is not JSON within is passed over.
class JsonExtractor final : public Extractor {
 public:
  [[nodiscard]] std::vector<FoundAnswer> find(std::string_view text, bool finished) const override {
    std::vector<FoundAnswer> found;
    std::size_t at = object_begin(text, 0);
    while (at != std::string_view::npos) {
      at = read_object(text, at, finished, found);
      const std::size_t line_end = at < text.size() ? text.find('\n', at) : std::string_view::npos;
      at = line_end == std::string_view::npos ? line_end : object_begin(text, line_end + 1);
    }
    return found;
  }

 private:
  /// Reads the object at `at`; one past its end, or the end of the text.
  static std::size_t read_object(std::string_view text, std::size_t at, bool finished,
                                 std::vector<FoundAnswer>& found) {
    std::size_t depth = 0;
    while (at < text.size()) {
      const char c = text[at];
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) return at + 1;
      if (c != '"') {
        ++at;
        continue;
      }
      const std::size_t close = closing_quote(text, at + 1);
      if (close == std::string_view::npos) break;
      const bool key = depth == 1 && text.substr(at + 1, close - at - 1) == kKey;
      at = close + 1;
      if (key) at = read_value(text, at, finished, found);
    }
    return text.size();
  }

  /// Reads `: value` at `at`; where reading goes on.
  static std::size_t read_value(std::string_view text, std::size_t at, bool finished,
                                std::vector<FoundAnswer>& found) {
    at = skip_spaces(text, at);
    if (at >= text.size() || text[at] != ':') return at;
    at = skip_spaces(text, at + 1);
    if (at >= text.size()) return at;
    const bool quoted = text[at] == '"';
    const std::size_t begin = quoted ? at + 1 : at;
    const std::size_t end = quoted ? closing_quote(text, begin) : number_end(text, begin);
    if (end == std::string_view::npos) return text.size();
    const std::string_view raw = trim(text.substr(begin, end - begin));
    const bool seen = end < text.size();
    if (!raw.empty() && raw.size() <= kMaxAnswerBytes && (seen || finished)) {
      const std::string answer = quoted ? unescaped(raw) : std::string(raw);
      found.push_back({seen ? end + 1 : end, !seen, answer});
    }
    return quoted && seen ? end + 1 : end;
  }

  static std::size_t number_end(std::string_view text, std::size_t at) {
    const auto* const end = std::find_if_not(
        text.begin() + static_cast<std::ptrdiff_t>(at), text.end(),
        [](char c) { return is_digit(c) || is_letter(c) || c == '-' || c == '+' || c == '.'; });
    return static_cast<std::size_t>(end - text.begin());
  }
};

}  // namespace

std::unique_ptr<Extractor> make_json_extractor(const schemas::Arguments& /*arguments*/) {
  return std::make_unique<JsonExtractor>();
}

}  // namespace lil::analyze
