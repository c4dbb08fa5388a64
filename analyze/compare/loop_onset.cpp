#include "analyze/compare/loop_onset.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <vector>

namespace lil::analyze {
namespace {

/// For each distance p how many of the last tokens equal those p before them: the Z-function of `ids` read
/// backwards. The last p + matches[p] tokens then have period p.
std::vector<std::int64_t> matches_at_distance(std::span<const schemas::TokenId> ids) {
  const auto n = static_cast<std::int64_t>(ids.size());
  const auto from_end = [&](std::int64_t i) { return ids[static_cast<std::size_t>(n - 1 - i)]; };
  std::vector<std::int64_t> matches(ids.size(), 0);
  std::int64_t left = 0;  // [left, right) from the end equals the end itself, with the greatest right seen
  std::int64_t right = 0;
  for (std::int64_t p = 1; p < n; ++p) {
    std::int64_t& here = matches[static_cast<std::size_t>(p)];
    if (p < right) here = std::min(right - p, matches[static_cast<std::size_t>(p - left)]);
    while (p + here < n && from_end(here) == from_end(p + here)) ++here;
    if (p + here > right) {
      left = p;
      right = p + here;
    }
  }
  return matches;
}

}  // namespace

std::optional<Loop> find_loop(std::span<const schemas::TokenId> ids, const LoopDefinition& definition) {
  assert(definition.min_repeats >= 2);
  const auto n = static_cast<std::int64_t>(ids.size());
  const std::vector<std::int64_t> matches = matches_at_distance(ids);
  std::optional<Loop> first;
  for (std::int64_t p = 1; p <= n / definition.min_repeats; ++p) {
    const std::int64_t length = p + matches[static_cast<std::size_t>(p)];
    if (length < definition.min_repeats * p || length < definition.min_tokens) continue;
    if (!first || n - length < first->onset) first = Loop{n - length, p};
  }
  return first;
}

}  // namespace lil::analyze
