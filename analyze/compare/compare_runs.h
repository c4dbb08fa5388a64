#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyze/cell_sources.h"
#include "analyze/cells.h"
#include "analyze/intervals.h"
#include "analyze/paired.h"

namespace lil::analyze {

/// What became of one problem, over its repeats.
struct ProblemOutcome {
  std::int64_t traces = 0;
  double right = 0;   ///< share of the traces
  double tokens = 0;  ///< mean, up to the stops
  std::int64_t capped = 0;
};

/// A problem in A and B.
struct PairedProblem {
  std::string problem_id;
  ProblemOutcome a;
  ProblemOutcome b;

  /// It is not right equally often in A and B.
  [[nodiscard]] bool is_changed() const { return a.right != b.right; }
};
using ChangedProblem = PairedProblem;

/// A run B against a run A on the problems that both have. A problem with repeats counts once, by its means.
struct PairedRuns {
  std::int64_t problems = 0;  ///< in both
  std::int64_t only_in_a = 0;
  std::int64_t only_in_b = 0;
  double accuracy_a = 0;
  double accuracy_b = 0;
  double tokens_a = 0;  ///< mean over problems
  double tokens_b = 0;
  /// Accuracy of B less that of A. Tango's score interval; bootstrap over problems where any has repeats.
  Estimate difference;
  std::optional<PairedCounts> counts;  ///< none where a problem has repeats
  std::optional<double> mcnemar;       ///< two-sided, exact; none where a problem has repeats
  /// Tokens of B over tokens of A, on the same problems; bootstrap over problems. None where A has no tokens.
  std::optional<Estimate> length_ratio;
  std::vector<ChangedProblem> changed;  ///< in the order of A
};

/// The problems that both groups have, by their id, in the order of A, whole traces. Throws Error(kConflict)
/// where a problem of the same id has another gold answer.
[[nodiscard]] std::vector<PairedProblem> pair_problems(const TraceGroup& a, const TraceGroup& b);

/// Pairs the problems of two groups by their id; `stops_a`, `stops_b` say where each trace is stopped, as for
/// count_cell(). Throws Error(kConflict) where a problem of the same id has another gold answer.
[[nodiscard]] PairedRuns pair_runs(const TraceGroup& a, const TraceStops& stops_a, const TraceGroup& b,
                                   const TraceStops& stops_b, const Bootstrap& bootstrap);

/// The same of whole traces.
[[nodiscard]] PairedRuns pair_runs(const TraceGroup& a, const TraceGroup& b, const Bootstrap& bootstrap);

}  // namespace lil::analyze
