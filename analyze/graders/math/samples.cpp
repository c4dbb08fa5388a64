#include "analyze/graders/math/samples.h"

#include <algorithm>
#include <boost/math/constants/constants.hpp>
#include <string_view>
#include <vector>

namespace lil::analyze::math {
namespace {

using Kind = Expression::Kind;
using Value = std::optional<Approximate>;

constexpr std::uint64_t kSeed = 0x6c696c2067726164ULL;
constexpr int kMaxWholePower = 4096;
constexpr int kEnoughPoints = 3;  // at which both sides are real

std::uint64_t mixed(std::uint64_t x) {  // splitmix64 [Steele, Lea, Flood 2014]
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}

std::uint64_t random_bits(std::string_view variable, int point) {
  std::uint64_t state = mixed(kSeed + static_cast<std::uint64_t>(point));
  for (const char c : variable) state = mixed(state ^ static_cast<unsigned char>(c));
  return state;
}

constexpr int kPositivePoints = 3;
constexpr int kNearPoints = 5;

/// Near 1, where neither high nor low powers drown the others, or further out.
Real variable_at(std::string_view variable, int point, Points points) {
  const std::uint64_t bits = random_bits(variable, point);
  if (points == Points::kWhole) return Real(8 + bits % 57);
  const Real part = Real(bits >> 11U) / Real(1ULL << 53U);
  const bool near = point < kNearPoints;
  const Real far = near ? Real(1) : Real(ldexp(Real(1), 2 << (point - kNearPoints)));  // 4, 16, 256
  const Real size = near ? Real((7 + 3 * part) / 10) : Real(1 + part * (far - 1));
  const bool negative = point >= kPositivePoints && (bits & 1U) != 0;
  return negative ? Real(-size) : size;
}

const Real& pi() {
  static const Real value = boost::math::constants::pi<Real>();
  return value;
}

class Evaluator {
 public:
  Evaluator(const Reading& reading, Points points, int point, Budget& budget)
      : reading_(reading), points_(points), point_(point), budget_(budget) {}

  [[nodiscard]] bool left_reals() const { return left_reals_; }

  // NOLINTNEXTLINE(misc-no-recursion): a tree is at most kMaxDepth deep
  Value value(const Expression& e) {
    if (!budget_.spend()) return std::nullopt;
    switch (e.kind) {
      case Kind::kNumber:
      case Kind::kBased: {
        const auto exact = exact_value(e, reading_, budget_);
        return exact ? Value(approximate(*exact)) : std::nullopt;
      }
      case Kind::kSymbol:
        return approximate(variable_at(e.name, point_, points_));
      case Kind::kPi:
        return approximate(pi());
      case Kind::kEuler:
        return exponential(approximate(Real(1)));
      case Kind::kImaginary:
        return Approximate{0, 1};
      case Kind::kNegate: {
        const Value inside = value(e.children[0]);
        return inside ? Value(-*inside) : std::nullopt;
      }
      case Kind::kInverse: {
        const Value inside = value(e.children[0]);
        return inside ? inverse(*inside) : std::nullopt;
      }
      case Kind::kPercent:
        return scaled(e.children[0],
                      reading_.percent_is_hundredth ? approximate(Rational(1, 100)) : approximate(Real(1)));
      case Kind::kDegree:
        return scaled(e.children[0], approximate(reading_.degree_is_angle ? Real(pi() / 180) : Real(1)));
      case Kind::kSum:
      case Kind::kProduct:
        return folded(e);
      case Kind::kPower:
        return raised(e.children[0], e.children[1]);
      case Kind::kFunction:
        return function(e);
      default:
        return std::nullopt;
    }
  }

 private:
  // NOLINTNEXTLINE(misc-no-recursion)
  Value scaled(const Expression& e, const Approximate& scale) {
    const Value inside = value(e);
    return inside ? Value(*inside * scale) : std::nullopt;
  }

  // NOLINTNEXTLINE(misc-no-recursion)
  Value folded(const Expression& e) {
    Value total = value(e.children.front());
    for (std::size_t i = 1; total && i < e.children.size(); ++i) {
      const Value part = value(e.children[i]);
      if (!part) return std::nullopt;
      total = e.kind == Kind::kSum ? *total + *part : *total * *part;
    }
    return total;
  }

  bool costly() { return budget_.spend(kTranscendentalSteps); }
  void note_branch(const Approximate& z) {
    if (z.is_real() && sign_of(z) < 0) left_reals_ = true;
  }

  // NOLINTNEXTLINE(misc-no-recursion)
  Value raised(const Expression& base, const Expression& exponent) {
    const auto exact = exact_value(exponent, reading_, budget_);
    if (base.kind == Kind::kEuler && !exact) {
      const Value power = value(exponent);
      return power && costly() ? exponential(*power) : std::nullopt;
    }
    const Value below = value(base);
    if (!below) return std::nullopt;
    if (exact) return rational_power(*below, *exact);
    const Value above = value(exponent);
    if (!above || !costly()) return std::nullopt;
    // A variable may turn out whole, as the n of (-1)^n at whole points.
    if (const auto whole = whole_value(*above); whole && abs(*whole) <= kMaxWholePower)
      return whole_power(*below, static_cast<int>(*whole));
    note_branch(*below);
    return math::power(*below, *above);
  }

  Value rational_power(const Approximate& base, const Rational& exponent) {
    if (is_whole(exponent) && abs(exponent) <= kMaxWholePower) {
      if (is_zero(base) && exponent <= 0) return std::nullopt;
      return budget_.spend(8) ? whole_power(base, static_cast<int>(Integer(numerator(exponent))))
                              : std::nullopt;
    }
    if (!costly()) return std::nullopt;
    if (exponent == Rational(1, 2)) {
      note_branch(base);
      return math::square_root(base);
    }
    // The real root of a negative number, where there is one.
    const bool odd = denominator(exponent) % 2 != 0;
    if (base.is_real() && sign_of(base) < 0 && odd) {
      const Value size = math::power(-base, approximate(exponent));
      if (!size) return std::nullopt;
      return numerator(exponent) % 2 != 0 ? -*size : *size;
    }
    note_branch(base);
    return math::power(base, approximate(exponent));
  }

  // NOLINTNEXTLINE(misc-no-recursion)
  Value function(const Expression& e) {
    if (e.name == "root") {
      return raised(e.children[0], make(Kind::kInverse, {e.children[1]}));
    }
    const Reading outside = reading_;
    reading_.degree_is_angle = true;
    std::vector<Approximate> arguments;
    for (const Expression& child : e.children) {
      const Value argument = value(child);
      if (argument) arguments.push_back(*argument);
    }
    reading_ = outside;
    if (arguments.size() != e.children.size() || !costly()) return std::nullopt;
    const Value found = of_several(e.name, arguments);
    return found || arguments.size() > 1 ? found : of_one(e.name, arguments.front());
  }

  Value of_one(const std::string& name, const Approximate& z) {
    if (name == "abs") return magnitude(z);
    if (name == "exp") return exponential(z);
    if (name == "ln" || name == "lg") return log_to(z, name == "lg");
    if (name == "sin") return sine(z);
    if (name == "cos") return cosine(z);
    if (name == "tan") return over(sine(z), cosine(z));
    if (name == "cot") return over(cosine(z), sine(z));
    if (name == "sec") return over(approximate(Real(1)), cosine(z));
    if (name == "csc") return over(approximate(Real(1)), sine(z));
    if (name == "sinh" || name == "cosh" || name == "tanh") return hyperbolic(name, z);
    if (name == "arctan" || name == "atan") return arc_tangent(z);
    if (name == "arcsin" || name == "asin") return arc_sine(z);
    if (name == "arccos" || name == "acos") {
      const Value sine_of = arc_sine(z);
      return sine_of ? Value(approximate(Real(pi() / 2)) + -*sine_of) : std::nullopt;
    }
    if (name == "floor" || name == "ceil") return rounded(name == "ceil", z);
    const auto whole = name == "factorial" ? whole_value(z) : std::nullopt;
    const auto product = whole ? factorial(*whole, budget_) : std::nullopt;
    return product ? Value(approximate(Rational(*product))) : std::nullopt;
  }

  Value of_several(const std::string& name, const std::vector<Approximate>& arguments) {
    if (name == "log" && arguments.size() == 2)
      return over(log_to(arguments[0], false), log_to(arguments[1], false));
    if (name == "binomial") {
      const auto n = whole_value(arguments[0]);
      const auto k = whole_value(arguments[1]);
      const auto ways = n && k ? binomial(*n, *k, budget_) : std::nullopt;
      return ways ? Value(approximate(Rational(*ways))) : std::nullopt;
    }
    if (name != "max" && name != "min") return std::nullopt;
    const bool real =
        std::all_of(arguments.begin(), arguments.end(), [](const auto& z) { return z.is_real(); });
    const auto less = [](const Approximate& a, const Approximate& b) { return a.re < b.re; };
    if (!real) return std::nullopt;
    return name == "max" ? *std::max_element(arguments.begin(), arguments.end(), less)
                         : *std::min_element(arguments.begin(), arguments.end(), less);
  }

  Value log_to(const Approximate& z, bool common) {
    note_branch(z);
    return common ? over(logarithm(z), logarithm(approximate(Real(10)))) : logarithm(z);
  }

  static Value over(const Value& above, const Value& below) {
    const Value times = below ? inverse(*below) : std::nullopt;
    return above && times ? Value(*above * *times) : std::nullopt;
  }

  static Value hyperbolic(const std::string& name, const Approximate& z) {
    const Value up = exponential(z);
    const Value down = exponential(-z);
    if (!up || !down) return std::nullopt;
    const Approximate half = approximate(Rational(1, 2));
    const Approximate sinh_of = (*up + -*down) * half;
    const Approximate cosh_of = (*up + *down) * half;
    if (name == "sinh") return sinh_of;
    return name == "cosh" ? Value(cosh_of) : over(sinh_of, cosh_of);
  }

  static Value rounded(bool up, const Approximate& z) {
    if (!z.is_real()) return std::nullopt;
    if (const auto whole = whole_value(z)) return approximate(Rational(*whole));
    return approximate(up ? Real(ceil(z.re)) : Real(floor(z.re)));
  }

  Reading reading_;
  Points points_;
  int point_;
  Budget& budget_;
  bool left_reals_ = false;
};

bool is_rounding(const Expression& e) {
  return e.kind == Kind::kFunction && (e.name == "factorial" || e.name == "binomial" || e.name == "floor" ||
                                       e.name == "ceil" || e.name == "gcd" || e.name == "lcm");
}

/// The points at which a and b are to agree: where both are real, if those are enough, else where both are
/// defined.
std::vector<std::size_t> common_points(const Samples& a, const Samples& b) {
  std::vector<std::size_t> defined;
  std::vector<std::size_t> real;
  for (std::size_t i = 0; i < a.at.size(); ++i) {
    if (!a.at[i] || !b.at[i]) continue;
    defined.push_back(i);
    if (!a.at[i]->left_reals && !b.at[i]->left_reals) real.push_back(i);
  }
  return real.size() >= kEnoughPoints ? real : defined;
}

/// Both on the same points: a constant has its one value everywhere.
Samples spread(Samples samples) {
  if (samples.constant) samples.at.fill(samples.at.front());
  return samples;
}

}  // namespace

bool wants_whole_points(const Expression& expression) {
  if (is_rounding(expression) && contains(expression, Kind::kSymbol)) return true;
  return std::any_of(expression.children.begin(), expression.children.end(), wants_whole_points);
}

Samples take_samples(const Expression& expression, const Reading& reading, Points points, Budget& budget) {
  Samples samples;
  samples.constant = !contains(expression, Kind::kSymbol);
  const int count = samples.constant ? 1 : kPoints;
  for (int point = 0; point < count; ++point) {
    Evaluator evaluator(reading, points, point, budget);
    const Value value = evaluator.value(expression);
    if (value) samples.at[static_cast<std::size_t>(point)] = Sample{*value, evaluator.left_reals()};
  }
  return samples;
}

std::optional<bool> agree(const Samples& a, const Samples& b) {
  if (a.constant && b.constant) {
    if (!a.at[0] || !b.at[0]) return std::nullopt;
    return equal(a.at[0]->value, b.at[0]->value);
  }
  const Samples left = spread(a);
  const Samples right = spread(b);
  const auto points = common_points(left, right);
  if (points.size() < 2) return std::nullopt;
  for (const std::size_t i : points) {
    const auto here = equal(left.at[i]->value, right.at[i]->value);
    if (!here || !*here) return here;
  }
  return true;
}

std::optional<int> proportion(const Samples& a, const Samples& b) {
  const auto points = common_points(spread(a), spread(b));
  if (points.size() < 2) return std::nullopt;
  const Samples left = spread(a);
  const Samples right = spread(b);
  const Approximate& first_left = left.at[points[0]]->value;
  const Approximate& first_right = right.at[points[0]]->value;
  if (is_zero(first_left) || is_zero(first_right)) return std::nullopt;
  for (const std::size_t i : points) {
    const auto here = equal(left.at[i]->value * first_right, right.at[i]->value * first_left);
    if (!here) return std::nullopt;
    if (!*here) return 0;
  }
  const bool real = first_left.is_real() && first_right.is_real();
  return real ? sign_of(first_left * first_right) : 1;
}

}  // namespace lil::analyze::math
