#include "analyze/graders/math/token.h"

#include <algorithm>
#include <array>
#include <utility>

#include "analyze/answers/trim.h"
#include "analyze/graders/math/words.h"
#include "analyze/latex_spelling.h"

namespace lil::analyze::math {
namespace {

constexpr std::size_t kMaxTokens = 2048;
constexpr int kMaxScientificExponent = 4096;
constexpr int kMaxExponents = 4 * kMaxScientificExponent;  // of all numbers of an answer together
constexpr int kMaxTextNesting = 4;

struct Spelling {
  std::string_view from;
  std::string_view to;
};

/// Commands (without backslash) that are an operator, a bracket or a relation.
constexpr std::array kCommandMarks = {Spelling{"times", "*"},
                                      Spelling{"cdot", "*"},
                                      Spelling{"ast", "*"},
                                      Spelling{"div", "/"},
                                      Spelling{"le", "<="},
                                      Spelling{"leq", "<="},
                                      Spelling{"leqslant", "<="},
                                      Spelling{"ge", ">="},
                                      Spelling{"geq", ">="},
                                      Spelling{"geqslant", ">="},
                                      Spelling{"lt", "<"},
                                      Spelling{"gt", ">"},
                                      Spelling{"ne", "!="},
                                      Spelling{"neq", "!="},
                                      Spelling{"in", "in"},
                                      Spelling{"cup", "cup"},
                                      Spelling{"pm", "pm"},
                                      Spelling{"mp", "mp"},
                                      Spelling{"approx", "~"},
                                      Spelling{"setminus", "setminus"},
                                      Spelling{"backslash", "setminus"},
                                      Spelling{"circ", "deg"},
                                      Spelling{"degree", "deg"},
                                      Spelling{"degrees", "deg"},
                                      Spelling{"lvert", "|"},
                                      Spelling{"rvert", "|"},
                                      Spelling{"vert", "|"},
                                      Spelling{"mid", "|"},
                                      Spelling{"lbrace", "\\{"},
                                      Spelling{"rbrace", "\\}"},
                                      Spelling{"langle", "("},
                                      Spelling{"rangle", ")"},
                                      Spelling{"lbrack", "["},
                                      Spelling{"rbrack", "]"},
                                      Spelling{"colon", ":"},
                                      Spelling{"prime", "'"},
                                      Spelling{"lfloor", "lfloor"},
                                      Spelling{"rfloor", "rfloor"},
                                      Spelling{"lceil", "lceil"},
                                      Spelling{"rceil", "rceil"},
                                      Spelling{"choose", "choose"}};

/// Commands that say nothing of the value.
constexpr std::array<std::string_view, 29> kSilent = {
    "left",   "right",    "big",          "Big",         "bigg",  "Bigg",  "bigl", "bigr",
    "Bigl",   "Bigr",     "biggl",        "biggr",       "Biggl", "Biggr", "quad", "qquad",
    "limits", "nolimits", "displaystyle", "textstyle",   "boxed", "fbox",  "vec",  "boldsymbol",
    "bm",     "hfill",    "middle",       "scriptstyle", "rm"};

constexpr std::array kSameCommands = {Spelling{"dfrac", "frac"},
                                      Spelling{"tfrac", "frac"},
                                      Spelling{"cfrac", "frac"},
                                      Spelling{"dbinom", "binom"},
                                      Spelling{"tbinom", "binom"},
                                      Spelling{"infty", "infinity"},
                                      Spelling{"emptyset", "emptyset"},
                                      Spelling{"varnothing", "emptyset"},
                                      Spelling{"surd", "sqrt"},
                                      Spelling{"tg", "tan"},
                                      Spelling{"ctg", "cot"}};

constexpr std::array<std::string_view, 14> kTextCommands = {
    "text",   "textbf", "textit", "textrm", "textnormal", "textsf",       "mbox",
    "mathrm", "mathbf", "mathit", "mathsf", "hbox",       "operatorname", "textup"};

constexpr std::array<std::string_view, 31> kGreek = {
    "alpha", "beta",     "gamma", "delta",   "epsilon", "varepsilon", "zeta", "eta",
    "theta", "vartheta", "iota",  "kappa",   "lambda",  "mu",         "nu",   "xi",
    "rho",   "sigma",    "tau",   "upsilon", "phi",     "varphi",     "chi",  "psi",
    "omega", "Gamma",    "Delta", "Theta",   "Lambda",  "Sigma",      "Omega"};

/// Bytes beyond ASCII, and a few spellings of ASCII.
constexpr std::array kPlain = {
    Spelling{"<=", "<="},      Spelling{">=", ">="},     Spelling{"!=", "!="},
    Spelling{"**", "^"},       Spelling{"\u2212", "-"},  Spelling{"\u2013", "-"},
    Spelling{"\u00d7", "*"},   Spelling{"\u00b7", "*"},  Spelling{"\u22c5", "*"},
    Spelling{"\u00f7", "/"},   Spelling{"\u2044", "/"},  Spelling{"\u2264", "<="},
    Spelling{"\u2265", ">="},  Spelling{"\u2260", "!="}, Spelling{"\u2208", "in"},
    Spelling{"\u222a", "cup"}, Spelling{"\u00b1", "pm"}, Spelling{"\u2213", "mp"},
    Spelling{"\u00b0", "deg"}, Spelling{"\u2248", "~"},  Spelling{"\u2216", "setminus"},
    Spelling{"\u2032", "'"}};
constexpr std::array kPlainWords = {Spelling{"\u03c0", "pi"}, Spelling{"\u221e", "infinity"},
                                    Spelling{"\u221a", "radical"}, Spelling{"\u2205", "emptyset"},
                                    Spelling{"\u211d", "reals"}};
constexpr std::array kPlainLetters = {Spelling{"\u03b8", "theta"}, Spelling{"\u03b1", "alpha"},
                                      Spelling{"\u03b2", "beta"}};
constexpr std::array kPlainPowers = {Spelling{"\u00b2", "2"}, Spelling{"\u00b3", "3"}};
constexpr std::array<std::string_view, 10> kSpaces = {"\\,", "\\;",    "\\:",    "\\ ",    "\\!",
                                                      "~",   "\u00a0", "\u2009", "\u202f", "&nbsp;"};
constexpr std::array<std::string_view, 8> kPlainConstants = {"pi", "inf", "infty", "infinity",
                                                             "oo", "and", "or",    "deg"};

template <class Table>
const Spelling* find_command(const Table& table, std::string_view name) {
  const auto row =
      std::find_if(table.begin(), table.end(), [&](const Spelling& s) { return s.from == name; });
  return row == table.end() ? nullptr : &*row;
}

template <class Table>
const Spelling* find_prefix(const Table& table, std::string_view text) {
  const auto row = std::find_if(table.begin(), table.end(),
                                [&](const Spelling& s) { return text.substr(0, s.from.size()) == s.from; });
  return row == table.end() ? nullptr : &*row;
}

template <class Table>
bool holds(const Table& table, std::string_view name) {
  return std::find(table.begin(), table.end(), name) != table.end();
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), to_lower);
  return lower;
}

Integer power_of_ten(std::size_t exponent) {
  return pow(Integer(10), static_cast<unsigned>(exponent));
}

Integer integer_of(std::string_view digits) {
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));  // else it were octal
  return digits.empty() ? Integer(0) : Integer(std::string(digits));
}

class Tokenizer {
 public:
  Tokenizer(std::string_view text, Commas commas, int nesting)
      : rest_(text), commas_(commas), nesting_(nesting) {}

  bool run() {
    while (!rest_.empty()) {
      if (!step() || tokens_.size() > kMaxTokens) return false;
    }
    return true;
  }
  std::vector<Token> take() { return std::move(tokens_); }

 private:
  bool accept(std::string_view piece) {
    if (rest_.substr(0, piece.size()) != piece) return false;
    rest_.remove_prefix(piece.size());
    return true;
  }
  std::string_view take_while(bool (*belongs)(char)) {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), belongs);
    const std::string_view run = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(run.size());
    return run;
  }
  void skip_spaces() { take_while(is_space); }
  /// The content of the `{…}` that begins here.
  std::optional<std::string_view> braced() {
    skip_spaces();
    if (rest_.empty() || rest_.front() != '{') return std::nullopt;
    const std::size_t close = closing_brace(rest_, 0);
    if (close == std::string_view::npos) return std::nullopt;
    const std::string_view inside = rest_.substr(1, close - 1);
    rest_.remove_prefix(close + 1);
    return inside;
  }

  Token& add(Token::Type type, std::string_view text) {
    Token token;
    token.type = type;
    token.text = text;
    token.space_before = std::exchange(space_, false);
    tokens_.push_back(std::move(token));
    return tokens_.back();
  }
  bool mark(std::string_view text) {
    if (text == "(" || text == "[" || text == "\\{") ++brackets_;
    if (text == ")" || text == "]" || text == "\\}") --brackets_;
    add(Token::Type::kMark, text);
    return true;
  }

  bool step() {
    if (is_space(rest_.front())) {
      skip_spaces();
      space_ = true;
      return true;
    }
    for (const std::string_view space : kSpaces) {
      if (!accept(space)) continue;
      space_ = space_ || space != "\\!";
      return true;
    }
    const bool point = rest_.front() == '.' && rest_.size() > 1 && is_digit(rest_[1]);
    if (is_digit(rest_.front()) || point) return number();
    if (is_letter(rest_.front())) return letters(take_while(is_letter));
    if (rest_.front() == '\\') return command();
    return plain();
  }

  bool plain() {
    if (accept("$") || accept("\u20ac") || accept("\u00a3")) return true;
    const auto spelled = [this](const auto& table, Token::Type type) {
      const Spelling* found = find_prefix(table, rest_);
      if (found == nullptr) return false;
      rest_.remove_prefix(found->from.size());
      add(type, found->to);
      return true;
    };
    if (const VulgarFraction* fraction = vulgar_fraction_at(rest_)) return vulgar(*fraction);
    if (const Spelling* power = find_prefix(kPlainPowers, rest_)) {
      mark("^");
      rest_.remove_prefix(power->from.size());
      add(Token::Type::kNumber, power->to).value = integer_of(power->to);
      tokens_.back().whole = true;
      return true;
    }
    if (spelled(kPlain, Token::Type::kMark) || spelled(kPlainWords, Token::Type::kWord) ||
        spelled(kPlainLetters, Token::Type::kLetter)) {
      return true;
    }
    constexpr std::string_view kMarks = "+-*/^_()[]{}|!%,;:&=<>'";
    if (kMarks.find(rest_.front()) == std::string_view::npos) return false;
    const std::string_view one = rest_.substr(0, 1);
    rest_.remove_prefix(1);
    return mark(one);
  }

  /// `½` as `\frac{1}{2}`.
  bool vulgar(const VulgarFraction& fraction) {
    rest_.remove_prefix(fraction.character.size());
    add(Token::Type::kWord, "frac");
    for (const std::string_view part : {fraction.above, fraction.below}) {
      mark("{");
      Token& token = add(Token::Type::kNumber, part);
      token.value = integer_of(part);
      token.whole = true;
      mark("}");
    }
    return true;
  }

  /// `{,}`, `,\!` (and spaces), `,` outside of brackets, or a thin space, right before three digits and no
  /// more.
  bool accept_group(std::string& digits) {
    const std::string_view before = rest_;
    const bool sure = accept("{,}") || accept(",\\!") || accept("\\,") || accept("\\!");
    if (sure) {
      skip_spaces();
    } else if (brackets_ > 0 || commas_ == Commas::kSeparate || !accept(",")) {
      return false;
    }
    const std::string_view group = take_while(is_digit);
    if (group.size() == 3) {
      digits += group;
      return true;
    }
    rest_ = before;
    return false;
  }

  bool number() {
    std::string digits(take_while(is_digit));
    if (!digits.empty() && digits.size() <= 3) {
      while (accept_group(digits)) {
      }
    }
    Token& token = add(Token::Type::kNumber, digits);
    token.whole = true;
    std::string_view decimals;
    if (rest_.size() > 1 && rest_.front() == '.' && (is_digit(rest_[1]) || rest_[1] == '\\')) {
      rest_.remove_prefix(1);
      decimals = take_while(is_digit);
      token.whole = false;
    }
    const Integer scale = power_of_ten(decimals.size());
    token.value = Rational(integer_of(digits + std::string(decimals)), scale);
    if (!decimals.empty()) token.text += "." + std::string(decimals);
    return (token.whole || repeating_decimals(token, scale)) && scientific(token);
  }

  bool repeating_decimals(Token& token, const Integer& scale) {
    if (!accept("\\overline") && !accept("\\bar")) return true;
    const auto digits = braced();
    if (!digits || digits->empty() || !std::all_of(digits->begin(), digits->end(), is_digit)) return false;
    token.value += Rational(integer_of(*digits), scale * (power_of_ten(digits->size()) - 1));
    return true;
  }

  bool scientific(Token& token) {
    if (rest_.empty() || (rest_.front() != 'e' && rest_.front() != 'E')) return true;
    const std::string_view before = rest_;
    rest_.remove_prefix(1);
    const bool minus = accept("-");
    if (!minus) accept("+");
    const std::string_view digits = take_while(is_digit);
    if (digits.empty()) {
      rest_ = before;
      return true;
    }
    const Integer exponent = integer_of(digits);
    if (exponent > kMaxScientificExponent) return false;
    exponents_ += static_cast<int>(exponent);
    if (exponents_ > kMaxExponents) return false;
    const Integer scale = power_of_ten(static_cast<std::size_t>(exponent));
    token.value *= minus ? Rational(1, scale) : Rational(scale);
    token.whole = false;
    return true;
  }

  /// Plain letters: a known word, or up to three variables in a row.
  bool letters(std::string_view run) {
    const std::string lower = lower_case(run);
    if (run.size() > 1 && (is_function(lower) || is_unit(lower) || scale_of(lower) != 0 ||
                           holds(kPlainConstants, lower) || lower == "degrees" || lower == "percent")) {
      const bool infinite = lower == "inf" || lower == "infty" || lower == "oo";
      add(Token::Type::kWord, infinite ? "infinity" : lower);
      return true;
    }
    for (const std::string_view name : {"sin", "cos", "tan", "log", "ln", "sqrt"}) {
      if (run.size() != name.size() + 1 || run.substr(0, name.size()) != name) continue;
      add(Token::Type::kWord, name);
      add(Token::Type::kLetter, run.substr(name.size()));
      return true;
    }
    if (run.size() > 3) return false;
    for (const char& letter : run) add(Token::Type::kLetter, std::string_view(&letter, 1));
    return true;
  }

  bool command() {
    rest_.remove_prefix(1);
    if (rest_.empty()) return false;
    if (accept("$")) return true;
    if (accept("%")) return mark("%");
    if (accept("{")) return mark("\\{");
    if (accept("}")) return mark("\\}");
    if (accept("\\")) return mark("\\\\");
    if (accept("(") || accept(")") || accept("[") || accept("]")) return true;  // around mathematics
    if (accept("|")) return mark("|");
    const std::string_view name = take_while(is_letter);
    if (name.empty()) return false;
    if (const Spelling* found = find_command(kCommandMarks, name)) return mark(found->to);
    if (holds(kSilent, name)) return silent(name);
    if (holds(kTextCommands, name)) return text();
    if (holds(kGreek, name)) return add(Token::Type::kLetter, name), true;
    if (name == "mathbb") return number_set();
    if (name == "begin" || name == "end") return environment(name);
    const Spelling* same = find_command(kSameCommands, name);
    add(Token::Type::kWord, same != nullptr ? same->to : name);
    return true;
  }

  bool silent(std::string_view name) {
    if (name == "left" || name == "right") accept(".");
    space_ = true;
    return true;
  }

  bool number_set() {
    const auto name = braced();
    if (!name) return false;
    if (*name == "R") {
      add(Token::Type::kWord, "reals");
    } else {
      add(Token::Type::kLetter, "set " + std::string(*name));
    }
    return true;
  }

  bool environment(std::string_view edge) {
    const auto name = braced();
    if (!name) return false;
    const bool array = *name == "array";
    if (array && edge == "begin" && !braced()) return false;
    const bool matrix = array || *name == "matrix" || *name == "smallmatrix" || *name == "pmatrix" ||
                        *name == "bmatrix" || *name == "Bmatrix";
    return matrix && mark(edge);
  }

  /// Whether one upright letter here would be a unit: `5\text{ m}`, `\text{ m}/\text{s}`.
  [[nodiscard]] bool after_value() const {
    if (tokens_.empty()) return false;
    const Token& last = tokens_.back();
    if (last.is(Token::Type::kMark, "/")) {
      return tokens_.size() > 1 && tokens_[tokens_.size() - 2].type == Token::Type::kText;
    }
    constexpr std::string_view kClosing = ")]}%deg";
    return last.type == Token::Type::kNumber || last.type == Token::Type::kText ||
           (last.type == Token::Type::kMark && kClosing.find(last.text) != std::string_view::npos);
  }

  /// Words, or mathematics in upright letters.
  bool text() {
    const auto braces = braced();
    if (!braces) return false;
    const std::string_view inside = trim(*braces);
    const std::string lower = lower_case(inside);
    if (inside.empty()) return space_ = true;
    if (inside.size() == 1 && is_letter(inside.front()) && !after_value()) return letters(inside);
    if (lower == "and" || lower == "or" || is_function(inside)) {
      add(Token::Type::kWord, lower);
      return true;
    }
    const bool words = is_letter(inside.front()) || nesting_ == kMaxTextNesting;
    if (words) return add(Token::Type::kText, lower), true;
    Tokenizer inner(inside, commas_, nesting_ + 1);
    if (!inner.run()) return add(Token::Type::kText, lower), true;
    for (Token& token : inner.take()) tokens_.push_back(std::move(token));
    return true;
  }

  std::string_view rest_;
  Commas commas_;
  int nesting_;
  int brackets_ = 0;
  int exponents_ = 0;
  bool space_ = false;
  std::vector<Token> tokens_;
};

}  // namespace

std::optional<std::vector<Token>> tokenize(std::string_view text, Commas commas) {
  Tokenizer tokenizer(text, commas, 0);
  if (!tokenizer.run()) return std::nullopt;
  return tokenizer.take();
}

}  // namespace lil::analyze::math
