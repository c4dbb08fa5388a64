#pragma once

#include <span>
#include <vector>

#include "analyze/cells.h"
#include "schemas/cell_store.h"
#include "schemas/store.h"

namespace lil::analyze {

/// Cells as the store keeps them: `details` is a JSON object of the columns that the table `cell` does not
/// have. `computed_from` is the SHA-256 over what went in: uid, length and finish of every complete trace of
/// the cell's run and problem set that `filter` selects, the signal's version and grid, and the grading.
[[nodiscard]] std::vector<schemas::CellRecord> cell_records(const schemas::Store& store,
                                                            const schemas::TraceFilter& filter,
                                                            std::span<const Cell> cells);

}  // namespace lil::analyze
