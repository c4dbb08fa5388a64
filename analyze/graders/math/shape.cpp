#include "analyze/graders/math/shape.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace lil::analyze::math {
namespace {

using Kind = Expression::Kind;

constexpr std::size_t kMaxSigns = 4;  // ± in one value: sixteen values

/// Something an equation may give a name to: `x`, `AB`, `m + n`, `f(3)`, `\sin A`, `AB/CD`, `(x, y)`, words.
// NOLINTNEXTLINE(misc-no-recursion): a tree is at most kMaxDepth deep
bool is_name(const Expression& e) {
  switch (e.kind) {
    case Kind::kSymbol:
    case Kind::kWords:
    case Kind::kEuler:
    case Kind::kImaginary:
      return true;
    case Kind::kProduct:
      // A number may only be what a function is taken of.
      return is_name(e.children[0]) &&
             std::all_of(e.children.begin() + 1, e.children.end(), [&](const auto& child) {
               return is_name(child) || (child.kind == Kind::kNumber && e.children.size() == 2);
             });
    case Kind::kFunction:
      return e.name != "root" && e.name != "abs" && is_name(e.children[0]);
    case Kind::kSum:
    case Kind::kTuple:
    case Kind::kNegate:
    case Kind::kInverse:
    case Kind::kRatio:
      return std::all_of(e.children.begin(), e.children.end(), is_name);
    default:
      return false;
  }
}

std::vector<std::string_view> relations_of(const Expression& relation) {
  std::vector<std::string_view> names;
  std::string_view rest = relation.name;
  while (!rest.empty()) {
    const std::size_t space = std::min(rest.find(' '), rest.size());
    names.push_back(rest.substr(0, space));
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  return names;
}

std::optional<Expression> right_of_name(const Expression& relation) {
  const auto names = relations_of(relation);
  const auto approximation = std::find(names.begin(), names.end(), "~");
  const auto exact_sides = static_cast<std::size_t>(approximation - names.begin());
  const bool equations = std::all_of(names.begin(), approximation, [](auto name) { return name == "="; });
  const bool membership = names.size() == 1 && names.front() == "in";
  if ((!equations && !membership) || std::count(names.begin(), names.end(), "~") > 1) return std::nullopt;
  const Expression& first = relation.children.front();
  if (membership) return is_name(first) ? std::optional(relation.children.back()) : std::nullopt;
  const bool named = is_name(first);
  if (exact_sides > 0) {
    if (named) return relation.children[exact_sides];
    // `5 = x`
    return exact_sides == 1 && is_name(relation.children[1]) ? std::optional(first) : std::nullopt;
  }
  return named ? relation.children.back() : first;
}

std::size_t count_signs(const Expression& e) {
  std::size_t count = e.kind == Kind::kPlusMinus ? 1 : 0;
  for (const Expression& child : e.children) count += count_signs(child);
  return count;
}

/// `e` with every ± resolved by the next bit of `minus`; ∓ goes with the ± before it.
Expression resolved(const Expression& e, unsigned& minus, bool& last) {
  std::vector<Expression> children;
  if (e.kind == Kind::kPlusMinus) {
    const bool opposite = e.name == "mp";
    if (!opposite) {
      last = (minus & 1U) != 0;
      minus >>= 1U;
    }
    const bool negative = last != opposite;
    Expression inside = resolved(e.children[0], minus, last);
    return negative ? make(Kind::kNegate, {std::move(inside)}) : inside;
  }
  if (e.children.empty()) return e;
  children.reserve(e.children.size());
  for (const Expression& child : e.children) children.push_back(resolved(child, minus, last));
  return make(e.kind, std::move(children), e.name);
}

bool has_opposite(const Expression& e) {
  if (e.kind == Kind::kPlusMinus && e.name == "mp") return true;
  return std::any_of(e.children.begin(), e.children.end(), has_opposite);
}

void add_signs(const Expression& e, std::vector<Expression>& found) {
  const std::size_t signs = count_signs(e);
  if (signs == 0 || signs > kMaxSigns) {
    found.push_back(e);
    return;
  }
  const std::size_t choices = has_opposite(e) ? 1 : signs;
  for (unsigned choice = 0; choice < 1U << choices; ++choice) {
    unsigned minus = choice;
    bool last = (choice & 1U) != 0;
    found.push_back(resolved(e, minus, last));
  }
}

}  // namespace

std::optional<Expression> without_name(const Expression& e) {
  if (e.kind == Kind::kRelation) return right_of_name(e);
  if (e.kind != Kind::kList) return e;
  std::vector<Expression> values;
  for (const Expression& child : e.children) {
    auto value = without_name(child);
    if (!value) return std::nullopt;
    values.push_back(std::move(*value));
  }
  return make(Kind::kList, std::move(values), e.name);
}

std::vector<Expression> elements(const Expression& e) {
  std::vector<Expression> found;
  if (e.kind != Kind::kList && e.kind != Kind::kSet) {
    add_signs(e, found);
    return found;
  }
  for (const Expression& child : e.children) add_signs(child, found);
  return found;
}

Expression with_matrix_multiplied(const Expression& e) {
  if (e.kind != Kind::kProduct && e.kind != Kind::kNegate) return e;
  std::vector<Expression> factors;
  const Expression* matrix = nullptr;
  for (const Expression& child : e.children) {
    if (child.kind == Kind::kMatrix && matrix == nullptr) {
      matrix = &child;
    } else {
      factors.push_back(child);
    }
  }
  if (matrix == nullptr && e.kind == Kind::kNegate) {
    const Expression inside = with_matrix_multiplied(e.children[0]);
    return inside.kind == Kind::kMatrix ? with_matrix_multiplied(make(Kind::kNegate, {inside})) : e;
  }
  if (matrix == nullptr) return e;
  std::vector<Expression> rows;
  for (const Expression& row : matrix->children) {
    std::vector<Expression> entries;
    for (const Expression& entry : row.children) {
      std::vector<Expression> all = factors;
      all.push_back(entry);
      entries.push_back(e.kind == Kind::kNegate ? make(Kind::kNegate, {entry})
                                                : make(Kind::kProduct, std::move(all)));
    }
    rows.push_back(make(Kind::kRow, std::move(entries)));
  }
  return make(Kind::kMatrix, std::move(rows));
}

int infinity_sign(const Expression& e) {
  if (e.kind == Kind::kInfinity) return 1;
  return e.kind == Kind::kNegate && e.children[0].kind == Kind::kInfinity ? -1 : 0;
}

}  // namespace lil::analyze::math
