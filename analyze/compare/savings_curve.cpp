#include "analyze/compare/savings_curve.h"

#include <algorithm>

namespace lil::analyze {

SavingsCurve::SavingsCurve(std::span<const FrontierTrace> traces, std::span<const std::size_t> problems) {
  for (std::size_t i = 0; i < traces.size(); ++i) {
    const FrontierTrace& trace = traces[i];
    std::int64_t right = trace.right->at(trace.tokens) ? 1 : 0;
    wholes_.push_back({problems[i], trace.tokens, right});
    std::int64_t kept = trace.tokens;
    for (const StopCorner& corner : trace.corners) {
      const std::int64_t right_there = trace.right->at(corner.stop) ? 1 : 0;
      moves_.push_back({corner.t, problems[i], kept - corner.stop, right_there - right});
      kept = corner.stop;
      right = right_there;
    }
  }
  std::stable_sort(moves_.begin(), moves_.end(), [](const Move& a, const Move& b) { return a.t < b.t; });
}

double SavingsCurve::area(std::span<const std::int32_t> times) const {
  const auto weight = [&](std::size_t problem) { return times.empty() ? 1 : std::int64_t{times[problem]}; };
  std::int64_t traces = 0;
  std::int64_t tokens = 0;
  std::int64_t right = 0;
  for (const Whole& whole : wholes_) {
    traces += weight(whole.problem);
    tokens += weight(whole.problem) * whole.tokens;
    right += weight(whole.problem) * whole.right;
  }
  if (tokens == 0) return 0;
  double area = 0;  // in tokens times traces
  std::int64_t saved = 0;
  for (std::size_t i = 0; i < moves_.size(); ++i) {
    const Move& move = moves_[i];
    saved += weight(move.problem) * move.saved;
    right += weight(move.problem) * move.right;
    if (i + 1 < moves_.size() && moves_[i + 1].t == move.t) continue;
    area += static_cast<double>(saved) * static_cast<double>(right);
    saved = 0;
  }
  return area / static_cast<double>(tokens) / static_cast<double>(traces);
}

}  // namespace lil::analyze
