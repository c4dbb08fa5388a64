#include "analyze/calibration/learn_then_test.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <set>

namespace lil::analyze {
namespace {

using Threshold = std::optional<std::int64_t>;

/// Thresholds that one of Bonferroni and Holm tests in each family where nothing else is asked for.
constexpr std::size_t kFewThresholds = 5;

/// What a setting is wanted for: tokens saved or traces right.
std::int64_t merit(const Risk& risk, const Outcome& outcome) {
  return risk.none_without_stop ? outcome.tokens - outcome.kept : outcome.right_stop;
}

/// A family after a look at the tune problems.
struct TunedFamily {
  std::size_t family = 0;
  std::vector<Threshold> thresholds;  ///< in the order of testing
  std::vector<std::int64_t> merits;   ///< of the first ones, up to where the risk on tune is too great
  std::int64_t best = -1;
};

/// The corners of the tune traces, and minus infinity, from where the risk is least.
std::vector<Threshold> ordered_thresholds(const Trials& trials, const Family& family, const Risk& risk) {
  std::set<std::int64_t> corners;
  for (std::size_t i = 0; i < family.corners.size(); ++i) {
    if (trials.part_of(trials.traces()[i]) != Part::kTune) continue;
    for (const StopCorner& corner : family.corners[i]) corners.insert(corner.t);
  }
  std::vector<Threshold> thresholds{std::nullopt};
  thresholds.insert(thresholds.end(), corners.begin(), corners.end());
  if (!risk.none_without_stop) std::reverse(thresholds.begin(), thresholds.end());
  return thresholds;
}

/// The greatest risk that the calibrate problems could still certify, were each loss 0 or 1.
double certifiable_risk(const TestPlan& plan, std::int64_t problems) {
  const double level = plan.delta / static_cast<double>(std::max<std::size_t>(1, plan.most_chains));
  std::int64_t losses = 0;
  while (losses < problems && binomial_p_value(losses + 1, problems, plan.alpha) <= level) ++losses;
  return static_cast<double>(losses) / static_cast<double>(std::max<std::int64_t>(1, problems));
}

TunedFamily tune(const Trials& trials, std::span<const Family> families, std::size_t index,
                 const TestPlan& plan, double most_risk) {
  TunedFamily tuned;
  tuned.family = index;
  tuned.thresholds = ordered_thresholds(trials, families[index], plan.risk);
  for (const Threshold& t : tuned.thresholds) {
    const Outcome found = outcome(trials, families[index], t, Part::kTune, plan.risk);
    if (found.risk > most_risk) break;
    tuned.merits.push_back(merit(plan.risk, found));
    tuned.best = std::max(tuned.best, tuned.merits.back());
  }
  return tuned;
}

/// Those of the signal and stream that has the best one, best first.
std::vector<TunedFamily> best_measure(std::vector<TunedFamily> tuned, std::span<const Family> families) {
  std::stable_sort(tuned.begin(), tuned.end(),
                   [](const TunedFamily& a, const TunedFamily& b) { return a.best > b.best; });
  const std::size_t measure = families[tuned.front().family].measure;
  std::erase_if(tuned, [&](const TunedFamily& one) { return families[one.family].measure != measure; });
  return tuned;
}

/// At even steps of the merit on tune, the first threshold that reaches each.
void thin(TunedFamily& tuned, std::size_t most) {
  std::vector<Threshold> few;
  std::size_t next = 0;
  for (std::size_t step = 1; step <= most && tuned.best > 0; ++step) {
    const auto wanted =
        static_cast<double>(tuned.best) * static_cast<double>(step) / static_cast<double>(most);
    const auto from = tuned.merits.begin() + static_cast<std::ptrdiff_t>(next);
    const auto found = std::find_if(from, tuned.merits.end(),
                                    [&](std::int64_t merit) { return static_cast<double>(merit) >= wanted; });
    if (found == tuned.merits.end()) break;
    next = static_cast<std::size_t>(found - tuned.merits.begin()) + 1;
    few.push_back(tuned.thresholds[next - 1]);
  }
  tuned.thresholds = few.empty() ? std::vector<Threshold>{tuned.thresholds.front()} : few;
}

/// As many families as `plan` allows and for which problems without any loss could still be certified.
void limit_chains(std::vector<TunedFamily>& tuned, const TestPlan& plan, std::int64_t problems) {
  std::size_t most = std::min(std::max<std::size_t>(1, plan.most_chains), tuned.size());
  const auto needed = [&](std::size_t chains) {
    return problems_needed_without_loss(plan.p_value, unit_alpha(plan.risk, plan.alpha),
                                        plan.delta / static_cast<double>(chains), unit_loss(plan.risk, 0));
  };
  while (most > 1 && (tuned[most - 1].best <= 0 || needed(most) > problems)) --most;
  tuned.resize(most);
}

/// Tests a chain in its order; with kChain up to the first failure.
void test_chain(const Trials& trials, std::span<const Family> families, const TestPlan& plan,
                const TunedFamily& tuned, double level, std::vector<TestedSetting>& tested,
                std::vector<double>& p_values) {
  for (const Threshold& t : tuned.thresholds) {
    TestedSetting setting;
    setting.family = tuned.family;
    setting.t = t;
    setting.calibrate = outcome(trials, families[tuned.family], t, Part::kCalibrate, plan.risk);
    setting.p_value = p_value(plan.p_value, setting.calibrate.losses, unit_alpha(plan.risk, plan.alpha));
    p_values.push_back(setting.p_value);
    tested.push_back(std::move(setting));
    if (plan.procedure == Procedure::kChain && p_values.back() > level) return;
  }
}

void mark_certified(const TestPlan& plan, const std::vector<std::vector<double>>& p_values,
                    std::vector<TestedSetting>& tested) {
  std::size_t next = 0;
  for (const auto& chain : certify(plan.procedure, p_values, plan.delta)) {
    for (const bool certified : chain) tested[next++].certified = certified;
  }
}

std::optional<TestedSetting> best_certified(const TestPlan& plan, const std::vector<TestedSetting>& tested) {
  const TestedSetting* best = nullptr;
  for (const TestedSetting& setting : tested) {
    const std::int64_t saved = setting.calibrate.tokens - setting.calibrate.kept;
    if (!setting.certified || saved <= 0) continue;
    const std::int64_t value = merit(plan.risk, setting.calibrate);
    const std::int64_t so_far = best == nullptr ? -1 : merit(plan.risk, best->calibrate);
    if (value > so_far || (value == so_far && setting.p_value < best->p_value)) best = &setting;
  }
  return best == nullptr ? std::nullopt : std::optional(*best);
}

}  // namespace

Trials::Trials(std::vector<TrialTrace> traces, std::vector<Part> parts, std::vector<std::size_t> order)
    : traces_(std::move(traces)),
      parts_(std::move(parts)),
      order_(std::move(order)),
      traces_of_(parts_.size()) {
  assert(order_.size() == parts_.size());
  for (std::size_t i = 0; i < traces_.size(); ++i) traces_of_[traces_[i].problem].push_back(i);
}

std::int64_t Trials::problems(Part part) const {
  return std::count(parts_.begin(), parts_.end(), part);
}

bool Trials::has_repeats() const {
  return std::any_of(traces_of_.begin(), traces_of_.end(),
                     [](const auto& traces) { return traces.size() > 1; });
}

std::vector<std::span<const std::size_t>> Trials::problems_of(Part part) const {
  std::vector<std::span<const std::size_t>> problems;
  for (const std::size_t problem : order_) {
    if (parts_[problem] == part) problems.emplace_back(traces_of_[problem]);
  }
  return problems;
}

Outcome outcome(const Trials& trials, const Family& family, std::optional<std::int64_t> t, Part part,
                const Risk& risk) {
  Outcome found;
  double sum = 0;
  for (const auto& traces : trials.problems_of(part)) {
    double loss = 0;
    for (const std::size_t i : traces) {
      const TrialTrace& trace = trials.traces()[i];
      const std::int64_t kept = kept_at(family.corners[i], trace.tokens, t);
      loss += risk.loss(trace.right, trace.tokens, kept);
      found.tokens += trace.tokens;
      found.kept += kept;
      found.right_stop += trace.right.at(kept) ? 1 : 0;
    }
    loss /= static_cast<double>(traces.size());
    sum += loss;
    found.losses.push_back(unit_loss(risk, loss));
  }
  if (!found.losses.empty()) found.risk = sum / static_cast<double>(found.losses.size());
  return found;
}

TestResult learn_then_test(const Trials& trials, std::span<const Family> families, const TestPlan& plan) {
  assert(!families.empty());
  std::vector<TunedFamily> tuned;
  const double most_risk = certifiable_risk(plan, trials.problems(Part::kCalibrate));
  for (std::size_t i = 0; i < families.size(); ++i) {
    tuned.push_back(tune(trials, families, i, plan, most_risk));
  }
  tuned = best_measure(std::move(tuned), families);
  limit_chains(tuned, plan, trials.problems(Part::kCalibrate));
  TestResult result;
  const bool few = plan.procedure != Procedure::kChain || plan.most_thresholds > 0;
  for (TunedFamily& one : tuned) {
    if (few) thin(one, plan.most_thresholds > 0 ? plan.most_thresholds : kFewThresholds);
    result.families.push_back(one.family);
    result.hypotheses += one.thresholds.size();
  }
  result.level = first_level(plan.procedure, tuned.size(), result.hypotheses, plan.delta);
  std::vector<std::vector<double>> p_values(tuned.size());
  for (std::size_t c = 0; c < tuned.size(); ++c) {
    test_chain(trials, families, plan, tuned[c], result.level, result.tested, p_values[c]);
  }
  mark_certified(plan, p_values, result.tested);
  result.chosen = best_certified(plan, result.tested);
  return result;
}

}  // namespace lil::analyze
