#pragma once

#include <cstdint>
#include <functional>
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

/// Told at the start of each stage, and at the end: how many of how many are done, and what comes next.
using ReportStage = std::function<void(int done, int total, const std::string& next)>;
inline constexpr int kReportStages = 3;

/// The page with the figures that draw_report_figures() makes and, of as many traces as request.most_traces
/// and request.most_bytes allow, the texts. Tables of figures come before the texts: they are whole as long
/// as four fifths of request.most_bytes hold them. It names the store by its file name alone, and holds no
/// date: the same store under the same name gives the same bytes. What request.warning is told stands on top.
/// Throws as analyze_cells() does, and Error(kInput) where the figures alone are more than
/// request.most_bytes.
[[nodiscard]] Report build_report(const schemas::Store& store, const ReportRequest& request,
                                  const ReportStage& stage = {});

/// A page of a table and figures alone, without scripts.
[[nodiscard]] std::string build_figure_page(const std::string& title, const ReportTable& summary,
                                            const ReportFigures& figures);

/// The table of a figure as its CSV file has it: RFC 4180, lines end with a line feed.
[[nodiscard]] std::string figure_csv(const ReportFigure& figure);

}  // namespace lil::analyze
