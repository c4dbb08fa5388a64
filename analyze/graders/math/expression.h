#pragma once

#include <string>
#include <vector>

#include "analyze/graders/math/rational.h"

namespace lil::analyze::math {

/// An answer as a tree.
struct Expression {
  enum class Kind {
    // Values.
    kNumber,     ///< `number`; `name` its digits as written, empty where it was computed
    kBased,      ///< `name` the digits, `number` the base: 101_2
    kSymbol,     ///< a variable `name`
    kWords,      ///< `name` that is no mathematics
    kPi,         //
    kEuler,      //
    kImaginary,  //
    kInfinity,   //
    kNegate,     ///< of one
    kInverse,    ///< 1 / one
    kSum,        ///< of two or more
    kProduct,    ///< of two or more
    kPower,      ///< base, exponent
    kPlusMinus,  ///< either sign of one; `name` "mp" where it is the opposite of the others
    kPercent,    ///< of one
    kDegree,     ///< of one
    kFunction,   ///< `name` of one or more; `root` has radicand and degree, `log` argument and base
    // What holds values.
    kList,      ///< elements with nothing around them; `name` "," or "or"
    kSet,       ///< \{…\}
    kTuple,     ///< two or more; `name` the brackets, "()" "[)" "(]" "[]": two may be an interval
    kMatrix,    ///< of kRow
    kRow,       //
    kUnion,     ///< of two or more
    kSetMinus,  ///< all but
    kRatio,     ///< a:b:c
    kRelation,  ///< a = b < c; `name` the relations, a space between
  };
  Kind kind = Kind::kNumber;
  Rational number;
  std::string name;
  std::vector<Expression> children;
  int depth = 1;
};

/// Deepest tree that the parser makes.
inline constexpr int kMaxDepth = 100;

[[nodiscard]] Expression make_number(Rational value, std::string digits = "");
[[nodiscard]] Expression make(Expression::Kind kind, std::vector<Expression> children = {},
                              std::string name = "");

/// Whether two trees are the same, spelling of numbers apart.
[[nodiscard]] bool same(const Expression& a, const Expression& b);

/// Whether a part of `expression`, or all of it, is of this kind.
[[nodiscard]] bool contains(const Expression& expression, Expression::Kind kind);

}  // namespace lil::analyze::math
