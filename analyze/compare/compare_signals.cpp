#include "analyze/compare/compare_signals.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <exception>
#include <map>
#include <numeric>
#include <thread>
#include <utility>

#include "analyze/calibration/trial_group.h"
#include "analyze/compare/savings_curve.h"
#include "analyze/frontier.h"
#include "replay/signals/registry.h"
#include "replay/stream.h"
#include "schemas/cost_store.h"
#include "schemas/curve_store.h"
#include "schemas/error.h"
#include "schemas/trace_store.h"

namespace lil::analyze {
namespace {

using schemas::CurveId;

/// Statistics of one signal on resampled problems, in the order of the resamples; nothing where one is
/// undefined.
using Replicates = std::vector<std::optional<double>>;

/// What the test problems are to every signal.
struct TestPart {
  GroupPart part;
  std::vector<RightSpans> right;
  std::vector<std::size_t> problems;  ///< of each trace
  std::vector<std::optional<Loop>> loops;
};

/// One signal on its way: its curves, then its result.
struct Job {
  Measure measure;
  std::vector<CurveId> ids;                               ///< of each shape
  std::map<CurveId, std::vector<schemas::Curve>> curves;  ///< of each trace
  std::map<CurveId, std::optional<double>> point_ns;
  ComparedSignal result;
  TraceStops stops;
  Replicates auc;
  Replicates area;
  std::exception_ptr failure;
};

/// One run and problem set at work.
class Comparer {
 public:
  Comparer(const schemas::Store& store, const TraceGroup& group, const SignalComparisonRequest& request)
      : store_(store),
        group_(group),
        request_(request),
        trials_(make_trials(group, request.split)),
        plan_(plan_test(request, trials_)) {
    for (const std::string& rule : request.rules) shapes_.push_back(parse_guardian_shape(rule));
  }

  SignalComparison compare() {
    load_test();
    SignalComparison found;
    std::vector<Job> jobs = make_jobs();
    const auto workers = static_cast<std::size_t>(std::max(1, request_.threads));
    for (std::size_t first = 0; first < jobs.size(); first += workers) {
      const std::size_t last = std::min(jobs.size(), first + workers);
      for (std::size_t i = first; i < last; ++i) read_curves(jobs[i]);
      std::vector<std::jthread> threads;
      for (std::size_t i = first + 1; i < last; ++i) threads.emplace_back([&, i] { run(jobs[i]); });
      run(jobs[first]);
    }
    for (Job& job : jobs) {
      if (job.failure) std::rethrow_exception(job.failure);
    }
    found.reference = reference_among(jobs);
    if (found.reference) {
      for (Job& job : jobs) add_differences(job, jobs[*found.reference]);
    }
    for (Job& job : jobs) found.signals.push_back(std::move(job.result));
    found.problems = {trials_.problems(Part::kTune), trials_.problems(Part::kCalibrate),
                      trials_.problems(Part::kTest)};
    found.p_value_kind = plan_.p_value;
    found.least_needed = problems_needed_without_loss(plan_.p_value, unit_alpha(plan_.risk, plan_.alpha),
                                                      plan_.delta, unit_loss(plan_.risk, 0));
    found.step_ns = schemas::decode_step_ns(store_, group_.traces.front().info.run, group_.problem_set);
    found.test = std::move(test_.part.group);
    return found;
  }

 private:
  void load_test() {
    test_.part = part_of_group(group_, trials_, Part::kTest);
    for (const GradedTrace& trace : test_.part.group.traces) {
      test_.right.emplace_back(trace.events);
      test_.problems.push_back(trace.problem);
      test_.loops.push_back(find_loop(schemas::read_tokens(store_, trace.info.key).ids, request_.loop));
    }
  }

  std::vector<Job> make_jobs() {
    std::vector<Job> jobs;
    CurveChooser chooser(store_, group_);
    for (Measure& measure : choose_measures(store_, request_, group_)) {
      Job& job = jobs.emplace_back();
      for (const GuardianShape& shape : shapes_) {
        job.ids.push_back(
            chooser.choose("rule " + shape.name, std::gcd(shape.every_tokens, shape.phase_tokens), measure));
      }
      job.measure = std::move(measure);
    }
    return jobs;
  }

  void read_curves(Job& job) const {
    for (const CurveId& id : job.ids) {
      const auto [entry, is_new] = job.curves.try_emplace(id);
      if (!is_new) continue;
      job.point_ns[id] =
          schemas::curve_point_ns(store_, group_.traces.front().info.run, group_.problem_set, id);
      for (const GradedTrace& trace : group_.traces) {
        auto curve = schemas::read_curve(store_, trace.info.key, id);
        assert(curve);
        entry->second.push_back(std::move(*curve));
      }
    }
  }

  /// Reads nothing of the store: several of these run at once.
  void run(Job& job) const {
    try {
      std::vector<Family> families;
      for (std::size_t s = 0; s < shapes_.size(); ++s) families.push_back(family_of(job, s));
      const TestResult found = learn_then_test(trials_, families, plan_);
      fill_choice(job, found);
      const std::size_t chosen = found.chosen ? found.chosen->family : found.families.front();
      fill_test(job, families[chosen], chosen);
      fill_roc(job, chosen);
      fill_area(job, families[chosen]);
      job.curves.clear();
    } catch (...) {
      job.failure = std::current_exception();
    }
  }

  [[nodiscard]] Family family_of(const Job& job, std::size_t shape) const {
    Family family;
    const auto& curves = job.curves.at(job.ids[shape]);
    for (std::size_t i = 0; i < curves.size(); ++i)
      family.corners.push_back(stop_corners(curves[i], group_.traces[i].info.tokens, shapes_[shape]));
    return family;
  }

  void fill_choice(Job& job, const TestResult& found) const {
    ComparedSignal& result = job.result;
    result.measure = job.measure;
    result.hypotheses = static_cast<std::int64_t>(found.hypotheses);
    if (found.chosen) {
      result.t = found.chosen->t;
      result.p_value = found.chosen->p_value;
      return;
    }
    for (const TestedSetting& tested : found.tested) {
      if (tested.calibrate.kept == tested.calibrate.tokens) continue;
      if (!result.p_value || tested.p_value < *result.p_value) result.p_value = tested.p_value;
    }
  }

  void fill_test(Job& job, const Family& family, std::size_t shape) const {
    ComparedSignal& result = job.result;
    result.shape = shapes_[shape].name;
    result.version = job.ids[shape].version;
    result.grid_tokens = job.ids[shape].grid_tokens;
    result.point_ns = job.point_ns.at(job.ids[shape]);
    if (result.t) result.rule = shapes_[shape].with_threshold(*result.t);
    job.stops = stops_at(test_.part, family, result.t);
    PartReport counts{count_cell(test_.part.group, job.stops), 0};
    counts.cell.signal = job.measure.signal;
    counts.cell.stream = job.measure.stream;
    counts.cell.rule = result.rule;
    const TestReport report = report_test(test_.part, job.stops, std::move(counts), request_.bootstrap);
    result.test = report.part.cell;
    result.saved = report.saved;
    result.harm = report.harm;
    result.delays = measure_delays(test_.part.group, test_.loops, job.stops, request_.bootstrap);
  }

  void fill_roc(Job& job, std::size_t shape) const {
    std::vector<RocCheck> checks;
    const auto& curves = job.curves.at(job.ids[shape]);
    for (std::size_t i = 0; i < test_.right.size(); ++i) {
      const std::int64_t tokens = test_.part.group.traces[i].info.tokens;
      const bool right_full = test_.right[i].at(tokens);
      for (const GuardianCheck& check :
           guardian_checks(curves[test_.part.traces[i]], tokens, shapes_[shape])) {
        checks.push_back({check.level, test_.problems[i], !right_full || test_.right[i].at(check.token)});
      }
    }
    const Roc roc(checks);
    ComparedSignal& result = job.result;
    result.roc = roc.points();
    result.positives = roc.positives();
    result.negatives = roc.negatives();
    const auto area = roc.area();
    if (!area) return;
    job.auc = replicate([&](std::span<const std::int32_t> times) { return roc.area(times); });
    result.auc = Estimate{*area, interval_of(job.auc)};
  }

  void fill_area(Job& job, const Family& family) const {
    std::vector<FrontierTrace> traces;
    for (std::size_t i = 0; i < test_.right.size(); ++i) {
      traces.push_back(
          {test_.part.group.traces[i].info.tokens, &test_.right[i], family.corners[test_.part.traces[i]]});
    }
    const SavingsCurve curve(traces, test_.problems);
    job.area =
        replicate([&](std::span<const std::int32_t> times) { return std::optional(curve.area(times)); });
    job.result.area = {curve.area(), interval_of(job.area)};
  }

  template <class Statistic>
  [[nodiscard]] Replicates replicate(Statistic&& statistic) const {
    Replicates values;
    std::vector<std::int32_t> times(test_.part.group.problems);
    for (int i = 0; i < request_.bootstrap.replicates; ++i) {
      resample(request_.bootstrap, i, times);
      values.push_back(statistic(times));
    }
    return values;
  }

  [[nodiscard]] Interval interval_of(const Replicates& replicates) const {
    std::vector<double> values;
    for (const auto& value : replicates) {
      if (value) values.push_back(*value);
    }
    return percentile_interval(std::move(values), request_.bootstrap.confidence);
  }

  [[nodiscard]] Interval difference_interval(const Replicates& of, const Replicates& reference) const {
    Replicates differences(of.size());
    for (std::size_t i = 0; i < of.size(); ++i) {
      if (of[i] && reference[i]) differences[i] = *of[i] - *reference[i];
    }
    return interval_of(differences);
  }

  [[nodiscard]] std::optional<std::size_t> reference_among(const std::vector<Job>& jobs) const {
    if (!request_.reference) return std::nullopt;
    const std::string name = replay::make_signal(*request_.reference)->name();
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      if (jobs[i].measure.signal != name) continue;
      const bool on_text = jobs[i].measure.stream == replay::to_string(replay::StreamKind::kText);
      if (!found || on_text) found = i;
    }
    return found;
  }

  void add_differences(Job& job, const Job& reference) const {
    ComparedSignal& result = job.result;
    result.saved_difference = saved_more(test_.part.group, job.stops, reference.stops, request_.bootstrap);
    result.area_difference = Estimate{result.area.value - reference.result.area.value,
                                      difference_interval(job.area, reference.area)};
    if (!result.auc || !reference.result.auc) return;
    result.auc_difference = Estimate{result.auc->value - reference.result.auc->value,
                                     difference_interval(job.auc, reference.auc)};
  }

  const schemas::Store& store_;
  const TraceGroup& group_;
  const SignalComparisonRequest& request_;
  Trials trials_;
  TestPlan plan_;
  std::vector<GuardianShape> shapes_;
  TestPart test_;
};

}  // namespace

LoopDelays measure_delays(const TraceGroup& group, const std::vector<std::optional<Loop>>& loops,
                          const TraceStops& stops, const Bootstrap& bootstrap) {
  LoopDelays found;
  std::vector<double> delays;
  std::vector<RatioPart> parts(group.problems);
  for (std::size_t i = 0; i < group.traces.size(); ++i) {
    if (!loops[i]) continue;
    ++found.loops;
    if (!stops[i]) continue;
    if (*stops[i] < loops[i]->onset) {
      ++found.early;
      continue;
    }
    ++found.caught;
    delays.push_back(static_cast<double>(*stops[i] - loops[i]->onset));
    parts[group.traces[i].problem].numerator += delays.back();
    parts[group.traces[i].problem].denominator += 1;
  }
  if (delays.empty()) return found;
  std::sort(delays.begin(), delays.end());
  found.median = (delays[(delays.size() - 1) / 2] + delays[delays.size() / 2]) / 2;
  // Problems without a caught loop say nothing of the delay.
  std::erase_if(parts, [](const RatioPart& part) { return part.denominator == 0; });
  const double sum = std::accumulate(delays.begin(), delays.end(), 0.0);
  found.mean = Estimate{sum / static_cast<double>(delays.size()), bootstrap_ratio(parts, bootstrap)};
  return found;
}

void compare_signals(const schemas::Store& store, const SignalComparisonRequest& request,
                     const std::function<void(const SignalComparison&)>& take) {
  if (request.reference) static_cast<void>(replay::make_signal(*request.reference));
  bool any_gold = false;
  for (TraceGroup& group : load_groups(store, request)) {
    keep_gold(request, group);
    if (group.traces.empty()) continue;
    any_gold = true;
    take(Comparer(store, group, request).compare());
  }
  if (any_gold) return;
  throw Error(ErrorCode::kNotFound,
              fmt::format("{}: no trace that is selected has a gold answer, which every risk rests on",
                          store.path().string()));
}

}  // namespace lil::analyze
