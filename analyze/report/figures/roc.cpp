#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "analyze/report/figure/numbers.h"
#include "analyze/report/figures/compared_runs.h"
#include "analyze/report/figures/figures.h"
#include "analyze/report/figures/multiples.h"

namespace lil::analyze {
namespace {

using figure::Panel;
using figure::Point;
using figure::Sample;

std::vector<Point> roc_points(const ComparedSignal& signal) {
  std::vector<Point> points{{0, 0}};
  for (const RocPoint& point : signal.roc) {
    points.push_back({static_cast<double>(point.false_alarms) / static_cast<double>(signal.negatives),
                      static_cast<double>(point.flagged) / static_cast<double>(signal.positives)});
  }
  return points;
}

bool has_roc(const ComparedSignal& signal) {
  return signal.positives > 0 && signal.negatives > 0;
}

/// Of the thresholds those a hundredth apart; the line between has them all.
void add_roc_rows(const ComparedRun& run, const ComparedSignal& signal, ReportTable& table) {
  constexpr double kApart = 0.01;
  const auto points = roc_points(signal);
  Point before{-1, -1};
  for (std::size_t i = 0; i < signal.roc.size(); ++i) {
    const Point& at = points[i + 1];
    const bool last = i + 1 == signal.roc.size();
    if (!last && at.x - before.x < kApart && at.y - before.y < kApart) continue;
    before = at;
    const Cell& cell = run.comparison->signals.front().test;
    table.rows.push_back({cell.run, cell.problem_set, signal.measure.signal, signal.measure.stream,
                          signal.shape, std::to_string(signal.roc[i].t),
                          std::to_string(signal.roc[i].flagged), std::to_string(signal.roc[i].false_alarms),
                          figure::share_cell(at.y), figure::share_cell(at.x)});
  }
}

std::vector<figure::LegendEntry> legend_of(const ReportSources& sources,
                                           const std::vector<ComparedRun>& runs) {
  std::map<int, std::string> names;
  for (const ComparedRun& run : runs) {
    for (std::size_t s = 0; s < shown_signals(run); ++s) {
      const ComparedSignal& signal = run.comparison->signals[s];
      names[series_of(sources, signal).index] = measure_name(signal.measure.signal, signal.measure.stream);
    }
  }
  std::vector<figure::LegendEntry> legend;
  legend.reserve(names.size());
  for (const auto& [index, name] : names) legend.push_back({name, {index}, Sample::kLine});
  return legend;
}

ReportFigure draw_figure(const ReportSources& sources, const std::vector<ComparedRun>& runs) {
  const std::vector<std::size_t> indices = indices_of(runs);
  ReportFigure figure;
  figure.id = "roc";
  figure.title = "Which checks a signal tells apart";
  figure.description =
      "Each check of a test trace is a guess that from there on nothing is gained (its answer is right "
      "there, or never "
      "will be): how many of these a threshold flags, against how many others. Checks of one trace are not "
      "independent." +
      common_setting(sources, indices);
  figure::Svg svg(figure.id, width_for(runs.size()));
  const Multiples multiples(svg, names_of(sources, indices), legend_of(sources, runs), {.panel_height = 190});
  const figure::Axis x = figure::linear_axis(0, 1, 6, figure::NumberForm::kPercent, "false alarms, %");
  const figure::Axis y = figure::linear_axis(0, 1, 6, figure::NumberForm::kPercent, "flagged, %");
  figure.table.columns = {"run", "problem_set", "signal",       "stream",     "shape",
                          "t",   "flagged",     "false_alarms", "true_share", "false_share"};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Panel panel(svg, multiples.frame(i), x, y);
    panel.draw_axes(multiples.parts(i));
    panel.draw_title(multiples.title(i));
    panel.line({{0, 0}, {1, 1}}, {0}, "lead");
    const auto& signals = runs[i].comparison->signals;
    for (std::size_t s = 0; s < shown_signals(runs[i]); ++s) {
      if (!has_roc(signals[s])) continue;
      panel.line(roc_points(signals[s]), series_of(sources, signals[s]));
      add_roc_rows(runs[i], signals[s], figure.table);
    }
  }
  figure.svg = svg.finish(multiples.height(), figure.title, figure.description);
  return figure;
}

}  // namespace

Drawing draw_roc(ReportSources& sources) {
  Drawing drawing;
  if (!sources.main_measure() || !sources.any_gold()) return drawing;  // the figure of signals says so
  std::vector<ComparedRun> runs = compare_runs(sources, nullptr);
  if (runs.empty()) return drawing;
  std::erase_if(runs, [](const ComparedRun& run) {
    return std::none_of(run.comparison->signals.begin(), run.comparison->signals.end(), has_roc);
  });
  if (runs.empty()) {
    drawing.notes.emplace_back(
        "There is no ROC: on no run have the test traces both checks at which something is left to gain and "
        "others.");
    return drawing;
  }
  drawing.figures.push_back(draw_figure(sources, runs));
  return drawing;
}

}  // namespace lil::analyze
