#include "analyze/calibration/trial_group.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "analyze/paired.h"

namespace lil::analyze {
namespace {

/// Per problem, the sum of `value` over its traces and their number.
template <class ValueOf>
std::vector<RatioPart> parts_by_problem(const TraceGroup& group, const TraceStops& stops, ValueOf&& value) {
  std::vector<RatioPart> parts(group.problems);
  for (std::size_t i = 0; i < group.traces.size(); ++i) {
    const GradedTrace& trace = group.traces[i];
    const bool full = trace.right_at(trace.info.tokens);
    const bool stop = trace.right_at(stops[i].value_or(trace.info.tokens));
    parts[trace.problem].numerator += value(full, stop);
    parts[trace.problem].denominator += 1;
  }
  return parts;
}

}  // namespace

Trials make_trials(const TraceGroup& group, const ProblemSplit& split) {
  std::vector<TrialTrace> traces;
  std::vector<std::uint64_t> places(group.problems);
  for (const GradedTrace& trace : group.traces) {
    traces.push_back({trace.problem, trace.info.tokens, RightSpans(trace.events)});
    places[trace.problem] = split.place(trace.info.problem_set, trace.info.problem_id);
  }
  std::vector<std::size_t> order(group.problems);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return places[a] < places[b]; });
  std::vector<Part> parts;
  for (const std::uint64_t place : places) parts.push_back(split.part(place));
  return {std::move(traces), std::move(parts), std::move(order)};
}

GroupPart part_of_group(const TraceGroup& group, const Trials& trials, Part part) {
  GroupPart found;
  found.group.run = group.run;
  found.group.problem_set = group.problem_set;
  std::map<std::size_t, std::size_t> problems;
  for (std::size_t i = 0; i < group.traces.size(); ++i) {
    if (trials.part_of(trials.traces()[i]) != part) continue;
    found.traces.push_back(i);
    found.group.traces.push_back(group.traces[i]);
    found.group.traces.back().problem =
        problems.try_emplace(group.traces[i].problem, problems.size()).first->second;
  }
  found.group.problems = problems.size();
  return found;
}

TraceStops stops_at(const GroupPart& part, const Family& family, std::optional<std::int64_t> t) {
  TraceStops stops;
  for (std::size_t i = 0; i < part.traces.size(); ++i) {
    const std::int64_t tokens = part.group.traces[i].info.tokens;
    const std::int64_t kept = kept_at(family.corners[part.traces[i]], tokens, t);
    stops.push_back(kept < tokens ? std::optional(kept) : std::nullopt);
  }
  return stops;
}

TestReport report_test(const GroupPart& part, const TraceStops& stops, PartReport counts,
                       const Bootstrap& bootstrap) {
  TestReport report;
  report.part = std::move(counts);
  const Cell& cell = report.part.cell;
  report.saved = saved_interval(part.group, stops, bootstrap);
  report.has_repeats = part.group.problems < part.group.traces.size();
  if (report.has_repeats) {
    const auto harmed = [](bool full, bool stop) { return full && !stop ? 1.0 : 0.0; };
    const auto change = [](bool full, bool stop) { return (stop ? 1.0 : 0.0) - (full ? 1.0 : 0.0); };
    report.harm = bootstrap_ratio(parts_by_problem(part.group, stops, harmed), bootstrap);
    report.difference = bootstrap_ratio(parts_by_problem(part.group, stops, change), bootstrap);
    return report;
  }
  const PairedCounts pairs{cell.traces, cell.harm, cell.gain};
  report.harm = clopper_pearson(cell.harm, cell.traces);
  report.difference = tango(pairs);
  report.mcnemar = mcnemar_exact(pairs);
  return report;
}

}  // namespace lil::analyze
