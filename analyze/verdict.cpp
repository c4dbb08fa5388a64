#include "analyze/verdict.h"

#include <memory>
#include <utility>

#include "analyze/answers/trim.h"
#include "analyze/graders/registry.h"

namespace lil::analyze {
namespace {

std::unique_ptr<Grader> make_grader(std::string_view name) {
  const auto [row, arguments] = schemas::resolve_row("grader", grader_registry(), name);
  return row->make(arguments);
}

const Grader& number_grader() {
  static const std::unique_ptr<Grader> kGrader = make_grader("number");
  return *kGrader;
}

const Grader& text_grader() {
  static const std::unique_ptr<Grader> kGrader = make_grader("text");
  return *kGrader;
}

bool may_be_numbers(schemas::AnswerKind kind) {
  return kind == schemas::AnswerKind::kNumber || kind == schemas::AnswerKind::kMath;
}

}  // namespace

const char* to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kRight:
      return "right";
    case Verdict::kWrong:
      return "wrong";
    case Verdict::kNone:
      return "none";
    case Verdict::kTimeout:
      return "timeout";
  }
  return "none";
}

Verdict judge(std::string_view answer, std::string_view gold, schemas::AnswerKind kind) {
  if (kind == schemas::AnswerKind::kNone || trim(answer).empty() || trim(gold).empty()) return Verdict::kNone;
  std::optional<bool> equal;
  if (may_be_numbers(kind)) equal = number_grader().equal(answer, gold);
  if (!equal) equal = text_grader().equal(answer, gold);
  return equal.value_or(false) ? Verdict::kRight : Verdict::kWrong;
}

schemas::AnswerKind guess_answer_kind(std::string_view gold) {
  if (trim(gold).empty()) return schemas::AnswerKind::kNone;
  const bool number = number_grader().equal(gold, gold).has_value();
  return number ? schemas::AnswerKind::kNumber : schemas::AnswerKind::kMath;
}

std::string grading_name(const Extraction& extraction) {
  std::string name = extraction.name();
  for (const auto* grader : {"number", "text"}) {
    name += " " + std::string(grader) + "/" + std::to_string(make_grader(grader)->version());
  }
  return name;
}

}  // namespace lil::analyze
