#pragma once

#include <optional>
#include <vector>

#include "analyze/graders/math/approximate.h"
#include "analyze/graders/math/budget.h"
#include "analyze/graders/math/expression.h"

namespace lil::analyze::math {

/// One end of an interval of real numbers.
struct End {
  int infinite = 0;  ///< -1 or 1 at the ends of the line
  Approximate at;    ///< where it is finite
  bool closed = false;
};

struct Stretch {
  End low;
  End high;
};

/// A set of real numbers: stretches in order that do not touch, points being stretches of no length.
using Region = std::vector<Stretch>;

/// The region that an interval, a union of such, a finite set, all real numbers but some, or an inequality in
/// one variable (`1 < x \le 2`, `x \ne 3`, `x < 1 or x > 3`) stands for. Nothing where it is none or an end
/// is no real number.
[[nodiscard]] std::optional<Region> region_of(const Expression& expression, Budget& budget);

/// Whether two regions are the same, as far as ends can be told apart.
[[nodiscard]] bool same_region(const Region& a, const Region& b);

}  // namespace lil::analyze::math
