#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/graders/math/rational.h"

namespace lil::analyze::math {

/// A piece of a formula, LaTeX or plain, with the spellings that mean the same made one.
struct Token {
  enum class Type {
    kNumber,  ///< `1,234.5`, `2e3`, `0.\overline{3}`: `value`
    kLetter,  ///< a variable: `x`, `\alpha` as "alpha"
    kWord,  ///< a function, constant, unit, "and", "or" in plain letters, or a LaTeX command that is none of
            ///< the others: `sin`, `frac`
    kText,  ///< words of `\text{}`
    kMark,  ///< an operator, bracket or relation: `*`, `<=`, `\{`, `begin`
  };
  Type type = Type::kMark;
  std::string text;  ///< of a number its digits as written, without separators
  Rational value;
  bool whole = false;         ///< a number of digits alone
  bool space_before = false;  ///< white space stands before it

  [[nodiscard]] bool is(Type kind, std::string_view name) const { return type == kind && text == name; }
};

/// What `1,234` outside of brackets means: a number, or two in a list. (Within brackets only `{,}` and `,\!`
/// group thousands.)
enum class Commas { kGroupThousands, kSeparate };

/// The tokens of `text`; nothing where it has something that no formula has. Linear in `text`.
[[nodiscard]] std::optional<std::vector<Token>> tokenize(std::string_view text, Commas commas);

}  // namespace lil::analyze::math
