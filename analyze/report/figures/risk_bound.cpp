#include "analyze/report/figures/risk_bound.h"

#include "analyze/calibration/p_values.h"
#include "analyze/intervals.h"

namespace lil::analyze {

double harm_bound(std::int64_t harmed, std::int64_t traces, double delta) {
  constexpr double kHalf = 0.5;
  // Beyond one half the two tails would meet; there the bound is that of one half, which is above it.
  return clopper_pearson(harmed, traces, 1 - 2 * (delta < kHalf ? delta : kHalf - 1e-9)).high;
}

std::int64_t traces_without_harm(double alpha, double delta) {
  return problems_needed_without_loss(PValue::kBinomial, alpha, delta);
}

}  // namespace lil::analyze
