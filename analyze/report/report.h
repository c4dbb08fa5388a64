#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyze/report/report_figures.h"
#include "analyze/report/report_request.h"
#include "schemas/store.h"

namespace lil::analyze {

/// A report on a store, in memory.
struct Report {
  std::string html;  ///< one file that needs no other
  ReportFigures figures;
  std::int64_t traces = 0;       ///< that were selected
  std::int64_t traces_held = 0;  ///< that can be opened in the page
};

/// The page with the figures that draw_report_figures() makes and, of as many traces as request.most_traces
/// and request.most_bytes allow, the texts. It names the store by its file name alone, and holds no date.
/// Throws as analyze_cells() does, and Error(kInput) where the figures alone are more than
/// request.most_bytes.
[[nodiscard]] Report build_report(const schemas::Store& store, const ReportRequest& request);

/// A page of a table and figures alone, without scripts.
[[nodiscard]] std::string build_figure_page(const std::string& title, const ReportTable& summary,
                                            const ReportFigures& figures);

/// The table of a figure as its CSV file has it: RFC 4180, lines end with a line feed.
[[nodiscard]] std::string figure_csv(const ReportFigure& figure);

}  // namespace lil::analyze
