#include "analyze/cell_sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>

#include "analyze/answer_events.h"
#include "analyze/probe_events.h"
#include "analyze/verdict.h"
#include "replay/signals/registry.h"
#include "replay/stream.h"
#include "schemas/answer_store.h"
#include "schemas/error.h"
#include "schemas/probe_store.h"
#include "schemas/run_store.h"

namespace lil::analyze {
namespace {

using schemas::CurveId;

std::string path_of(const schemas::Store& store) {
  return store.path().string();
}

/// The traces for which a failure to grade or replay is on record, by run and problem.
using FailedTraces = std::set<std::pair<schemas::RunKey, std::string>>;

FailedTraces failed_traces(const schemas::Store& store) {
  FailedTraces failed;
  for (const auto& failure : schemas::list_failures(store)) {
    if (failure.run && (failure.stage == "grade" || failure.stage == "replay")) {
      failed.emplace(*failure.run, failure.subject);
    }
  }
  return failed;
}

/// Every trace that has any curve; nothing is missing where no curves are stored at all.
std::set<schemas::TraceKey> replayed_traces(const schemas::Store& store, const std::vector<CurveId>& stored) {
  std::set<schemas::TraceKey> replayed;
  for (const auto& id : stored) replayed.merge(schemas::traces_with_curve(store, id));
  return replayed;
}

/// What the traces of a store lack, and which of them may lack it.
class TraceSieve {
 public:
  TraceSieve(const schemas::Store& store, const SourceRequest& request, const std::vector<CurveId>& stored)
      : store_(store),
        request_(request),
        failed_(failed_traces(store)),
        replayed_(failed_.empty() ? std::set<schemas::TraceKey>() : replayed_traces(store, stored)) {}

  /// The trace's answer events; nothing where it is left out.
  std::optional<std::vector<schemas::AnswerEvent>> pass(const schemas::TraceInfo& trace) const {
    auto events = schemas::read_answers(store_, trace.key, request_.grading);
    const bool failed = failed_.count({trace.run, trace.problem_id}) > 0;
    const bool unreplayed = !replayed_.empty() && replayed_.count(trace.key) == 0;
    if (failed && (!events || unreplayed)) {
      if (request_.left_out) {
        request_.left_out(fmt::format("trace {} (run {}, {} {})", trace.uid, trace.run_uid, trace.problem_set,
                                      trace.problem_id));
      }
      return std::nullopt;
    }
    if (events) return events;
    throw Error(
        ErrorCode::kNotFound,
        fmt::format(
            "{0}: trace {1} (run {2}, {3} {4}) is not graded as '{5}'; run `lil grade {0} --extract {6}`",
            path_of(store_), trace.uid, trace.run_uid, trace.problem_set, trace.problem_id, request_.grading,
            request_.grading.substr(0, request_.grading.find('/'))));
  }

 private:
  const schemas::Store& store_;
  const SourceRequest& request_;
  FailedTraces failed_;
  std::set<schemas::TraceKey> replayed_;
};

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

/// Those that some trace of the group has: another run may have been replayed with other signals.
std::vector<CurveId> curves_of(const schemas::Store& store, const TraceGroup& group) {
  std::vector<CurveId> curves;
  for (const CurveId& id : schemas::list_curve_ids(store)) {
    const auto traces = schemas::traces_with_curve(store, id);
    const bool has = std::any_of(group.traces.begin(), group.traces.end(),
                                 [&](const GradedTrace& trace) { return traces.count(trace.info.key) != 0; });
    if (has) curves.push_back(id);
  }
  return curves;
}

/// The probes of each trace of a group: those of the one closing that is asked for, or there.
std::vector<std::vector<schemas::Probe>> probes_of(const schemas::Store& store, const SourceRequest& request,
                                                   const TraceGroup& group) {
  std::vector<std::vector<schemas::Probe>> probes;
  std::set<std::string> closings;
  for (const GradedTrace& trace : group.traces) {
    auto& of_trace = probes.emplace_back(schemas::read_probes(store, trace.info.key));
    std::erase_if(of_trace, [&](const schemas::Probe& probe) {
      return !request.closing.empty() && probe.closing != request.closing;
    });
    for (const schemas::Probe& probe : of_trace) closings.insert(probe.closing);
  }
  const std::string where = fmt::format("{}: run {}, {}", path_of(store), group.run.uid, group.problem_set);
  if (closings.empty()) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("{}: no answers of probes are recorded{}; record with --probe-answers", where,
                            request.closing.empty() ? "" : " of that closing"));
  }
  if (closings.size() == 1) return probes;
  throw Error(ErrorCode::kUsage,
              fmt::format("{}: there are probes of {} closings; say which one", where, closings.size()));
}

using GroupKey = std::pair<schemas::RunKey, std::string>;

/// The traces of a run and problem set by whether they are complete.
struct Completeness {
  std::int64_t traces = 0;
  std::int64_t incomplete = 0;
};

/// Why traces of a run may be missing of which the store has no row; empty where none is.
std::string missing_beside(const std::string& status) {
  if (status == "open") return "the run has not ended, so others may be missing";
  return status == "failed" ? "the run had failures, so others may be missing" : "";
}

/// Unfinished traces are by nature the longest: without them a run looks shorter than it is.
void warn_of_incomplete(const schemas::RunRecord& run, const std::string& problem_set,
                        const Completeness& found, const SourceRequest& request) {
  const std::string missing = missing_beside(run.status);
  if (!request.warning || (found.incomplete == 0 && missing.empty())) return;
  const std::string counts =
      found.incomplete == 0
          ? fmt::format("{} traces are complete", found.traces)
          : fmt::format("{} of {} traces are not complete and left out", found.incomplete, found.traces);
  request.warning(
      fmt::format("run {}, {}: {}{}{}", run.uid, problem_set, counts, missing.empty() ? "" : "; ", missing));
}

void answer_by_probes(const schemas::Store& store, const SourceRequest& request, TraceGroup& group) {
  const auto probes = probes_of(store, request, group);
  for (std::size_t i = 0; i < group.traces.size(); ++i) {
    GradedTrace& trace = group.traces[i];
    trace.events = probe_events(probes[i], trace.info, event_at(trace.events, trace.info.tokens));
  }
}

}  // namespace

std::string answers_name(const SourceRequest& request) {
  return std::string(request.answers == AnswerSource::kProbe ? kProbeAnswers : "") + request.grading;
}

bool GradedTrace::right_at(std::int64_t token) const {
  return event_at(events, token).verdict == to_string(Verdict::kRight);
}

bool GradedTrace::has_gold() const {
  return analyze::has_gold(info);
}

std::vector<TraceGroup> load_groups(const schemas::Store& store, const SourceRequest& request) {
  const std::vector<CurveId> stored = schemas::list_curve_ids(store);
  schemas::TraceFilter filter = request.filter;
  filter.complete_only = false;
  std::map<schemas::RunKey, schemas::RunRecord> runs;
  for (auto& run : schemas::list_runs(store)) runs.emplace(run.key, std::move(run.record));
  std::vector<TraceGroup> groups;
  std::map<GroupKey, std::size_t> group_of;
  std::map<GroupKey, Completeness> completeness;
  std::map<std::pair<std::size_t, schemas::ProblemKey>, std::size_t> problem_of;
  const TraceSieve sieve(store, request, stored);
  for (auto& trace : schemas::list_traces(store, filter)) {
    Completeness& of_group = completeness[{trace.run, trace.problem_set}];
    ++of_group.traces;
    if (!trace.complete) ++of_group.incomplete;
    auto events = trace.complete ? sieve.pass(trace) : std::nullopt;
    if (!events) continue;
    const auto [entry, is_new] = group_of.try_emplace({trace.run, trace.problem_set}, groups.size());
    if (is_new) groups.push_back({runs.at(trace.run), trace.problem_set, {}, 0, 0, 0});
    TraceGroup& group = groups[entry->second];
    const auto [problem, new_problem] =
        problem_of.try_emplace({entry->second, trace.problem}, group.problems);
    if (new_problem) ++group.problems;
    group.traces.push_back({std::move(trace), std::move(*events), problem->second});
  }
  for (const auto& [key, found] : completeness) {
    warn_of_incomplete(runs.at(key.first), key.second, found, request);
    const auto entry = group_of.find(key);
    if (entry != group_of.end()) groups[entry->second].incomplete = found.incomplete;
  }
  if (groups.empty()) {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: no complete trace is selected", path_of(store)));
  }
  if (request.answers == AnswerSource::kProbe) {
    for (TraceGroup& group : groups) answer_by_probes(store, request, group);
  }
  return groups;
}

void keep_gold(const SourceRequest& request, TraceGroup& group) {
  const std::size_t all = group.traces.size();
  std::erase_if(group.traces, [](const GradedTrace& trace) { return !trace.has_gold(); });
  const std::size_t without = all - group.traces.size();
  if (without == 0) return;
  group.without_gold = static_cast<std::int64_t>(without);
  std::map<std::size_t, std::size_t> problems;
  for (GradedTrace& trace : group.traces)
    trace.problem = problems.try_emplace(trace.problem, problems.size()).first->second;
  group.problems = problems.size();
  if (!request.warning) return;
  request.warning(fmt::format(
      "run {}, {}: {} of {} traces have no gold answer and are left out: they can lose no right one",
      group.run.uid, group.problem_set, without, all));
}

std::vector<Measure> choose_measures(const schemas::Store& store, const SourceRequest& request,
                                     const TraceGroup& group) {
  const std::vector<CurveId> stored = curves_of(store, group);
  std::vector<std::string> signals;
  for (const auto& spec : request.signals) add_once(signals, replay::make_signal(spec)->name());
  if (request.signals.empty()) {
    for (const auto& id : stored) add_once(signals, id.signal);
  }
  std::vector<Measure> measures;
  for (const auto& signal : signals) {
    std::vector<std::string> streams;
    for (const auto& stream : request.streams)
      add_once(streams, replay::to_string(replay::stream_from(stream)));
    for (const auto& id : stored) {
      if (request.streams.empty() && id.signal == signal) add_once(streams, id.stream);
    }
    if (streams.empty()) streams.emplace_back(replay::to_string(replay::StreamKind::kText));
    for (auto& stream : streams) measures.push_back({signal, std::move(stream)});
  }
  if (!measures.empty()) return measures;
  throw Error(ErrorCode::kNotFound,
              fmt::format("{}: no curves are stored; run `lil replay {} --signal 'zlib(level=6)'`",
                          path_of(store), path_of(store)));
}

CurveChooser::CurveChooser(const schemas::Store& store, const TraceGroup& group)
    : store_(store), group_(group), stored_(schemas::list_curve_ids(store)) {}

CurveId CurveChooser::choose(const std::string& what, std::int64_t needed, const Measure& measure) {
  std::string newest;
  for (const CurveId& id : stored_) {
    if (id.signal == measure.signal && id.stream == measure.stream) newest = id.version;
  }
  std::vector<CurveId> usable;
  for (const CurveId& id : stored_) {
    const bool same = id.signal == measure.signal && id.stream == measure.stream && id.version == newest;
    if (same && needed % id.grid_tokens == 0) usable.push_back(id);
  }
  std::sort(usable.begin(), usable.end(),
            [](const CurveId& a, const CurveId& b) { return a.grid_tokens > b.grid_tokens; });
  for (const CurveId& id : usable) {
    if (first_without(id) == nullptr) return id;
  }
  const std::string missing = usable.empty()
                                  ? fmt::format("no curve of {} on {} has a grid that divides {} tokens",
                                                measure.signal, measure.stream, needed)
                                  : fmt::format("trace {} has no curve of {} ({}) on {} every {} tokens",
                                                first_without(usable.front())->uid, measure.signal, newest,
                                                measure.stream, usable.front().grid_tokens);
  throw Error(ErrorCode::kNotFound,
              fmt::format("{}: {}, which {} needs; run `lil replay {} --signal '{}' --stream {} --every {}`",
                          path_of(store_), missing, what, path_of(store_), measure.signal, measure.stream,
                          usable.empty() ? needed : usable.front().grid_tokens));
}

/// The first trace of the group without a curve of this id; nullptr where all have one.
const schemas::TraceInfo* CurveChooser::first_without(const CurveId& id) {
  auto known = holders_.find(id);
  if (known == holders_.end()) known = holders_.emplace(id, schemas::traces_with_curve(store_, id)).first;
  for (const auto& trace : group_.traces) {
    if (!known->second.contains(trace.info.key)) return &trace.info;
  }
  return nullptr;
}

}  // namespace lil::analyze
