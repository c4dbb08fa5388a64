#include "analyze/graders/math/compare.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "analyze/graders/math/exact.h"
#include "analyze/graders/math/region.h"
#include "analyze/graders/math/samples.h"
#include "analyze/graders/math/shape.h"

namespace lil::analyze::math {
namespace {

using Kind = Expression::Kind;
using Answer = std::optional<bool>;

bool is_collection(const Expression& e) {
  return e.kind == Kind::kList || e.kind == Kind::kSet || contains(e, Kind::kPlusMinus);
}

bool is_value(const Expression& e) {
  switch (e.kind) {
    case Kind::kList:
    case Kind::kSet:
    case Kind::kTuple:
    case Kind::kMatrix:
    case Kind::kRow:
    case Kind::kUnion:
    case Kind::kSetMinus:
    case Kind::kRatio:
    case Kind::kRelation:
    case Kind::kWords:
      return false;
    default:
      return true;
  }
}

/// A relation, or a list of them.
bool has_relation(const Expression& e) {
  if (e.kind == Kind::kRelation) return true;
  return e.kind == Kind::kList && std::any_of(e.children.begin(), e.children.end(), has_relation);
}

/// Whether an element has more ± than elements() resolves.
bool has_open_sign(const std::vector<Expression>& all) {
  return std::any_of(all.begin(), all.end(), [](const auto& e) { return contains(e, Kind::kPlusMinus); });
}

Expression difference(const Expression& relation) {
  return make(Kind::kSum, {relation.children[0], make(Kind::kNegate, {relation.children[1]})});
}

/// `a > b` as `b < a`.
Expression ascending(const Expression& relation) {
  if (relation.name.empty() || relation.name.front() != '>') return relation;
  std::vector<Expression> sides(relation.children.rbegin(), relation.children.rend());
  std::string names;
  std::string rest = relation.name;
  while (!rest.empty()) {  // the names in the other order, each turned
    const std::size_t space = rest.rfind(' ');
    std::string name = rest.substr(space == std::string::npos ? 0 : space + 1);
    rest = space == std::string::npos ? "" : rest.substr(0, space);
    if (name.front() == '>') name.front() = '<';
    names += (names.empty() ? "" : " ") + name;
  }
  return make(Kind::kRelation, std::move(sides), names);
}

/// The entries of a matrix of one row or one column.
std::optional<std::vector<Expression>> vector_entries(const Expression& matrix) {
  std::vector<Expression> entries;
  const bool row = matrix.children.size() == 1;
  for (const Expression& line : matrix.children) {
    if (!row && line.children.size() != 1) return std::nullopt;
    entries.insert(entries.end(), line.children.begin(), line.children.end());
  }
  return entries;
}

class Comparer {
 public:
  explicit Comparer(Budget& budget) : budget_(budget) {}

  // NOLINTNEXTLINE(misc-no-recursion): as deep as the trees
  Answer equal(const Expression& first, const Expression& second) {
    if (!budget_.spend(4)) return std::nullopt;
    if (same(first, second)) return true;
    const Expression a = with_matrix_multiplied(first);
    const Expression b = with_matrix_multiplied(second);
    if (has_relation(a) != has_relation(b)) return has_relation(a) ? unnamed(a, b) : unnamed(b, a);
    if (a.kind == Kind::kRelation && b.kind == Kind::kRelation) return relations(a, b);
    if (is_value(a) && is_value(b) && !is_collection(a) && !is_collection(b)) return values(a, b);
    if (const Answer shaped = different_shapes(a, b)) return shaped;
    if (is_collection(a) || is_collection(b)) return collections(a, b);
    if (a.kind != b.kind) return regions(a, b);
    switch (a.kind) {
      case Kind::kTuple:
        return tuples(a, b);
      case Kind::kUnion:
      case Kind::kSetMinus: {
        const Answer region = regions(a, b);
        return region.value_or(false) ? region : unordered(a.children, b.children);
      }
      case Kind::kMatrix:
      case Kind::kRow:
      case Kind::kRatio:
        return ordered(a.children, b.children);
      default:
        return std::nullopt;
    }
  }

 private:
  /// `related` has a relation and `bare` none.
  // NOLINTNEXTLINE(misc-no-recursion)
  Answer unnamed(const Expression& related, const Expression& bare) {
    if (const auto value = without_name(related)) return equal(*value, bare);
    return regions(related, bare);
  }

  // NOLINTNEXTLINE(misc-no-recursion)
  Answer relations(const Expression& left, const Expression& right) {
    const Expression a = ascending(left);
    const Expression b = ascending(right);
    if (a.name == b.name && a.children.size() == b.children.size()) {
      if (ordered(a.children, b.children).value_or(false)) return true;
      const bool swapped = a.name == "=" && equal(a.children[0], b.children[1]).value_or(false) &&
                           equal(a.children[1], b.children[0]).value_or(false);
      if (swapped) return true;
      if (const Answer multiple = multiples(a, b)) return multiple;
    }
    const auto one = without_name(left);
    const auto other = one ? without_name(right) : std::nullopt;
    if (other && same(left.children[0], right.children[0])) return equal(*one, *other);
    return regions(left, right);
  }

  /// Equations and inequalities between values: multiples of one another.
  Answer multiples(const Expression& a, const Expression& b) {
    const bool plain = a.children.size() == 2 &&
                       std::all_of(a.children.begin(), a.children.end(), is_value) &&
                       std::all_of(b.children.begin(), b.children.end(), is_value);
    if (!plain || a.name == "in") return std::nullopt;
    const Expression left = difference(a);
    const Expression right = difference(b);
    const Points points =
        wants_whole_points(left) || wants_whole_points(right) ? Points::kWhole : Points::kReal;
    const auto sign =
        proportion(take_samples(left, {}, points, budget_), take_samples(right, {}, points, budget_));
    if (!sign) return std::nullopt;
    const bool either_way = a.name == "=" || a.name == "!=";
    if (*sign == 0 || either_way) return *sign != 0;
    return *sign > 0;
  }

  /// Answers of two shapes that may still mean the same.
  // NOLINTNEXTLINE(misc-no-recursion)
  Answer different_shapes(const Expression& a, const Expression& b) {
    if (a.kind == b.kind) return std::nullopt;
    if (b.kind == Kind::kTuple || b.kind == Kind::kRatio) {
      if (a.kind != Kind::kTuple) return different_shapes(b, a);
      return std::nullopt;
    }
    if (a.kind == Kind::kTuple && b.kind == Kind::kList && b.name == "," && a.name == "()")
      return ordered(a.children, b.children);
    if (a.kind == Kind::kTuple && b.kind == Kind::kMatrix) {
      const auto entries = vector_entries(b);
      return entries ? ordered(a.children, *entries) : Answer(false);
    }
    if (a.kind == Kind::kRatio && is_value(b) && a.children.size() == 2)
      return equal(make(Kind::kProduct, {a.children[0], make(Kind::kInverse, {a.children[1]})}), b);
    return std::nullopt;
  }

  // NOLINTNEXTLINE(misc-no-recursion)
  Answer collections(const Expression& a, const Expression& b) {
    if (a.kind == Kind::kUnion || b.kind == Kind::kUnion || a.kind == Kind::kSetMinus ||
        b.kind == Kind::kSetMinus)
      return regions(a, b);
    const auto left = elements(a);
    const auto right = elements(b);
    if (has_open_sign(left) || has_open_sign(right)) return std::nullopt;
    const Answer matched = unordered(left, right);
    if (matched.value_or(false) || !has_relation(a)) return matched;
    const Answer region = regions(a, b);
    return region ? region : matched;
  }

  // NOLINTNEXTLINE(misc-no-recursion)
  Answer tuples(const Expression& a, const Expression& b) {
    const bool alike = a.name == b.name || (a.children.size() > 2 && b.children.size() > 2);
    return alike ? ordered(a.children, b.children) : Answer(false);
  }

  Answer regions(const Expression& a, const Expression& b) {
    const auto left = region_of(a, budget_);
    const auto right = left ? region_of(b, budget_) : std::nullopt;
    if (left && right) return same_region(*left, *right);
    if (contains(a, Kind::kWords) || contains(b, Kind::kWords) || budget_.spent()) return std::nullopt;
    return false;
  }

  // NOLINTNEXTLINE(misc-no-recursion)
  Answer ordered(const std::vector<Expression>& a, const std::vector<Expression>& b) {
    if (a.size() != b.size()) return false;
    bool sure = true;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const Answer here = equal(a[i], b[i]);
      if (here && !*here) return false;
      sure = sure && here;
    }
    return sure ? Answer(true) : std::nullopt;
  }

  /// Whether each element of either equals one of the other: so an element counts once, however often it is
  /// there.
  // NOLINTNEXTLINE(misc-no-recursion)
  Answer unordered(const std::vector<Expression>& a, const std::vector<Expression>& b) {
    const Answer there = each_in(a, b);
    return there.value_or(false) ? each_in(b, a) : there;
  }
  // NOLINTNEXTLINE(misc-no-recursion)
  Answer each_in(const std::vector<Expression>& some, const std::vector<Expression>& all) {
    bool sure = true;
    for (const Expression& element : some) {
      bool found = false;
      bool sure_here = true;
      for (const Expression& other : all) {
        const Answer here = equal(element, other);
        found = here.value_or(false);
        if (found) break;
        sure_here = sure_here && here;
        if (budget_.spent()) return std::nullopt;
      }
      if (!found && sure_here) return false;
      sure = sure && found;
    }
    return sure ? Answer(true) : std::nullopt;
  }

  Answer values(const Expression& a, const Expression& b) {
    if (const Answer digits = numerals(a, b)) return digits;
    const int left_infinity = infinity_sign(a);
    const int right_infinity = infinity_sign(b);
    if (left_infinity != 0 || right_infinity != 0) return left_infinity == right_infinity;
    const auto either = [&](Kind kind) { return contains(a, kind) || contains(b, kind); };
    const bool percent = either(Kind::kPercent);
    const bool degree = either(Kind::kDegree);
    bool sure = true;
    for (const Reading& reading : {Reading{false, false}, Reading{true, false}, Reading{false, true}}) {
      if ((reading.percent_is_hundredth && !percent) || (reading.degree_is_angle && !degree)) continue;
      const Answer here = values_read(a, b, reading);
      if (here.value_or(false)) return true;
      sure = sure && here;
    }
    return sure ? Answer(false) : std::nullopt;
  }

  /// A number with its base against one that has none.
  static Answer numerals(const Expression& a, const Expression& b) {
    if (b.kind == Kind::kBased && a.kind != Kind::kBased) return numerals(b, a);
    if (a.kind != Kind::kBased || b.kind != Kind::kNumber) return std::nullopt;
    return is_whole(b.number) && b.number.str() == a.name;
  }

  Answer values_read(const Expression& a, const Expression& b, const Reading& reading) {
    const auto left = exact_value(a, reading, budget_);
    const auto right = left ? exact_value(b, reading, budget_) : std::nullopt;
    if (left && right) return *left == *right;
    const Points points = wants_whole_points(a) || wants_whole_points(b) ? Points::kWhole : Points::kReal;
    return agree(take_samples(a, reading, points, budget_), take_samples(b, reading, points, budget_));
  }

  Budget& budget_;
};

}  // namespace

std::optional<bool> compare(const Expression& a, const Expression& b, Budget& budget) {
  return Comparer(budget).equal(a, b);
}

}  // namespace lil::analyze::math
