#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/extraction.h"
#include "schemas/trace.h"

namespace lil::analyze {

/// The verdict on an answer; asked once for each distinct one.
using VerdictOf = std::function<std::string(const std::string& answer)>;

/// The answers readable as a text grows token by token, in one pass over it. `ends[k - 1]` is the length of
/// the text after k tokens, so `ends.back()` is all of it. An event's token is the smallest k whose prefix
/// has that answer. The first event is at token 0, with no answer; events that change nothing are left out.
/// `finished` says that the writer ended the text itself: then an answer that waits for its end (`18` might
/// go on as `180`) counts from the last token on.
[[nodiscard]] std::vector<schemas::AnswerEvent> find_answer_events(std::string_view text,
                                                                   std::span<const std::int64_t> ends,
                                                                   const Extraction& extraction,
                                                                   bool finished,
                                                                   const VerdictOf& verdict_of = {});

/// The last event at or before `token`, by binary search. `events` must begin at token 0.
[[nodiscard]] const schemas::AnswerEvent& event_at(std::span<const schemas::AnswerEvent> events,
                                                   std::int64_t token);

}  // namespace lil::analyze
