#pragma once

#include <optional>

#include "analyze/graders/math/budget.h"
#include "analyze/graders/math/expression.h"

namespace lil::analyze::math {

/// Whether two answers are equal. Symmetric. Nothing where that cannot be said: a value is undefined or out
/// of range, or the budget is spent (which the budget tells).
///
/// Values: exactly where both are rational, else by samples.h. Lists with nothing around them and sets: the
/// same elements in any order, ± being two of them; one element may stand without braces. Tuples: element by
/// element; with a list in the same order, and with a vector. Intervals and inequalities: the same region.
/// Matrices: entry by entry. Equations: a constant multiple of each other, or the same sides. An answer with
/// a name (`x = 5`) equals one without; so does `101_2` equal `101` (the problem then says the base), and
/// not 5.
[[nodiscard]] std::optional<bool> compare(const Expression& a, const Expression& b, Budget& budget);

}  // namespace lil::analyze::math
