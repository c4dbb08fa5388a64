#include "analyze/verdict.h"

#include <algorithm>
#include <memory>
#include <string>
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
Comparison compare_answers(std::string_view answer, std::string_view gold, schemas::AnswerKind kind) {
  for (const NamedGrader& named : graders()) {
    if (!named.grader->serves(kind)) continue;
    const Comparison said = named.grader->compare(answer, gold);
    if (said != Comparison::kUnread) return said;
  }
  return Comparison::kUnread;
}

/// Whether the grader called `name` reads `gold`.
bool reads(std::string_view name, std::string_view gold) {
  return std::any_of(graders().begin(), graders().end(), [&](const NamedGrader& named) {
    return named.name == name && named.grader->compare(gold, gold) != Comparison::kUnread;
  });
}

/// A letter that can only be an option's: `(C)`, `\text{(C)}`; alone, it may be a variable.
bool is_bracketed(std::string_view gold) {
  return gold.find('(') != std::string_view::npos;
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
  switch (compare_answers(answer, gold, kind)) {
    case Comparison::kEqual:
      return Verdict::kRight;
    case Comparison::kTimeout:
      return Verdict::kTimeout;
    default:
      return Verdict::kWrong;
  }
}

bool has_gold(const schemas::TraceInfo& trace) {
  return trace.kind != schemas::AnswerKind::kNone && !trim(trace.gold).empty();
}

schemas::AnswerKind guess_answer_kind(std::string_view gold) {
  if (trim(gold).empty()) return schemas::AnswerKind::kNone;
  if (reads("number", gold)) return schemas::AnswerKind::kNumber;
  if (is_bracketed(gold) && reads("choice", gold)) return schemas::AnswerKind::kChoice;
  return schemas::AnswerKind::kMath;
}

std::string grading_name(const Extraction& extraction) {
  std::string name = extraction.name();
  for (const NamedGrader& named : graders()) {
    name += " " + named.name + "/" + std::to_string(named.grader->version());
  }
  return name;
}

}  // namespace lil::analyze
