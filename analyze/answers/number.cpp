#include "analyze/answers/extractor.h"
#include "analyze/answers/number_span.h"

namespace lil::analyze {
namespace {

/// Where the number begins whose first digit is at `digit`: with the point, currency and sign before it.
std::size_t number_begin(std::string_view text, std::size_t digit, std::size_t from) {
  std::size_t begin = digit;
  if (begin > from && text[begin - 1] == '.' && (begin - 1 == from || !is_letter(text[begin - 2]))) --begin;
  if (begin > from && text[begin - 1] == '$') --begin;
  const bool sign = begin > from && text[begin - 1] == '-';
  const bool binary = begin > from + 1 && (is_letter(text[begin - 2]) || text[begin - 2] == ')');
  return sign && !binary ? begin - 1 : begin;
}

/// The last number, readable as soon as what follows shows that it has ended. A digit right after a
/// letter (`H2O`) begins none.
class NumberExtractor final : public Extractor {
 public:
  [[nodiscard]] std::vector<FoundAnswer> find(std::string_view text, bool finished) const override {
    std::vector<FoundAnswer> found;
    std::size_t from = 0;  // nothing before it belongs to the next number
    std::size_t at = 0;
    while (at < text.size()) {
      if (!is_digit(text[at])) {
        ++at;
        continue;
      }
      const bool attached = at > from && is_letter(text[at - 1]);
      const std::size_t begin = number_begin(text, at, from);
      const auto number = number_span(text, begin);
      const std::size_t end = number ? number->end : at + 1;
      if (number && !attached && end - begin <= kMaxAnswerBytes) {
        const bool ended = number->seen <= text.size();
        const std::string answer(text.substr(begin, end - begin));
        if (ended || finished) found.push_back({ended ? number->seen : text.size(), !ended, answer});
      }
      from = end;
      at = end;
    }
    return found;
  }
};

}  // namespace

std::unique_ptr<Extractor> make_number_extractor(const schemas::Arguments& /*arguments*/) {
  return std::make_unique<NumberExtractor>();
}

}  // namespace lil::analyze
