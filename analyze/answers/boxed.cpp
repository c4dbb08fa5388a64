#include <optional>

#include "analyze/answers/extractor.h"
#include "analyze/answers/trim.h"

namespace lil::analyze {
namespace {

/// Where the content of the box begins whose backslash is at `at`; nothing if there is no box.
std::optional<std::size_t> box_content(std::string_view text, std::size_t at) {
  for (const std::string_view name : {"\\boxed", "\\fbox"}) {
    if (text.substr(at, name.size()) != name) continue;
    std::size_t brace = at + name.size();
    while (brace < text.size() && is_space(text[brace])) ++brace;
    if (brace < text.size() && text[brace] == '{') return brace + 1;
  }
  return std::nullopt;
}

/// Bytes that a backslash at `at`, not of a box, takes with it. An escaped brace does not count, and of
/// the two in `\\boxed{` (a line break, or an escape too many) the second is left to begin the box.
std::size_t escape_length(std::string_view text, std::size_t at) {
  if (at + 1 >= text.size()) return 1;
  const char next = text[at + 1];
  if (next == '\\') return box_content(text, at + 1) ? 1 : 2;
  return next == '{' || next == '}' ? 2 : 1;
}

struct OpenBrace {
  std::size_t content = 0;
  bool box = false;
};

/// The last complete box: of all boxes that are closed, the one that begins last (so the inner one of two
/// nested). An unclosed or empty box is not an answer.
class BoxedExtractor final : public Extractor {
 public:
  [[nodiscard]] std::vector<FoundAnswer> find(std::string_view text, bool /*finished*/) const override {
    std::vector<FoundAnswer> found;
    std::vector<OpenBrace> open;
    std::size_t last_content = 0;
    std::size_t at = 0;
    while (at < text.size()) {
      if (text[at] == '\\') {
        if (const auto content = box_content(text, at)) {
          open.push_back({*content, true});
          at = *content;
        } else {
          at += escape_length(text, at);
        }
        continue;
      }
      if (text[at] == '{') open.push_back({at + 1, false});
      if (text[at] == '}' && !open.empty()) {
        const OpenBrace brace = open.back();
        open.pop_back();
        if (brace.box && brace.content > last_content && at - brace.content <= kMaxAnswerBytes) {
          const std::string_view answer = trim(text.substr(brace.content, at - brace.content));
          if (!answer.empty()) {
            found.push_back({at + 1, false, std::string(answer)});
            last_content = brace.content;
          }
        }
      }
      ++at;
    }
    return found;
  }
};

}  // namespace

std::unique_ptr<Extractor> make_boxed_extractor(const schemas::Arguments& /*arguments*/) {
  return std::make_unique<BoxedExtractor>();
}

}  // namespace lil::analyze
