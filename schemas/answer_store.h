#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schemas/store.h"
#include "schemas/trace.h"

namespace lil::schemas {

/// Replaces the events of this trace and extractor. `events` is in order of token and starts at token 0,
/// so that a graded trace always has one. `extractor` names extraction and grader with their versions.
void put_answers(Store& store, TraceKey trace, const std::string& extractor,
                 const std::vector<AnswerEvent>& events);
/// Nothing where the trace was not graded by this extractor.
[[nodiscard]] std::optional<std::vector<AnswerEvent>> read_answers(const Store& store, TraceKey trace,
                                                                   const std::string& extractor);
/// Extractors that graded any trace of the store, in alphabetical order.
[[nodiscard]] std::vector<std::string> list_extractors(const Store& store);

}  // namespace lil::schemas
