#include "analyze/calibration/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <exception>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <thread>
#include <utility>

#include "analyze/calibration/trial_group.h"
#include "analyze/frontier.h"
#include "schemas/curve_store.h"
#include "schemas/error.h"
#include "schemas/sha256.h"

namespace lil::analyze {
namespace {

using schemas::CurveId;

constexpr std::array kParts{Part::kTune, Part::kCalibrate, Part::kTest};

void check_request(const CalibrationRequest& request) {
  const auto check_level = [](const char* name, double value) {
    if (value > 0 && value < 1) return;
    throw Error(ErrorCode::kUsage, fmt::format("{} is {}, not between 0 and 1", name, value));
  };
  check_level("alpha", request.alpha);
  check_level("delta", request.delta);
  const auto& shares = request.split.shares;
  const bool positive = std::all_of(shares.begin(), shares.end(), [](double share) { return share > 0; });
  constexpr double kRounding = 1e-9;
  if (positive && std::abs(shares[0] + shares[1] + shares[2] - 1) < kRounding) return;
  throw Error(ErrorCode::kUsage,
              fmt::format("the split {},{},{} is not three shares above 0 that add up to 1", shares[0],
                          shares[1], shares[2]));
}

/// The traces with a gold answer of the one run and problem set that is selected.
TraceGroup load_group(const schemas::Store& store, const SourceRequest& request) {
  std::vector<TraceGroup> groups = load_groups(store, request);
  if (groups.size() == 1) {
    keep_gold(request, groups.front());
    if (!groups.front().traces.empty()) return std::move(groups.front());
    throw Error(ErrorCode::kNotFound,
                fmt::format("{}: no trace of run {}, {} has a gold answer, which every risk rests on",
                            store.path().string(), groups.front().run.uid, groups.front().problem_set));
  }
  std::string names;
  for (const TraceGroup& group : groups) {
    names +=
        fmt::format("{}run={},problem_set={}", names.empty() ? "" : "; ", group.run.uid, group.problem_set);
  }
  throw Error(ErrorCode::kUsage,
              fmt::format("{}: a certificate is of one run and problem set; choose one by --where: {}",
                          store.path().string(), names));
}

/// The curves of a group, and what guardians do on them.
class FamilyMaker {
 public:
  FamilyMaker(const schemas::Store& store, const TraceGroup& group)
      : store_(store), group_(group), chooser_(store, group) {}

  /// Of one measure, in the order of the shapes; every n-th of them to the n-th of the threads.
  std::vector<Family> make(std::size_t measure_index, const Measure& measure,
                           const std::vector<GuardianShape>& shapes, int threads) {
    const std::size_t first_id = ids_.size();
    for (const GuardianShape& shape : shapes) {
      ids_.push_back(
          chooser_.choose("rule " + shape.name, std::gcd(shape.every_tokens, shape.phase_tokens), measure));
      if (curves_.count(ids_.back()) == 0) curves_.emplace(ids_.back(), read(ids_.back()));
    }
    std::vector<Family> families(shapes.size(), Family{measure_index, {}});
    const std::size_t workers = std::min(static_cast<std::size_t>(std::max(1, threads)), shapes.size());
    std::vector<std::exception_ptr> failures(workers);
    const auto work = [&](std::size_t first) {
      try {
        for (std::size_t s = first; s < shapes.size(); s += workers)
          families[s].corners = corners_of(curves_.at(ids_[first_id + s]), shapes[s]);
      } catch (...) {
        failures[first] = std::current_exception();
      }
    };
    {
      std::vector<std::jthread> others;
      for (std::size_t first = 1; first < workers; ++first) others.emplace_back(work, first);
      work(0);
    }
    for (const auto& failure : failures) {
      if (failure) std::rethrow_exception(failure);
    }
    return families;
  }

  /// Of the family made as number `index`.
  [[nodiscard]] const CurveId& id_of(std::size_t index) const { return ids_[index]; }
  [[nodiscard]] std::vector<std::vector<schemas::Curve>> curves() const {
    std::vector<std::vector<schemas::Curve>> all;
    for (const auto& [id, curves] : curves_) all.push_back(curves);
    return all;
  }

 private:
  [[nodiscard]] std::vector<std::vector<StopCorner>> corners_of(const std::vector<schemas::Curve>& curves,
                                                                const GuardianShape& shape) const {
    std::vector<std::vector<StopCorner>> corners;
    for (std::size_t i = 0; i < curves.size(); ++i)
      corners.push_back(stop_corners(curves[i], group_.traces[i].info.tokens, shape));
    return corners;
  }
  [[nodiscard]] std::vector<schemas::Curve> read(const CurveId& id) const {
    std::vector<schemas::Curve> curves;
    for (const GradedTrace& trace : group_.traces) {
      auto curve = schemas::read_curve(store_, trace.info.key, id);
      assert(curve);
      curves.push_back(std::move(*curve));
    }
    return curves;
  }

  const schemas::Store& store_;
  const TraceGroup& group_;
  CurveChooser chooser_;
  std::map<CurveId, std::vector<schemas::Curve>> curves_;
  std::vector<CurveId> ids_;
};

PValue fitting_p_value(const Risk& risk, bool has_repeats, std::optional<PValue> asked) {
  const bool counts = risk.is_binary && !risk.is_signed && !has_repeats;
  if (asked == PValue::kBinomial && !counts) {
    throw Error(ErrorCode::kUsage,
                fmt::format("the binomial p-value takes losses of 0 and 1, which {} {} not; wsr and hb "
                            "take all",
                            risk.name, has_repeats ? "over repeats of a problem is" : "is"));
  }
  if (asked) return *asked;
  if (counts) return PValue::kBinomial;
  return risk.is_binary && !risk.is_signed ? PValue::kHoeffdingBentkus : PValue::kBetting;
}

/// A setting on the traces of a group.
struct GroupSetting {
  const Family* family = nullptr;
  CurveId curve;
  const GuardianShape* shape = nullptr;
  std::int64_t t = 0;
};

PartReport report_part(const TraceGroup& group, const TraceStops& stops, const GroupSetting& setting,
                       double risk, const std::string& grading) {
  PartReport report{count_cell(group, stops), risk};
  report.cell.signal = setting.curve.signal;
  report.cell.stream = setting.curve.stream;
  report.cell.signal_version = setting.curve.version;
  report.cell.grid_tokens = setting.curve.grid_tokens;
  report.cell.rule = setting.shape->with_threshold(setting.t);
  report.cell.grading = grading;
  return report;
}

/// Everything that calibrate() has loaded and chosen.
struct Bench {
  TraceGroup group;
  Trials trials;
  std::vector<GuardianShape> shapes;  ///< of each family
  std::vector<Family> families;
  TestPlan plan;
  TestResult result;
};

GroupSetting setting_of(const Bench& bench, const FamilyMaker& maker, std::size_t family, std::int64_t t) {
  return {&bench.families[family], maker.id_of(family), &bench.shapes[family], t};
}

Certificate certify_chosen(const Bench& bench, const FamilyMaker& maker, const CalibrationRequest& request) {
  const TestedSetting& chosen = *bench.result.chosen;
  assert(chosen.t);
  Certificate certificate;
  certificate.risk = request.risk;
  certificate.alpha = request.alpha;
  certificate.delta = request.delta;
  certificate.p_value_kind = bench.plan.p_value;
  certificate.p_value = chosen.p_value;
  certificate.procedure = request.procedure;
  certificate.level = bench.result.level;
  certificate.hypotheses = static_cast<std::int64_t>(bench.result.hypotheses);
  certificate.chains = static_cast<std::int64_t>(bench.result.families.size());
  certificate.shape = bench.shapes[chosen.family].name;
  certificate.t = *chosen.t;
  certificate.split_seed = request.split.seed;
  certificate.split_shares = request.split.shares;
  certificate.incomplete = bench.group.incomplete;
  certificate.without_gold = bench.group.without_gold;
  certificate.run_status = bench.group.run.status;
  certificate.closing = request.closing;
  certificate.data_sha256 = data_hash(bench.group, bench.trials, maker.curves());
  const GroupSetting setting = setting_of(bench, maker, chosen.family, *chosen.t);
  for (const Part part : kParts) {
    const GroupPart in_part = part_of_group(bench.group, bench.trials, part);
    const TraceStops stops = stops_at(in_part, *setting.family, setting.t);
    const double risk = outcome(bench.trials, *setting.family, chosen.t, part, bench.plan.risk).risk;
    PartReport report = report_part(in_part.group, stops, setting, risk, answers_name(request));
    if (part == Part::kTune) {
      certificate.tune = std::move(report);
    } else if (part == Part::kCalibrate) {
      certificate.calibrate = std::move(report);
    } else {
      certificate.test = report_test(in_part, stops, std::move(report), request.bootstrap);
    }
  }
  return certificate;
}

/// Of the tested settings that save anything, the one that lacks the fewest problems, and of these what saves
/// most.
std::optional<Shortfall> find_shortfall(const Bench& bench, const FamilyMaker& maker,
                                        const CalibrationRequest& request) {
  std::optional<Shortfall> least;
  for (const TestedSetting& tested : bench.result.tested) {
    const Outcome& found = tested.calibrate;
    if (!tested.t || found.kept == found.tokens) continue;
    Shortfall one;
    one.needed = problems_needed(bench.plan.p_value, found.losses, unit_alpha(bench.plan.risk, request.alpha),
                                 bench.result.level);
    one.saved = 1 - static_cast<double>(found.kept) / static_cast<double>(found.tokens);
    const auto rank = [](const Shortfall& s) {
      return std::pair(s.needed.value_or(std::numeric_limits<std::int64_t>::max()), -s.saved);
    };
    if (least && rank(*least) <= rank(one)) continue;
    const GroupSetting setting = setting_of(bench, maker, tested.family, *tested.t);
    const GroupPart part = part_of_group(bench.group, bench.trials, Part::kCalibrate);
    one.rule = setting.shape->with_threshold(setting.t);
    one.signal = setting.curve.signal;
    one.stream = setting.curve.stream;
    one.problems = static_cast<std::int64_t>(found.losses.size());
    one.harm = count_cell(part.group, stops_at(part, *setting.family, setting.t)).harm;
    one.risk = found.risk;
    one.p_value = tested.p_value;
    least = one;
  }
  return least;
}

void check_parts(const Trials& trials) {
  for (const Part part : kParts) {
    if (trials.problems(part) > 0) continue;
    throw Error(ErrorCode::kUsage,
                fmt::format("no problem falls into the part {} of the split", to_string(part)));
  }
}

}  // namespace

std::string data_hash(const TraceGroup& group, const Trials& trials,
                      const std::vector<std::vector<schemas::Curve>>& curves) {
  schemas::Sha256 hash;
  for (std::size_t i = 0; i < group.traces.size(); ++i) {
    const schemas::TraceInfo& info = group.traces[i].info;
    std::string line = fmt::format("{} {} {}\n", info.uid, info.tokens, schemas::to_string(info.finish));
    for (const std::int64_t turn : trials.traces()[i].right.turns()) line += fmt::format("{} ", turn);
    for (const auto& of_signal : curves) {
      line += fmt::format("\n{}:", of_signal[i].grid_tokens);
      for (const std::int64_t value : of_signal[i].values) line += fmt::format(" {}", value);
    }
    hash.update(line + "\n");
  }
  return hash.hex_digest();
}

TestPlan plan_test(const CalibrationRequest& request, const Trials& trials) {
  check_request(request);
  check_parts(trials);
  TestPlan plan;
  plan.risk = find_risk(request.risk);
  plan.alpha = request.alpha;
  plan.delta = request.delta;
  plan.procedure = request.procedure;
  plan.p_value = fitting_p_value(plan.risk, trials.has_repeats(), request.p_value);
  plan.most_chains = request.most_chains;
  plan.most_thresholds = request.most_thresholds;
  return plan;
}

Calibration calibrate(const schemas::Store& store, const CalibrationRequest& request) {
  TraceGroup group = load_group(store, request);
  Trials trials = make_trials(group, request.split);
  const TestPlan plan = plan_test(request, trials);
  Bench bench{std::move(group), std::move(trials), {}, {}, plan, {}};
  FamilyMaker maker(store, bench.group);
  const std::vector<Measure> measures = choose_measures(store, request, bench.group);
  std::vector<GuardianShape> shapes;
  for (const std::string& rule : request.rules) shapes.push_back(parse_guardian_shape(rule));
  for (std::size_t m = 0; m < measures.size(); ++m) {
    bench.shapes.insert(bench.shapes.end(), shapes.begin(), shapes.end());
    auto families = maker.make(m, measures[m], shapes, request.threads);
    std::move(families.begin(), families.end(), std::back_inserter(bench.families));
  }
  bench.result = learn_then_test(bench.trials, bench.families, plan);
  Calibration found;
  found.run = bench.group.run.uid;
  found.problem_set = bench.group.problem_set;
  found.p_value_kind = plan.p_value;
  found.level = bench.result.level;
  found.hypotheses = static_cast<std::int64_t>(bench.result.hypotheses);
  for (const std::size_t family : bench.result.families) found.chains.push_back(bench.shapes[family].name);
  found.signal = maker.id_of(bench.result.families.front()).signal;
  found.stream = maker.id_of(bench.result.families.front()).stream;
  for (std::size_t i = 0; i < kParts.size(); ++i) found.problems[i] = bench.trials.problems(kParts[i]);
  found.least_needed = problems_needed_without_loss(plan.p_value, unit_alpha(plan.risk, request.alpha),
                                                    bench.result.level, unit_loss(plan.risk, 0));
  if (bench.result.chosen) {
    found.certificate = certify_chosen(bench, maker, request);
  } else {
    found.shortfall = find_shortfall(bench, maker, request);
  }
  return found;
}

Recheck recheck(const schemas::Store& store, const SourceRequest& request,
                const CertifiedSetting& certified) {
  SourceRequest sources = request;
  sources.signals = {certified.signal};
  sources.streams = {certified.stream};
  sources.grading = certified.grading;
  sources.answers = certified.answers;
  sources.closing = certified.closing;
  const TraceGroup group = load_group(store, sources);
  Recheck found;
  found.only_test_part = group.problem_set == certified.problem_set;
  found.same_run = found.only_test_part && group.run.uid == certified.run;
  ProblemSplit split{certified.split_shares, certified.split_seed};
  if (!found.only_test_part) split.shares = {0, 0, 1};
  const Trials trials = make_trials(group, split);
  if (trials.problems(Part::kTest) == 0) {
    throw Error(ErrorCode::kUsage, fmt::format("{}: no problem is left that was not tuned or calibrated on",
                                               store.path().string()));
  }
  FamilyMaker maker(store, group);
  const GuardianShape shape = parse_guardian_shape(certified.shape);
  const Family family =
      std::move(maker.make(0, choose_measures(store, sources, group).front(), {shape}, 1).front());
  const GroupSetting setting{&family, maker.id_of(0), &shape, certified.t};
  const Risk& risk = find_risk(certified.risk);
  const Outcome seen = outcome(trials, family, certified.t, Part::kTest, risk);
  const double alpha = unit_alpha(risk, certified.alpha);
  const GroupPart part = part_of_group(group, trials, Part::kTest);
  found.rule = shape.with_threshold(certified.t);
  found.part =
      report_part(part.group, stops_at(part, family, certified.t), setting, seen.risk, answers_name(sources));
  found.signal_version = setting.curve.version;
  found.p_value_kind = fitting_p_value(risk, trials.has_repeats(), std::nullopt);
  found.p_value = p_value(found.p_value_kind, seen.losses, alpha);
  found.holds = found.p_value <= certified.delta;
  if (!found.holds) found.needed = problems_needed(found.p_value_kind, seen.losses, alpha, certified.delta);
  return found;
}

}  // namespace lil::analyze
