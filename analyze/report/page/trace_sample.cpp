#include "analyze/report/page/trace_sample.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace lil::analyze::page {
namespace {

using Indices = std::vector<std::size_t>;

/// What a stop does to a trace; those that say most first.
enum Fate : std::size_t { kHarmed, kGained, kStoppedWrong, kStoppedRight, kFullWrong, kFullRight, kFates };

Fate fate_of(const GradedTrace& trace, std::int64_t kept) {
  const bool full = trace.right_at(trace.info.tokens);
  if (kept == trace.info.tokens) return full ? kFullRight : kFullWrong;
  const bool right = trace.right_at(kept);
  if (full != right) return full ? kHarmed : kGained;
  return full ? kStoppedRight : kStoppedWrong;
}

/// Of the first cell that reads a signal; of the first where none does.
const TraceStops* first_stops(const GroupCells& group) {
  if (group.cells.empty()) return nullptr;
  const auto reading = std::find_if(group.cells.begin(), group.cells.end(),
                                    [](const Cell& cell) { return !cell.signal_version.empty(); });
  return &group.stops[reading == group.cells.end() ? 0
                                                   : static_cast<std::size_t>(reading - group.cells.begin())];
}

/// Takes one of each list in turn, until all are empty.
template <class Item, class Lists>
std::vector<Item> in_turn(const Lists& lists) {
  std::vector<Item> items;
  std::size_t longest = 0;
  for (const auto& list : lists) longest = std::max(longest, list.size());
  for (std::size_t i = 0; i < longest; ++i) {
    for (const auto& list : lists) {
      if (i < list.size()) items.push_back(list[i]);
    }
  }
  return items;
}

/// So that any beginning of the list is spread evenly over it: by the fractional part of i times the golden
/// ratio.
void spread(Indices& list) {
  constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;
  Indices order(list.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [](std::size_t a, std::size_t b) { return a * kGolden < b * kGolden; });
  for (std::size_t& i : order) i = list[i];
  list = std::move(order);
}

}  // namespace

std::vector<TracePlace> sampling_order(const std::vector<GroupCells>& groups) {
  std::vector<std::vector<TracePlace>> places(groups.size());
  for (std::size_t g = 0; g < groups.size(); ++g) {
    std::array<Indices, kFates> by_fate;
    const auto& traces = groups[g].group.traces;
    const TraceStops* stops = first_stops(groups[g]);
    for (std::size_t i = 0; i < traces.size(); ++i) {
      const std::int64_t tokens = traces[i].info.tokens;
      const std::int64_t kept = stops == nullptr ? tokens : (*stops)[i].value_or(tokens);
      by_fate.at(fate_of(traces[i], kept)).push_back(i);
    }
    for (Indices& list : by_fate) spread(list);
    for (const std::size_t i : in_turn<std::size_t>(by_fate)) places[g].push_back({g, i});
  }
  return in_turn<TracePlace>(places);
}

}  // namespace lil::analyze::page
