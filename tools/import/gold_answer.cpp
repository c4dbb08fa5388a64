#include "tools/import/gold_answer.h"

#include "analyze/verdict.h"

namespace lil::tools {
namespace {

constexpr std::string_view kGsm8kMark = "####";
constexpr std::string_view kSpace = " \t\r\n";

}  // namespace

std::string gold_of(std::string_view text) {
  if (const std::size_t mark = text.rfind(kGsm8kMark); mark != std::string_view::npos) {
    text.remove_prefix(mark + kGsm8kMark.size());
  }
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
}

schemas::AnswerKind answer_kind_of(const std::string& gold) {
  return gold.empty() ? schemas::AnswerKind::kNone : analyze::guess_answer_kind(gold);
}

}  // namespace lil::tools
