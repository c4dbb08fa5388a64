#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "analyze/report/figure/numbers.h"
#include "analyze/report/figure/text_size.h"
#include "analyze/report/figures/compared_runs.h"
#include "analyze/report/figures/figures.h"
#include "analyze/report/figures/multiples.h"

namespace lil::analyze {
namespace {

using figure::Series;

constexpr double kRow = 20;
constexpr double kOfGuessing = 0.5;  // the AUC

/// A column of dots.
struct Quantity {
  const char* title;
  figure::NumberForm form;
  std::optional<Estimate> (*read)(const ComparedSignal& signal);
  double start = 0;  ///< of its axis where nothing is below
};

bool is_certified(const ComparedSignal& signal) {
  return signal.t.has_value();
}

double saved_of(const Cell& cell) {
  return cell.tokens == 0 ? 0 : 1 - static_cast<double>(cell.kept) / static_cast<double>(cell.tokens);
}

constexpr std::array kQuantities{
    Quantity{"saved, %", figure::NumberForm::kPercent,
             [](const ComparedSignal& signal) -> std::optional<Estimate> {
               if (!is_certified(signal)) return std::nullopt;
               return Estimate{saved_of(signal.test), signal.saved};
             }},
    Quantity{"harm, %", figure::NumberForm::kPercent,
             [](const ComparedSignal& signal) -> std::optional<Estimate> {
               if (!is_certified(signal) || signal.test.traces == 0) return std::nullopt;
               return Estimate{
                   static_cast<double>(signal.test.harm) / static_cast<double>(signal.test.traces),
                   signal.harm};
             }},
    Quantity{"median from loop to stop, tokens", figure::NumberForm::kPlain,
             [](const ComparedSignal& signal) -> std::optional<Estimate> {
               if (!signal.delays.median) return std::nullopt;
               return Estimate{*signal.delays.median, {*signal.delays.median, *signal.delays.median}};
             }},
    Quantity{"AUC", figure::NumberForm::kPlain, [](const ComparedSignal& signal) { return signal.auc; },
             kOfGuessing},
    Quantity{"CPU time of a check, \xC2\xB5s", figure::NumberForm::kPlain,
             [](const ComparedSignal& signal) -> std::optional<Estimate> {
               constexpr double kThousand = 1000;
               if (!signal.point_ns) return std::nullopt;
               const double us = *signal.point_ns / kThousand;
               return Estimate{us, {us, us}};
             }},
};

/// None where no signal has the quantity.
std::optional<figure::Axis> axis_of(const Quantity& quantity, const std::vector<ComparedRun>& runs) {
  double low = quantity.start;
  double high = quantity.start;
  bool any = false;
  for (const ComparedRun& run : runs) {
    for (std::size_t i = 0; i < shown_signals(run); ++i) {
      if (const auto found = quantity.read(run.comparison->signals[i])) {
        any = true;
        low = std::min({low, found->value, found->interval.low});
        high = std::max({high, found->value, found->interval.high});
      }
    }
  }
  if (!any) return std::nullopt;
  if (quantity.start == kOfGuessing && low == kOfGuessing) {
    return figure::axis_at(figure::ScaleKind::kLinear, kOfGuessing, 1,
                           {{kOfGuessing, "0.5"}, {0.75, "0.75"}, {1, "1"}}, "");
  }
  return figure::linear_axis(low < quantity.start ? std::min(0.0, low) : low, high, 4, quantity.form, "");
}

std::string spoken_estimate(const Quantity& quantity, const Estimate& estimate) {
  const auto spell = [&](double value) {
    if (quantity.form == figure::NumberForm::kPercent) return figure::spoken_percent(value);
    return figure::spoken(value, value < 10 ? 3 : 0);
  };
  if (estimate.interval.low == estimate.interval.high)
    return fmt::format("{}: {}", quantity.title, spell(estimate.value));
  return fmt::format("{}: {} ({} to {})", quantity.title, spell(estimate.value), spell(estimate.interval.low),
                     spell(estimate.interval.high));
}

std::string rule_text(const ComparedSignal& signal) {
  return is_certified(signal) ? signal.rule : "nothing certified";
}

/// The dots of one run; `top` is the first row's upper edge.
void draw_block(const ReportSources& sources, figure::Svg& svg, const ComparedRun& run,
                const std::vector<std::optional<figure::Axis>>& axes,
                const std::vector<figure::Frame>& columns, double top) {
  const std::size_t rows = shown_signals(run);
  for (std::size_t q = 0; q < kQuantities.size(); ++q) {
    const figure::Frame frame{columns[q].x, top, columns[q].width, kRow * static_cast<double>(rows)};
    const auto x_of = [&](double value) {
      return frame.x + frame.width * std::clamp(axes[q] ? axes[q]->place(value) : 0.0, 0.0, 1.0);
    };
    for (const figure::Tick& tick : axes[q] ? axes[q]->ticks : std::vector<figure::Tick>{})
      svg.line({x_of(tick.value), top}, {x_of(tick.value), frame.bottom()}, "grid");
    for (std::size_t i = 0; i < rows; ++i) {
      const ComparedSignal& signal = run.comparison->signals[i];
      const Series series = series_of(sources, signal);
      const double y = top + kRow * (static_cast<double>(i) + 0.5);
      const auto found = kQuantities[q].read(signal);
      if (!found) {
        svg.text({frame.x + 2, y + 4}, "\xE2\x80\x93", "small muted");
        continue;
      }
      svg.line({x_of(found->interval.low), y}, {x_of(found->interval.high), y}, "line " + series.stroke());
      svg.marker({x_of(found->value), y}, series, 3.8, false, spoken_estimate(kQuantities[q], *found));
    }
  }
}

std::string draw_dots(const ReportSources& sources, const std::vector<ComparedRun>& runs,
                      const ReportFigure& figure) {
  constexpr double kTitle = 20;
  constexpr double kGapX = 18;
  constexpr double kApart = 10;  // between names of columns
  constexpr double kRule = 132;
  figure::Svg svg(figure.id, figure::FigureWidth::kWide);
  double widest = 60;
  for (const ComparedRun& run : runs) {
    for (const ComparedSignal& signal : run.comparison->signals) {
      widest = std::max(widest, figure::text_width(measure_name(signal.measure.signal, signal.measure.stream),
                                                   figure::kSmallSize));
    }
  }
  const double names = std::min(widest, 170.0);
  const double left = names + kRule + 18;
  const double width = (svg.width() - left - 14 - kGapX * (kQuantities.size() - 1)) / kQuantities.size();
  std::vector<std::optional<figure::Axis>> axes;
  std::vector<figure::Frame> columns;
  double y = 16;
  std::size_t most_lines = 1;
  for (std::size_t q = 0; q < kQuantities.size(); ++q) {
    axes.push_back(axis_of(kQuantities[q], runs));
    columns.push_back({left + static_cast<double>(q) * (width + kGapX), 0, width, 0});
    const auto lines = figure::wrapped(kQuantities[q].title, width + kGapX - kApart, 3, figure::kSmallSize);
    svg.lines({columns[q].x, 14}, lines, 13, "small");
    most_lines = std::max(most_lines, lines.size());
  }
  y += 13 * static_cast<double>(most_lines) - 8;
  const std::vector<std::size_t> indices = indices_of(runs);
  const auto titles = names_of(sources, indices);
  for (std::size_t r = 0; r < runs.size(); ++r) {
    y += kTitle - 4;
    svg.text({4, y},
             fmt::format("{}, {} test problems", titles[r], figure::grouped(runs[r].comparison->problems[2])),
             "head small");
    y += 6;
    draw_block(sources, svg, runs[r], axes, columns, y);
    for (std::size_t i = 0; i < shown_signals(runs[r]); ++i) {
      const ComparedSignal& signal = runs[r].comparison->signals[i];
      const double middle = y + kRow * (static_cast<double>(i) + 0.5) + 4;
      svg.text({4, middle},
               figure::wrapped(measure_name(signal.measure.signal, signal.measure.stream), names, 1,
                               figure::kSmallSize)
                   .front(),
               "small");
      svg.text({names + 10, middle}, rule_text(signal), "small muted");
    }
    y += kRow * static_cast<double>(shown_signals(runs[r])) + 4;
  }
  for (std::size_t q = 0; q < kQuantities.size(); ++q) {
    double last_end = -1e9;
    if (!axes[q]) continue;
    for (const figure::Tick& tick : axes[q]->ticks) {
      const double x = columns[q].x + columns[q].width * axes[q]->place(tick.value);
      const double half = figure::text_width(tick.label, figure::kSmallSize) / 2;
      if (x - half < last_end + 3) continue;
      const double middle = std::clamp(x, columns[q].x + half - 3, columns[q].right() - half + 3);
      svg.text({middle, y + 12}, tick.label, "small muted", figure::Anchor::kMiddle);
      last_end = middle + half;
    }
  }
  return svg.finish(y + 20, figure.title, figure.description);
}

std::vector<std::string> estimate_cells(const std::optional<Estimate>& estimate) {
  if (!estimate) return {"", "", ""};
  return {figure::share_cell(estimate->value), figure::share_cell(estimate->interval.low),
          figure::share_cell(estimate->interval.high)};
}

std::string microseconds(const std::optional<double>& ns) {
  constexpr double kThousand = 1000;
  return ns ? fmt::format("{:.3f}", *ns / kThousand) : "";
}

/// The columns of `lil compare --format csv`.
const std::vector<std::string>& table_columns() {
  static const std::vector<std::string> columns{"run",
                                                "problem_set",
                                                "signal",
                                                "stream",
                                                "shape",
                                                "rule",
                                                "p_value",
                                                "hypotheses",
                                                "problems",
                                                "traces",
                                                "tokens",
                                                "kept",
                                                "saved",
                                                "saved_low",
                                                "saved_high",
                                                "saved_more",
                                                "saved_more_low",
                                                "saved_more_high",
                                                "stopped",
                                                "right_full",
                                                "right_stop",
                                                "harm",
                                                "harm_low",
                                                "harm_high",
                                                "gain",
                                                "loops",
                                                "loops_caught",
                                                "loops_early",
                                                "delay_median",
                                                "delay_mean",
                                                "delay_mean_low",
                                                "delay_mean_high",
                                                "checks",
                                                "checks_positive",
                                                "auc",
                                                "auc_low",
                                                "auc_high",
                                                "auc_more",
                                                "auc_more_low",
                                                "auc_more_high",
                                                "area",
                                                "area_low",
                                                "area_high",
                                                "area_more",
                                                "area_more_low",
                                                "area_more_high",
                                                "signal_version",
                                                "grid_tokens",
                                                "check_us",
                                                "step_us"};
  return columns;
}

std::vector<std::string> table_row(const SignalComparison& comparison, const ComparedSignal& signal) {
  const Cell& cell = signal.test;
  const LoopDelays& delays = signal.delays;
  std::vector<std::string> row{cell.run,
                               cell.problem_set,
                               signal.measure.signal,
                               signal.measure.stream,
                               signal.shape,
                               signal.t ? signal.rule : "",
                               signal.p_value ? figure::share_cell(*signal.p_value) : ""};
  const auto count = [&](std::int64_t value) { row.push_back(std::to_string(value)); };
  const auto add = [&](const std::optional<Estimate>& estimate) {
    for (std::string& value : estimate_cells(estimate)) row.push_back(std::move(value));
  };
  for (const std::int64_t value : {signal.hypotheses, cell.problems, cell.traces, cell.tokens, cell.kept})
    count(value);
  add(Estimate{saved_of(cell), signal.saved});
  add(signal.saved_difference);
  for (const std::int64_t value : {cell.stopped, cell.right_full, cell.right_stop, cell.harm}) count(value);
  row.push_back(figure::share_cell(signal.harm.low));
  row.push_back(figure::share_cell(signal.harm.high));
  for (const std::int64_t value : {cell.gain, delays.loops, delays.caught, delays.early}) count(value);
  row.push_back(delays.median ? figure::share_cell(*delays.median) : "");
  add(delays.mean);
  count(signal.positives + signal.negatives);
  count(signal.positives);
  for (const auto& estimate : {signal.auc, signal.auc_difference}) add(estimate);
  add(signal.area);
  add(signal.area_difference);
  row.push_back(signal.version);
  count(signal.grid_tokens);
  row.push_back(microseconds(signal.point_ns));
  row.push_back(microseconds(comparison.step_ns));
  return row;
}

/// What checks stand beside, where durations are on record.
std::string step_text(const std::vector<ComparedRun>& runs) {
  double fastest = std::numeric_limits<double>::max();
  double slowest = 0;
  for (const ComparedRun& run : runs) {
    if (!run.comparison->step_ns) continue;
    fastest = std::min(fastest, *run.comparison->step_ns / 1000);
    slowest = std::max(slowest, *run.comparison->step_ns / 1000);
  }
  if (slowest == 0) return "";
  const auto spell = [](double us) { return figure::spoken(us, us < 10 ? 1 : 0); };
  const std::string range =
      spell(fastest) == spell(slowest) ? spell(fastest) : spell(fastest) + " to " + spell(slowest);
  return fmt::format(" A decode step of a sequence took {} \xC2\xB5s.", range);
}

ReportFigure draw_comparison(const ReportSources& sources, const std::vector<ComparedRun>& runs) {
  const std::vector<std::size_t> indices = indices_of(runs);
  ReportFigure figure;
  figure.id = "signals";
  figure.title = "Signals at equal certified risk";
  figure.description = fmt::format(
      "Each signal with its own rule, certified on other problems to harm at most {} % with confidence {} %; "
      "shown on "
      "the test problems with 95 % intervals: tokens saved, harm, median tokens from a loop's first to "
      "the stop (without interval), "
      "and the area under the ROC. The CPU time of a check is that of making the curves, with the tokens "
      "since the "
      "check before. A dash: nothing certified, or nothing to measure it on.{}{}",
      figure::spoken_level(sources.request().alpha), figure::spoken_level(1 - sources.request().delta),
      step_text(runs), common_setting(sources, indices));
  figure.svg = draw_dots(sources, runs, figure);
  figure.table.columns = table_columns();
  for (const ComparedRun& run : runs) {
    for (const ComparedSignal& signal : run.comparison->signals)
      figure.table.rows.push_back(table_row(*run.comparison, signal));
  }
  return figure;
}

}  // namespace

Drawing draw_signals(ReportSources& sources) {
  Drawing drawing;
  if (!sources.main_measure() || !sources.any_gold()) {
    drawing.notes.push_back(!sources.any_gold()
                                ? "Signals are not compared: no problem has a gold answer; `lil import … "
                                  "--field gold=KEY` reads them."
                                : fmt::format("Signals are not compared: no curves are stored; `lil replay "
                                              "{} --signal zlib,lz4,lz77` makes them.",
                                              sources.store_name()));
    return drawing;
  }
  const std::vector<ComparedRun> runs = compare_runs(sources, &drawing.notes);
  if (runs.empty()) {
    if (drawing.notes.empty())
      drawing.notes.emplace_back("Signals are not compared: no trace is right in full.");
    return drawing;
  }
  drawing.figures.push_back(draw_comparison(sources, runs));
  const std::string left_out = sources.left_out(indices_of(runs), &kWithRightAnswers);
  if (!left_out.empty()) drawing.notes.push_back("Signals: " + left_out + ".");
  return drawing;
}

}  // namespace lil::analyze
