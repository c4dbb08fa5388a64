#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyze/cells.h"
#include "analyze/compare/compare_runs.h"
#include "schemas/store.h"

namespace lil::analyze {

/// One rule on one run: a row of the tables that the paper has, by model x problems x policy x budget.
struct PaperRow {
  Cell cell;
  std::string policy_name;  ///< without parameters
  std::optional<std::int64_t>
      budget;  ///< tokens that the policy attends to; none where it has no such parameter
  bool is_full_attention = false;
  std::int64_t stopped_right = 0;  ///< of the traces right in full those stopped
  /// These traces as they are kept (B) against whole traces of full attention (A) on the same problems: of
  /// the same model and weights, problem set, sampler, seed, template, dtype and cap, not stopped live, as
  /// v_length_inflation has it; the first such run. None where there is none, or it is this run itself,
  /// nothing stopped.
  std::optional<PairedRuns> against_full;
};

/// Cells of `request` (without baselines of their own accord, but always with `never`, which stands for the
/// whole traces) by model, problem set, full attention first, policy, budget; else in the order of
/// analyze_cells(). Throws as that does.
[[nodiscard]] std::vector<PaperRow> paper_rows(const schemas::Store& store, const CellRequest& request);

}  // namespace lil::analyze
