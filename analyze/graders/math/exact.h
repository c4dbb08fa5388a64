#pragma once

#include <optional>

#include "analyze/graders/math/budget.h"
#include "analyze/graders/math/expression.h"

namespace lil::analyze::math {

/// What a percent and a degree sign stand for. Graders in use take 18 % for 18 and for 0.18, 90° for 90; so
/// both readings are tried, each for both sides at once. Within a function such as sin a degree is always
/// π/180.
struct Reading {
  bool percent_is_hundredth = false;
  bool degree_is_angle = false;
};

/// The value of an expression without variables that is rational all through; nothing otherwise, where it is
/// not defined, or where a number would get longer than kMaxExactBits.
[[nodiscard]] std::optional<Rational> exact_value(const Expression& expression, const Reading& reading,
                                                  Budget& budget);

/// `base` to a whole power, within kMaxExactBits; nothing for 0 to a negative power.
[[nodiscard]] std::optional<Rational> exact_power(const Rational& base, const Rational& exponent);

/// n! and n over k of whole numbers, within kMaxExactBits; nothing for negative ones.
[[nodiscard]] std::optional<Integer> factorial(const Integer& n, Budget& budget);
[[nodiscard]] std::optional<Integer> binomial(const Integer& n, const Integer& k, Budget& budget);

}  // namespace lil::analyze::math
