#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyze/cells.h"
#include "analyze/report/report_request.h"
#include "schemas/store.h"

namespace lil::analyze::page {

/// What the trace explorer of a page works on, as JSON that may stand in a <script> element. script/data.js
/// reads it; README.md of this folder says what is in it.
struct ExplorerData {
  std::string index;                ///< one object: names, and what is known of each trace but its text
  std::vector<std::string> curves;  ///< of each trace, an array with a place for each measure of the index
  std::vector<std::string> texts;   ///< of each trace: text, answers, copies, strips
  std::int64_t traces = 0;          ///< that the groups have
};

/// The traces of `groups` that the page has room for, at most request.most_traces of them and `most_bytes` of
/// JSON, in the order of the groups; which ones, see sampling_order(). `groups` are those that
/// analyze_groups() makes of the store for `request` without baselines.
[[nodiscard]] ExplorerData collect_traces(const schemas::Store& store, const ReportRequest& request,
                                          const std::vector<GroupCells>& groups, std::int64_t most_bytes);

}  // namespace lil::analyze::page
