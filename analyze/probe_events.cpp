#include "analyze/probe_events.h"

#include <map>
#include <string>

#include "analyze/verdict.h"

namespace lil::analyze {

std::vector<schemas::AnswerEvent> probe_events(std::span<const schemas::Probe> probes,
                                               const schemas::TraceInfo& trace,
                                               const schemas::AnswerEvent& full) {
  std::map<std::string, std::string> verdicts;  // probes often repeat an answer
  std::vector<schemas::AnswerEvent> events = {{0, "", to_string(Verdict::kNone)}};
  const auto add = [&](schemas::AnswerEvent event) {
    if (events.back().token == event.token) events.pop_back();
    if (events.empty() || events.back().answer != event.answer || events.back().verdict != event.verdict)
      events.push_back(std::move(event));
  };
  for (const schemas::Probe& probe : probes) {
    if (probe.token >= trace.tokens) break;
    const std::string answer = probe.finish == schemas::ProbeFinish::kLength ? "" : probe.text;
    const auto [verdict, is_new] = verdicts.try_emplace(answer);
    if (is_new)
      verdict->second = to_string(answer.empty() ? Verdict::kNone : judge(answer, trace.gold, trace.kind));
    add({probe.token, answer, verdict->second});
  }
  add({trace.tokens, full.answer, full.verdict});
  return events;
}

}  // namespace lil::analyze
