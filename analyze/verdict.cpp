#include "analyze/verdict.h"

#include <memory>
#include <optional>
#include <vector>

#include "analyze/answers/trim.h"
#include "analyze/graders/registry.h"

namespace lil::analyze {
namespace {

struct NamedGrader {
  std::string name;
  std::unique_ptr<Grader> grader;
};

/// One of each row, in the registry's order.
const std::vector<NamedGrader>& graders() {
  static const std::vector<NamedGrader> all = [] {
    std::vector<NamedGrader> made;
    for (const auto& row : grader_registry()) {
      made.push_back(
          {row.name, row.make(schemas::resolve_arguments("grader", {row.name, {}}, row.parameters))});
    }
    return made;
  }();
  return all;
}

/// The word of the first grader that serves the kind and reads both sides.
std::optional<bool> equal_answers(std::string_view answer, std::string_view gold, schemas::AnswerKind kind) {
  for (const NamedGrader& named : graders()) {
    if (!named.grader->serves(kind)) continue;
    if (const auto equal = named.grader->equal(answer, gold)) return equal;
  }
  return std::nullopt;
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
  return equal_answers(answer, gold, kind).value_or(false) ? Verdict::kRight : Verdict::kWrong;
}

schemas::AnswerKind guess_answer_kind(std::string_view gold) {
  if (trim(gold).empty()) return schemas::AnswerKind::kNone;
  const auto& first = graders().front();  // that of numbers: it reads nothing else
  const bool number = first.grader->equal(gold, gold).has_value();
  return number ? schemas::AnswerKind::kNumber : schemas::AnswerKind::kMath;
}

std::string grading_name(const Extraction& extraction) {
  std::string name = extraction.name();
  for (const NamedGrader& named : graders()) {
    name += " " + named.name + "/" + std::to_string(named.grader->version());
  }
  return name;
}

}  // namespace lil::analyze
