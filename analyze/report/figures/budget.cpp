#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "analyze/intervals.h"
#include "analyze/report/figure/numbers.h"
#include "analyze/report/figure/panel.h"
#include "analyze/report/figure/text_size.h"
#include "analyze/report/figures/figures.h"

namespace lil::analyze {
namespace {

using figure::Axis;
using figure::NumberForm;
using figure::Panel;
using figure::PanelGrid;
using figure::Point;
using figure::Series;

constexpr const char* kId = "budget";
constexpr std::size_t kMostColumns = 4;  // beyond, numbers under the axes touch

/// One number of a run with its interval.
using Reading = std::optional<Estimate> (*)(const ReportedRun& run);

std::optional<Estimate> accuracy(const ReportedRun& run) {
  const Cell& cell = run.whole.cell;
  if (cell.traces == 0) return std::nullopt;
  return Estimate{static_cast<double>(cell.right_stop) / static_cast<double>(cell.traces),
                  clopper_pearson(cell.right_stop, cell.traces)};
}

std::optional<Estimate> mean_tokens(const ReportedRun& run) {
  const Cell& cell = run.whole.cell;
  if (cell.traces == 0) return std::nullopt;
  const double mean = static_cast<double>(cell.tokens) / static_cast<double>(cell.traces);
  return Estimate{mean, {mean, mean}};
}

std::optional<Estimate> length_ratio(const ReportedRun& run) {
  return run.whole.against_full ? run.whole.against_full->length_ratio : std::nullopt;
}

/// Seconds of decoding a trace: its tokens times the time of a step.
std::optional<Estimate> decode_seconds(const ReportedRun& run) {
  constexpr double kNanoseconds = 1e9;
  const auto tokens = mean_tokens(run);
  if (!tokens || !run.step_ns) return std::nullopt;
  const double seconds = tokens->value * *run.step_ns / kNanoseconds;
  return Estimate{seconds, {seconds, seconds}};
}

/// A row of panels.
struct Quantity {
  Reading read;
  std::string unit;  ///< of its tooltips
  Axis axis;
};

/// The runs of one setting: those with a budget by family, and full attention.
struct Column {
  std::string setting;
  const ReportedRun* full = nullptr;
  std::map<int, std::vector<const ReportedRun*>> families;  ///< by series, each by ascending budget
};

std::vector<Column> columns_of(const std::vector<ReportedRun>& runs) {
  std::vector<Column> columns;
  std::map<std::string, std::size_t> by_setting;
  for (const ReportedRun& run : runs) {
    const auto [entry, is_new] = by_setting.try_emplace(run.setting, columns.size());
    if (is_new) columns.push_back({run.setting, nullptr, {}});
    Column& column = columns[entry->second];
    if (run.whole.is_full_attention && column.full == nullptr) column.full = &run;
    if (!run.whole.is_full_attention && run.whole.budget) column.families[run.family_series].push_back(&run);
  }
  std::erase_if(columns, [](const Column& column) { return column.families.empty(); });
  return columns;
}

/// All that a row of panels has to show, ends of intervals too.
std::pair<double, double> range_of(const std::vector<Column>& columns, const Reading& read) {
  std::pair<double, double> range{1e300, -1e300};
  const auto take = [&](const ReportedRun* run) {
    const auto found = run == nullptr ? std::nullopt : read(*run);
    if (!found) return;
    range.first = std::min(range.first, found->interval.low);
    range.second = std::max(range.second, found->interval.high);
  };
  for (const Column& column : columns) {
    take(column.full);
    for (const auto& [series, runs] : column.families) std::for_each(runs.begin(), runs.end(), take);
  }
  return range;
}

std::vector<Quantity> quantities_of(const std::vector<Column>& columns, bool any_gold) {
  constexpr double kWide = 10;
  constexpr int kTicks = 6;
  std::vector<Quantity> quantities;
  if (any_gold) {
    quantities.push_back(
        {accuracy, " % right", figure::linear_axis(0, 1, kTicks, NumberForm::kPercent, "right, %")});
  }
  const auto [fewest, most] = range_of(columns, mean_tokens);
  const std::string tokens = "tokens per trace";
  quantities.push_back(
      {mean_tokens, " tokens",
       fewest > 0 && most > kWide * fewest
           ? figure::log2_axis(fewest, most, kTicks, tokens)
           : figure::linear_axis(0, std::max(most, 1.0), kTicks, NumberForm::kPlain, tokens)});
  const auto [shortest, longest] = range_of(columns, length_ratio);
  if (shortest <= longest) {
    quantities.push_back(
        {length_ratio, " times full attention",
         figure::log2_axis(std::min(1.0, shortest), std::max(1.0, longest), kTicks, "length against full")});
  }
  const auto [fastest, slowest] = range_of(columns, decode_seconds);
  if (fastest <= slowest) {
    const std::string seconds = "seconds per trace";
    quantities.push_back({decode_seconds, " s",
                          slowest > kWide * fastest
                              ? figure::log2_axis(fastest, slowest, kTicks, seconds)
                              : figure::linear_axis(0, slowest, kTicks, NumberForm::kPlain, seconds)});
  }
  return quantities;
}

Axis budget_axis(const std::vector<Column>& columns) {
  constexpr double kRoom = 1.4;
  constexpr std::size_t kMostTicks = 8;
  std::set<std::int64_t> budgets;
  for (const Column& column : columns) {
    for (const auto& [series, runs] : column.families) {
      for (const ReportedRun* run : runs) budgets.insert(*run->whole.budget);
    }
  }
  const double low = static_cast<double>(*budgets.begin()) / kRoom;
  const double high = static_cast<double>(*budgets.rbegin()) * kRoom;
  const std::string title = "budget, tokens";
  std::vector<figure::Tick> ticks;
  ticks.reserve(budgets.size());
  for (const std::int64_t budget : budgets)
    ticks.push_back({static_cast<double>(budget), figure::grouped(budget)});
  if (budgets.size() > kMostTicks) {
    ticks = figure::log2_axis(low, high, static_cast<int>(kMostTicks), title).ticks;
    std::erase_if(ticks, [&](const figure::Tick& tick) { return tick.value < low || tick.value > high; });
  }
  return figure::axis_at(figure::ScaleKind::kLog2, low, high, std::move(ticks), title);
}

std::string tooltip(const ReportedRun& run, const Quantity& quantity, const Estimate& estimate) {
  const bool is_share = quantity.unit.starts_with(" %");
  const auto spell = [&](double value) {
    if (is_share) return figure::spoken_percent(value);
    return figure::spoken(value, value < 100 ? 2 : 0);
  };
  std::string text = fmt::format("{}: {}{}", run.policy, spell(estimate.value), quantity.unit);
  if (estimate.interval.low < estimate.interval.high)
    text += fmt::format(" ({} to {})", spell(estimate.interval.low), spell(estimate.interval.high));
  return text;
}

/// The least step between budgets, in powers of two.
double least_step(const std::vector<Column>& columns) {
  std::set<std::int64_t> budgets;
  for (const Column& column : columns) {
    for (const auto& [series, runs] : column.families) {
      for (const ReportedRun* run : runs) budgets.insert(*run->whole.budget);
    }
  }
  double least = 1;
  double before = 0;
  for (const std::int64_t budget : budgets) {
    if (before > 0) least = std::min(least, std::log2(static_cast<double>(budget) / before));
    before = static_cast<double>(budget);
  }
  return least;
}

/// A family's place among those of its panel.
struct Place {
  std::size_t index = 0;
  std::size_t of = 1;
  double step = 1;  ///< between budgets, in powers of two
};

/// A little to the side, each family by its own, so that whiskers at one budget can be told apart; not so far
/// that a point seems to be of another budget.
double beside(double budget, const Place& place) {
  constexpr double kFarthest = 0.04;  // of the step
  if (place.of < 2) return budget;
  const double share = 2 * static_cast<double>(place.index) / static_cast<double>(place.of - 1) - 1;
  return budget * std::exp2(kFarthest * place.step * share);
}

void draw_full(Panel& panel, const Column& column, const Quantity& quantity, double low, double high) {
  const auto full = column.full == nullptr ? std::nullopt : quantity.read(*column.full);
  if (!full) return;
  const auto& [bottom, top] = full->interval;
  panel.band({{low, bottom}, {high, bottom}}, {{low, top}, {high, top}}, {0});
  panel.level(full->value, "full");
}

void draw_family(Panel& panel, const std::vector<const ReportedRun*>& runs, const Quantity& quantity,
                 const Place& place, bool with_bands) {
  const Series series{runs.front()->family_series};
  std::vector<Point> line;
  std::vector<Point> low;
  std::vector<Point> high;
  for (const ReportedRun* run : runs) {
    const auto found = quantity.read(*run);
    if (!found) continue;
    const double x = beside(static_cast<double>(*run->whole.budget), place);
    line.push_back({x, found->value});
    low.push_back({x, found->interval.low});
    high.push_back({x, found->interval.high});
  }
  if (line.empty()) return;
  if (with_bands && line.size() > 1) panel.band(low, high, series);
  panel.line(line, series);
  std::size_t k = 0;
  for (const ReportedRun* run : runs) {
    const auto found = quantity.read(*run);
    if (!found) continue;
    if (found->interval.low < found->interval.high && (!with_bands || line.size() == 1))
      panel.error_y(line[k], found->interval.low, found->interval.high, series);
    panel.point(line[k], series, tooltip(*run, quantity, *found));
    ++k;
  }
  panel.label_end(line.back(), runs.front()->family, series);
}

const std::vector<std::string>& table_columns() {
  static const std::vector<std::string> columns{"run",
                                                "problem_set",
                                                "model",
                                                "policy",
                                                "budget",
                                                "sampler",
                                                "live_stop_rule",
                                                "cap_tokens",
                                                "traces",
                                                "problems",
                                                "finish_known",
                                                "capped",
                                                "right",
                                                "accuracy",
                                                "accuracy_low",
                                                "accuracy_high",
                                                "tokens",
                                                "mean_tokens",
                                                "pairs",
                                                "accuracy_difference",
                                                "accuracy_difference_low",
                                                "accuracy_difference_high",
                                                "length_ratio",
                                                "length_ratio_low",
                                                "length_ratio_high",
                                                "step_us",
                                                "seconds_per_trace"};
  return columns;
}

std::string count_or_none(const std::optional<std::int64_t>& count) {
  return count ? std::to_string(*count) : "";
}

std::vector<std::string> estimate_cells(const std::optional<Estimate>& estimate) {
  if (!estimate) return {"", "", ""};
  return {figure::share_cell(estimate->value), figure::share_cell(estimate->interval.low),
          figure::share_cell(estimate->interval.high)};
}

std::vector<std::string> table_row(const ReportedRun& run) {
  const PaperRow& row = run.whole;
  const Cell& cell = row.cell;
  std::vector<std::string> values = cell_values(cell, {"run", "problem_set", "model", "policy"});
  values.push_back(count_or_none(row.budget));
  for (std::string& value : cell_values(
           cell, {"sampler", "stop_rule", "cap_tokens", "traces", "problems", "finish_known", "capped",
                  "right_stop", "accuracy_stop", "accuracy_stop_low", "accuracy_stop_high", "tokens"}))
    values.push_back(std::move(value));
  const auto mean = mean_tokens(run);
  values.push_back(mean ? figure::share_cell(mean->value) : "");
  values.push_back(row.against_full ? std::to_string(row.against_full->problems) : "");
  for (const auto& estimate :
       {row.against_full ? std::optional(row.against_full->difference) : std::nullopt, length_ratio(run)}) {
    for (std::string& value : estimate_cells(estimate)) values.push_back(std::move(value));
  }
  const auto seconds = decode_seconds(run);
  values.push_back(run.step_ns ? fmt::format("{:.3f}", *run.step_ns / 1000) : "");
  values.push_back(seconds ? figure::share_cell(seconds->value) : "");
  return values;
}

/// The names beside the last column, or above all where there are several.
std::vector<figure::LegendEntry> legend_of(const std::vector<Column>& columns) {
  std::map<int, std::string> names;
  for (const Column& column : columns) {
    for (const auto& [series, runs] : column.families) names[series] = runs.front()->family;
  }
  std::vector<figure::LegendEntry> entries;
  entries.reserve(names.size());
  for (const auto& [series, name] : names)
    entries.push_back({name, {series}, figure::Sample::kLineAndMarker});
  return entries;
}

std::string draw(const std::vector<Column>& columns, const std::vector<Quantity>& quantities,
                 const std::string& title, const std::string& description) {
  constexpr double kTitleLine = 13.5;
  figure::Svg svg(kId, columns.size() == 1 ? figure::FigureWidth::kMiddle : figure::FigureWidth::kWide);
  const auto legend = legend_of(columns);
  PanelGrid grid;
  grid.width = svg.width();
  grid.left = 62;
  grid.columns = static_cast<int>(columns.size());
  grid.panel_height = 150;
  double widest = 0;
  for (const auto& entry : legend)
    widest = std::max(widest, figure::text_width(entry.name, figure::kSmallSize));
  const bool beside_lines = columns.size() == 1;
  if (beside_lines) grid.right = 20 + widest;
  grid.bottom = 20;
  if (!beside_lines)
    grid.top = figure::draw_legend(svg, {grid.left, 12}, svg.width() - grid.left, legend) + 4;
  std::vector<std::vector<std::string>> names;
  std::size_t most_lines = 1;
  for (const Column& column : columns) {
    names.push_back(figure::wrapped(column.setting, grid.panel_width(), 3, figure::kSmallSize));
    most_lines = std::max(most_lines, names.back().size());
  }
  grid.top += kTitleLine * static_cast<double>(most_lines) - 6;
  grid.title = 10;
  const Axis x = budget_axis(columns);
  const double step = least_step(columns);
  for (std::size_t q = 0; q < quantities.size(); ++q) {
    const bool last = q + 1 == quantities.size();
    for (std::size_t c = 0; c < columns.size(); ++c) {
      Panel panel(svg, grid.frame(static_cast<int>(q), static_cast<int>(c)), x, quantities[q].axis);
      panel.draw_axes({last, last, c == 0, c == 0});
      if (q == 0) panel.draw_title(names[c]);
      draw_full(panel, columns[c], quantities[q], x.low, x.high);
      const std::size_t families = columns[c].families.size();
      constexpr std::size_t kMostBands = 3;
      std::size_t place = 0;
      for (const auto& [series, runs] : columns[c].families)
        draw_family(panel, runs, quantities[q], {place++, families, step}, families <= kMostBands);
      if (beside_lines) panel.draw_labels();
    }
  }
  return svg.finish(grid.height(static_cast<int>(quantities.size())), title, description);
}

}  // namespace

Drawing draw_budget(ReportSources& sources) {
  std::vector<Column> columns = columns_of(sources.runs());
  Drawing drawing;
  if (columns.empty()) {
    drawing.notes.emplace_back(
        "There is no accuracy and length against budget: no run has an attention policy with a budget; "
        "`lil record STORE --policy full --policy 'sink(budget=128,256,512)'` records such runs.");
    return drawing;
  }
  if (columns.size() > kMostColumns) {
    drawing.notes.push_back(
        fmt::format("Accuracy and length against budget is drawn for {} of {} settings, the others are in "
                    "its table; --where "
                    "'model=…' or --where 'problem_set=…' draws them.",
                    kMostColumns, columns.size()));
    columns.resize(kMostColumns);
  }
  const auto quantities = quantities_of(columns, sources.any_gold());
  const auto has = [&](Reading reading) {
    return std::any_of(quantities.begin(), quantities.end(),
                       [&](const Quantity& q) { return q.read == reading; });
  };
  ReportFigure figure;
  figure.id = kId;
  figure.title = has(accuracy) ? "Accuracy and length against the attention budget"
                               : "Length against the attention budget";
  figure.description = "By policy and budget: ";
  if (has(accuracy)) figure.description += "share of right answers with exact 95 % intervals; ";
  figure.description += "mean generated tokens per trace";
  if (has(length_ratio)) {
    figure.description +=
        "; tokens over those of full attention on the same problems, with 95 % bootstrap intervals";
  }
  if (has(decode_seconds)) {
    figure.description +=
        "; end-to-end time of decoding a trace: its tokens times the mean time of a step, as recorded in its "
        "batches, which is the time of this machine in this run and has no interval";
  } else {
    drawing.notes.emplace_back(
        "There is no time of decoding: no durations are on record, as in imported logs; `lil record` writes "
        "them.");
  }
  figure.description += ". Dashed is full attention.";
  const bool has_full =
      std::any_of(columns.begin(), columns.end(), [](const Column& c) { return c.full != nullptr; });
  if (!has_full) {
    drawing.notes.emplace_back(
        "There is no length against full attention: no run of full attention has the same model, problems, "
        "sampler and "
        "cap; `lil record STORE --policy full` with the other settings alike records it.");
  }
  figure.svg = draw(columns, quantities, figure.title, figure.description);
  figure.table.columns = table_columns();
  for (const ReportedRun& run : sources.runs()) figure.table.rows.push_back(table_row(run));
  drawing.figures.push_back(std::move(figure));
  return drawing;
}

}  // namespace lil::analyze
