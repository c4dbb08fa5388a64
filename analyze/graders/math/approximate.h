#pragma once

#include <boost/multiprecision/cpp_bin_float.hpp>
#include <optional>

#include "analyze/graders/math/rational.h"

namespace lil::analyze::math {

/// 64 decimal digits: 213 bits.
using Real =
    boost::multiprecision::number<boost::multiprecision::cpp_bin_float<64>, boost::multiprecision::et_off>;

/// A complex number with a bound on how far off it is, carried through every operation. So what cancels is
/// known to be zero within what was lost, and two values are compared relative to what they were made of.
struct Approximate {
  Real re = 0;
  Real im = 0;          ///< exactly 0 for a real number
  double error = -1e9;  ///< log2 of the bound; -1e9 for none

  [[nodiscard]] bool is_real() const { return im == 0; }
};

[[nodiscard]] Approximate approximate(const Rational& value);
[[nodiscard]] Approximate approximate(const Real& value);

[[nodiscard]] Approximate operator+(const Approximate& a, const Approximate& b);
[[nodiscard]] Approximate operator-(const Approximate& a);
[[nodiscard]] Approximate operator*(const Approximate& a, const Approximate& b);

/// Whether it cannot be told from zero.
[[nodiscard]] bool is_zero(const Approximate& z);
/// Whether a and b are equal: their difference is within their bounds. Two different numbers of an answer's
/// size would have to agree to about 60 digits to be taken for equal, and to 24 where much has cancelled.
/// Nothing where more was lost.
[[nodiscard]] std::optional<bool> equal(const Approximate& a, const Approximate& b);
/// -1, 0 or 1 of a real number.
[[nodiscard]] int sign_of(const Approximate& real);

// Nothing where a function is not defined or its value out of range. Principal branches; a real number stays
// real where its function does.
[[nodiscard]] std::optional<Approximate> inverse(const Approximate& z);
[[nodiscard]] std::optional<Approximate> exponential(const Approximate& z);
[[nodiscard]] std::optional<Approximate> logarithm(const Approximate& z);
[[nodiscard]] std::optional<Approximate> square_root(const Approximate& z);
[[nodiscard]] std::optional<Approximate> power(const Approximate& base, const Approximate& exponent);
[[nodiscard]] std::optional<Approximate> whole_power(const Approximate& base, int exponent);
[[nodiscard]] std::optional<Approximate> sine(const Approximate& z);
[[nodiscard]] std::optional<Approximate> cosine(const Approximate& z);
[[nodiscard]] std::optional<Approximate> arc_tangent(const Approximate& real);
[[nodiscard]] std::optional<Approximate> arc_sine(const Approximate& real);
[[nodiscard]] Approximate magnitude(const Approximate& z);
/// The whole number that a real one is within its bound; nothing where it is none, or beyond 2^60.
[[nodiscard]] std::optional<Integer> whole_value(const Approximate& real);

}  // namespace lil::analyze::math
