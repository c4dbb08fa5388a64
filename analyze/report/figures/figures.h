#pragma once

#include <string>
#include <vector>

#include "analyze/report/figures/report_sources.h"
#include "analyze/report/report_figure.h"

namespace lil::analyze {

/// What one figure's code gives: nothing, one or several figures, and a sentence for each thing that is
/// missing.
struct Drawing {
  std::vector<ReportFigure> figures;
  std::vector<std::string> notes;
};

[[nodiscard]] Drawing draw_budget(ReportSources& sources);
[[nodiscard]] Drawing draw_lengths(ReportSources& sources);
[[nodiscard]] Drawing draw_curves(ReportSources& sources);
[[nodiscard]] Drawing draw_plane(ReportSources& sources);
[[nodiscard]] Drawing draw_pareto(ReportSources& sources);
[[nodiscard]] Drawing draw_signals(ReportSources& sources);
[[nodiscard]] Drawing draw_roc(ReportSources& sources);
[[nodiscard]] Drawing draw_risk(ReportSources& sources);
[[nodiscard]] Drawing draw_savings_split(ReportSources& sources);

}  // namespace lil::analyze
