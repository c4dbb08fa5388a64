#include "analyze/graders/math/region.h"

#include <algorithm>
#include <string>
#include <utility>

#include "analyze/graders/math/samples.h"
#include "analyze/graders/math/shape.h"

namespace lil::analyze::math {
namespace {

using Kind = Expression::Kind;
using Found = std::optional<Region>;

/// -1, 0, 1 as a lies before, on, after b; closedness apart.
int order(const End& a, const End& b) {
  if (a.infinite != 0 || b.infinite != 0) return a.infinite - b.infinite;
  return sign_of(a.at + -b.at);
}

std::optional<End> end_of(const Expression& e, bool closed, Budget& budget) {
  if (const int infinite = infinity_sign(e); infinite != 0) return End{infinite, {}, false};
  if (contains(e, Kind::kSymbol)) return std::nullopt;
  const Samples samples = take_samples(e, {}, Points::kReal, budget);
  if (!samples.at[0] || !samples.at[0]->value.is_real()) return std::nullopt;
  return End{0, samples.at[0]->value, closed};
}

bool is_empty(const Stretch& s) {
  const int way = order(s.low, s.high);
  return way > 0 || (way == 0 && !(s.low.closed && s.high.closed));
}

/// Sorted, without what is empty, joined where two touch.
Region joined(Region parts) {
  parts.erase(std::remove_if(parts.begin(), parts.end(), is_empty), parts.end());
  std::stable_sort(parts.begin(), parts.end(), [](const Stretch& a, const Stretch& b) {
    const int way = order(a.low, b.low);
    return way < 0 || (way == 0 && a.low.closed && !b.low.closed);
  });
  Region whole;
  for (Stretch& part : parts) {
    const int way = whole.empty() ? 1 : order(part.low, whole.back().high);
    const bool touches = way < 0 || (way == 0 && (part.low.closed || whole.back().high.closed));
    if (!touches) {
      whole.push_back(std::move(part));
      continue;
    }
    End& high = whole.back().high;
    const int longer = order(part.high, high);
    if (longer > 0) high = part.high;
    if (longer == 0) high.closed = high.closed || part.high.closed;
  }
  return whole;
}

const End kMinusInfinity{-1, {}, false};
const End kPlusInfinity{1, {}, false};

/// All real numbers that are not in `region`.
Region complement(const Region& region) {
  Region gaps;
  End from = kMinusInfinity;
  for (const Stretch& stretch : region) {
    gaps.push_back({from, {stretch.low.infinite, stretch.low.at, !stretch.low.closed}});
    from = {stretch.high.infinite, stretch.high.at, !stretch.high.closed};
  }
  gaps.push_back({from, kPlusInfinity});
  for (Stretch& gap : gaps) {
    if (gap.low.infinite != 0) gap.low.closed = false;
    if (gap.high.infinite != 0) gap.high.closed = false;
  }
  gaps.erase(std::remove_if(
                 gaps.begin(), gaps.end(),
                 [](const Stretch& s) { return is_empty(s) || s.high.infinite < 0 || s.low.infinite > 0; }),
             gaps.end());
  return joined(std::move(gaps));
}

Found interval(const Expression& tuple, Budget& budget) {
  if (tuple.children.size() != 2) return std::nullopt;
  auto low = end_of(tuple.children[0], tuple.name.front() == '[', budget);
  auto high = low ? end_of(tuple.children[1], tuple.name.back() == ']', budget) : std::nullopt;
  if (!high) return std::nullopt;
  return joined({{*low, *high}});
}

/// `x < 5`, with the side of the variable known: what lies on the named side of the end.
Found half_line(const std::string& relation, const Expression& bound, Budget& budget) {
  const bool closed = relation.size() == 2;
  const auto end = end_of(bound, closed, budget);
  if (!end) return std::nullopt;
  if (relation == "!=") {
    End point = *end;
    point.closed = true;
    return complement({{point, point}});
  }
  if (relation.front() == '<') return Region{{kMinusInfinity, *end}};
  return Region{{*end, kPlusInfinity}};
}

std::string turned(const std::string& relation) {
  if (relation.front() == '<') return ">" + relation.substr(1);
  if (relation.front() == '>') return "<" + relation.substr(1);
  return relation;
}

bool is_comparison(const std::string& relation) {
  return relation == "<" || relation == "<=" || relation == ">" || relation == ">=" || relation == "!=";
}

Region both(const Region& a, const Region& b) {
  Region outside = complement(a);
  const Region more = complement(b);
  outside.insert(outside.end(), more.begin(), more.end());
  return complement(joined(std::move(outside)));
}

Found inequality(const Expression& e, Budget& budget) {
  const std::size_t space = e.name.find(' ');
  const std::string first = e.name.substr(0, space);
  if (!is_comparison(first)) return std::nullopt;
  if (e.children.size() == 2) {
    if (e.children[0].kind == Kind::kSymbol) return half_line(first, e.children[1], budget);
    if (e.children[1].kind == Kind::kSymbol) return half_line(turned(first), e.children[0], budget);
    return std::nullopt;
  }
  const std::string second = space == std::string::npos ? "" : e.name.substr(space + 1);
  if (e.children.size() != 3 || e.children[1].kind != Kind::kSymbol || !is_comparison(second))
    return std::nullopt;
  const auto left = half_line(turned(first), e.children[0], budget);
  const auto right = left ? half_line(second, e.children[2], budget) : std::nullopt;
  return right ? Found(both(*left, *right)) : std::nullopt;
}

Found united(const std::vector<Expression>& parts, Budget& budget) {
  Region all;
  for (const Expression& part : parts) {
    const auto region = region_of(part, budget);
    if (!region) return std::nullopt;
    all.insert(all.end(), region->begin(), region->end());
  }
  return joined(std::move(all));
}

Found points(const Expression& set, Budget& budget) {
  Region all;
  for (const Expression& element : elements(set)) {
    const auto point = end_of(element, true, budget);
    if (!point || point->infinite != 0) return std::nullopt;
    all.push_back({*point, *point});
  }
  return joined(std::move(all));
}

/// Whether every part of a list is an inequality in the same variable.
bool in_one_variable(const Expression& list) {
  std::string name;
  for (const Expression& part : list.children) {
    if (part.kind != Kind::kRelation) return false;
    for (const Expression& side : part.children) {
      if (side.kind != Kind::kSymbol) continue;
      if (!name.empty() && name != side.name) return false;
      name = side.name;
    }
  }
  return true;
}

}  // namespace

std::optional<Region> region_of(const Expression& e, Budget& budget) {
  switch (e.kind) {
    case Kind::kTuple:
      return interval(e, budget);
    case Kind::kSet:
      return points(e, budget);
    case Kind::kUnion:
      return united(e.children, budget);
    case Kind::kSetMinus: {
      const auto all = region_of(e.children[0], budget);
      const auto less = all ? region_of(e.children[1], budget) : std::nullopt;
      return less ? Found(both(*all, complement(*less))) : std::nullopt;
    }
    case Kind::kList:
      if (e.name != "or" || !in_one_variable(e)) return std::nullopt;
      return united(e.children, budget);
    case Kind::kRelation:
      if (e.name == "in") {
        const auto inside = without_name(e);
        return inside ? region_of(*inside, budget) : std::nullopt;
      }
      return inequality(e, budget);
    default:
      return std::nullopt;
  }
}

bool same_region(const Region& a, const Region& b) {
  const auto same_end = [](const End& x, const End& y) { return order(x, y) == 0 && x.closed == y.closed; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const Stretch& x, const Stretch& y) {
    return same_end(x.low, y.low) && same_end(x.high, y.high);
  });
}

}  // namespace lil::analyze::math
