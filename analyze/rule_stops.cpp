#include "analyze/rule_stops.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "replay/signals/registry.h"
#include "replay/stop_rules/registry.h"
#include "replay/stream.h"
#include "schemas/trace_store.h"

namespace lil::analyze {

std::optional<std::int64_t> RuleRunner::stop(const replay::StopRule& rule, const GradedTrace& trace,
                                             const schemas::Curve* curve) {
  const auto kind = rule.schedule().reads_stream;
  if (!kind) return rule.stop({trace.info.tokens, curve, trace.events});
  const replay::Stream stream = replay::build_stream(*kind, schemas::read_tokens(store_, trace.info.key),
                                                     vocabularies_.get(trace.info.tokenizer));
  return rule.stop({trace.info.tokens, curve, trace.events, &stream});
}

TraceStops RuleRunner::stops(const replay::StopRule& rule, const TraceGroup& group,
                             const std::optional<schemas::CurveId>& id) {
  TraceStops stops;
  for (const GradedTrace& trace : group.traces) {
    const auto curve = id ? schemas::read_curve(store_, trace.info.key, *id) : std::nullopt;
    assert(curve || !id);
    stops.push_back(stop(rule, trace, curve ? &*curve : nullptr));
  }
  return stops;
}

std::int64_t grid_needed(const replay::StopRule& rule) {
  const replay::LookSchedule looks = rule.schedule();
  return std::gcd(looks.every_tokens, looks.first_token);
}

TraceStops reference_stops(const schemas::Store& store, const TraceGroup& group, const std::string& spec) {
  const auto rule = replay::make_stop_rule(spec);
  std::optional<schemas::CurveId> id;
  if (rule->schedule().reads_signal) {
    const Measure measure{replay::make_signal("zlib")->name(),
                          std::string(replay::to_string(replay::StreamKind::kText))};
    id = CurveChooser(store, group).choose("rule " + rule->name(), grid_needed(*rule), measure);
  }
  return RuleRunner(store).stops(*rule, group, id);
}

Interval saved_interval(const TraceGroup& group, const TraceStops& stops, const Bootstrap& bootstrap) {
  return saved_more(group, stops, TraceStops(group.traces.size()), bootstrap).interval;
}

Estimate saved_more(const TraceGroup& group, const TraceStops& stops, const TraceStops& reference,
                    const Bootstrap& bootstrap) {
  assert(stops.size() == group.traces.size() && reference.size() == stops.size());
  std::vector<RatioPart> parts(group.problems);
  std::int64_t more = 0;
  std::int64_t all = 0;
  for (std::size_t i = 0; i < group.traces.size(); ++i) {
    const std::int64_t tokens = group.traces[i].info.tokens;
    const std::int64_t saved = reference[i].value_or(tokens) - stops[i].value_or(tokens);
    RatioPart& part = parts[group.traces[i].problem];
    part.numerator += static_cast<double>(saved);
    part.denominator += static_cast<double>(tokens);
    more += saved;
    all += tokens;
  }
  const auto tokens = static_cast<double>(std::max<std::int64_t>(1, all));
  return {static_cast<double>(more) / tokens, bootstrap_ratio(parts, bootstrap)};
}

}  // namespace lil::analyze
