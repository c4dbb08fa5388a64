#pragma once

#include <string>
#include <string_view>

#include "schemas/trace.h"

namespace lil::tools {

/// The right answer out of what a data set calls one: of a worked solution as GSM8K has it, what stands
/// after the last `####`; of anything else, all of it. Without space at its ends.
[[nodiscard]] std::string gold_of(std::string_view text);

/// What kind of answer `gold` is, and so which grader compares it; kNone where it is empty.
[[nodiscard]] schemas::AnswerKind answer_kind_of(const std::string& gold);

}  // namespace lil::tools
