#include <fmt/format.h>

#include <algorithm>

#include "analyze/report/figure/numbers.h"
#include "analyze/report/figure/text_size.h"
#include "analyze/report/figures/figures.h"
#include "analyze/report/figures/multiples.h"

namespace lil::analyze {
namespace {

using figure::Sample;

constexpr std::size_t kMostRows = 24;
constexpr double kBarHeight = 13;

/// A part of a run's tokens.
struct Part {
  std::string name;
  std::int64_t tokens;
  std::string classes;
};

std::int64_t saved_right(const Cell& cell) {
  return cell.tokens_right - cell.kept_right;
}
std::int64_t saved_wrong(const Cell& cell) {
  return (cell.tokens - cell.tokens_right) - (cell.kept - cell.kept_right);
}

std::vector<Part> parts_of(const Cell& cell) {
  return {{"kept, right", cell.kept_right, "pale " + figure::kRight.fill()},
          {"saved, right", saved_right(cell), "solid " + figure::kRight.fill()},
          {"saved, wrong", saved_wrong(cell), "solid " + figure::kWrong.fill()},
          {"kept, wrong", cell.kept - cell.kept_right, "pale " + figure::kWrong.fill()}};
}

/// The row of the first rule of the report that a run has.
const PaperRow* row_of(const ReportedRun& run) {
  for (const PaperRow& row : run.stopped) {
    if (row.cell.tokens > 0) return &row;
  }
  return nullptr;
}

/// A bar with its name and numbers.
struct Bar {
  const Cell* cell;
  std::vector<std::string> name;
  double height;  ///< of the name, or the bar
};

/// Where the bars are.
struct BarArea {
  double left;
  double width;
};

std::string percent_of(std::int64_t part, std::int64_t whole, int decimals) {
  if (whole == 0) return "\xE2\x80\x93";
  return figure::spoken_percent(static_cast<double>(part) / static_cast<double>(whole), decimals) + " %";
}

constexpr double kLine = 13.5;
constexpr double kGap = 9;
constexpr double kSavedColumn = 62;
constexpr double kWrongColumn = 142;

void draw_bar(figure::Svg& svg, const Bar& bar, const BarArea& area, double y) {
  const Cell& cell = *bar.cell;
  const double middle = y + bar.height / 2;
  svg.lines({area.left - 8, middle - kLine * static_cast<double>(bar.name.size()) / 2 + 10.5}, bar.name,
            kLine, "small", figure::Anchor::kEnd);
  double x = area.left;
  for (const Part& part : parts_of(cell)) {
    const double length = area.width * static_cast<double>(part.tokens) / static_cast<double>(cell.tokens);
    if (part.tokens > 0) {
      svg.rect({x, middle - kBarHeight / 2, length, kBarHeight}, part.classes,
               fmt::format("{}: {} tokens", part.name, figure::grouped(part.tokens)));
    }
    x += length;
  }
  const double right = area.left + area.width;
  svg.text({right + kSavedColumn, middle + 4}, percent_of(cell.tokens - cell.kept, cell.tokens, 1), "small",
           figure::Anchor::kEnd);
  svg.text({right + kWrongColumn, middle + 4}, percent_of(saved_wrong(cell), cell.tokens - cell.kept, 0),
           "small", figure::Anchor::kEnd);
}

void draw_axis(figure::Svg& svg, const BarArea& area, double top, double bottom) {
  const figure::Axis x = figure::linear_axis(0, 1, 6, figure::NumberForm::kPercent, "");
  for (const figure::Tick& tick : x.ticks) {
    const double at = area.left + area.width * tick.value;
    svg.line({at, top - 3}, {at, bottom + 5}, "grid");
    svg.text({at, bottom + 19}, tick.label, "small muted", figure::Anchor::kMiddle);
  }
  svg.text({area.left + area.width / 2, bottom + 34}, "generated tokens of the run, %", "small",
           figure::Anchor::kMiddle);
}

std::string draw(const std::vector<std::string>& names, const std::vector<const PaperRow*>& rows,
                 const ReportFigure& figure) {
  figure::Svg svg(figure.id, figure::FigureWidth::kWide);
  double widest = 0;
  for (const std::string& name : names)
    widest = std::max(widest, figure::text_width(name, figure::kSmallSize));
  const double left = std::min(widest, 200.0) + 14;
  const BarArea area{left, svg.width() - left - kWrongColumn - 8};
  const double top = figure::draw_legend(svg, {left, 12}, svg.width() - left,
                                         {{"right, kept", figure::kRight, Sample::kPale},
                                          {"right, saved", figure::kRight, Sample::kSolid},
                                          {"wrong, saved", figure::kWrong, Sample::kSolid},
                                          {"wrong, kept", figure::kWrong, Sample::kPale}}) +
                     22;
  const double right = area.left + area.width;
  svg.text({right + kSavedColumn, top - 8}, "saved", "small muted", figure::Anchor::kEnd);
  svg.text({right + kWrongColumn, top - 8}, "of it wrong", "small muted", figure::Anchor::kEnd);
  std::vector<Bar> bars;
  double bottom = top;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Bar bar{&rows[i]->cell, figure::wrapped(names[i], left - 14, 3, figure::kSmallSize), kBarHeight};
    bar.height = std::max(kBarHeight, kLine * static_cast<double>(bar.name.size()));
    bottom += bar.height + (i > 0 ? kGap : 0);
    bars.push_back(std::move(bar));
  }
  draw_axis(svg, area, top, bottom);
  double y = top;
  for (const Bar& bar : bars) {
    draw_bar(svg, bar, area, y);
    y += bar.height + kGap;
  }
  return svg.finish(bottom + 42, figure.title, figure.description);
}

std::vector<std::string> table_row(const PaperRow& row) {
  const Cell& cell = row.cell;
  std::vector<std::string> values = cell_values(
      cell, {"run", "problem_set", "model", "policy", "traces", "signal", "stream", "rule", "saved"});
  const auto add = [&](std::int64_t count) { values.push_back(std::to_string(count)); };
  const auto add_share = [&](std::int64_t part, std::int64_t whole) {
    values.push_back(whole == 0 ? ""
                                : figure::share_cell(static_cast<double>(part) / static_cast<double>(whole)));
  };
  add(cell.right_full);
  add(row.stopped_right);
  add(cell.tokens_right);
  add_share(saved_right(cell), cell.tokens_right);
  add(cell.traces - cell.right_full);
  add(cell.stopped - row.stopped_right);
  add(cell.tokens - cell.tokens_right);
  add_share(saved_wrong(cell), cell.tokens - cell.tokens_right);
  add_share(saved_wrong(cell), cell.tokens - cell.kept);
  return values;
}

}  // namespace

Drawing draw_savings_split(ReportSources& sources) {
  Drawing drawing;
  const char* const none = "There is no picture of where savings come from: ";
  if (!sources.any_gold()) {
    drawing.notes.push_back(std::string(none) +
                            "no problem has a gold answer; `lil import … --field gold=KEY` reads them.");
    return drawing;
  }
  if (!sources.why_not_stopped().empty()) {
    drawing.notes.push_back(none + sources.why_not_stopped() + ".");
    return drawing;
  }
  constexpr RunFilter kStopped{[](const ReportedRun& run) {
                                 const PaperRow* row = row_of(run);
                                 return row != nullptr && row->cell.stopped > 0;
                               },
                               "in which it stops nothing"};
  std::vector<std::size_t> runs = sources.choose_runs(kMostRows, &kStopped);
  if (runs.empty()) {
    drawing.notes.push_back(
        fmt::format("{}{} stops no trace.", none,
                    sources.request().rules.empty() ? "no rule" : sources.request().rules.front()));
    return drawing;
  }
  std::vector<const PaperRow*> rows;
  rows.reserve(runs.size());
  for (const std::size_t run : runs) rows.push_back(row_of(sources.runs()[run]));
  const Cell& cell = rows.front()->cell;
  ReportFigure figure;
  figure.id = "savings-split";
  figure.title = "Where savings come from";
  figure.description = fmt::format(
      "All tokens that a run generated, by whether its trace is right in full, and what {}{} would have "
      "saved of them. "
      "{}{}",
      cell.rule, cell.signal == "-" ? "" : " on " + measure_name(cell.signal, cell.stream),
      runs.size() < sources.runs().size() ? "Runs in which it stops nothing are not shown." : "",
      common_setting(sources, runs));
  figure.svg = draw(names_of(sources, runs), rows, figure);
  figure.table.columns = {"run",           "problem_set",  "model",       "policy", "traces",
                          "signal",        "stream",       "rule",        "saved",  "right",
                          "right_stopped", "right_tokens", "right_saved", "wrong",  "wrong_stopped",
                          "wrong_tokens",  "wrong_saved",  "from_wrong"};
  for (const ReportedRun& run : sources.runs()) {
    for (const PaperRow& row : run.stopped) figure.table.rows.push_back(table_row(row));
  }
  drawing.figures.push_back(std::move(figure));
  const std::string left_out = sources.left_out(runs, &kStopped);
  if (!left_out.empty())
    drawing.notes.push_back("Where savings come from: " + left_out + "; the table has all.");
  return drawing;
}

}  // namespace lil::analyze
