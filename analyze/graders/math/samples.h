#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "analyze/graders/math/approximate.h"
#include "analyze/graders/math/budget.h"
#include "analyze/graders/math/exact.h"
#include "analyze/graders/math/expression.h"

namespace lil::analyze::math {

/// How many points an expression with variables is evaluated at: three with positive variables near 1, two
/// with either sign, and three with larger variables, so that |x - 1| is told from 1 - x.
inline constexpr int kPoints = 8;

/// What the variables stand for.
enum class Points {
  kReal,   ///< numbers of 0.7 to 1 in size, at the last three points of 1 to 4, 16, 256
  kWhole,  ///< whole numbers from 8 to 64: for factorials and the like
};

/// The value of an expression at one point.
struct Sample {
  Approximate value;
  bool left_reals = false;  ///< on the way there was a root, power or logarithm of a negative number
};

/// The values of an expression without and with variables.
struct Samples {
  bool constant = false;  ///< no variables: only the first point is looked at
  std::array<std::optional<Sample>, kPoints> at;
};

/// Whether a factorial, a rounding or the like is taken of a variable.
[[nodiscard]] bool wants_whole_points(const Expression& expression);

/// Evaluates at points that depend only on the variables' names and a fixed seed, so that one expression's
/// values may be set against another's. What is not defined at a point, or out of range, is absent there.
[[nodiscard]] Samples take_samples(const Expression& expression, const Reading& reading, Points points,
                                   Budget& budget);

/// Whether two expressions have the same values. Two different polynomials of degree d agree at a random
/// point with a probability of at most d / 2^53, and so with other expressions built of smooth functions: a
/// false match at three points or more does not happen by chance. Points where either side leaves the real
/// numbers count only where too few others are left: sqrt(a)sqrt(b) is sqrt(ab) wherever both are real.
/// Nothing where too few points are defined to say.
[[nodiscard]] std::optional<bool> agree(const Samples& a, const Samples& b);

/// Whether a = c·b at all points for one number c, and its sign (1 also where c is not real): so of two
/// equations or inequalities with 0 on one side. 0: it is not so. Nothing where that cannot be said.
[[nodiscard]] std::optional<int> proportion(const Samples& a, const Samples& b);

}  // namespace lil::analyze::math
