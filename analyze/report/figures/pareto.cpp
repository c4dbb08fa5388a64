#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "analyze/paired.h"
#include "analyze/report/figure/numbers.h"
#include "analyze/report/figures/figures.h"
#include "analyze/report/figures/multiples.h"

namespace lil::analyze {
namespace {

using figure::Panel;
using figure::Point;
using figure::Sample;
using figure::Series;

constexpr std::size_t kMostPanels = 6;
constexpr std::size_t kMostLines = 8;
constexpr double kLowest = -0.2;  // below, a stop is of no use, and the lines go far
constexpr Series kOracleSeries{0};
constexpr Series kRepetitionSeries{9};

/// What a rule is drawn as.
enum class Kind { kRule, kCap, kRepetition, kOracle, kWhole };

Kind kind_of(const Cell& cell) {
  if (cell.rule == "never") return Kind::kWhole;
  if (cell.rule == "oracle") return Kind::kOracle;
  if (cell.rule.starts_with("cap(")) return Kind::kCap;
  return cell.signal == "-" ? Kind::kRepetition : Kind::kRule;
}

/// One run: every threshold of the main shape on each signal, and the rules.
struct ParetoLines {
  std::size_t run = 0;
  const std::vector<Frontier>* frontiers = nullptr;
  const std::vector<Cell>* cells = nullptr;
};

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double saved(std::int64_t kept, std::int64_t tokens) {
  return tokens == 0 ? 0 : 1 - share(kept, tokens);
}

Point at_stop(const Cell& cell) {
  return {saved(cell.kept, cell.tokens), share(cell.right_stop - cell.right_full, cell.traces)};
}

/// Tango's interval of the change of accuracy; none where problems have repeats, which are not independent.
std::optional<Interval> change_interval(const Cell& cell) {
  if (cell.problems != cell.traces) return std::nullopt;
  return tango({cell.traces, cell.harm, cell.gain});
}

std::vector<ParetoLines> lines_of(ReportSources& sources, Drawing& drawing) {
  std::vector<ParetoLines> lines;
  const auto runs =
      sources.choose_runs(kMostPanels, [](const ReportedRun& run) { return run.whole.cell.right_full > 0; });
  for (const std::size_t run : runs) {
    const auto& frontiers = sources.frontiers(run);
    const auto& cells = sources.cells(run);
    const std::string& why = frontiers.result ? cells.why_not : frontiers.why_not;
    if (!frontiers.result || !cells.result) {
      drawing.notes.push_back(
          fmt::format("Savings against accuracy of {} is not drawn: {}.", sources.runs()[run].name(), why));
      continue;
    }
    const bool any = std::any_of(frontiers.result->begin(), frontiers.result->end(),
                                 [](const Frontier& frontier) { return !frontier.rows.empty(); });
    if (!any) {
      drawing.notes.push_back(
          fmt::format("Savings against accuracy of {} is not drawn: no t of {} stops anything.",
                      sources.runs()[run].name(), sources.main_shape().name));
      continue;
    }
    lines.push_back({run, &*frontiers.result, &*cells.result});
  }
  return lines;
}

/// Names of the signals by their series.
std::map<std::string, Series> series_of(const ReportSources& sources, const std::vector<ParetoLines>& lines) {
  std::map<std::string, Series> series;
  for (const ParetoLines& line : lines) {
    for (const Frontier& frontier : *line.frontiers) {
      const Cell& cell = frontier.cell;
      series.emplace(measure_name(cell.signal, cell.stream),
                     Series{sources.series_of(cell.signal, cell.stream)});
    }
  }
  return series;
}

std::vector<figure::LegendEntry> legend_of(const std::map<std::string, Series>& series,
                                           const std::vector<ParetoLines>& lines) {
  std::vector<figure::LegendEntry> entries;
  for (const auto& [name, one] : series) entries.push_back({name, one, Sample::kLine});
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.series.index < b.series.index; });
  if (entries.size() > kMostLines) entries.resize(kMostLines);
  std::map<std::string, bool> rules;
  bool any_cap = false;
  for (const ParetoLines& line : lines) {
    for (const Cell& cell : *line.cells) {
      if (kind_of(cell) == Kind::kRule) rules[cell.rule] = true;
      any_cap = any_cap || kind_of(cell) == Kind::kCap;
    }
  }
  for (const auto& [rule, seen] : rules) entries.push_back({rule, {1}, Sample::kMarker});
  if (any_cap) entries.push_back({"cap of the same tokens", {1}, Sample::kHollow});
  entries.push_back({"repetition", kRepetitionSeries, Sample::kMarker});
  entries.push_back({"oracle", kOracleSeries, Sample::kStar});
  return entries;
}

std::string tooltip(const Cell& cell, const Point& at) {
  return fmt::format(
      "{}{}{}: saves {} %, accuracy {} points, {} harmed, {} gained", cell.rule,
      cell.signal == "-" ? "" : " on ", cell.signal == "-" ? "" : measure_name(cell.signal, cell.stream),
      figure::spoken_percent(at.x), figure::spoken_change(100 * at.y, 1), cell.harm, cell.gain);
}

/// The rules on every signal; intervals and caps, which would hide each other, of the main one alone, on top.
void draw_cells(Panel& panel, const std::vector<Cell>& cells, const std::map<std::string, Series>& series) {
  constexpr Series kMain{1};
  Series rule{1};  // a cap stands after the rule whose tokens it keeps
  std::vector<const Cell*> of_main;
  std::vector<const Cell*> caps;
  for (const Cell& cell : cells) {
    const Point at = at_stop(cell);
    const Kind kind = kind_of(cell);
    if (kind == Kind::kRule) rule = series.at(measure_name(cell.signal, cell.stream));
    if (kind == Kind::kRepetition) rule = kRepetitionSeries;
    if (kind == Kind::kCap && rule.index == kMain.index) caps.push_back(&cell);
    if (kind == Kind::kRule && rule.index == kMain.index) of_main.push_back(&cell);
    if (at.y < kLowest) continue;
    if (kind == Kind::kOracle) panel.star(at, kOracleSeries, tooltip(cell, at));
    const bool is_other = kind == Kind::kRule && rule.index != kMain.index;
    if (is_other || kind == Kind::kRepetition) panel.point(at, rule, tooltip(cell, at));
  }
  for (const Cell* cell : caps) {
    if (at_stop(*cell).y >= kLowest) panel.point(at_stop(*cell), kMain, tooltip(*cell, at_stop(*cell)), true);
  }
  for (const Cell* cell : of_main) {
    const Point at = at_stop(*cell);
    panel.error_x(at, cell->saved_interval.low, cell->saved_interval.high, kMain);
    if (const auto interval = change_interval(*cell)) panel.error_y(at, interval->low, interval->high, kMain);
    if (at.y >= kLowest) panel.point(at, kMain, tooltip(*cell, at));
  }
}

void draw_frontier(Panel& panel, const Frontier& frontier, const Series& series) {
  const Cell& cell = frontier.cell;
  // Up to what a threshold saves its accuracy is what there is: see SavingsCurve.
  std::vector<Point> line{{0, 0}};
  for (const FrontierRow& row : frontier.rows) {
    const Point next{saved(row.kept, cell.tokens), share(row.right_stop - cell.right_full, cell.traces)};
    line.push_back({line.back().x, next.y});
    line.push_back(next);
  }
  panel.line(line, series);
}

/// A frontier's rows that move it visibly, and the last.
void add_frontier(const Frontier& frontier, ReportTable& table) {
  constexpr double kSaved = 0.004;
  constexpr double kChange = 0.002;
  const Cell& cell = frontier.cell;
  Point before{0, 0};
  for (const FrontierRow& row : frontier.rows) {
    const Point at{saved(row.kept, cell.tokens), share(row.right_stop - cell.right_full, cell.traces)};
    const bool moves = std::abs(at.x - before.x) >= kSaved || std::abs(at.y - before.y) >= kChange;
    if (!moves && &row != &frontier.rows.back()) continue;
    before = at;
    table.rows.push_back({cell.run, cell.problem_set, cell.signal, cell.stream,
                          frontier.shape.with_threshold(row.t), std::to_string(cell.traces),
                          std::to_string(cell.tokens), std::to_string(row.kept), figure::share_cell(at.x), "",
                          "", std::to_string(row.stopped), std::to_string(cell.right_full),
                          std::to_string(row.right_stop), std::to_string(row.harm), std::to_string(row.gain),
                          figure::share_cell(at.y), "", ""});
  }
}

void add_cells(const std::vector<Cell>& cells, ReportTable& table) {
  for (const Cell& cell : cells) {
    auto row = cell_values(
        cell, {"run", "problem_set", "signal", "stream", "rule", "traces", "tokens", "kept", "saved",
               "saved_low", "saved_high", "stopped", "right_full", "right_stop", "harm", "gain"});
    const auto interval = change_interval(cell);
    row.push_back(figure::share_cell(at_stop(cell).y));
    row.push_back(interval ? figure::share_cell(interval->low) : "");
    row.push_back(interval ? figure::share_cell(interval->high) : "");
    table.rows.push_back(std::move(row));
  }
}

figure::Axis change_axis(const std::vector<ParetoLines>& lines) {
  double low = -0.02;
  double high = 0.02;
  for (const ParetoLines& line : lines) {
    for (const Frontier& frontier : *line.frontiers) {
      for (const FrontierRow& row : frontier.rows) {
        const double change = share(row.right_stop - frontier.cell.right_full, frontier.cell.traces);
        low = std::min(low, change);
        high = std::max(high, change);
      }
    }
    for (const Cell& cell : *line.cells) high = std::max(high, at_stop(cell).y);
  }
  return figure::linear_axis(std::max(low, kLowest), high, 7, figure::NumberForm::kChange,
                             "change of accuracy, points");
}

std::string draw(const ReportSources& sources, const std::vector<ParetoLines>& lines,
                 const ReportFigure& figure) {
  std::vector<std::size_t> runs;
  for (const ParetoLines& line : lines) runs.push_back(line.run);
  const auto series = series_of(sources, lines);
  figure::Svg svg(figure.id, lines.size() == 1 ? figure::FigureWidth::kMiddle : width_for(lines.size()));
  const Multiples multiples(svg, names_of(sources, runs), legend_of(series, lines), {.panel_height = 180});
  const figure::Axis x = figure::linear_axis(0, 1, 6, figure::NumberForm::kPercent, "tokens saved, %");
  const figure::Axis y = change_axis(lines);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    Panel panel(svg, multiples.frame(i), x, y);
    panel.draw_axes(multiples.parts(i));
    panel.draw_title(multiples.title(i));
    panel.level(0, "");
    for (const Frontier& frontier : *lines[i].frontiers) {
      const Series one = series.at(measure_name(frontier.cell.signal, frontier.cell.stream));
      if (one.index <= static_cast<int>(kMostLines)) draw_frontier(panel, frontier, one);
    }
    draw_cells(panel, *lines[i].cells, series);
  }
  return svg.finish(multiples.height(), figure.title, figure.description);
}

}  // namespace

Drawing draw_pareto(ReportSources& sources) {
  Drawing drawing;
  if (!sources.main_measure() || !sources.any_gold()) {
    drawing.notes.push_back(
        !sources.any_gold()
            ? "There are no savings against accuracy: no problem has a gold answer; `lil import … --field "
              "gold=KEY` reads them."
            : fmt::format("There are no savings against accuracy: no curves are stored; `lil replay {} "
                          "--signal 'zlib(level=6)'` makes them.",
                          sources.store_name()));
    return drawing;
  }
  const std::vector<ParetoLines> lines = lines_of(sources, drawing);
  if (lines.empty()) {
    if (drawing.notes.empty())
      drawing.notes.push_back("There are no savings against accuracy: no trace is right in full.");
    return drawing;
  }
  std::vector<std::size_t> runs;
  for (const ParetoLines& line : lines) runs.push_back(line.run);
  ReportFigure figure;
  figure.id = "pareto";
  figure.title = "Savings against accuracy";
  figure.description = fmt::format(
      "A line a signal: {} at every t over all traces of a run, chosen on what it is measured on, so that "
      "its best points "
      "flatter. Marked: the rules of the report, on the first signal with 95 % intervals (savings: bootstrap "
      "over problems; accuracy: Tango's, "
      "where problems have one trace), fixed caps that keep as many tokens, the detector of exact "
      "repetition, and the "
      "oracle, which stops at the right answer.{}",
      sources.main_shape().name, common_setting(sources, runs));
  figure.svg = draw(sources, lines, figure);
  figure.table.columns = {"run",
                          "problem_set",
                          "signal",
                          "stream",
                          "rule",
                          "traces",
                          "tokens",
                          "kept",
                          "saved",
                          "saved_low",
                          "saved_high",
                          "stopped",
                          "right_full",
                          "right_stop",
                          "harm",
                          "gain",
                          "accuracy_difference",
                          "accuracy_difference_low",
                          "accuracy_difference_high"};
  for (const ParetoLines& line : lines) {
    add_cells(*line.cells, figure.table);
    for (const Frontier& frontier : *line.frontiers) add_frontier(frontier, figure.table);
  }
  drawing.figures.push_back(std::move(figure));
  const std::string left_out = sources.left_out(lines.size());
  if (!left_out.empty()) drawing.notes.push_back("Savings against accuracy: " + left_out + ".");
  return drawing;
}

}  // namespace lil::analyze
