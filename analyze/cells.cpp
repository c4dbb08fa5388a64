#include "analyze/cells.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <utility>

#include "replay/stop_rules/registry.h"
#include "replay/stream.h"
#include "schemas/curve_store.h"
#include "schemas/run_store.h"
#include "schemas/trace_store.h"

namespace lil::analyze {
namespace {

using schemas::CurveId;
using Rule = std::unique_ptr<replay::StopRule>;
constexpr const char* kNoSignal = "-";

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

std::int64_t one_if(bool condition) {
  return condition ? 1 : 0;
}

/// Every trace's right and wrong, tokens and savings under one rule, added up.
void count_traces(const TraceGroup& group, const TraceStops& stops, Cell& cell) {
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

/// The largest L >= 1 with sum(min(tokens, L)) <= kept, at most the longest trace's length.
std::int64_t cap_with_same_tokens(const TraceGroup& group, std::int64_t kept) {
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
class CellMaker {
 public:
  CellMaker(const schemas::Store& store, const CellRequest& request, const TraceGroup& group)
      : store_(store), request_(request), group_(group), chooser_(store, group), vocabularies_(store) {}

  void compute(const std::vector<Rule>& rules, const std::vector<Measure>& measures) {
    if (request_.baselines) add_without_signal(*replay::make_stop_rule("never"));
    for (const Rule& rule : rules) {
      const bool last = request_.baselines && rule->name() == "oracle";
      if (!reads_signal(*rule) && !last) add_without_signal(*rule);
    }
    for (const Measure& measure : measures) add_measure(rules, measure);
    if (request_.baselines) add_without_signal(*replay::make_stop_rule("oracle"));
  }

  std::vector<Cell>& cells() { return cells_; }
  std::vector<TraceStops>& stops() { return stops_; }

 private:
  Cell& add_cell(const std::string& rule, const TraceStops& stops) {
    Cell cell = count_cell(group_, stops);
    cell.rule = rule;
    cell.grading = answers_name(request_);
    cell.saved_interval = saved_interval(group_, stops, request_.bootstrap);
    cells_.push_back(std::move(cell));
    stops_.push_back(stops);
    return cells_.back();
  }

  void add_without_signal(const replay::StopRule& rule) {
    if (!without_signal_.insert(rule.name()).second) return;
    TraceStops stops;
    for (const auto& trace : group_.traces) stops.push_back(stop_of(rule, trace, nullptr));
    add_cell(rule.name(), stops);
  }

  void add_measure(const std::vector<Rule>& rules, const Measure& measure) {
    std::map<CurveId, std::vector<std::size_t>> rules_by_curve;
    std::vector<TraceStops> stops(rules.size());
    std::vector<CurveId> curves(rules.size());
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (!reads_signal(*rules[i])) continue;
      const replay::LookSchedule looks = rules[i]->schedule();
      const std::int64_t needed = std::gcd(looks.every_tokens, looks.first_token);
      curves[i] = chooser_.choose("rule " + rules[i]->name(), needed, measure);
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
                    const std::vector<std::size_t>& indices, std::vector<TraceStops>& stops) {
    for (const auto& trace : group_.traces) {
      const auto curve = schemas::read_curve(store_, trace.info.key, id);
      assert(curve);
      for (const std::size_t i : indices) {
        stops[i].push_back(stop_of(*rules[i], trace, &*curve));
      }
    }
  }

  std::optional<std::int64_t> stop_of(const replay::StopRule& rule, const GradedTrace& trace,
                                      const schemas::Curve* curve) {
    const auto kind = rule.schedule().reads_stream;
    if (!kind) return rule.stop({trace.info.tokens, curve, trace.events});
    const replay::Stream stream = replay::build_stream(*kind, schemas::read_tokens(store_, trace.info.key),
                                                       vocabularies_.get(trace.info.tokenizer));
    return rule.stop({trace.info.tokens, curve, trace.events, &stream});
  }

  const schemas::Store& store_;
  const CellRequest& request_;
  const TraceGroup& group_;
  CurveChooser chooser_;
  schemas::Vocabularies vocabularies_;
  std::set<std::string> without_signal_;
  std::vector<Cell> cells_;
  std::vector<TraceStops> stops_;
};

}  // namespace

Cell count_cell(const TraceGroup& group, const TraceStops& stops) {
  Cell cell;
  cell.run = group.run.uid;
  cell.problem_set = group.problem_set;
  cell.signal = kNoSignal;
  cell.stream = kNoSignal;
  cell.problems = static_cast<std::int64_t>(group.problems);
  cell.model = group.run.model;
  cell.policy = group.run.policy;
  cell.sampler = group.run.sampler;
  cell.stop_rule = group.run.stop_rule;
  cell.cap_tokens = group.run.cap_tokens;
  count_traces(group, stops, cell);
  return cell;
}

Interval saved_interval(const TraceGroup& group, const TraceStops& stops, const Bootstrap& bootstrap) {
  std::vector<RatioPart> parts(group.problems);
  for (std::size_t i = 0; i < group.traces.size(); ++i) {
    const std::int64_t tokens = group.traces[i].info.tokens;
    RatioPart& part = parts[group.traces[i].problem];
    part.numerator += static_cast<double>(tokens - stops[i].value_or(tokens));
    part.denominator += static_cast<double>(tokens);
  }
  return bootstrap_ratio(parts, bootstrap);
}

std::vector<GroupCells> analyze_groups(const schemas::Store& store, const CellRequest& request) {
  const std::vector<Rule> rules = make_rules(request.rules);
  const bool any_signal =
      std::any_of(rules.begin(), rules.end(), [](const Rule& rule) { return reads_signal(*rule); });
  std::vector<GroupCells> all;
  for (TraceGroup& group : load_groups(store, request)) {
    const auto measures = any_signal ? choose_measures(store, request, group) : std::vector<Measure>{};
    CellMaker maker(store, request, group);
    maker.compute(rules, measures);
    all.push_back({std::move(group), std::move(maker.cells()), std::move(maker.stops())});
  }
  return all;
}

std::vector<Cell> analyze_cells(const schemas::Store& store, const CellRequest& request) {
  std::vector<Cell> cells;
  for (GroupCells& group : analyze_groups(store, request)) {
    std::move(group.cells.begin(), group.cells.end(), std::back_inserter(cells));
  }
  return cells;
}

}  // namespace lil::analyze
