#include "analyze/graders/math/expression.h"

#include <algorithm>
#include <utility>

namespace lil::analyze::math {

Expression make_number(Rational value, std::string digits) {
  Expression expression;
  expression.number = std::move(value);
  expression.name = std::move(digits);
  return expression;
}

Expression make(Expression::Kind kind, std::vector<Expression> children, std::string name) {
  Expression expression;
  expression.kind = kind;
  expression.name = std::move(name);
  expression.children = std::move(children);
  for (const Expression& child : expression.children)
    expression.depth = std::max(expression.depth, child.depth + 1);
  return expression;
}

bool same(const Expression& a, const Expression& b) {
  if (a.kind != b.kind || a.number != b.number || a.depth != b.depth) return false;
  if (a.kind != Expression::Kind::kNumber && a.name != b.name) return false;
  return std::equal(a.children.begin(), a.children.end(), b.children.begin(), b.children.end(), same);
}

bool contains(const Expression& expression, Expression::Kind kind) {
  if (expression.kind == kind) return true;
  return std::any_of(expression.children.begin(), expression.children.end(),
                     [kind](const Expression& child) { return contains(child, kind); });
}

}  // namespace lil::analyze::math
