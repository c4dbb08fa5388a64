#include "analyze/cells.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "replay/stop_rules/registry.h"
#include "schemas/curve_store.h"

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
    cell.with_gold += one_if(trace.has_gold());
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
      : store_(store), request_(request), group_(group), chooser_(store, group), runner_(store) {
    if (request.reference) reference_ = reference_stops(store, group, *request.reference);
  }

  void compute(const std::vector<Rule>& rules, const std::vector<Measure>& measures) {
    if (request_.baselines) add_without_signal(*replay::make_stop_rule("never"));
    const Rule last_rule = replay::make_stop_rule(kRepetitionBaseline);
    for (const Rule& rule : rules) {
      const bool last = request_.baselines && (rule->name() == "oracle" || rule->name() == last_rule->name());
      if (!reads_signal(*rule) && !last) add_with_cap(*rule);
    }
    for (const Measure& measure : measures) add_measure(rules, measure);
    if (!request_.baselines) return;
    add_with_cap(*last_rule);
    add_without_signal(*replay::make_stop_rule("oracle"));
  }

  std::vector<Cell>& cells() { return cells_; }
  std::vector<TraceStops>& stops() { return stops_; }

 private:
  Cell& add_cell(const std::string& rule, const TraceStops& stops) {
    Cell cell = count_cell(group_, stops);
    cell.rule = rule;
    cell.grading = answers_name(request_);
    cell.saved_interval = saved_interval(group_, stops, request_.bootstrap);
    if (reference_) cell.saved_more = saved_more(group_, stops, *reference_, request_.bootstrap);
    cells_.push_back(std::move(cell));
    stops_.push_back(stops);
    return cells_.back();
  }

  /// False where the rule is there already.
  bool add_without_signal(const replay::StopRule& rule) {
    if (!without_signal_.insert(rule.name()).second) return false;
    add_cell(rule.name(), runner_.stops(rule, group_, std::nullopt));
    return true;
  }

  void add_with_cap(const replay::StopRule& rule) {
    if (add_without_signal(rule) && !is_bound(rule)) add_cap_beside(cells_.back().kept);
  }

  /// Whether a fixed length says nothing beside it.
  static bool is_bound(const replay::StopRule& rule) {
    return rule.name() == "never" || rule.name() == "oracle" || rule.name().starts_with("cap(");
  }

  void add_cap_beside(std::int64_t kept) {
    if (!request_.baselines || kept == cells_.back().tokens) return;
    const std::int64_t cap = cap_with_same_tokens(group_, kept);
    add_without_signal(*replay::make_stop_rule(fmt::format("cap(tokens={})", cap)));
  }

  void add_measure(const std::vector<Rule>& rules, const Measure& measure) {
    std::map<CurveId, std::vector<std::size_t>> rules_by_curve;
    std::vector<TraceStops> stops(rules.size());
    std::vector<CurveId> curves(rules.size());
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (!reads_signal(*rules[i])) continue;
      curves[i] = chooser_.choose("rule " + rules[i]->name(), grid_needed(*rules[i]), measure);
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
      add_cap_beside(cell.kept);
    }
  }

  /// Where each of the rules stops on each trace's curve; every curve is read once.
  void replay_rules(const CurveId& id, const std::vector<Rule>& rules,
                    const std::vector<std::size_t>& indices, std::vector<TraceStops>& stops) {
    for (const auto& trace : group_.traces) {
      const auto curve = schemas::read_curve(store_, trace.info.key, id);
      assert(curve);
      for (const std::size_t i : indices) stops[i].push_back(runner_.stop(*rules[i], trace, &*curve));
    }
  }

  const schemas::Store& store_;
  const CellRequest& request_;
  const TraceGroup& group_;
  CurveChooser chooser_;
  RuleRunner runner_;
  std::optional<TraceStops> reference_;
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

std::vector<GroupCells> analyze_groups(const schemas::Store& store, const CellRequest& request) {
  const std::vector<Rule> rules = make_rules(request.rules);
  if (request.reference) static_cast<void>(replay::make_stop_rule(*request.reference));
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
