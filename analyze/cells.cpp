#include "analyze/cells.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <utility>

#include "analyze/answer_events.h"
#include "analyze/verdict.h"
#include "replay/signals/registry.h"
#include "replay/stop_rules/registry.h"
#include "replay/stream.h"
#include "schemas/answer_store.h"
#include "schemas/curve_store.h"
#include "schemas/error.h"
#include "schemas/run_store.h"

namespace lil::analyze {
namespace {

using schemas::CurveId;
using Rule = std::unique_ptr<replay::StopRule>;
/// For each trace of a group the tokens kept; nothing where the rule lets it end by itself.
using Stops = std::vector<std::optional<std::int64_t>>;

constexpr const char* kNoSignal = "-";

struct GradedTrace {
  schemas::TraceInfo info;
  std::vector<schemas::AnswerEvent> events;
  std::size_t problem = 0;  ///< index among the problems of the group

  [[nodiscard]] bool right_at(std::int64_t token) const {
    return event_at(events, token).verdict == to_string(Verdict::kRight);
  }
};

/// The traces of one run and problem set.
struct Group {
  schemas::RunRecord run;
  std::string problem_set;
  std::vector<GradedTrace> traces;
  std::size_t problems = 0;
};

/// A signal on a stream.
struct Measure {
  std::string signal;
  std::string stream;
};

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
  TraceSieve(const schemas::Store& store, const CellRequest& request, const std::vector<CurveId>& stored)
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
  const CellRequest& request_;
  FailedTraces failed_;
  std::set<schemas::TraceKey> replayed_;
};

std::vector<Group> load_groups(const schemas::Store& store, const CellRequest& request,
                               const std::vector<CurveId>& stored) {
  schemas::TraceFilter filter = request.filter;
  filter.complete_only = true;
  std::map<schemas::RunKey, schemas::RunRecord> runs;
  for (auto& run : schemas::list_runs(store)) runs.emplace(run.key, std::move(run.record));
  std::vector<Group> groups;
  std::map<std::pair<schemas::RunKey, std::string>, std::size_t> group_of;
  std::map<std::pair<std::size_t, schemas::ProblemKey>, std::size_t> problem_of;
  const TraceSieve sieve(store, request, stored);
  for (auto& trace : schemas::list_traces(store, filter)) {
    auto events = sieve.pass(trace);
    if (!events) continue;
    const auto [entry, is_new] = group_of.try_emplace({trace.run, trace.problem_set}, groups.size());
    if (is_new) groups.push_back({runs.at(trace.run), trace.problem_set, {}, 0});
    Group& group = groups[entry->second];
    const auto [problem, new_problem] =
        problem_of.try_emplace({entry->second, trace.problem}, group.problems);
    if (new_problem) ++group.problems;
    group.traces.push_back({std::move(trace), std::move(*events), problem->second});
  }
  if (groups.empty()) {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: no complete trace is selected", path_of(store)));
  }
  return groups;
}

bool reads_signal(const replay::StopRule& rule) {
  return rule.schedule().reads_signal;
}

/// The rules in their order, each once.
std::vector<Rule> make_rules(const std::vector<std::string>& specs) {
  std::vector<Rule> rules;
  std::set<std::string> names;
  for (const auto& spec : specs) {
    Rule rule = replay::make_stop_rule(spec);
    if (names.insert(rule->name()).second) rules.push_back(std::move(rule));
  }
  return rules;
}

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

/// Those that some trace of the group has: another run may have been replayed with other signals.
std::vector<CurveId> curves_of(const schemas::Store& store, const Group& group,
                               const std::vector<CurveId>& stored) {
  std::vector<CurveId> curves;
  for (const CurveId& id : stored) {
    const auto traces = schemas::traces_with_curve(store, id);
    const bool has = std::any_of(group.traces.begin(), group.traces.end(),
                                 [&](const GradedTrace& trace) { return traces.count(trace.info.key) != 0; });
    if (has) curves.push_back(id);
  }
  return curves;
}

/// Signals and streams as asked for; where nothing is asked, as stored.
std::vector<Measure> choose_measures(const schemas::Store& store, const CellRequest& request,
                                     const std::vector<CurveId>& stored) {
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

std::int64_t one_if(bool condition) {
  return condition ? 1 : 0;
}

/// Every trace's right and wrong, tokens and savings under one rule, added up.
void count_traces(const Group& group, const Stops& stops, Cell& cell) {
  for (std::size_t i = 0; i < group.traces.size(); ++i) {
    const GradedTrace& trace = group.traces[i];
    const std::int64_t tokens = trace.info.tokens;
    const std::int64_t kept = stops[i].value_or(tokens);
    assert(0 <= kept && kept <= tokens);
    const bool full = trace.right_at(tokens);
    const bool stop = trace.right_at(kept);
    ++cell.traces;
    cell.capped += one_if(trace.info.finish == schemas::Finish::kLength);
    cell.finish_known += one_if(trace.info.finish != schemas::Finish::kPartial);
    cell.tokens += tokens;
    cell.kept += kept;
    cell.stopped += one_if(kept < tokens);
    cell.right_full += one_if(full);
    cell.right_stop += one_if(stop);
    cell.harm += one_if(full && !stop);
    cell.gain += one_if(stop && !full);
    cell.tokens_right += full ? tokens : 0;
    cell.kept_right += full ? kept : 0;
    if (tokens > 0) cell.mean_saved += static_cast<double>(tokens - kept) / static_cast<double>(tokens);
  }
  cell.mean_saved /= static_cast<double>(std::max<std::int64_t>(cell.traces, 1));
}

Interval saved_interval(const Group& group, const Stops& stops, const Bootstrap& bootstrap) {
  std::vector<RatioPart> parts(group.problems);
  for (std::size_t i = 0; i < group.traces.size(); ++i) {
    const std::int64_t tokens = group.traces[i].info.tokens;
    RatioPart& part = parts[group.traces[i].problem];
    part.numerator += static_cast<double>(tokens - stops[i].value_or(tokens));
    part.denominator += static_cast<double>(tokens);
  }
  return bootstrap_ratio(parts, bootstrap);
}

/// The largest L >= 1 with sum(min(tokens, L)) <= kept, at most the longest trace's length.
std::int64_t cap_with_same_tokens(const Group& group, std::int64_t kept) {
  std::int64_t low = 1;
  std::int64_t high = 1;
  for (const auto& trace : group.traces) high = std::max(high, trace.info.tokens);
  const auto kept_by = [&](std::int64_t cap) {
    std::int64_t sum = 0;
    for (const auto& trace : group.traces) sum += std::min(trace.info.tokens, cap);
    return sum;
  };
  while (low < high) {
    const std::int64_t middle = low + (high - low + 1) / 2;
    if (kept_by(middle) <= kept) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

/// The cells of one group, in their order.
class GroupCells {
 public:
  GroupCells(const schemas::Store& store, const CellRequest& request, const std::vector<CurveId>& stored,
             const Group& group)
      : store_(store), request_(request), stored_(stored), group_(group) {}

  std::vector<Cell> compute(const std::vector<Rule>& rules, const std::vector<Measure>& measures) {
    if (request_.baselines) add_without_signal(*replay::make_stop_rule("never"));
    for (const Rule& rule : rules) {
      const bool last = request_.baselines && rule->name() == "oracle";
      if (!reads_signal(*rule) && !last) add_without_signal(*rule);
    }
    for (const Measure& measure : measures) add_measure(rules, measure);
    if (request_.baselines) add_without_signal(*replay::make_stop_rule("oracle"));
    return std::move(cells_);
  }

 private:
  Cell& add_cell(const std::string& rule, const Stops& stops) {
    Cell cell;
    cell.run = group_.run.uid;
    cell.problem_set = group_.problem_set;
    cell.signal = kNoSignal;
    cell.stream = kNoSignal;
    cell.rule = rule;
    cell.problems = static_cast<std::int64_t>(group_.problems);
    cell.model = group_.run.model;
    cell.policy = group_.run.policy;
    cell.sampler = group_.run.sampler;
    cell.stop_rule = group_.run.stop_rule;
    cell.cap_tokens = group_.run.cap_tokens;
    cell.grading = request_.grading;
    count_traces(group_, stops, cell);
    cell.saved_interval = saved_interval(group_, stops, request_.bootstrap);
    cells_.push_back(std::move(cell));
    return cells_.back();
  }

  void add_without_signal(const replay::StopRule& rule) {
    if (!without_signal_.insert(rule.name()).second) return;
    Stops stops;
    for (const auto& trace : group_.traces)
      stops.push_back(rule.stop({trace.info.tokens, nullptr, trace.events}));
    add_cell(rule.name(), stops);
  }

  void add_measure(const std::vector<Rule>& rules, const Measure& measure) {
    std::map<CurveId, std::vector<std::size_t>> rules_by_curve;
    std::vector<Stops> stops(rules.size());
    std::vector<CurveId> curves(rules.size());
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (!reads_signal(*rules[i])) continue;
      curves[i] = choose_curve(*rules[i], measure);
      rules_by_curve[curves[i]].push_back(i);
    }
    for (const auto& [id, indices] : rules_by_curve) replay_rules(id, rules, indices, stops);
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (!reads_signal(*rules[i])) continue;
      Cell& cell = add_cell(rules[i]->name(), stops[i]);
      cell.signal = measure.signal;
      cell.stream = measure.stream;
      cell.signal_version = curves[i].version;
      cell.grid_tokens = curves[i].grid_tokens;
      if (!request_.baselines) continue;
      const std::int64_t cap = cap_with_same_tokens(group_, cell.kept);
      add_without_signal(*replay::make_stop_rule(fmt::format("cap(tokens={})", cap)));
    }
  }

  /// Where each of the rules stops on each trace's curve; every curve is read once.
  void replay_rules(const CurveId& id, const std::vector<Rule>& rules,
                    const std::vector<std::size_t>& indices, std::vector<Stops>& stops) const {
    for (const auto& trace : group_.traces) {
      const auto curve = schemas::read_curve(store_, trace.info.key, id);
      assert(curve);
      for (const std::size_t i : indices) {
        stops[i].push_back(rules[i]->stop({trace.info.tokens, &*curve, trace.events}));
      }
    }
  }

  /// The coarsest grid of the newest version that the rule can use and every trace has.
  CurveId choose_curve(const replay::StopRule& rule, const Measure& measure) {
    const replay::LookSchedule looks = rule.schedule();
    const std::int64_t needed = std::gcd(looks.every_tokens, looks.first_token);
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
    throw Error(
        ErrorCode::kNotFound,
        fmt::format("{}: {}, which rule {} needs; run `lil replay {} --signal '{}' --stream {} --every {}`",
                    path_of(store_), missing, rule.name(), path_of(store_), measure.signal, measure.stream,
                    usable.empty() ? needed : usable.front().grid_tokens));
  }

  /// The first trace of the group without a curve of this id; nullptr where all have one.
  const schemas::TraceInfo* first_without(const CurveId& id) {
    auto known = holders_.find(id);
    if (known == holders_.end()) known = holders_.emplace(id, schemas::traces_with_curve(store_, id)).first;
    for (const auto& trace : group_.traces) {
      if (!known->second.contains(trace.info.key)) return &trace.info;
    }
    return nullptr;
  }

  const schemas::Store& store_;
  const CellRequest& request_;
  const std::vector<CurveId>& stored_;
  const Group& group_;
  std::map<CurveId, std::set<schemas::TraceKey>> holders_;
  std::set<std::string> without_signal_;
  std::vector<Cell> cells_;
};

}  // namespace

std::vector<Cell> analyze_cells(const schemas::Store& store, const CellRequest& request) {
  const std::vector<Rule> rules = make_rules(request.rules);
  const std::vector<CurveId> stored = schemas::list_curve_ids(store);
  const bool any_signal =
      std::any_of(rules.begin(), rules.end(), [](const Rule& rule) { return reads_signal(*rule); });
  const std::vector<Group> groups = load_groups(store, request, stored);
  std::vector<Cell> cells;
  for (const Group& group : groups) {
    const auto measures = any_signal ? choose_measures(store, request, curves_of(store, group, stored))
                                     : std::vector<Measure>{};
    auto of_group = GroupCells(store, request, stored, group).compute(rules, measures);
    std::move(of_group.begin(), of_group.end(), std::back_inserter(cells));
  }
  return cells;
}

}  // namespace lil::analyze
