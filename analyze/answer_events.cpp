#include "analyze/answer_events.h"

#include <algorithm>
#include <cassert>
#include <map>

namespace lil::analyze {
namespace {

void fill_verdicts(std::vector<schemas::AnswerEvent>& events, const VerdictOf& verdict_of) {
  std::map<std::string, std::string> known;
  for (auto& event : events) {
    const auto [entry, is_new] = known.try_emplace(event.answer);
    if (is_new) entry->second = verdict_of(event.answer);
    event.verdict = entry->second;
  }
}

}  // namespace

std::vector<schemas::AnswerEvent> find_answer_events(std::string_view text,
                                                     std::span<const std::int64_t> ends,
                                                     const Extraction& extraction, bool finished,
                                                     const VerdictOf& verdict_of) {
  assert(text.size() == (ends.empty() ? 0 : static_cast<std::size_t>(ends.back())));
  const auto tokens = static_cast<std::int64_t>(ends.size());
  std::vector<schemas::AnswerEvent> events = {{0, "", ""}};
  std::int64_t token = 0;
  for (auto& found : extraction.find(text, finished)) {
    const auto bytes = static_cast<std::int64_t>(found.readable_at);
    while (token < tokens && (token == 0 || ends[token - 1] < bytes)) ++token;
    if (found.at_end) token = tokens;
    // Of several changes within one token only the last can be seen, and it may undo the others.
    if (events.back().token == token) events.pop_back();
    if (events.back().answer != found.answer) {
      events.push_back({token, std::move(found.answer), ""});
    }
  }
  if (verdict_of) fill_verdicts(events, verdict_of);
  return events;
}

const schemas::AnswerEvent& event_at(std::span<const schemas::AnswerEvent> events, std::int64_t token) {
  assert(!events.empty() && events.front().token == 0 && token >= 0);
  const auto after =
      std::upper_bound(events.begin(), events.end(), token,
                       [](std::int64_t k, const schemas::AnswerEvent& event) { return k < event.token; });
  return *std::prev(after);
}

}  // namespace lil::analyze
