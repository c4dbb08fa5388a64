#include "analyze/frontier.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <exception>
#include <map>
#include <numeric>
#include <set>
#include <thread>

#include "replay/stop_rules/registry.h"
#include "schemas/curve_store.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"

namespace lil::analyze {
namespace {

using schemas::CurveId;

/// The only rule whose stop is a step function of a threshold.
constexpr std::string_view kThresholdRule = "guardian";
constexpr std::string_view kThreshold = "t";

std::string spell(const schemas::NamedSpec& spec) {
  std::string inside;
  for (const auto& [key, value] : spec.values)
    inside += fmt::format("{}{}={}", inside.empty() ? "" : ",", key, value);
  return fmt::format("{}({})", spec.name, inside);
}

/// Grid points from one check to the next; throws where the curve does not fit the checks or the trace.
std::int64_t checked_step(const schemas::Curve& curve, std::int64_t tokens, const GuardianShape& shape) {
  const std::int64_t grid = curve.grid_tokens;
  if (shape.every_tokens % grid != 0 || shape.phase_tokens % grid != 0) {
    throw Error(ErrorCode::kUsage,
                fmt::format("rule {} looks where a curve on a grid of every {} tokens has no value",
                            shape.name, grid));
  }
  const std::int64_t expected = tokens / grid + 1;
  if (static_cast<std::int64_t>(curve.values.size()) != expected) {
    throw Error(
        ErrorCode::kCorrupt,
        fmt::format("a curve on a grid of every {} tokens has {} values where a trace of {} tokens has {}",
                    grid, curve.values.size(), tokens, expected));
  }
  return shape.every_tokens / grid;
}

/// A trace stops elsewhere from threshold t on.
struct Move {
  std::int64_t t = 0;
  std::size_t trace = 0;
  std::int64_t stop = 0;
};

std::vector<Move> sorted_moves(std::span<const FrontierTrace> traces) {
  std::vector<Move> moves;
  for (std::size_t i = 0; i < traces.size(); ++i) {
    for (const StopCorner& corner : traces[i].corners) moves.push_back({corner.t, i, corner.stop});
  }
  std::sort(moves.begin(), moves.end(),
            [](const Move& a, const Move& b) { return a.t != b.t ? a.t < b.t : a.trace < b.trace; });
  return moves;
}

std::int64_t one_if(bool condition) {
  return condition ? 1 : 0;
}

/// The state of all traces at one threshold.
class Tally {
 public:
  explicit Tally(std::span<const FrontierTrace> traces) : traces_(traces) {
    for (const FrontierTrace& trace : traces) {
      const bool right = trace.right->at(trace.tokens);
      now_.push_back({trace.tokens, right, right});
      counts_.kept += trace.tokens;
      counts_.right_stop += one_if(right);
    }
  }

  void move(const Move& to) {
    State& state = now_[to.trace];
    const FrontierTrace& trace = traces_[to.trace];
    const bool right = trace.right->at(to.stop);
    counts_.kept += to.stop - state.kept;
    counts_.stopped += one_if(state.kept == trace.tokens);
    counts_.right_stop += one_if(right) - one_if(state.right);
    if (state.right_full) counts_.harm += one_if(state.right) - one_if(right);
    if (!state.right_full) counts_.gain += one_if(right) - one_if(state.right);
    state.kept = to.stop;
    state.right = right;
  }

  [[nodiscard]] FrontierRow at(std::int64_t t) const {
    FrontierRow row = counts_;
    row.t = t;
    return row;
  }

 private:
  struct State {
    std::int64_t kept = 0;
    bool right = false;
    bool right_full = false;
  };
  std::span<const FrontierTrace> traces_;
  std::vector<State> now_;
  FrontierRow counts_;
};

std::vector<GuardianShape> parse_shapes(const std::vector<std::string>& specs) {
  std::vector<GuardianShape> shapes;
  std::set<std::string> names;
  for (const std::string& spec : specs) {
    GuardianShape shape = parse_guardian_shape(spec);
    if (names.insert(shape.name).second) shapes.push_back(std::move(shape));
  }
  return shapes;
}

std::vector<schemas::Curve> read_curves(const schemas::Store& store, const TraceGroup& group,
                                        const CurveId& id) {
  std::vector<schemas::Curve> curves;
  curves.reserve(group.traces.size());
  for (const GradedTrace& trace : group.traces) {
    auto curve = schemas::read_curve(store, trace.info.key, id);
    assert(curve);
    curves.push_back(std::move(*curve));
  }
  return curves;
}

std::vector<FrontierTrace> traces_of(const TraceGroup& group, const std::vector<RightSpans>& right,
                                     const std::vector<schemas::Curve>& curves, const GuardianShape& shape) {
  std::vector<FrontierTrace> traces(group.traces.size());
  for (std::size_t i = 0; i < traces.size(); ++i) {
    const std::int64_t tokens = group.traces[i].info.tokens;
    traces[i] = {tokens, &right[i], stop_corners(curves[i], tokens, shape)};
  }
  return traces;
}

/// The frontiers of one run and problem set.
class GroupFrontiers {
 public:
  GroupFrontiers(const schemas::Store& store, const TraceGroup& group, const FrontierRequest& request,
                 std::vector<GuardianShape> shapes)
      : store_(store), group_(group), request_(request), shapes_(std::move(shapes)), chooser_(store, group) {
    for (const GradedTrace& trace : group.traces) right_.emplace_back(trace.events);
    if (request.reference) reference_ = reference_stops(store, group, *request.reference);
  }

  std::vector<Frontier> of_measure(const Measure& measure) {
    std::vector<Frontier> frontiers;
    std::map<CurveId, std::vector<std::size_t>> by_curve;
    for (const GuardianShape& shape : shapes_) {
      const CurveId id =
          chooser_.choose("rule " + shape.name, std::gcd(shape.every_tokens, shape.phase_tokens), measure);
      by_curve[id].push_back(frontiers.size());
      frontiers.push_back({cell_of(shape, id), shape, {}, {}});
    }
    for (const auto& [id, indices] : by_curve) fill(read_curves(store_, group_, id), indices, frontiers);
    return frontiers;
  }

 private:
  [[nodiscard]] Cell cell_of(const GuardianShape& shape, const CurveId& id) const {
    Cell cell = count_cell(group_, TraceStops(group_.traces.size()));
    cell.signal = id.signal;
    cell.stream = id.stream;
    cell.rule = shape.name;
    cell.signal_version = id.version;
    cell.grid_tokens = id.grid_tokens;
    cell.grading = answers_name(request_);
    return cell;
  }

  /// Every n-th rule to the n-th worker.
  void fill(const std::vector<schemas::Curve>& curves, const std::vector<std::size_t>& indices,
            std::vector<Frontier>& frontiers) const {
    const std::size_t workers =
        std::min(static_cast<std::size_t>(std::max(1, request_.threads)), indices.size());
    std::vector<std::exception_ptr> failures(workers);
    const auto work = [&](std::size_t first) {
      try {
        for (std::size_t i = first; i < indices.size(); i += workers) {
          Frontier& frontier = frontiers[indices[i]];
          const auto traces = traces_of(group_, right_, curves, frontier.shape);
          frontier.rows = merge_corners(traces);
          pick(traces, frontier);
        }
      } catch (...) {
        failures[first] = std::current_exception();
      }
    };
    {
      std::vector<std::jthread> threads;
      for (std::size_t first = 1; first < workers; ++first) threads.emplace_back(work, first);
      work(0);
    }
    for (const auto& failure : failures) {
      if (failure) std::rethrow_exception(failure);
    }
  }

  void pick(std::span<const FrontierTrace> traces, Frontier& frontier) const {
    for (const std::int64_t percent : request_.within_percent) {
      FrontierPick& pick = frontier.picks.emplace_back();
      pick.within_percent = percent;
      pick.row = best_within(frontier.rows, frontier.cell.with_gold * percent / 100);
      const auto t = pick.row ? std::optional(pick.row->t) : std::nullopt;
      TraceStops stops;
      for (const FrontierTrace& trace : traces) stops.emplace_back(kept_at(trace.corners, trace.tokens, t));
      pick.saved = saved_interval(group_, stops, request_.bootstrap);
      if (reference_) pick.saved_more = saved_more(group_, stops, *reference_, request_.bootstrap);
    }
  }

  const schemas::Store& store_;
  const TraceGroup& group_;
  const FrontierRequest& request_;
  std::vector<GuardianShape> shapes_;
  CurveChooser chooser_;
  std::vector<RightSpans> right_;
  std::optional<TraceStops> reference_;
};

}  // namespace

std::string GuardianShape::with_threshold(std::int64_t t) const {
  schemas::NamedSpec spec = schemas::parse_named_spec(name);
  spec.values.emplace_back(kThreshold, std::to_string(t));
  return replay::make_stop_rule(spec)->name();
}

GuardianShape parse_guardian_shape(std::string_view text) {
  schemas::NamedSpec spec = schemas::parse_named_spec(text);
  const auto& row = schemas::find_row("stop rule", replay::stop_rule_rows(), spec.name);
  const bool has_threshold = std::any_of(spec.values.begin(), spec.values.end(),
                                         [](const auto& value) { return value.first == kThreshold; });
  if (spec.name != kThresholdRule) {
    throw Error(ErrorCode::kUsage,
                fmt::format("'{}': every threshold at once is to be had of {} alone, named "
                            "without its t, as {}(f=250)",
                            text, kThresholdRule, kThresholdRule));
  }
  if (has_threshold) {
    throw Error(ErrorCode::kUsage, fmt::format("'{}': every t is looked at, so name the {} without its t, "
                                               "as {}(f=250)",
                                               text, kThresholdRule, kThresholdRule));
  }
  spec.values.emplace_back(kThreshold, "0");
  const auto arguments = schemas::resolve_arguments("stop rule", spec, row.parameters);
  schemas::NamedSpec brief = schemas::parse_named_spec(arguments.to_brief_string());
  std::erase_if(brief.values, [](const auto& value) { return value.first == kThreshold; });
  return {.name = spell(brief),
          .every_tokens = arguments.integer("f"),
          .patience = arguments.integer("patience"),
          .warmup_tokens = arguments.integer("warmup"),
          .phase_tokens = arguments.integer("phase"),
          .first_from_zero = arguments.text("first") == "zero"};
}

std::vector<GuardianCheck> guardian_checks(const schemas::Curve& curve, std::int64_t tokens,
                                           const GuardianShape& shape) {
  const std::int64_t step = checked_step(curve, tokens, shape);
  std::vector<std::int64_t> growths;  // of the checks that take place
  std::vector<GuardianCheck> checks;
  const auto patience = static_cast<std::size_t>(shape.patience);
  std::int64_t point = shape.phase_tokens / curve.grid_tokens;
  for (std::int64_t token = shape.phase_tokens + shape.every_tokens; token < tokens;
       token += shape.every_tokens) {
    const bool from_zero =
        shape.first_from_zero && growths.empty() && token == shape.phase_tokens + shape.every_tokens;
    const std::int64_t before = from_zero ? 0 : curve.values[static_cast<std::size_t>(point)];
    point += step;
    if (token < shape.warmup_tokens) continue;
    growths.push_back(curve.values[static_cast<std::size_t>(point)] - before);
    if (growths.size() < patience) continue;
    checks.push_back(
        {token, *std::max_element(growths.end() - static_cast<std::ptrdiff_t>(patience), growths.end())});
  }
  return checks;
}

std::vector<StopCorner> stop_corners(const schemas::Curve& curve, std::int64_t tokens,
                                     const GuardianShape& shape) {
  std::vector<StopCorner> corners;
  for (const GuardianCheck& check : guardian_checks(curve, tokens, shape)) {
    if (corners.empty() || check.level + 1 < corners.back().t)
      corners.push_back({check.level + 1, check.token});
  }
  std::reverse(corners.begin(), corners.end());
  return corners;
}

std::int64_t kept_at(std::span<const StopCorner> corners, std::int64_t tokens,
                     std::optional<std::int64_t> t) {
  if (!t) return tokens;
  const auto after =
      std::upper_bound(corners.begin(), corners.end(), *t,
                       [](std::int64_t value, const StopCorner& corner) { return value < corner.t; });
  return after == corners.begin() ? tokens : (after - 1)->stop;
}

std::vector<FrontierRow> merge_corners(std::span<const FrontierTrace> traces) {
  const std::vector<Move> moves = sorted_moves(traces);
  Tally tally(traces);
  std::vector<FrontierRow> rows;
  for (std::size_t i = 0; i < moves.size(); ++i) {
    tally.move(moves[i]);
    if (i + 1 == moves.size() || moves[i + 1].t != moves[i].t) rows.push_back(tally.at(moves[i].t));
  }
  return rows;
}

std::optional<FrontierRow> best_within(std::span<const FrontierRow> rows, std::int64_t most_harm) {
  const auto found =
      std::find_if(rows.rbegin(), rows.rend(), [&](const FrontierRow& row) { return row.harm <= most_harm; });
  return found == rows.rend() ? std::nullopt : std::optional(*found);
}

void analyze_frontiers(const schemas::Store& store, const FrontierRequest& request,
                       const std::function<void(const Frontier&)>& take) {
  const std::vector<GuardianShape> shapes = parse_shapes(request.rules);
  if (request.reference) static_cast<void>(replay::make_stop_rule(*request.reference));
  for (const TraceGroup& group : load_groups(store, request)) {
    GroupFrontiers frontiers(store, group, request, shapes);
    for (const Measure& measure : choose_measures(store, request, group)) {
      for (const Frontier& frontier : frontiers.of_measure(measure)) take(frontier);
    }
  }
}

}  // namespace lil::analyze
