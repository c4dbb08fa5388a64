#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schemas/store.h"

namespace lil::schemas {

/// One analysed setting over a set of traces. The counts are those of the first columns of
/// `lil analyze --format csv`; `details` holds the rest as JSON.
struct CellRecord {
  std::string run;
  std::string problem_set;
  std::string signal;
  std::string stream;
  std::string rule;
  std::int64_t traces = 0;
  std::int64_t capped = 0;
  std::int64_t tokens = 0;
  std::int64_t kept = 0;
  std::int64_t stopped = 0;
  std::int64_t right_full = 0;
  std::int64_t right_stop = 0;
  std::int64_t harm = 0;
  std::int64_t gain = 0;
  std::string details = "{}";
  std::string computed_from;  ///< hash of the traces, curves and answers that went in
};

/// Replaces the cell of the same run, problem set, signal, stream and rule.
void put_cell(Store& store, const CellRecord& cell);
[[nodiscard]] std::vector<CellRecord> list_cells(const Store& store);

}  // namespace lil::schemas
