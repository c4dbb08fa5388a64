#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "analyze/paired.h"
#include "analyze/report/figure/numbers.h"
#include "analyze/report/figure/text_size.h"
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
constexpr double kHighestEnd = 0.2;  // of an interval
constexpr double kLowest = -0.2;     // below, a stop is of no use, and the lines go far
constexpr Series kMain{1};
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
  GoldCounts gold;
  const std::vector<Frontier>* frontiers = nullptr;
  const std::vector<Cell>* cells = nullptr;
};

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double saved(std::int64_t kept, std::int64_t tokens) {
  return tokens == 0 ? 0 : 1 - share(kept, tokens);
}

Point at_stop(const Cell& cell, const GoldCounts& gold) {
  return {saved(cell.kept, cell.tokens), share(cell.right_stop - cell.right_full, gold.traces)};
}

Point at_row(const Frontier& frontier, const FrontierRow& row, const GoldCounts& gold) {
  return {saved(row.kept, frontier.cell.tokens),
          share(row.right_stop - frontier.cell.right_full, gold.traces)};
}

/// Tango's interval of the change of accuracy; none where problems have repeats, which are not independent.
std::optional<Interval> change_interval(const Cell& cell, const GoldCounts& gold) {
  if (gold.has_repeats()) return std::nullopt;
  return tango({gold.traces, cell.harm, cell.gain});
}

std::vector<ParetoLines> lines_of(ReportSources& sources, Drawing& drawing) {
  std::vector<ParetoLines> lines;
  for (const std::size_t run : sources.choose_runs(kMostPanels, &kWithRightAnswers)) {
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
    lines.push_back({run, sources.gold(run), &*frontiers.result, &*cells.result});
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

/// The rules by the numbers that their marks have, from 1 in the order of the report.
std::map<std::string, int> numbers_of(const std::vector<ParetoLines>& lines) {
  std::map<std::string, int> numbers;
  for (const ParetoLines& line : lines) {
    for (const Cell& cell : *line.cells) {
      if (kind_of(cell) == Kind::kRule) numbers.emplace(cell.rule, static_cast<int>(numbers.size()) + 1);
    }
  }
  return numbers;
}

std::vector<figure::LegendEntry> legend_of(const std::map<std::string, Series>& series,
                                           const std::vector<ParetoLines>& lines) {
  std::vector<figure::LegendEntry> entries;
  entries.reserve(series.size());
  for (const auto& [name, one] : series) entries.push_back({name, one, Sample::kLineAndMarker});
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.series.index < b.series.index; });
  if (entries.size() > kMostLines) entries.resize(kMostLines);
  const auto numbers = numbers_of(lines);
  std::vector<std::string> rules(numbers.size());
  for (const auto& [rule, number] : numbers) {
    rules[static_cast<std::size_t>(number) - 1] =
        numbers.size() > 1 ? fmt::format("{}: {}", number, rule) : rule;
  }
  for (const std::string& rule : rules) entries.push_back({rule, kMain, Sample::kMarker});
  const bool any_cap = std::any_of(lines.begin(), lines.end(), [](const ParetoLines& line) {
    return std::any_of(line.cells->begin(), line.cells->end(),
                       [](const Cell& cell) { return kind_of(cell) == Kind::kCap; });
  });
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

/// The panel of one run while its marks are drawn.
struct MarkedPanel {
  figure::Svg& svg;
  Panel& panel;
  const ParetoLines& line;
  double lowest;  ///< of the axis
  std::map<std::string, int> numbers;
  std::vector<std::pair<double, double>> names_below;  ///< by line, how far these reach

  [[nodiscard]] bool is_below(const Point& at) const {
    constexpr double kRounding = 1e-9;
    return at.y < lowest - kRounding;
  }
};

/// An arrow to where a mark would be, with its change: what is drawn nowhere looks harmless.
void draw_below(MarkedPanel& marked, const std::string& name, const Cell& cell, const Series& series) {
  constexpr double kRoom = 8;
  const Point at = at_stop(cell, marked.line.gold);
  const double middle = marked.panel.at(at).x;
  const double half = figure::text_width(name, figure::kSmallSize) + kRoom;
  auto& taken = marked.names_below;
  // On the first line where nothing stands in its way.
  std::size_t line = 0;
  while (line < taken.size() && taken[line].first < middle + half && taken[line].second > middle - half)
    ++line;
  if (line == taken.size()) taken.emplace_back(middle - half, middle + half);
  taken[line] = {std::min(taken[line].first, middle - half), std::max(taken[line].second, middle + half)};
  marked.panel.off_scale(at, name, series, tooltip(cell, at), static_cast<int>(line));
}

/// A mark, or an arrow to it.
void draw_mark(MarkedPanel& marked, const Cell& cell, const Series& series, bool hollow = false) {
  const Point at = at_stop(cell, marked.line.gold);
  const auto number = marked.numbers.size() > 1 ? marked.numbers.find(cell.rule) : marked.numbers.end();
  const bool has_number = number != marked.numbers.end();
  if (marked.is_below(at)) {
    const std::string change = figure::spoken_change(100 * at.y, 0);
    const std::string name = hollow       ? "cap: " + change
                             : has_number ? fmt::format("{}: {}", number->second, change)
                                          : change;
    draw_below(marked, name, cell, series);
    return;
  }
  marked.panel.point(at, series, tooltip(cell, at), hollow);
  if (!has_number) return;
  const figure::Pixel pixel = marked.panel.at(at);
  const bool leftwards = pixel.x + 12 > marked.panel.frame().right();
  marked.svg.text({pixel.x + (leftwards ? -4 : 4), pixel.y - 4}, std::to_string(number->second),
                  "tiny halo " + series.fill(), leftwards ? figure::Anchor::kEnd : figure::Anchor::kStart);
}

/// The rules on every signal; intervals and caps, which would hide each other, of the main one alone, on top.
void draw_cells(MarkedPanel& marked, const std::map<std::string, Series>& series) {
  Series rule = kMain;  // a cap stands after the rule whose tokens it keeps
  std::vector<const Cell*> of_main;
  std::vector<const Cell*> caps;
  for (const Cell& cell : *marked.line.cells) {
    const Kind kind = kind_of(cell);
    if (kind == Kind::kRule) rule = series.at(measure_name(cell.signal, cell.stream));
    if (kind == Kind::kRepetition) rule = kRepetitionSeries;
    if (kind == Kind::kCap && rule.index == kMain.index) caps.push_back(&cell);
    if (kind == Kind::kRule && rule.index == kMain.index) of_main.push_back(&cell);
    const Point at = at_stop(cell, marked.line.gold);
    if (kind == Kind::kOracle) marked.panel.star(at, kOracleSeries, tooltip(cell, at));
    const bool is_other = kind == Kind::kRule && rule.index != kMain.index;
    if (is_other || kind == Kind::kRepetition) draw_mark(marked, cell, rule);
  }
  for (const Cell* cell : caps) draw_mark(marked, *cell, kMain, true);
  for (const Cell* cell : of_main) {
    const Point at = at_stop(*cell, marked.line.gold);
    if (!marked.is_below(at)) {
      marked.panel.error_x(at, cell->saved_interval.low, cell->saved_interval.high, kMain);
      if (const auto interval = change_interval(*cell, marked.line.gold))
        marked.panel.error_y(at, interval->low, interval->high, kMain);
    }
    draw_mark(marked, *cell, kMain);
  }
}

void draw_frontier(Panel& panel, const Frontier& frontier, const GoldCounts& gold, const Series& series) {
  // Up to what a threshold saves its accuracy is what there is: see SavingsCurve.
  std::vector<Point> line{{0, 0}};
  for (const FrontierRow& row : frontier.rows) {
    const Point next = at_row(frontier, row, gold);
    line.push_back({line.back().x, next.y});
    line.push_back(next);
  }
  panel.line(line, series);
}

/// What a row of the table is of.
using RowKey = std::tuple<std::string, std::string, std::string>;

/// A frontier's rows that move it visibly, and the last; a rule that has a row of its own is in no other.
void add_frontier(const Frontier& frontier, const GoldCounts& gold, const std::set<RowKey>& known,
                  ReportTable& table) {
  constexpr double kSaved = 0.004;
  constexpr double kChange = 0.002;
  const Cell& cell = frontier.cell;
  Point before{0, 0};
  for (const FrontierRow& row : frontier.rows) {
    const Point at = at_row(frontier, row, gold);
    const bool moves = std::abs(at.x - before.x) >= kSaved || std::abs(at.y - before.y) >= kChange;
    if (!moves && &row != &frontier.rows.back()) continue;
    before = at;
    if (known.count({cell.signal, cell.stream, frontier.shape.with_threshold(row.t)}) > 0) continue;
    table.rows.push_back({cell.run,
                          cell.problem_set,
                          cell.signal,
                          cell.stream,
                          frontier.shape.with_threshold(row.t),
                          std::to_string(cell.traces),
                          std::to_string(gold.traces),
                          std::to_string(cell.tokens),
                          std::to_string(row.kept),
                          figure::share_cell(at.x),
                          "",
                          "",
                          std::to_string(row.stopped),
                          std::to_string(cell.right_full),
                          std::to_string(row.right_stop),
                          std::to_string(row.harm),
                          std::to_string(row.gain),
                          figure::share_cell(at.y),
                          "",
                          ""});
  }
}

void add_cells(const ParetoLines& line, ReportTable& table) {
  for (const Cell& cell : *line.cells) {
    auto row = cell_values(
        cell, {"run", "problem_set", "signal", "stream", "rule", "traces", "with_gold", "tokens", "kept",
               "saved", "saved_low", "saved_high", "stopped", "right_full", "right_stop", "harm", "gain"});
    const auto interval = change_interval(cell, line.gold);
    row.push_back(figure::share_cell(at_stop(cell, line.gold).y));
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
        const double change = at_row(frontier, row, line.gold).y;
        low = std::min(low, change);
        high = std::max(high, change);
      }
    }
    for (const Cell& cell : *line.cells) {
      high = std::max(high, at_stop(cell, line.gold).y);
      const auto interval = kind_of(cell) == Kind::kRule ? change_interval(cell, line.gold) : std::nullopt;
      if (!interval) continue;
      low = std::min(low, interval->low);
      high = std::max(high, std::min(interval->high, kHighestEnd));
    }
  }
  return figure::linear_axis(std::max(low, kLowest), high, 7, figure::NumberForm::kChange,
                             "change of accuracy, points");
}

std::vector<std::size_t> runs_of(const std::vector<ParetoLines>& lines) {
  std::vector<std::size_t> runs;
  runs.reserve(lines.size());
  for (const ParetoLines& line : lines) runs.push_back(line.run);
  return runs;
}

std::string draw(const ReportSources& sources, const std::vector<ParetoLines>& lines,
                 const ReportFigure& figure) {
  const std::vector<std::size_t> runs = runs_of(lines);
  const auto series = series_of(sources, lines);
  const auto numbers = numbers_of(lines);
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
      if (one.index <= static_cast<int>(kMostLines)) draw_frontier(panel, frontier, lines[i].gold, one);
    }
    MarkedPanel marked{svg, panel, lines[i], y.low, numbers, {}};
    draw_cells(marked, series);
  }
  return svg.finish(multiples.height(), figure.title, figure.description);
}

std::string marked_rules(const std::map<std::string, int>& numbers) {
  if (numbers.size() < 2) return "the rule of the report";
  return std::string("the rules of the report") +
         (numbers.count(kPaperRule) > 0 ? fmt::format(" and the paper's {}", kPaperRule) : "") +
         ", by their numbers";
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
      drawing.notes.emplace_back("There are no savings against accuracy: no trace is right in full.");
    return drawing;
  }
  const std::vector<std::size_t> runs = runs_of(lines);
  const auto numbers = numbers_of(lines);
  std::set<std::string> shapes;
  for (const ReportedGuardian& guardian : sources.guardians()) shapes.insert(guardian.shape.name);
  ReportFigure figure;
  figure.id = "pareto";
  figure.title = "Savings against accuracy";
  figure.description = fmt::format(
      "A line a signal: {}{} at every t over all traces of a run, chosen on what it is measured on, so that "
      "its best points flatter; a line that leaves the frame goes on below it. Marked: {}, in the colour and "
      "shape of the signal, on the first signal with 95 % intervals (savings: bootstrap over problems; "
      "accuracy: Tango's, where problems have one trace), fixed caps that keep as many tokens, the detector "
      "of "
      "exact repetition, and the oracle, which stops at the right answer. An arrow at the lower edge is a "
      "mark "
      "below it, with its change. Accuracy is that of traces with a gold answer.{}",
      sources.main_shape().name, shapes.size() > 1 ? ", the first of the rules' settings alone," : "",
      marked_rules(numbers), common_setting(sources, runs));
  figure.svg = draw(sources, lines, figure);
  figure.table.columns = {"run",
                          "problem_set",
                          "signal",
                          "stream",
                          "rule",
                          "traces",
                          "with_gold",
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
    add_cells(line, figure.table);
    std::set<RowKey> known;
    for (const Cell& cell : *line.cells) known.insert({cell.signal, cell.stream, cell.rule});
    for (const Frontier& frontier : *line.frontiers) add_frontier(frontier, line.gold, known, figure.table);
  }
  drawing.figures.push_back(std::move(figure));
  const std::string left_out = sources.left_out(runs, &kWithRightAnswers);
  if (!left_out.empty()) drawing.notes.push_back("Savings against accuracy: " + left_out + ".");
  return drawing;
}

}  // namespace lil::analyze
