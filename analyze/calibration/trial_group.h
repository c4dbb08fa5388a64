#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "analyze/calibration/certificate.h"
#include "analyze/calibration/learn_then_test.h"
#include "analyze/calibration/problem_split.h"
#include "analyze/cell_sources.h"
#include "analyze/cells.h"
#include "analyze/intervals.h"

namespace lil::analyze {

/// The traces of a group, in its order, as calibration sees them: problems by the hash of the split, which
/// knows nothing of how they went.
[[nodiscard]] Trials make_trials(const TraceGroup& group, const ProblemSplit& split);

/// The traces of one part of the problems, as a group of its own.
struct GroupPart {
  TraceGroup group;                 ///< its problems numbered anew
  std::vector<std::size_t> traces;  ///< where each of its traces stands in the whole group
};
[[nodiscard]] GroupPart part_of_group(const TraceGroup& group, const Trials& trials, Part part);

/// Where a family of the whole group stops the traces of a part at threshold t; with no t nowhere.
[[nodiscard]] TraceStops stops_at(const GroupPart& part, const Family& family, std::optional<std::int64_t> t);

/// What stops did to a part, with its intervals; `counts` is the part's report.
[[nodiscard]] TestReport report_test(const GroupPart& part, const TraceStops& stops, PartReport counts,
                                     const Bootstrap& bootstrap);

}  // namespace lil::analyze
