#include "analyze/graders/math/exact.h"

#include <algorithm>
#include <utility>

namespace lil::analyze::math {
namespace {

using Kind = Expression::Kind;
using Exact = std::optional<Rational>;

/// What an operation on numbers of so many bits costs: they are reduced by Euclid's algorithm, which is
/// quadratic.
std::int64_t steps_of(std::size_t bits) {
  const auto limbs = static_cast<std::int64_t>(bits / 64);
  return 1 + limbs * limbs / 16;
}

constexpr unsigned kMaxFactorial = 1500;

Integer floor_of(const Rational& value) {
  const Integer above = numerator(value);
  const Integer below = denominator(value);
  Integer result = above / below;
  if (above < 0 && result * below != above) --result;
  return result;
}

/// The root of a perfect power, by Newton's integer square root; other degrees are left to the approximation.
Exact square_root(const Rational& value) {
  if (value < 0) return std::nullopt;
  const Integer above = sqrt(Integer(numerator(value)));
  const Integer below = sqrt(Integer(denominator(value)));
  if (above * above != numerator(value) || below * below != denominator(value)) return std::nullopt;
  return Rational(above, below);
}

Rational based_value(const Expression& based) {
  Integer value = 0;
  for (const char digit : based.name) value = value * numerator(based.number) + (digit - '0');
  return value;
}

class Evaluator {
 public:
  Evaluator(const Reading& reading, Budget& budget) : reading_(reading), budget_(budget) {}

  // NOLINTNEXTLINE(misc-no-recursion): a tree is at most kMaxDepth deep
  Exact value(const Expression& e) {
    switch (e.kind) {
      case Kind::kNumber:
        return bounded(e.number);
      case Kind::kBased:
        return bounded(based_value(e));
      case Kind::kPercent:
        return scaled(e.children[0], reading_.percent_is_hundredth ? Rational(1, 100) : Rational(1));
      case Kind::kDegree:
        return reading_.degree_is_angle ? std::nullopt : scaled(e.children[0], 1);
      case Kind::kNegate:
        return scaled(e.children[0], -1);
      case Kind::kInverse: {
        const Exact below = value(e.children[0]);
        return below && *below != 0 ? Exact(1 / *below) : std::nullopt;
      }
      case Kind::kSum:
      case Kind::kProduct:
        return folded(e);
      case Kind::kPower: {
        const Exact base = value(e.children[0]);
        const Exact exponent = base ? value(e.children[1]) : std::nullopt;
        return exponent ? bounded(exact_power(*base, *exponent)) : std::nullopt;
      }
      case Kind::kFunction:
        return function(e);
      default:
        return std::nullopt;
    }
  }

 private:
  Exact bounded(Exact number) {
    if (!number) return number;
    const std::size_t bits = bit_length(*number);
    if (bits > kMaxExactBits || !budget_.spend(steps_of(bits))) return std::nullopt;
    return number;
  }

  // NOLINTNEXTLINE(misc-no-recursion)
  Exact scaled(const Expression& e, const Rational& scale) {
    const Exact inside = value(e);
    return inside ? bounded(*inside * scale) : std::nullopt;
  }

  // NOLINTNEXTLINE(misc-no-recursion)
  Exact folded(const Expression& e) {
    Rational total = e.kind == Kind::kSum ? 0 : 1;
    for (const Expression& child : e.children) {
      const Exact part = value(child);
      if (!part) return std::nullopt;
      if (e.kind == Kind::kSum) {
        total += *part;
      } else {
        total *= *part;
      }
      if (!bounded(total)) return std::nullopt;
    }
    return total;
  }

  // NOLINTNEXTLINE(misc-no-recursion)
  Exact function(const Expression& e) {
    std::vector<Rational> arguments;
    for (const Expression& child : e.children) {
      const Exact argument = value(child);
      if (!argument) return std::nullopt;
      arguments.push_back(*argument);
    }
    return bounded(applied(e.name, arguments));
  }

  Exact applied(const std::string& name, const std::vector<Rational>& arguments) {
    const Rational& first = arguments.front();
    if (name == "abs") return Rational(abs(first));
    if (name == "floor") return Rational(floor_of(first));
    if (name == "ceil") return Rational(-floor_of(-first));
    if (name == "root") return arguments[1] == 2 ? square_root(first) : std::nullopt;
    if (name == "max") return *std::max_element(arguments.begin(), arguments.end());
    if (name == "min") return *std::min_element(arguments.begin(), arguments.end());
    if (!std::all_of(arguments.begin(), arguments.end(), is_whole)) return std::nullopt;
    const Integer whole = numerator(first);
    std::optional<Integer> result;
    if (name == "factorial") result = factorial(whole, budget_);
    if (name == "binomial") result = binomial(whole, numerator(arguments[1]), budget_);
    if (name == "gcd" || name == "lcm") {
      result = whole;
      for (const Rational& argument : arguments) {
        const Integer other = numerator(argument);
        result = name == "gcd" ? Integer(gcd(*result, other)) : Integer(lcm(*result, other));
        if (bit_length(*result) > kMaxExactBits) return std::nullopt;
      }
    }
    return result ? Exact(*result) : std::nullopt;
  }

  const Reading& reading_;
  Budget& budget_;
};

}  // namespace

std::optional<Rational> exact_value(const Expression& expression, const Reading& reading, Budget& budget) {
  return Evaluator(reading, budget).value(expression);
}

std::optional<Rational> exact_power(const Rational& base, const Rational& exponent) {
  if (!is_whole(exponent)) return std::nullopt;
  if (base == 1) return base;
  if (base == 0) return exponent > 0 ? std::optional(base) : std::nullopt;
  if (abs(exponent) > kMaxExactBits) return std::nullopt;
  const auto times = static_cast<unsigned>(Integer(abs(Integer(numerator(exponent)))));
  if ((bit_length(base) - 1) * times > kMaxExactBits) return std::nullopt;
  const Integer above = pow(Integer(numerator(base)), times);
  const Integer below = pow(Integer(denominator(base)), times);
  return exponent < 0 ? Rational(below, above) : Rational(above, below);
}

std::optional<Integer> factorial(const Integer& n, Budget& budget) {
  if (n < 0 || n > kMaxFactorial || !budget.spend(static_cast<std::int64_t>(n))) return std::nullopt;
  Integer product = 1;
  for (unsigned factor = 2; factor <= n; ++factor) product *= factor;
  return product;
}

std::optional<Integer> binomial(const Integer& n, const Integer& k, Budget& budget) {
  if (n < 0 || k < 0) return std::nullopt;
  if (k > n) return Integer(0);
  const Integer less = std::min(k, Integer(n - k));
  if (less > kMaxFactorial || bit_length(n) > 64 || !budget.spend(static_cast<std::int64_t>(less)))
    return std::nullopt;
  Integer result = 1;
  for (Integer i = 1; i <= less; ++i) {
    result = result * (n - less + i) / i;
    if (bit_length(result) > kMaxExactBits) return std::nullopt;
  }
  return result;
}

}  // namespace lil::analyze::math
