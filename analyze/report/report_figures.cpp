#include "analyze/report/report_figures.h"

#include <array>
#include <utility>

#include "analyze/report/figures/figures.h"

namespace lil::analyze {
namespace {

struct FigureRow {
  const char* id;
  Drawing (*draw)(ReportSources& sources);
};

/// All figures, in the order of the report.
constexpr std::array kFigures{
    FigureRow{"budget", draw_budget},
    FigureRow{"lengths", draw_lengths},
    FigureRow{"curves", draw_curves},
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

}  // namespace lil::analyze
