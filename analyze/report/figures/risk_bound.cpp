#include "analyze/report/figures/risk_bound.h"

#include <algorithm>
#include <cstddef>
#include <set>

#include "analyze/calibration/p_values.h"
#include "analyze/intervals.h"

namespace lil::analyze {

double harm_bound(std::int64_t harmed, std::int64_t traces, double delta) {
  constexpr double kHalf = 0.5;
  // Beyond one half the two tails would meet; there the bound is that of one half, which is above it.
  return clopper_pearson(harmed, traces, 1 - 2 * (delta < kHalf ? delta : kHalf - 1e-9)).high;
}

GoldCounts count_gold(const TraceGroup& group) {
  GoldCounts counts;
  std::set<std::size_t> problems;
  for (const GradedTrace& trace : group.traces) {
    if (trace.info.kind == schemas::AnswerKind::kNone) continue;
    ++counts.traces;
    problems.insert(trace.problem);
  }
  counts.problems = static_cast<std::int64_t>(problems.size());
  return counts;
}

double harm_bound(const GoldCounts& gold, std::int64_t harmed, double delta) {
  return harm_bound(std::min(harmed, gold.problems), gold.problems, delta);
}

std::string unit_of_bounds(bool any_repeats) {
  return any_repeats
             ? "problems as independent; where they have repeats, each harmed trace counts as a problem"
             : "problems as independent";
}

std::int64_t traces_without_harm(double alpha, double delta) {
  return problems_needed_without_loss(PValue::kBinomial, alpha, delta);
}

}  // namespace lil::analyze
