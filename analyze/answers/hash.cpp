#include "analyze/answers/extractor.h"
#include "analyze/answers/number_span.h"

namespace lil::analyze {
namespace {

constexpr std::string_view kMark = "####";

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/// `#### 18`, the last line of GSM8K's solutions: exactly four marks, a number, and nothing else up to the
/// end of the line but a full stop. (A heading of the fourth level has the same marks.)
class HashExtractor final : public Extractor {
 public:
  [[nodiscard]] std::vector<FoundAnswer> find(std::string_view text, bool finished) const override {
    std::vector<FoundAnswer> found;
    std::size_t begin = text.find(kMark);
    while (begin != std::string_view::npos) {
      std::size_t end = begin;
      while (end < text.size() && text[end] == '#') ++end;
      if (end - begin == kMark.size()) add_answer(text, end, finished, found);
      begin = text.find(kMark, end);
    }
    return found;
  }

 private:
  static void add_answer(std::string_view text, std::size_t at, bool finished,
                         std::vector<FoundAnswer>& found) {
    while (at < text.size() && is_blank(text[at])) ++at;
    const auto number = number_span(text, at);
    if (!number || number->end - at > kMaxAnswerBytes) return;
    std::size_t end = number->end;
    if (end < text.size() && text[end] == '.') ++end;
    while (end < text.size() && (is_blank(text[end]) || text[end] == '\r')) ++end;
    const std::string answer(text.substr(at, number->end - at));
    if (end < text.size() && text[end] == '\n') found.push_back({end + 1, false, answer});
    if (end == text.size() && finished) found.push_back({end, true, answer});
  }
};

}  // namespace

std::unique_ptr<Extractor> make_hash_extractor(const schemas::Arguments& /*arguments*/) {
  return std::make_unique<HashExtractor>();
}

}  // namespace lil::analyze
