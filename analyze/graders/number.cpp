#include <algorithm>
#include <boost/multiprecision/cpp_int.hpp>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "analyze/answers/trim.h"
#include "analyze/graders/grader.h"
#include "analyze/graders/unit_words.h"
#include "analyze/latex_spelling.h"

namespace lil::analyze {
namespace {

using boost::multiprecision::cpp_int;
using boost::multiprecision::cpp_rational;

constexpr int kVersion = 3;
constexpr int kMaxExponent = 4096;
constexpr std::size_t kMaxPowerBits = 16384;  // a little more than 10^4096 has

struct Number {
  cpp_rational value;
  std::string name;  // of `x = 5` the `x`; empty without one
  bool percent = false;
};

// Letters that may stand alone as a unit outside \text{}: `5 m`. Any other is a variable.
constexpr std::string_view kUnitLetters = "mgshlLNJWVKCFA";

cpp_int power_of_ten(std::size_t exponent) {
  return pow(cpp_int(10), static_cast<unsigned>(exponent));
}

/// Reads from the front of a text whose spelling was evened out.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool at_digit() const { return !rest_.empty() && is_digit(rest_.front()); }

  bool accept(std::string_view piece) {
    if (rest_.substr(0, piece.size()) != piece) return false;
    rest_.remove_prefix(piece.size());
    return true;
  }
  bool accept_any(std::initializer_list<std::string_view> pieces) {
    return std::any_of(pieces.begin(), pieces.end(),
                       [this](std::string_view piece) { return accept(piece); });
  }
  bool skip_spaces() {
    const std::size_t before = rest_.size();
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
    return rest_.size() != before;
  }
  /// The run of digits here, perhaps empty.
  std::string_view digits() {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_digit);
    const std::string_view run = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(run.size());
    return run;
  }

 private:
  std::string_view rest_;
};

/// Digits of a whole number, with thousands separators (groups of exactly three) or without; empty where
/// there are none.
std::string read_whole_digits(Cursor& cursor) {
  std::string all(cursor.digits());
  if (all.empty() || all.size() > 3) return all;
  while (true) {
    Cursor ahead = cursor;
    if (!ahead.accept(",")) return all;
    const std::string_view group = ahead.digits();
    if (group.size() != 3) return all;
    all += group;
    cursor = ahead;
  }
}

cpp_int whole_number(std::string_view digits) {
  const std::size_t first = std::min(digits.find_first_not_of('0'), digits.size());
  digits.remove_prefix(first);  // a leading zero would make it octal
  return digits.empty() ? cpp_int(0) : cpp_int(std::string(digits));
}

struct Decimal {
  cpp_rational value;
  bool whole = false;
};

/// `1,234.50`, `.5`, `033`.
std::optional<Decimal> read_decimal(Cursor& cursor) {
  std::string digits = read_whole_digits(cursor);
  Cursor ahead = cursor;
  std::string_view decimals;
  if (ahead.accept(".") && ahead.at_digit()) {
    decimals = ahead.digits();
    cursor = ahead;
  }
  if (digits.empty() && decimals.empty()) return std::nullopt;
  digits += decimals;
  const cpp_rational value(whole_number(digits), power_of_ten(decimals.size()));
  return Decimal{value, decimals.empty()};
}

bool accept_sign(Cursor& cursor) {
  const bool minus = cursor.accept("-");
  if (!minus) cursor.accept("+");
  cursor.skip_spaces();
  return minus;
}

/// `-12`, `{-12}` or, where a sign has no place, as in `\frac12`, one digit.
std::optional<cpp_rational> read_fraction_part(Cursor& cursor) {
  cursor.skip_spaces();
  if (!cursor.accept("{")) {
    if (!cursor.at_digit()) return std::nullopt;
    Cursor one(cursor.rest().substr(0, 1));
    cursor.accept(cursor.rest().substr(0, 1));
    return read_decimal(one)->value;
  }
  cursor.skip_spaces();
  const bool minus = accept_sign(cursor);
  const auto decimal = read_decimal(cursor);
  cursor.skip_spaces();
  if (!decimal || !cursor.accept("}")) return std::nullopt;
  return minus ? cpp_rational(-decimal->value) : decimal->value;
}

/// The parts of a fraction whose `\frac` has been read.
std::optional<cpp_rational> read_fraction(Cursor& cursor) {
  const auto numerator = read_fraction_part(cursor);
  if (!numerator) return std::nullopt;
  const auto denominator = read_fraction_part(cursor);
  if (!denominator || *denominator == 0) return std::nullopt;
  return cpp_rational(*numerator / *denominator);
}

/// `5`, `-5`, `{-5}`, within ±kMaxExponent.
std::optional<int> read_exponent(Cursor& cursor) {
  const bool braced = cursor.accept("{");
  const bool minus = accept_sign(cursor);
  const std::string_view digits = cursor.digits();
  if (digits.empty() || (braced && !cursor.accept("}"))) return std::nullopt;
  const cpp_int value = whole_number(digits);
  if (value > kMaxExponent) return std::nullopt;
  return minus ? -static_cast<int>(value) : static_cast<int>(value);
}

std::size_t bits(const cpp_int& value) {
  return value == 0 ? 1 : msb(abs(value)) + 1;
}

std::optional<cpp_rational> raise(const cpp_rational& base, int exponent) {
  const auto times = static_cast<unsigned>(std::abs(exponent));
  const cpp_int above = numerator(base);
  const cpp_int below = denominator(base);
  if (std::max(bits(above), bits(below)) * times > kMaxPowerBits) return std::nullopt;
  if (exponent < 0 && above == 0) return std::nullopt;
  const cpp_int above_power = pow(above, times);
  const cpp_int below_power = pow(below, times);
  return exponent < 0 ? cpp_rational(below_power, above_power) : cpp_rational(above_power, below_power);
}

/// `base` with the power that follows it, if one does (`^\circ` is none).
std::optional<cpp_rational> read_power(Cursor& cursor, const cpp_rational& base) {
  Cursor ahead = cursor;
  if (!ahead.accept("^") || ahead.rest().substr(0, 5) == "\\circ") return base;
  const auto exponent = read_exponent(ahead);
  if (!exponent) return std::nullopt;
  cursor = ahead;
  return raise(base, *exponent);
}

/// The power of a product such as `2 \times 10^3`, if one follows.
std::optional<cpp_rational> read_scale(Cursor& cursor) {
  Cursor ahead = cursor;
  ahead.skip_spaces();
  if (!ahead.accept_any({"\\times", "\\cdot", "*", "x", "X"})) return cpp_rational(1);
  ahead.skip_spaces();
  const auto base = read_decimal(ahead);
  if (!base || ahead.rest().empty() || ahead.rest().front() != '^') return std::nullopt;
  cursor = ahead;
  return read_power(cursor, base->value);
}

/// The fraction of a mixed number whose whole part has been read: `\frac{1}{2}`, ` 1/2`; 0 if none follows.
std::optional<cpp_rational> read_mixed_part(Cursor& cursor) {
  Cursor ahead = cursor;
  const bool spaced = ahead.skip_spaces();
  if (ahead.accept("\\frac")) {
    cursor = ahead;
    return read_fraction(cursor);
  }
  const cpp_int above = whole_number(ahead.digits());
  if (!spaced || above == 0 || !ahead.accept("/")) return cpp_rational(0);
  const cpp_int below = whole_number(ahead.digits());
  if (below == 0) return std::nullopt;
  cursor = ahead;
  return cpp_rational(above, below);
}

/// A number without sign and unit.
std::optional<cpp_rational> read_value(Cursor& cursor) {
  if (cursor.accept("\\frac")) return read_fraction(cursor);
  const auto decimal = read_decimal(cursor);
  if (!decimal) return std::nullopt;
  if (decimal->whole) {
    const auto part = read_mixed_part(cursor);
    if (!part) return std::nullopt;
    if (*part != 0) return cpp_rational(decimal->value + *part);
  }
  Cursor ahead = cursor;
  ahead.skip_spaces();
  if (ahead.accept("/")) {
    ahead.skip_spaces();
    if (ahead.at_digit()) {
      const auto below = read_decimal(ahead);
      if (!below || below->value == 0) return std::nullopt;
      cursor = ahead;
      return cpp_rational(decimal->value / below->value);
    }
  }
  ahead = cursor;
  if (ahead.accept_any({"e", "E"})) {
    if (const auto exponent = read_exponent(ahead)) {
      cursor = ahead;
      const auto scale = raise(10, *exponent);
      return scale ? std::optional<cpp_rational>(decimal->value * *scale) : std::nullopt;
    }
  }
  const auto power = read_power(cursor, decimal->value);
  const auto scale = power ? read_scale(cursor) : std::nullopt;
  return scale ? std::optional<cpp_rational>(*power * *scale) : std::nullopt;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), to_lower);
  return lower;
}

/// All that may follow a number to the end: a percent sign, degrees, currency, words.
class UnitReader {
 public:
  explicit UnitReader(Cursor cursor) : cursor_(cursor) {}

  /// Whether all of it is units.
  bool read() {
    attached_ = !cursor_.skip_spaces();
    while (!cursor_.rest().empty()) {
      if (!accept_mark() && !accept_word() && !accept_joint()) return false;
      attached_ = false;
      cursor_.skip_spaces();
    }
    return !in_text_;
  }
  [[nodiscard]] bool percent() const { return percent_; }

 private:
  bool accept_mark() {
    if (cursor_.accept(in_text_ ? "}" : "\\text{")) {
      in_text_ = !in_text_;
      return true;
    }
    if (cursor_.accept("%")) {
      percent_ = true;
      return true;
    }
    return cursor_.accept_any({"^\\circ", "\\circ", "$", "\u20ac", "\u00a3"});
  }

  bool accept_word() {
    const std::string_view rest = cursor_.rest();
    const auto end = std::find_if_not(rest.begin(), rest.end(), is_letter);
    const std::string_view word = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
    if (word.empty()) return false;
    const std::string lower = lower_case(word);
    if (changes_number(lower)) return false;
    const bool lone = word.size() == 1 && !in_text_;
    if (lone && (attached_ || kUnitLetters.find(word) == std::string_view::npos)) return false;
    percent_ = percent_ || lower == "percent" || lower == "pct";
    word_before_ = true;
    return cursor_.accept(word);
  }

  /// What may follow a word: `m^2`, `m/s`, `sq. ft.`.
  bool accept_joint() {
    if (!word_before_) return false;
    if (cursor_.accept_any({"/", ".", "-", "\\cdot"})) return true;
    return cursor_.accept("^") && read_exponent(cursor_).has_value();
  }

  Cursor cursor_;
  bool in_text_ = false;   // within \text{}
  bool attached_ = false;  // nothing between the number and what comes next
  bool word_before_ = false;
  bool percent_ = false;
};

/// Whether `left` of an equals sign only names what is on its right: `x`, `\theta`, `m+n`, `f(3)`, `x_{12}`.
bool is_name(std::string_view left) {
  left = trim(left);
  if (left.empty() || left.size() > 32 || (!is_letter(left.front()) && left.front() != '\\')) return false;
  char before = ' ';
  bool bracketed = false;
  for (const char c : left) {
    const bool digit_in_place = is_digit(c) && (bracketed || before == '_');
    if (!is_letter(c) && !digit_in_place && std::string_view("\\_{}()+ ").find(c) == std::string_view::npos) {
      return false;
    }
    if (c == '{' || c == '(') bracketed = true;
    if (c == '}' || c == ')') bracketed = false;
    before = c;
  }
  return true;
}

/// The name before an equals sign, and what follows it; all of `text` where there is none.
std::pair<std::string, std::string_view> split_name(std::string_view text) {
  const std::size_t equals = text.rfind('=');
  if (equals == std::string_view::npos || !is_name(text.substr(0, equals))) return {"", text};
  std::string name;
  std::copy_if(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(equals), std::back_inserter(name),
               [](char c) { return !is_space(c); });
  return {name, peel(text.substr(equals + 1))};
}

std::optional<Number> read_number(std::string_view text) {
  if (text.size() > kMaxGradedBytes) return std::nullopt;
  const std::string even = even_spelling(text);
  const auto [name, unnamed] = split_name(peel(even));
  Cursor cursor(unnamed);
  bool minus = accept_sign(cursor);
  if (cursor.accept_any({"$", "\u20ac", "\u00a3"})) {
    cursor.skip_spaces();
    if (!minus) minus = accept_sign(cursor);
  }
  const auto value = read_value(cursor);
  UnitReader units(cursor);
  if (!value || !units.read()) return std::nullopt;
  return Number{minus ? cpp_rational(-*value) : *value, name, units.percent()};
}

/// Exact rational numbers. A percentage equals its bare number and the fraction it stands for: 18 % = 18 and
/// 18 % = 0.18, as the graders in use have it; of two percentages the numbers are compared. `x = 5` is 5, but
/// two with different names (two lines) are left to other graders.
class NumberGrader final : public Grader {
 public:
  [[nodiscard]] int version() const override { return kVersion; }
  [[nodiscard]] bool serves(schemas::AnswerKind kind) const override {
    return kind == schemas::AnswerKind::kNumber || kind == schemas::AnswerKind::kMath;
  }
  [[nodiscard]] Comparison compare(std::string_view answer, std::string_view gold) const override {
    const auto left = read_number(answer);
    const auto right = left ? read_number(gold) : std::nullopt;
    if (!right) return Comparison::kUnread;
    if (!left->name.empty() && !right->name.empty() && left->name != right->name) return Comparison::kUnread;
    if (left->value == right->value) return Comparison::kEqual;
    if (left->percent == right->percent) return Comparison::kUnequal;
    const auto& percentage = left->percent ? left->value : right->value;
    const auto& plain = left->percent ? right->value : left->value;
    return percentage == plain * 100 ? Comparison::kEqual : Comparison::kUnequal;
  }
};

}  // namespace

std::unique_ptr<Grader> make_number_grader(const schemas::Arguments& /*arguments*/) {
  return std::make_unique<NumberGrader>();
}

}  // namespace lil::analyze
