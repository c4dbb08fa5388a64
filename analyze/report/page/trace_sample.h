#pragma once

#include <cstddef>
#include <vector>

#include "analyze/cells.h"

namespace lil::analyze::page {

/// A trace of groups[group].
struct TracePlace {
  std::size_t group = 0;
  std::size_t trace = 0;

  auto operator<=>(const TracePlace&) const =
      default;  // NOLINT(modernize-use-nullptr): not so, in clang-tidy 14
};

/// Every trace, in the order in which a page that can't hold them all takes them: the groups in turn; within
/// one in turn those that its first cell with a signal harms, those that gain, those stopped, those not,
/// right and wrong ones apart; and of these some from all over the group.
[[nodiscard]] std::vector<TracePlace> sampling_order(const std::vector<GroupCells>& groups);

}  // namespace lil::analyze::page
