#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analyze/cell_sources.h"
#include "analyze/intervals.h"
#include "analyze/rule_stops.h"
#include "schemas/store.h"

namespace lil::analyze {

/// Which cells to compute: every rule on every signal and stream, over the traces of every run and problem
/// set that the filter selects.
struct CellRequest : SourceRequest {
  std::vector<std::string> rules;  ///< `name(key=value,…)`, in any spelling
  bool baselines = true;  ///< `never`, `cap` with the same mean tokens, `repetition`, `oracle` beside them
  std::optional<std::string> reference{};  ///< a rule; each cell's savings are held against its
  Bootstrap bootstrap{};
};

/// One rule on one signal and stream, over the traces of one run and problem set. Counts of traces, tokens
/// are generated ones. A trace counts as right at a stop if the answer readable from the kept prefix is.
struct Cell {
  std::string run;  ///< uid
  std::string problem_set;
  std::string signal;  ///< `-` for a rule that reads none
  std::string stream;  ///< `-` for a rule that reads none
  std::string rule;    ///< canonical
  std::int64_t traces = 0;
  std::int64_t capped = 0;  ///< known to be cut by the cap (finish `length`)
  std::int64_t tokens = 0;
  std::int64_t kept = 0;
  std::int64_t stopped = 0;  ///< before their end
  std::int64_t right_full = 0;
  std::int64_t right_stop = 0;
  std::int64_t harm = 0;  ///< right in full, not at the stop
  std::int64_t gain = 0;  ///< right at the stop, not in full

  std::int64_t problems = 0;
  std::int64_t finish_known = 0;  ///< traces whose record says how they ended
  std::int64_t with_gold = 0;  ///< traces whose problem has a gold answer; only these can be right or harmed
  std::int64_t tokens_right = 0;  ///< of the traces that are right in full
  std::int64_t kept_right = 0;
  double mean_saved = 0;               ///< mean over traces of the share that each saves
  Interval saved_interval;             ///< bootstrap over problems
  std::optional<Estimate> saved_more;  ///< share saved less the reference's, paired by problem
  std::string model;
  std::string policy;
  std::string sampler;
  std::string stop_rule;                    ///< live rule of the recording; empty: none
  std::optional<std::int64_t> cap_tokens;   ///< the run's cap on generated tokens, where known
  std::string signal_version;               ///< empty for a rule that reads no signal
  std::optional<std::int64_t> grid_tokens;  ///< of the curves used
  std::string grading;
};

/// The detector of exact cycles that stands beside every rule: a pattern of 16 to 1024 tokens, four times.
inline constexpr const char* kRepetitionBaseline =
    "repetition(max_pattern_size=1024,min_pattern_size=16,min_count=4)";

/// The cells of one run and problem set, and where each stops the traces.
struct GroupCells {
  TraceGroup group;
  std::vector<Cell> cells;
  std::vector<TraceStops> stops;  ///< of each cell
};

/// Cells in the order: runs and problem sets as in the store; in each `never`, the rules that read no signal,
/// then for each signal and stream (as asked for, else in order of first storing) each rule as asked for, all
/// but `never`, `cap` and `oracle` followed by the `cap` of the same mean length; kRepetitionBaseline and
/// `oracle` last. No rule comes twice.
///
/// The curves are those that CurveChooser names. The `cap` beside a rule that keeps K tokens in all has the
/// largest L >= 1 with sum(min(tokens, L)) <= K, or 1 if there is none. A rule that saves nothing has none.
///
/// Throws Error: kUsage for an unknown signal, stream or rule or one out of range; kNotFound where no trace
/// is selected, or a trace has no curve or no graded answers and no failure on record that says why, with the
/// command that makes them.
[[nodiscard]] std::vector<Cell> analyze_cells(const schemas::Store& store, const CellRequest& request);

/// The same cells with the traces that they are of.
[[nodiscard]] std::vector<GroupCells> analyze_groups(const schemas::Store& store, const CellRequest& request);

/// The cell of these stops but for its rule, signal, grading and interval.
[[nodiscard]] Cell count_cell(const TraceGroup& group, const TraceStops& stops);

/// What a column holds.
enum class ColumnKind {
  kText,
  kCount,  ///< whole number
  kShare,  ///< fraction of 1 with six decimals
};

/// A column of a table of cells, the same in every format.
struct CellColumn {
  std::string name;
  ColumnKind kind;
  std::string description;
  std::string (*value)(const Cell& cell);  ///< empty where unknown; the same cell gives the same bytes
};

/// All columns. The first fifteen, up to `gain`, are a promise to scripts; more may be added at the end.
[[nodiscard]] std::span<const CellColumn> cell_columns();

}  // namespace lil::analyze
