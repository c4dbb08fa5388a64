#pragma once

#include <string>
#include <string_view>

#include "analyze/extraction.h"
#include "schemas/trace.h"

namespace lil::analyze {

/// What grading says of an answer.
enum class Verdict {
  kRight,
  kWrong,
  kNone,     ///< no answer is readable, or the problem has no gold answer
  kTimeout,  ///< the grader gave up
};

/// The name stored with an answer event.
[[nodiscard]] const char* to_string(Verdict verdict);

/// Judges an answer: the first grader of the registry that serves the kind and reads both sides decides. So
/// `number` and `math` golds are compared as numbers, else as mathematics, else as text; `choice` golds by
/// their letter, else as text. Bounded in time for any input. Safe to call from several threads.
[[nodiscard]] Verdict judge(std::string_view answer, std::string_view gold, schemas::AnswerKind kind);

/// Whether an answer to a trace's problem can be judged at all.
[[nodiscard]] bool has_gold(const schemas::TraceInfo& trace);

/// The kind of a gold answer that comes without one: none where empty, number where it reads as one, choice
/// where it is a letter from A to J in brackets, else math.
[[nodiscard]] schemas::AnswerKind guess_answer_kind(std::string_view gold);

/// What answer events are stored under: extraction and graders with their versions, as
/// `json+boxed+hash+phrase/1 number/3 math/2 choice/1 text/2`.
[[nodiscard]] std::string grading_name(const Extraction& extraction);

}  // namespace lil::analyze
