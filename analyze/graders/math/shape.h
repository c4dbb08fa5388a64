#pragma once

#include <optional>
#include <vector>

#include "analyze/graders/math/expression.h"

namespace lil::analyze::math {

/// What an answer says without the name it gives it: of `x = 5` the 5, of `(x, y) = (1, 2)` the tuple, of
/// `A = \pi r^2 = 9\pi` the last, of `x \in [0, 1]` the interval, of `1/3 \approx 0.33` the first; of a list
/// that of each. Nothing where a relation names nothing, as in `2x + y = 3` or `x < 2`.
[[nodiscard]] std::optional<Expression> without_name(const Expression& expression);

/// The elements of a list or set, of `a \pm b` both, of any other value itself. A value with more than four ±
/// stays as it is.
[[nodiscard]] std::vector<Expression> elements(const Expression& expression);

/// A number times a matrix as the matrix; anything else as it is.
[[nodiscard]] Expression with_matrix_multiplied(const Expression& expression);

/// `c` of an infinite value: 1 or -1; 0 of any other.
[[nodiscard]] int infinity_sign(const Expression& expression);

}  // namespace lil::analyze::math
