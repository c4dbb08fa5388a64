#pragma once

#include <cstdint>
#include <string>

#include "analyze/cell_sources.h"

namespace lil::analyze {

/// The exact upper bound of a share at confidence 1 - delta: where it is at most alpha, the binomial p-value
/// of "the share is alpha or more" is at most delta. One-sided: the upper end of the Clopper-Pearson interval
/// of confidence 1 - 2 delta. 1 of no traces. Thresholds that were looked for on the same traces are not
/// certified.
[[nodiscard]] double harm_bound(std::int64_t harmed, std::int64_t traces, double delta);

/// Those that can be harmed: others have no answer to be right by.
struct GoldCounts {
  std::int64_t traces = 0;
  std::int64_t problems = 0;

  [[nodiscard]] bool has_repeats() const { return problems < traces; }
};
[[nodiscard]] GoldCounts count_gold(const TraceGroup& group);

/// The same for traces with a gold answer, of which so many are harmed. Repeats of a problem are not
/// independent: with them it bounds the share of problems that have a harmed trace, of which there are at
/// most as many as harmed traces; it is never below the bound of that share.
[[nodiscard]] double harm_bound(const GoldCounts& gold, std::int64_t harmed, double delta);

/// What a caption says of the unit of these bounds.
[[nodiscard]] std::string unit_of_bounds(bool any_repeats);

/// The fewest traces of which none harmed has a bound of at most alpha.
[[nodiscard]] std::int64_t traces_without_harm(double alpha, double delta);

}  // namespace lil::analyze
