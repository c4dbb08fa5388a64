#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analyze/cell_sources.h"
#include "analyze/report/report_figure.h"
#include "analyze/report/report_request.h"
#include "schemas/store.h"

namespace lil::analyze {

/// What a report does not show, or not all of.
struct ReportNote {
  std::string figure;  ///< id of the figure that it is about; there may be none of that id
  std::string text;    ///< one sentence: why, and what would give it; plain UTF-8
};

/// The figures of a report with what is to be said of those that are missing or show a choice.
struct ReportFigures {
  std::vector<ReportFigure> figures;  ///< in the order of the report
  std::vector<ReportNote> notes;      ///< in the order of the figures
};

/// Every figure that the store allows, but the trace explorer. Numbers are those of `lil analyze`, `lil
/// calibrate` and `lil compare` for the same selection, and tables have their columns' names where the number
/// is theirs. A figure that the store has no material for is left out with a note; where there are more runs
/// than a figure can show, it shows some, and a note says which are left out. The same store and request give
/// the same bytes, whatever request.threads is. Throws Error as load_groups() does where nothing is selected
/// or graded, kUsage for an unknown signal or rule.
[[nodiscard]] ReportFigures draw_report_figures(const schemas::Store& store, const ReportRequest& request);

/// Whether draw_report_figures() makes a figure of this id of some store.
[[nodiscard]] bool is_report_figure(std::string_view id);

/// Two runs of the same problems, each with the name that the figure gives it.
struct RunPair {
  const TraceGroup* a = nullptr;
  const TraceGroup* b = nullptr;
  std::string name_a;
  std::string name_b;
};

/// The tokens of each problem in A and in B, a panel a pair: see pair_runs(). At most so many panels are
/// drawn that they can be read; the table has all problems of all pairs.
[[nodiscard]] ReportFigure draw_paired_runs(const std::vector<RunPair>& pairs);

}  // namespace lil::analyze
