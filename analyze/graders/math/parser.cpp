#include "analyze/graders/math/parser.h"

#include <algorithm>
#include <array>
#include <utility>

#include "analyze/answers/trim.h"
#include "analyze/graders/math/words.h"
#include "analyze/graders/unit_words.h"

namespace lil::analyze::math {
namespace {

using Kind = Expression::Kind;
using Type = Token::Type;
using Parsed = std::optional<Expression>;

constexpr int kMaxNesting = 90;  // of calls, three for a pair of brackets
constexpr std::array<std::string_view, 7> kRelations = {"=", "<", ">", "<=", ">=", "!=", "in"};

bool is_plain_number(const Expression& expression) {
  return expression.kind == Kind::kNumber && !expression.name.empty();
}
bool is_whole_literal(const Expression& expression) {
  return is_plain_number(expression) && expression.name.find('.') == std::string::npos &&
         is_whole(expression.number);
}
/// `a` times the inverse of `b`, where both are numbers as written: what a mixed number ends with.
bool is_literal_fraction(const Expression& expression) {
  return expression.kind == Kind::kProduct && expression.children.size() == 2 &&
         is_whole_literal(expression.children[0]) && expression.children[1].kind == Kind::kInverse &&
         is_whole_literal(expression.children[1].children[0]);
}

Expression quotient(Expression above, Expression below) {
  std::vector<Expression> factors;
  factors.push_back(std::move(above));
  factors.push_back(make(Kind::kInverse, {std::move(below)}));
  return make(Kind::kProduct, std::move(factors));
}

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Parsed answer() {
    auto whole = list();
    return at_ == tokens_.size() ? whole : std::nullopt;
  }

 private:
  // What stands here.
  [[nodiscard]] bool done() const { return at_ >= tokens_.size(); }
  [[nodiscard]] const Token* peek(std::size_t ahead = 0) const {
    return at_ + ahead < tokens_.size() ? &tokens_[at_ + ahead] : nullptr;
  }
  [[nodiscard]] bool at_mark(std::string_view mark) const { return !done() && peek()->is(Type::kMark, mark); }
  [[nodiscard]] bool at_word(std::string_view word) const { return !done() && peek()->is(Type::kWord, word); }
  [[nodiscard]] bool at_type(Type type) const { return !done() && peek()->type == type; }
  bool accept(std::string_view mark) {
    if (!at_mark(mark)) return false;
    ++at_;
    return true;
  }
  bool accept_word(std::string_view word) {
    if (!at_word(word)) return false;
    ++at_;
    return true;
  }

  /// Counts a level of nesting for as long as it lives.
  struct Level {
    explicit Level(int& nesting) : count(nesting) { ++count; }
    ~Level() { --count; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    int& count;
  };

  static Parsed bounded(Expression expression) {
    if (expression.depth > kMaxDepth) return std::nullopt;
    return expression;
  }
  static Parsed one_or(Kind kind, std::vector<Expression> parts, std::string name = "") {
    if (parts.size() == 1) return std::move(parts.front());
    return bounded(make(kind, std::move(parts), std::move(name)));
  }

  // Lists, relations, unions.
  Parsed list() {
    const Level level(nesting_);
    if (nesting_ > kMaxNesting) return std::nullopt;
    std::vector<Expression> items;
    bool any_or = false;
    while (true) {
      auto item = relation();
      if (!item) return std::nullopt;
      items.push_back(std::move(*item));
      bool separated = accept(",") || accept(";");
      if (accept_word("or")) separated = any_or = true;
      if (accept_word("and")) separated = true;
      if (!separated) return one_or(Kind::kList, std::move(items), any_or ? "or" : ",");
    }
  }

  Parsed relation() {
    std::vector<Expression> sides;
    std::string names;
    while (true) {
      auto side = join();
      if (!side) return std::nullopt;
      sides.push_back(std::move(*side));
      const bool related =
          at_type(Type::kMark) &&
          (at_mark("~") || std::find(kRelations.begin(), kRelations.end(), peek()->text) != kRelations.end());
      if (!related) return one_or(Kind::kRelation, std::move(sides), names);
      names += (names.empty() ? "" : " ") + tokens_[at_++].text;
    }
  }

  Parsed join() {
    std::vector<Expression> parts;
    do {
      auto part = ratio();
      if (!part) return std::nullopt;
      while (accept("setminus")) {
        auto less = ratio();
        if (!less) return std::nullopt;
        part = bounded(make(Kind::kSetMinus, {std::move(*part), std::move(*less)}));
        if (!part) return std::nullopt;
      }
      parts.push_back(std::move(*part));
    } while (accept("cup"));
    return one_or(Kind::kUnion, std::move(parts));
  }

  Parsed ratio() {
    std::vector<Expression> parts;
    do {
      auto part = sum();
      if (part && accept("choose")) {
        auto below = sum();
        if (!below) return std::nullopt;
        part = bounded(make(Kind::kFunction, {std::move(*part), std::move(*below)}, "binomial"));
      }
      if (!part) return std::nullopt;
      parts.push_back(std::move(*part));
    } while (accept(":"));
    return one_or(Kind::kRatio, std::move(parts));
  }

  // Values.
  struct Sign {
    bool minus = false;
    std::string either;  ///< "pm" or "mp"
  };
  /// Signs in a row; `+-5` is -5.
  bool accept_signs(Sign& sign) {
    bool any = false;
    while (true) {
      if (accept("-")) {
        sign.minus = !sign.minus;
      } else if (at_mark("pm") || at_mark("mp")) {
        if (!sign.either.empty()) return any;
        sign.either = tokens_[at_++].text;
      } else if (!accept("+")) {
        return any;
      }
      any = true;
    }
  }
  static Expression signed_by(const Sign& sign, Expression value) {
    if (!sign.either.empty()) value = make(Kind::kPlusMinus, {std::move(value)}, sign.either);
    return sign.minus ? make(Kind::kNegate, {std::move(value)}) : value;
  }

  Parsed sum() {
    const Level level(nesting_);
    if (nesting_ > kMaxNesting) return std::nullopt;
    std::vector<Expression> terms;
    Sign sign;
    accept_signs(sign);
    while (true) {
      auto term = product(false);
      if (!term) return std::nullopt;
      terms.push_back(signed_by(sign, std::move(*term)));
      sign = {};
      if (!accept_signs(sign)) return one_or(Kind::kSum, std::move(terms));
    }
  }

  /// A product. As the argument of a function without brackets it ends before the next function.
  Parsed product(bool argument) {
    const Level level(nesting_);
    if (nesting_ > kMaxNesting) return std::nullopt;
    auto first = power();
    if (!first) return std::nullopt;
    std::vector<Expression> factors;
    factors.push_back(std::move(*first));
    while (true) {
      if (!unit(factors.back())) return std::nullopt;
      const bool times = accept("*");
      const bool over = !times && accept("/");
      if (!times && !over) {
        if (!starts_factor(argument)) return one_or(Kind::kProduct, std::move(factors));
        if (!juxtaposed(factors)) return std::nullopt;
        continue;
      }
      Sign sign;
      accept_signs(sign);
      auto factor = power();
      if (!factor || !sign.either.empty()) return std::nullopt;
      if (over) factor = make(Kind::kInverse, {std::move(*factor)});
      factors.push_back(signed_by(sign, std::move(*factor)));
    }
  }

  /// Whether what stands here multiplies what stands before it.
  [[nodiscard]] bool starts_factor(bool argument) const {
    if (done()) return false;
    const Token& token = *peek();
    if (token.type == Type::kNumber || token.type == Type::kLetter) return true;
    if (token.type == Type::kWord) {
      if (token.text == "and" || token.text == "or") return false;
      return !argument || !is_function(token.text);
    }
    if (token.type != Type::kMark) return false;
    if (token.text == "|") return bars_ == 0 && !argument;
    return token.text == "(" || token.text == "[" || token.text == "{" || token.text == "lfloor" ||
           token.text == "lceil" || token.text == "begin";
  }

  /// One more factor without a sign between; or the fraction of a mixed number.
  bool juxtaposed(std::vector<Expression>& factors) {
    Expression& before = factors.back();
    if (at_type(Type::kNumber)) {
      if (is_plain_number(before)) return plain_mixed_number(before);
      if (before.kind == Kind::kNumber) return false;
    }
    const bool mixed = is_whole_literal(before) && at_word("frac");
    auto factor = power();
    if (!factor) return false;
    const bool marked = factor->kind == Kind::kPercent || factor->kind == Kind::kDegree;
    if (mixed && is_literal_fraction(marked ? factor->children[0] : *factor)) {
      auto whole = make(Kind::kSum, {std::move(before), marked ? factor->children[0] : *factor});
      before = marked ? make(factor->kind, {std::move(whole)}) : std::move(whole);
    } else {
      factors.push_back(std::move(*factor));
    }
    return true;
  }

  /// `1 1/2`, whose whole part is `before`.
  bool plain_mixed_number(Expression& before) {
    const Token* slash = peek(1);
    const Token* below = peek(2);
    const bool reads = is_whole_literal(before) && peek()->whole && peek()->space_before &&
                       slash != nullptr && slash->is(Type::kMark, "/") && below != nullptr &&
                       below->type == Type::kNumber && below->whole && below->value != 0;
    if (!reads) return false;
    before = make_number(before.number + peek()->value / below->value);
    at_ += 3;
    return true;
  }

  /// Units after `value`, which go, and words that scale it. False where words make it something else.
  bool unit(Expression& value) {
    while (at_type(Type::kText) || (at_type(Type::kWord) && unit_word(peek()->text))) {
      std::string_view words = tokens_[at_].text;
      while (!words.empty()) {
        const auto end =
            static_cast<std::size_t>(std::find_if_not(words.begin(), words.end(), is_letter) - words.begin());
        if (end > 0 && !one_unit(words.substr(0, end), value)) return false;
        words.remove_prefix(std::max<std::size_t>(end, 1));
      }
      ++at_;
      if (at_mark("^") && !skip_unit_power()) return false;
      const Token* after = peek(1);
      const bool more = after != nullptr && (after->type == Type::kText ||
                                             (after->type == Type::kWord && unit_word(after->text)));
      if (more && (at_mark("/") || at_mark("*") || at_mark("-"))) ++at_;
    }
    return true;
  }
  static bool unit_word(std::string_view word) {
    return is_unit(word) || scale_of(word) != 0 || word == "degrees" || word == "deg" || word == "percent";
  }
  static bool one_unit(std::string_view word, Expression& value) {
    if (const long long scale = scale_of(word); scale != 0) {
      value = make(Kind::kProduct, {std::move(value), make_number(scale)});
    } else if (word == "degree" || word == "degrees" || word == "deg") {
      value = make(Kind::kDegree, {std::move(value)});
    } else if (word == "percent") {
      value = make(Kind::kPercent, {std::move(value)});
    } else if (changes_number(word)) {
      return false;
    }
    return value.depth <= kMaxDepth;
  }
  bool skip_unit_power() {
    ++at_;
    const bool braces = accept("{");
    accept("-");
    if (!at_type(Type::kNumber)) return false;
    ++at_;
    return !braces || accept("}");
  }

  /// A value with its subscript, powers, factorials, degree and percent signs.
  Parsed power() {
    auto value = base();
    while (value && !done()) {
      if (accept("_")) {
        value = subscripted(std::move(*value));
      } else if (accept("^")) {
        value = raised(std::move(*value));
      } else if (accept("deg")) {
        value = make(Kind::kDegree, {std::move(*value)});
        skip_temperature_scale();
      } else if (accept("%")) {
        value = make(Kind::kPercent, {std::move(*value)});
      } else if (at_mark("!") && !(peek(1) != nullptr && peek(1)->is(Type::kMark, "="))) {
        ++at_;
        if (at_mark("!")) return std::nullopt;
        value = make(Kind::kFunction, {std::move(*value)}, "factorial");
      } else if (at_mark("'") && value->kind == Kind::kSymbol) {
        value->name += tokens_[at_++].text;
      } else {
        break;
      }
      if (value && value->depth > kMaxDepth) return std::nullopt;
    }
    return value;
  }

  void skip_temperature_scale() {
    if (at_type(Type::kLetter) && (peek()->text == "C" || peek()->text == "F")) ++at_;
  }

  Parsed raised(Expression value) {
    const bool braced_degree = at_mark("{") && peek(1) != nullptr && peek(1)->is(Type::kMark, "deg") &&
                               peek(2) != nullptr && peek(2)->is(Type::kMark, "}");
    if (braced_degree) at_ += 2;
    if (braced_degree || at_mark("deg")) {
      ++at_;
      auto degree = make(Kind::kDegree, {std::move(value)});
      skip_temperature_scale();
      return degree;
    }
    if (at_mark("'") && value.kind == Kind::kSymbol) {
      value.name += tokens_[at_++].text;
      return value;
    }
    auto exponent = script();
    if (!exponent) return std::nullopt;
    return make(Kind::kPower, {std::move(value), std::move(*exponent)});
  }

  /// What `^` or `_` takes: a group, or a signed value with all its digits, itself perhaps raised.
  Parsed script() {
    const Level level(nesting_);
    if (nesting_ > kMaxNesting) return std::nullopt;
    Sign sign;
    accept_signs(sign);
    auto value = base();
    if (value && accept("^")) value = raised(std::move(*value));
    if (!value || !sign.either.empty()) return std::nullopt;
    return signed_by(sign, std::move(*value));
  }

  /// `101_2` is a number to base two, `x_1` a variable.
  Parsed subscripted(Expression value) {
    if (is_whole_literal(value)) {
      const auto below = script();
      if (!below || !is_whole_literal(*below)) return std::nullopt;
      return based(value.name, below->number);
    }
    if (value.kind != Kind::kSymbol) return std::nullopt;
    const bool braces = accept("{");
    value.name += "_";
    const std::size_t before = at_;
    while (!done() && !at_mark("}") && (peek()->type != Type::kMark || at_mark(","))) {
      value.name += tokens_[at_++].text;
      if (!braces) break;
    }
    if (at_ == before || (braces && !accept("}"))) return std::nullopt;
    return value;
  }
  static Parsed based(const std::string& digits, const Rational& base) {
    if (base < 2 || base > 36) return std::nullopt;
    const bool digits_fit = std::all_of(digits.begin(), digits.end(), [&](char c) { return c - '0' < base; });
    if (!digits_fit) return std::nullopt;
    auto value =
        make(Kind::kBased, {}, digits.substr(std::min(digits.find_first_not_of('0'), digits.size() - 1)));
    value.number = base;
    return value;
  }

  Parsed base() {
    if (done()) return std::nullopt;
    const Token& token = *peek();
    switch (token.type) {
      case Type::kNumber:
        ++at_;
        return make_number(token.value, token.text.empty() ? "0" : token.text);
      case Type::kLetter:
        ++at_;
        return letter(token.text);
      case Type::kText:
        ++at_;
        return make(Kind::kWords, {}, token.text);
      case Type::kWord:
        return word();
      case Type::kMark:
        return bracketed();
    }
    return std::nullopt;
  }

  static Expression letter(const std::string& name) {
    if (name == "i") return make(Kind::kImaginary);
    if (name == "e") return make(Kind::kEuler);
    return make(Kind::kSymbol, {}, name);
  }

  Parsed word() {
    const std::string name = tokens_[at_++].text;
    if (name == "pi") return make(Kind::kPi);
    if (name == "infinity") return make(Kind::kInfinity);
    if (name == "emptyset") return make(Kind::kSet);
    if (name == "ell") return make(Kind::kSymbol, {}, name);
    if (name == "reals") {
      return make(Kind::kTuple, {make(Kind::kNegate, {make(Kind::kInfinity)}), make(Kind::kInfinity)}, "()");
    }
    if (name == "frac" || name == "binom") return fraction(name == "binom");
    if (name == "sqrt") return root(false);
    if (name == "radical") return root(true);
    if (is_function(name)) return function(name);
    return std::nullopt;
  }

  Parsed fraction(bool binomial) {
    auto above = argument();
    if (!above) return std::nullopt;
    auto below = argument();
    if (!below) return std::nullopt;
    if (binomial) return make(Kind::kFunction, {std::move(*above), std::move(*below)}, "binomial");
    return bounded(quotient(std::move(*above), std::move(*below)));
  }

  /// `\sqrt23` takes the 2 as TeX does, a plain radical sign takes 23.
  Parsed root(bool plain) {
    Expression degree = make_number(2);
    if (at_mark("[")) {
      ++at_;
      auto given = sum();
      if (!given || !accept("]")) return std::nullopt;
      degree = std::move(*given);
    }
    auto inside = plain ? script() : argument();
    if (!inside) return std::nullopt;
    return bounded(make(Kind::kFunction, {std::move(*inside), std::move(degree)}, "root"));
  }

  /// What a LaTeX command takes: a group, or one token, which of a number is its first digit.
  Parsed argument() {
    const Level level(nesting_);
    if (nesting_ > kMaxNesting || done()) return std::nullopt;
    if (!at_type(Type::kNumber)) return base();
    Token& token = tokens_[at_];
    if (!token.whole) {
      ++at_;
      return make_number(token.value, token.text);
    }
    const std::string digit = token.text.substr(0, 1);
    if (token.text.size() == 1) {
      ++at_;
    } else {
      token.text.erase(0, 1);
      token.value -=
          (digit.front() - '0') * Rational(pow(Integer(10), static_cast<unsigned>(token.text.size())));
      token.space_before = false;
    }
    return make_number(digit.front() - '0', digit);
  }

  Parsed function(const std::string& name) {
    Parsed below;
    Parsed above;
    for (int i = 0; i < 2; ++i) {
      if (name == "log" && !below && accept("_")) {
        below = script();
        if (!below) return std::nullopt;
      } else if (!above && accept("^")) {
        above = script();
        if (!above) return std::nullopt;
      }
    }
    auto inside = at_mark("(") || at_mark("{") || at_mark("[") ? base() : product(true);
    if (!inside) return std::nullopt;
    std::vector<Expression> arguments;
    const bool several = name == "gcd" || name == "lcm" || name == "max" || name == "min";
    if (several && inside->kind == Kind::kTuple) {
      arguments = std::move(inside->children);
    } else {
      arguments.push_back(std::move(*inside));
    }
    if (name == "log") arguments.push_back(below ? std::move(*below) : make_number(10));
    const bool inverse = above && above->kind == Kind::kNegate && same(above->children[0], make_number(1));
    if (inverse) {
      if (name != "sin" && name != "cos" && name != "tan") return std::nullopt;
      return bounded(make(Kind::kFunction, std::move(arguments), "arc" + name));
    }
    auto value = make(Kind::kFunction, std::move(arguments), name);
    if (!above) return bounded(std::move(value));
    return bounded(make(Kind::kPower, {std::move(value), std::move(*above)}));
  }

  // Brackets.
  Parsed bracketed() {
    const std::string mark = peek()->text;
    if (mark == "(" || mark == "[") return tuple();
    if (mark == "{") return group();
    if (mark == "\\{") return set();
    if (mark == "|") return absolute();
    if (mark == "lfloor") return rounded("floor", "rfloor");
    if (mark == "lceil") return rounded("ceil", "rceil");
    if (mark == "begin") return matrix();
    return std::nullopt;
  }

  Parsed tuple() {
    const std::string opening = tokens_[at_++].text;
    const int bars = std::exchange(bars_, 0);
    auto inside = list();
    bars_ = bars;
    if (!inside || !(at_mark(")") || at_mark("]"))) return std::nullopt;
    const std::string closing = tokens_[at_++].text;
    const bool alike = (opening == "(") == (closing == ")");
    if (inside->kind != Kind::kList) return alike ? std::move(inside) : std::nullopt;
    return bounded(make(Kind::kTuple, std::move(inside->children), opening + closing));
  }

  /// `{…}`: what is in it; several of them are a set whose backslashes were lost.
  Parsed group() {
    ++at_;
    const int bars = std::exchange(bars_, 0);
    auto inside = list();
    bars_ = bars;
    if (!inside || !accept("}")) return std::nullopt;
    if (inside->kind == Kind::kList) return bounded(make(Kind::kSet, std::move(inside->children)));
    return inside;
  }

  Parsed set() {
    ++at_;
    if (accept("\\}")) return make(Kind::kSet);
    const int bars = std::exchange(bars_, 0);
    auto inside = list();
    bars_ = bars;
    if (!inside || !accept("\\}")) return std::nullopt;
    if (inside->kind == Kind::kList) return bounded(make(Kind::kSet, std::move(inside->children)));
    return bounded(make(Kind::kSet, {std::move(*inside)}));
  }

  Parsed absolute() {
    ++at_;
    ++bars_;
    auto inside = sum();
    --bars_;
    if (!inside || !accept("|")) return std::nullopt;
    return bounded(make(Kind::kFunction, {std::move(*inside)}, "abs"));
  }

  Parsed rounded(const std::string& name, std::string_view closing) {
    ++at_;
    auto inside = sum();
    if (!inside || !accept(closing)) return std::nullopt;
    return bounded(make(Kind::kFunction, {std::move(*inside)}, name));
  }

  Parsed matrix() {
    ++at_;
    std::vector<Expression> rows(1, make(Kind::kRow));
    while (true) {
      auto entry = sum();
      if (!entry) return std::nullopt;
      rows.back().children.push_back(std::move(*entry));
      if (accept("&")) continue;
      const bool broken = accept("\\\\");
      if (accept("end")) break;
      if (!broken) return std::nullopt;
      rows.push_back(make(Kind::kRow));
    }
    for (Expression& row : rows) {
      if (row.children.size() != rows.front().children.size()) return std::nullopt;
      row = make(Kind::kRow, std::move(row.children));
    }
    return bounded(make(Kind::kMatrix, std::move(rows)));
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int nesting_ = 0;
  int bars_ = 0;  // open ones of |…|
};

}  // namespace

std::optional<Expression> parse(std::string_view text, Commas commas) {
  auto tokens = tokenize(text, commas);
  if (!tokens || tokens->empty()) return std::nullopt;
  return Parser(std::move(*tokens)).answer();
}

}  // namespace lil::analyze::math
