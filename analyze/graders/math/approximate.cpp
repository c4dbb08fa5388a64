#include "analyze/graders/math/approximate.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

namespace lil::analyze::math {
namespace {

constexpr double kNoError = -1e9;
constexpr double kRoundingBits = 206;  // of 213: a function of Boost's may be off by a few units
constexpr double kComparedBits = 80;   // fewer that are known say nothing of equality
constexpr double kSlackBits = 8;       // on the bounds when two are compared
constexpr double kMaxExponent = 20;    // log2 of the largest argument of exp, in size
constexpr double kMaxAngle = 60;       // the same of sin

using Result = std::optional<Approximate>;

/// log2 of the least power of two above |x|.
double size(const Real& x) {
  return x == 0 ? kNoError : static_cast<double>(ilogb(x)) + 1;
}
double upper(const Approximate& z) {
  return z.is_real() ? size(z.re) : std::max(size(z.re), size(z.im)) + 1;
}
double lower(const Approximate& z) {
  return std::max(size(z.re), size(z.im)) - 1;
}

/// log2 of a sum of powers of two.
double log_sum(std::initializer_list<double> logs) {
  const double most = std::max(logs);
  if (most <= kNoError) return kNoError;
  double sum = 0;
  for (const double log : logs) sum += std::exp2(log - most);
  return most + std::log2(sum);
}

bool is_finite(const Real& x) {
  return boost::multiprecision::isfinite(x);
}

/// With the error of rounding added; nothing where it overflowed.
Result rounded(Approximate z, double error) {
  if (!is_finite(z.re) || !is_finite(z.im)) return std::nullopt;
  z.error = log_sum({error, upper(z) - kRoundingBits});
  return z;
}
Approximate rounded_finite(Approximate z, double error) {
  z.error = log_sum({error, upper(z) - kRoundingBits});
  return z;
}

/// Without an imaginary part that is no more than its error: which side of a branch cut it is on would be
/// chance.
Approximate off_the_cut(Approximate z) {
  if (size(z.im) <= z.error) z.im = 0;
  return z;
}

}  // namespace

Approximate approximate(const Rational& value) {
  return rounded_finite({Real(numerator(value)) / Real(denominator(value)), 0, kNoError}, kNoError);
}
Approximate approximate(const Real& value) {
  return rounded_finite({value, 0, kNoError}, kNoError);
}

Approximate operator+(const Approximate& a, const Approximate& b) {
  return rounded_finite({a.re + b.re, a.im + b.im, 0}, log_sum({a.error, b.error}));
}
Approximate operator-(const Approximate& a) {
  return {-a.re, a.is_real() ? Real(0) : Real(-a.im), a.error};
}
Approximate operator*(const Approximate& a, const Approximate& b) {
  Approximate product;
  product.re = a.re * b.re;
  if (!a.is_real() || !b.is_real()) {
    product.re -= a.im * b.im;
    product.im = a.re * b.im + a.im * b.re;
  }
  const double cut = upper(a) + upper(b) - kRoundingBits;  // re may be what two large products leave
  return rounded_finite(product, log_sum({upper(a) + b.error, upper(b) + a.error, a.error + b.error, cut}));
}

bool is_zero(const Approximate& z) {
  return (z.re == 0 && z.im == 0) || lower(z) <= z.error;
}

std::optional<bool> equal(const Approximate& a, const Approximate& b) {
  if (!is_finite(a.re) || !is_finite(a.im) || !is_finite(b.re) || !is_finite(b.im)) return std::nullopt;
  const Approximate difference{a.re - b.re, a.im - b.im, 0};
  const double bound = log_sum({a.error, b.error}) + kSlackBits;
  if (upper(difference) > bound) return false;
  const double known = std::max({0.0, upper(a), upper(b)}) - kComparedBits;
  return bound <= known ? std::optional(true) : std::nullopt;
}

int sign_of(const Approximate& real) {
  if (is_zero(real)) return 0;
  return real.re < 0 ? -1 : 1;
}

Result inverse(const Approximate& z) {
  if (is_zero(z) || lower(z) <= z.error + 2) return std::nullopt;
  const double error = z.error - 2 * lower(z) + 2;
  if (z.is_real()) return rounded({1 / z.re, 0, 0}, error);
  const Real square = z.re * z.re + z.im * z.im;
  return rounded({z.re / square, -z.im / square, 0}, error);
}

Result exponential(const Approximate& z) {
  if (upper(z) > kMaxExponent || z.error > 0) return std::nullopt;
  const Real factor = exp(z.re);
  const double error = size(factor) + z.error + 1;
  if (z.is_real()) return rounded({factor, 0, 0}, error);
  return rounded({factor * cos(z.im), factor * sin(z.im), 0}, error);
}

Result logarithm(const Approximate& given) {
  const Approximate z = off_the_cut(given);
  if (is_zero(z) || lower(z) <= z.error + 2) return std::nullopt;
  const double error = z.error - lower(z) + 2;
  if (z.is_real() && z.re > 0) return rounded({log(z.re), 0, 0}, log_sum({error, -kRoundingBits}));
  const Real square = z.re * z.re + z.im * z.im;
  return rounded({log(square) / 2, atan2(z.im, z.re), 0}, log_sum({error, -kRoundingBits}));
}

Result square_root(const Approximate& given) {
  const Approximate z = off_the_cut(given);
  if (is_zero(z)) return rounded({}, z.error / 2);
  const double error = z.error - lower(z) / 2 + 1;
  if (z.is_real() && z.re > 0) return rounded({sqrt(z.re), 0, 0}, error);
  if (z.is_real()) return rounded({0, sqrt(Real(-z.re)), 0}, error);
  const Real length = sqrt(Real(z.re * z.re + z.im * z.im));
  const Real half = sqrt(Real((length + abs(z.re)) / 2));
  const Real other = abs(z.im) / (2 * half);
  Approximate root{z.re < 0 ? other : half, z.re < 0 ? half : other, 0};
  if (z.im < 0) root.im = -root.im;
  return rounded(root, error);
}

Result power(const Approximate& base, const Approximate& exponent) {
  if (is_zero(base)) {
    if (!exponent.is_real() || sign_of(exponent) <= 0) return std::nullopt;
    return Approximate{0, 0, base.error};
  }
  const auto log = logarithm(base);
  return log ? exponential(*log * exponent) : std::nullopt;
}

Result whole_power(const Approximate& base, int exponent) {
  Approximate result = approximate(Real(1));
  Approximate square = base;
  for (unsigned left = static_cast<unsigned>(std::abs(exponent)); left != 0; left >>= 1U) {
    if ((left & 1U) != 0) result = result * square;
    if (left > 1) square = square * square;
  }
  if (!is_finite(result.re) || !is_finite(result.im)) return std::nullopt;
  return exponent < 0 ? inverse(result) : Result(result);
}

Result sine(const Approximate& z) {
  if (upper(z) > kMaxAngle || z.error > 0) return std::nullopt;
  const double angle = upper(z) - kRoundingBits;  // what is lost when whole turns are taken off
  if (z.is_real()) return rounded({sin(z.re), 0, 0}, log_sum({z.error, angle, -kRoundingBits}));
  if (size(z.im) > kMaxExponent) return std::nullopt;
  const Real up = cosh(z.im);
  return rounded({sin(z.re) * up, cos(z.re) * sinh(z.im), 0}, log_sum({z.error, angle}) + size(up) + 1);
}

Result cosine(const Approximate& z) {
  if (upper(z) > kMaxAngle || z.error > 0) return std::nullopt;
  const double angle = upper(z) - kRoundingBits;
  if (z.is_real()) return rounded({cos(z.re), 0, 0}, log_sum({z.error, angle, -kRoundingBits}));
  if (size(z.im) > kMaxExponent) return std::nullopt;
  const Real up = cosh(z.im);
  return rounded({cos(z.re) * up, -(sin(z.re) * sinh(z.im)), 0}, log_sum({z.error, angle}) + size(up) + 1);
}

Result arc_tangent(const Approximate& real) {
  if (!real.is_real()) return std::nullopt;
  return rounded({atan(real.re), 0, 0}, log_sum({real.error, -kRoundingBits}));
}

Result arc_sine(const Approximate& real) {
  if (!real.is_real()) return std::nullopt;
  const Real left = 1 - real.re * real.re;
  const double edge = std::max(real.error, -kRoundingBits);
  if (left < 0 && size(left) > edge + 4) return std::nullopt;
  const Real inside = std::clamp(real.re, Real(-1), Real(1));
  // Steep at the edge: off by the root of the error there, by its slope elsewhere.
  const double error = size(left) <= edge + 4 ? edge / 2 + 3 : edge - size(left) / 2 + 2;
  return rounded({asin(inside), 0, 0}, error);
}

Approximate magnitude(const Approximate& z) {
  if (z.is_real()) return {abs(z.re), 0, z.error};
  return rounded_finite({sqrt(Real(z.re * z.re + z.im * z.im)), 0, 0}, z.error);
}

std::optional<Integer> whole_value(const Approximate& real) {
  if (!real.is_real() || upper(real) > kMaxAngle || real.error > -kSlackBits) return std::nullopt;
  const Real nearest = round(real.re);
  if (size(Real(real.re - nearest)) > real.error + kSlackBits) return std::nullopt;
  return Integer(static_cast<long long>(nearest));
}

}  // namespace lil::analyze::math
