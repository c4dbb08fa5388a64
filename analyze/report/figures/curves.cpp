#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "analyze/information.h"
#include "analyze/report/figure/numbers.h"
#include "analyze/report/figure/text_size.h"
#include "analyze/report/figure/xml.h"
#include "analyze/report/figures/figures.h"
#include "analyze/report/figures/multiples.h"
#include "replay/signals/registry.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"

namespace lil::analyze {
namespace {

using figure::Panel;
using figure::Point;
using figure::Series;

constexpr std::size_t kMostSettings = 6;
constexpr std::size_t kMostLines = 5;  // in a panel
constexpr std::size_t kMostMeasures = 3;
constexpr std::int64_t kFewTraces = 5;
constexpr std::int64_t kQuarter = 4;  // a line ends where fewer of its traces are left

/// The growth of one run, as a line.
struct Line {
  std::size_t run = 0;
  std::vector<GrowthPoint> growth;
};

/// The lines of one setting.
struct Column {
  std::string setting;
  std::vector<Line> lines;
};

/// All lines of one signal and stream.
struct MeasureLines {
  Measure measure;
  std::vector<Column> columns;
};

/// Of each of the first settings full attention, and of each further policy the run that comes first.
std::vector<std::vector<std::size_t>> choose_lines(const ReportSources& sources) {
  std::vector<std::vector<std::size_t>> settings;
  std::map<std::string, std::size_t> by_setting;
  const auto& runs = sources.runs();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto [entry, is_new] = by_setting.try_emplace(runs[i].setting, settings.size());
    if (is_new) settings.emplace_back();
    settings[entry->second].push_back(i);
  }
  if (settings.size() > kMostSettings) settings.resize(kMostSettings);
  for (auto& setting : settings) {
    std::stable_sort(setting.begin(), setting.end(),
                     [&](std::size_t a, std::size_t b) { return sources.comes_before(a, b); });
    std::set<int> seen;
    std::erase_if(setting, [&](std::size_t run) { return !seen.insert(runs[run].family_series).second; });
    if (setting.size() > kMostLines) setting.resize(kMostLines);
  }
  return settings;
}

/// Points that enough traces are behind: where only a few are left, their quartiles say little, and those of
/// less than a quarter of the traces are of another lot than where the line begins.
std::vector<GrowthPoint> supported(const std::vector<GrowthPoint>& growth) {
  std::vector<GrowthPoint> kept;
  for (const GrowthPoint& point : growth) {
    const bool is_few = point.traces < std::min(kFewTraces, growth.front().traces);
    if (!is_few && kQuarter * point.traces >= growth.front().traces) kept.push_back(point);
  }
  return kept;
}

void measure_run(ReportSources& sources, std::size_t run, std::size_t column, const std::string& setting,
                 std::size_t columns, std::vector<MeasureLines>& all) {
  InformationRequest request;
  static_cast<SourceRequest&>(request) = sources.request();
  request.left_out = {};
  request.filter = sources.filter_of(run);
  request.step_tokens = sources.main_shape().every_tokens;
  request.bootstrap.replicates = 1;  // of rho, which is not shown here
  measure_information(sources.store(), request, [&](const MeasuredGroup& measured) {
    auto found = std::find_if(all.begin(), all.end(), [&](const MeasureLines& lines) {
      return lines.measure.signal == measured.measure.signal &&
             lines.measure.stream == measured.measure.stream;
    });
    if (found == all.end()) found = all.insert(all.end(), {measured.measure, std::vector<Column>(columns)});
    found->columns[column].setting = setting;
    found->columns[column].lines.push_back({run, measured.growth});
  });
}

struct Ranges {
  double token = 1;
  double value = 1;
  double growth_low = 0;
  double growth_high = 1;
};

Ranges ranges_of(const MeasureLines& lines) {
  Ranges ranges;
  for (const Column& column : lines.columns) {
    for (const Line& line : column.lines) {
      for (const GrowthPoint& point : supported(line.growth)) {
        ranges.token = std::max(ranges.token, static_cast<double>(point.token));
        ranges.value = std::max(ranges.value, point.value[2]);
        ranges.growth_low = std::min(ranges.growth_low, point.growth[0]);
        ranges.growth_high = std::max(ranges.growth_high, point.growth[2]);
      }
    }
  }
  return ranges;
}

/// Logarithmic where the settings' traces are of very different lengths.
figure::Axis token_axis(const MeasureLines& lines, double step, double last, int ticks) {
  constexpr double kFar = 4;
  const std::string title = "generated tokens";
  double shortest = last;
  for (const Column& column : lines.columns) {
    double longest = step;
    for (const Line& line : column.lines) {
      for (const GrowthPoint& point : supported(line.growth))
        longest = std::max(longest, static_cast<double>(point.token));
    }
    shortest = std::min(shortest, longest);
  }
  if (last <= kFar * shortest) return figure::linear_axis(0, last, ticks, figure::NumberForm::kPlain, title);
  figure::Axis axis = figure::log2_axis(step, last, ticks, title);
  std::erase_if(axis.ticks, [&](const figure::Tick& tick) { return tick.value < step || tick.value > last; });
  return figure::axis_at(figure::ScaleKind::kLog2, step, last, axis.ticks, title);
}

void draw_line(Panel& panel, const ReportedRun& run, const Line& line, Quartiles GrowthPoint::*of,
               bool from_zero) {
  std::array<std::vector<Point>, 3> quartiles;
  if (from_zero) {
    for (auto& points : quartiles) points.push_back({0, 0});
  }
  for (const GrowthPoint& point : supported(line.growth)) {
    for (std::size_t i = 0; i < quartiles.size(); ++i)
      quartiles[i].push_back({static_cast<double>(point.token), (point.*of)[i]});
  }
  if (quartiles[1].empty()) return;
  const Series series{run.family_series};
  panel.band(quartiles[0], quartiles[2], series);
  panel.line(quartiles[1], series);
  panel.label_end(quartiles[1].back(), run.policy, series);
}

std::vector<figure::LegendEntry> legend_of(const ReportSources& sources, const MeasureLines& lines) {
  std::map<std::pair<int, std::string>, bool> names;
  for (const Column& column : lines.columns) {
    for (const Line& line : column.lines) {
      const ReportedRun& run = sources.runs()[line.run];
      if (!run.policy.empty()) names[{run.family_series, run.policy}] = true;
    }
  }
  std::vector<figure::LegendEntry> entries;
  entries.reserve(names.size());
  for (const auto& [name, seen] : names)
    entries.push_back({name.second, {name.first}, figure::Sample::kLine});
  return entries;
}

/// What a signal counts: as its own parameter says, else the first words of its description; empty where
/// these are no unit.
std::string unit_of(const std::string& signal) {
  const schemas::NamedSpec spec = schemas::parse_named_spec(signal);
  for (const auto& [key, value] : spec.values) {
    if (key == "unit") return value;
  }
  constexpr std::array kUnits{"bytes", "bits", "phrases", "thousandths of a nat"};
  for (const replay::SignalRow& row : replay::signal_rows()) {
    if (spec.name != row.name) continue;
    for (const std::string_view unit : kUnits) {
      if (std::string_view(row.description).starts_with(unit)) return std::string(unit);
    }
  }
  return "";
}

std::string draw(const ReportSources& sources, const MeasureLines& lines, const ReportFigure& figure) {
  std::vector<std::string> titles;
  for (const Column& column : lines.columns) titles.push_back(column.setting);
  const std::size_t panels = titles.size();
  const bool single = panels == 1;
  const auto legend = legend_of(sources, lines);
  figure::Svg svg(figure.id, single ? figure::FigureWidth::kMiddle : width_for(panels));
  const Ranges ranges = ranges_of(lines);
  const std::string name = measure_name(lines.measure.signal, lines.measure.stream);
  const std::string unit = unit_of(lines.measure.signal);
  const std::int64_t f = sources.main_shape().every_tokens;
  const auto step = static_cast<double>(f);
  const figure::Axis x = token_axis(lines, step, ranges.token, single ? 7 : 4);
  const bool from_zero = x.kind == figure::ScaleKind::kLinear;
  const std::array y{figure::linear_axis(0, ranges.value, 6, figure::NumberForm::kPlain,
                                         name + (unit.empty() ? "" : ", " + unit)),
                     figure::linear_axis(ranges.growth_low, ranges.growth_high, 6, figure::NumberForm::kPlain,
                                         unit.empty() ? fmt::format("growth in {} tokens", figure::grouped(f))
                                                      : "growth, " + unit)};
  // Rows of panels in pairs: sizes above, growth below.
  const std::size_t columns = std::min<std::size_t>(3, panels);
  figure::PanelGrid grid;
  grid.width = svg.width();
  grid.left = 66;
  double widest = 0;
  for (const auto& entry : legend)
    widest = std::max(widest, figure::text_width(entry.name, figure::kSmallSize));
  grid.right = single ? 20 + widest : 12;
  grid.columns = static_cast<int>(columns);
  grid.panel_height = 130;
  grid.top = single || legend.empty()
                 ? 4
                 : figure::draw_legend(svg, {grid.left, 12}, svg.width() - grid.left, legend);
  std::vector<std::vector<std::string>> names;
  std::size_t most_lines = 1;
  for (const std::string& title : titles) {
    names.push_back(figure::wrapped(title, grid.panel_width() - 4, 3, figure::kSmallSize));
    most_lines = std::max(most_lines, names.back().size());
  }
  const double title = 13.5 * static_cast<double>(most_lines) + 6;
  const double block = title + 2 * grid.panel_height + 14 + 44;
  const std::size_t blocks = (panels + columns - 1) / columns;
  for (std::size_t i = 0; i < panels; ++i) {
    const std::size_t column = i % columns;
    const std::size_t block_row = i / columns;
    for (std::size_t row = 0; row < 2; ++row) {
      figure::Frame frame = grid.frame(0, static_cast<int>(column));
      frame.y = grid.top + block * static_cast<double>(block_row) + title +
                static_cast<double>(row) * (grid.panel_height + 14);
      Panel panel(svg, frame, x, y[row]);
      panel.draw_axes({row == 1, row == 1, column == 0, column == 0});
      if (row == 0) panel.draw_title(names[i]);
      if (row == 1) {
        for (const ReportedGuardian& guardian : sources.guardians()) {
          if (guardian.shape.every_tokens != f) continue;
          panel.level(static_cast<double>(guardian.t), fmt::format("t = {}", guardian.t));
        }
      }
      for (const Line& line : lines.columns[i].lines) {
        draw_line(panel, sources.runs()[line.run], line,
                  row == 0 ? &GrowthPoint::value : &GrowthPoint::growth, row == 0 && from_zero);
      }
      if (single) panel.draw_labels();
    }
  }
  return svg.finish(grid.top + block * static_cast<double>(blocks), figure.title, figure.description);
}

void fill_table(const ReportSources& sources, const MeasureLines& lines, ReportTable& table) {
  table.columns = {"run",       "problem_set", "model",         "policy",    "signal",
                   "stream",    "token",       "traces",        "value_q25", "value_median",
                   "value_q75", "growth_q25",  "growth_median", "growth_q75"};
  for (const Column& column : lines.columns) {
    for (const Line& line : column.lines) {
      const Cell& cell = sources.runs()[line.run].whole.cell;
      for (const GrowthPoint& point : line.growth) {
        std::vector<std::string> row{cell.run,
                                     cell.problem_set,
                                     cell.model,
                                     cell.policy,
                                     lines.measure.signal,
                                     lines.measure.stream,
                                     std::to_string(point.token),
                                     std::to_string(point.traces)};
        for (const Quartiles& quartiles : {point.value, point.growth}) {
          for (const double quartile : quartiles) row.push_back(fmt::format("{:.2f}", quartile));
        }
        table.rows.push_back(std::move(row));
      }
    }
  }
}

/// The lines of all measures, the main one first, and how many runs are drawn.
struct Measured {
  std::vector<MeasureLines> all;
  std::size_t runs = 0;
};

Measured measure_all(ReportSources& sources, std::vector<std::string>& notes) {
  const auto settings = choose_lines(sources);
  Measured measured;
  auto& all = measured.all;
  for (std::size_t s = 0; s < settings.size(); ++s) {
    for (const std::size_t run : settings[s]) {
      try {
        measure_run(sources, run, s, sources.runs()[run].setting, settings.size(), all);
        ++measured.runs;
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kNotFound && error.code() != ErrorCode::kUsage) throw;
        notes.push_back(fmt::format("Curves of {} are not drawn: {}.", sources.runs()[run].name(),
                                    sources.in_words(error.what())));
      }
    }
  }
  std::stable_sort(all.begin(), all.end(), [&](const MeasureLines& a, const MeasureLines& b) {
    const auto place = [&](const Measure& one) { return sources.series_of(one.signal, one.stream); };
    return place(a.measure) < place(b.measure);
  });
  for (MeasureLines& one : all) {
    std::erase_if(one.columns, [](const Column& column) {
      return std::all_of(column.lines.begin(), column.lines.end(),
                         [](const Line& line) { return line.growth.empty(); });
    });
  }
  std::erase_if(all, [](const MeasureLines& one) { return one.columns.empty(); });
  return measured;
}

ReportFigure draw_measure(const ReportSources& sources, const MeasureLines& lines, bool is_main) {
  const std::string name = measure_name(lines.measure.signal, lines.measure.stream);
  ReportFigure figure;
  figure.id = is_main ? "curves" : "curves-" + figure::slug(name);
  figure.title = fmt::format("{}: size and growth", name);
  figure.description = fmt::format(
      "Medians and quartiles over the traces that are as long as that; a line ends where fewer than {} or a "
      "quarter of its traces are, and its table has how many there are at each point. Above the signal of "
      "the "
      "first tokens, below how much it grew in the last {}; a guardian stops where that is below t.",
      kFewTraces, figure::grouped(sources.main_shape().every_tokens));
  figure.svg = draw(sources, lines, figure);
  fill_table(sources, lines, figure.table);
  return figure;
}

}  // namespace

Drawing draw_curves(ReportSources& sources) {
  Drawing drawing;
  if (!sources.main_measure()) {
    drawing.notes.push_back(fmt::format(
        "There are no curves: none are stored; `lil replay {} --signal 'zlib(level=6)'` makes them.",
        sources.store_name()));
    return drawing;
  }
  const Measured measured = measure_all(sources, drawing.notes);
  const auto& all = measured.all;
  if (all.empty() && drawing.notes.empty()) {
    drawing.notes.push_back(
        fmt::format("There are no curves: no trace has {} tokens, one step of the rule {}.",
                    sources.main_shape().every_tokens, sources.main_shape().name));
  }
  for (std::size_t m = 0; m < std::min(kMostMeasures, all.size()); ++m)
    drawing.figures.push_back(draw_measure(sources, all[m], m == 0));
  if (all.size() > kMostMeasures) {
    drawing.notes.push_back(fmt::format(
        "Curves: the first {} of {} signals and streams are drawn; --signal NAME asks for another.",
        kMostMeasures, all.size()));
  }
  if (measured.runs < sources.runs().size()) {
    drawing.notes.push_back(fmt::format(
        "Curves: {} of {} runs are drawn: full attention, and of up to {} further policies one run "
        "each, at the budget that all have and with right answers where there is such a run, else "
        "the one that wrote the most tokens; --where 'run=UID' asks for another.",
        measured.runs, sources.runs().size(), kMostLines - 1));
  }
  return drawing;
}

}  // namespace lil::analyze
