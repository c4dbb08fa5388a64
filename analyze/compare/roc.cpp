#include "analyze/compare/roc.h"

#include <algorithm>
#include <tuple>

namespace lil::analyze {

Roc::Roc(std::span<const RocCheck> checks) {
  for (const RocCheck& check : checks) {
    const std::int64_t positive = check.nothing_gained ? 1 : 0;
    groups_.push_back({check.level, check.problem, positive, 1 - positive});
    positives_ += positive;
    negatives_ += 1 - positive;
  }
  std::sort(groups_.begin(), groups_.end(), [](const Group& a, const Group& b) {
    return std::tie(a.level, a.problem) < std::tie(b.level, b.problem);
  });
  std::size_t kept = 0;
  for (std::size_t i = 1; i < groups_.size(); ++i) {
    Group& last = groups_[kept];
    if (last.level == groups_[i].level && last.problem == groups_[i].problem) {
      last.positives += groups_[i].positives;
      last.negatives += groups_[i].negatives;
    } else {
      groups_[++kept] = groups_[i];
    }
  }
  if (!groups_.empty()) groups_.resize(kept + 1);
}

std::vector<RocPoint> Roc::points() const {
  std::vector<RocPoint> points;
  RocPoint sum;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    sum.flagged += groups_[i].positives;
    sum.false_alarms += groups_[i].negatives;
    sum.t = groups_[i].level + 1;
    if (i + 1 == groups_.size() || groups_[i + 1].level != groups_[i].level) points.push_back(sum);
  }
  return points;
}

std::optional<double> Roc::area(std::span<const std::int32_t> times) const {
  double twice_in_order = 0;  // pairs with the positive below, and half of those that are level
  double positives_below = 0;
  double negatives_below = 0;
  double positives = 0;
  double negatives = 0;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const Group& group = groups_[i];
    const double weight = times.empty() ? 1 : times[group.problem];
    positives += weight * static_cast<double>(group.positives);
    negatives += weight * static_cast<double>(group.negatives);
    if (i + 1 < groups_.size() && groups_[i + 1].level == group.level) continue;
    twice_in_order += (negatives - negatives_below) * (positives_below + positives);
    positives_below = positives;
    negatives_below = negatives;
  }
  if (positives == 0 || negatives == 0) return std::nullopt;
  return twice_in_order / (2 * positives * negatives);
}

}  // namespace lil::analyze
