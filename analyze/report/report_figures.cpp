#include "analyze/report/report_figures.h"

#include <algorithm>
#include <array>
#include <utility>

#include "analyze/report/figures/figures.h"

namespace lil::analyze {
namespace {

struct FigureRow {
  const char* id;
  Drawing (*draw)(ReportSources& sources);
  bool has_others = false;  ///< figures whose ids begin with this one and a dash
};

/// All figures, in the order of the report.
constexpr std::array kFigures{
    FigureRow{"budget", draw_budget},
    FigureRow{"lengths", draw_lengths},
    FigureRow{"curves", draw_curves, true},
    FigureRow{"plane", draw_plane},
    FigureRow{"pareto", draw_pareto},
    FigureRow{"signals", draw_signals},
    FigureRow{"roc", draw_roc},
    FigureRow{"risk", draw_risk},
    FigureRow{"savings-split", draw_savings_split},
};

}  // namespace

ReportFigures draw_report_figures(const schemas::Store& store, const ReportRequest& request) {
  ReportSources sources(store, request);
  ReportFigures report;
  for (const FigureRow& row : kFigures) {
    Drawing drawing = row.draw(sources);
    for (ReportFigure& figure : drawing.figures) report.figures.push_back(std::move(figure));
    for (std::string& note : drawing.notes) report.notes.push_back({row.id, std::move(note)});
  }
  return report;
}

bool is_report_figure(std::string_view id) {
  return std::any_of(kFigures.begin(), kFigures.end(), [&](const FigureRow& row) {
    const std::string_view beginning = row.id;
    const bool is_another = row.has_others && id.substr(0, beginning.size()) == beginning &&
                            id.size() > beginning.size() && id[beginning.size()] == '-';
    return id == beginning || is_another;
  });
}

}  // namespace lil::analyze
