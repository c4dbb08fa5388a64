#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "analyze/report/figure/numbers.h"
#include "analyze/report/figures/figures.h"
#include "analyze/report/figures/multiples.h"

namespace lil::analyze {
namespace {

using figure::Panel;
using figure::Point;
using figure::Series;

constexpr std::size_t kMostPanels = 9;

/// How a trace came out. What the cap cut counts as that whatever its answer: its length is not its own.
struct LengthOutcome {
  const char* name;
  Series series;
  bool (*is)(const GradedTrace& trace);
};

bool is_cut(const GradedTrace& trace) {
  return trace.info.finish == schemas::Finish::kLength;
}

constexpr std::array kOutcomes{
    LengthOutcome{
        "right", figure::kRight,
        [](const GradedTrace& trace) { return !is_cut(trace) && trace.right_at(trace.info.tokens); }},
    LengthOutcome{"wrong", figure::kWrong,
                  [](const GradedTrace& trace) {
                    const bool has_gold = trace.info.kind != schemas::AnswerKind::kNone;
                    return !is_cut(trace) && has_gold && !trace.right_at(trace.info.tokens);
                  }},
    LengthOutcome{"no gold answer", Series{3},
                  [](const GradedTrace& trace) {
                    return !is_cut(trace) && trace.info.kind == schemas::AnswerKind::kNone;
                  }},
    LengthOutcome{"cut by the cap", figure::kCut, is_cut},
};

std::vector<std::int64_t> sorted_lengths(const TraceGroup& group, const LengthOutcome& outcome) {
  std::vector<std::int64_t> lengths;
  for (const GradedTrace& trace : group.traces) {
    if (outcome.is(trace)) lengths.push_back(trace.info.tokens);
  }
  std::sort(lengths.begin(), lengths.end());
  return lengths;
}

/// The share of all traces that have this outcome and at most so many tokens.
std::vector<Point> cumulative(const std::vector<std::int64_t>& lengths, std::size_t of,
                              const figure::Axis& x) {
  std::vector<Point> points;
  const auto all = static_cast<double>(of);
  points.push_back({std::min(x.low, static_cast<double>(std::max<std::int64_t>(1, lengths.front()))), 0});
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (i + 1 < lengths.size() && lengths[i + 1] == lengths[i]) continue;
    const auto length = static_cast<double>(std::max<std::int64_t>(1, lengths[i]));
    points.push_back({length, static_cast<double>(i + 1) / all});
  }
  points.push_back({x.high, points.back().y});
  return points;
}

/// Interpolated between neighbours, as the quartiles of growth are.
std::string quartile(const std::vector<std::int64_t>& lengths, std::size_t quarters) {
  const double place = static_cast<double>(lengths.size() - 1) * static_cast<double>(quarters) / 4;
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, lengths.size() - 1);
  const double part = place - static_cast<double>(below);
  return fmt::format("{:.2f}", static_cast<double>(lengths[below]) * (1 - part) +
                                   static_cast<double>(lengths[above]) * part);
}

void add_rows(const TraceGroup& group, ReportTable& table) {
  for (const LengthOutcome& outcome : kOutcomes) {
    const auto lengths = sorted_lengths(group, outcome);
    if (lengths.empty()) continue;
    table.rows.push_back({group.run.uid, group.problem_set, group.run.model, group.run.policy, outcome.name,
                          std::to_string(lengths.size()), std::to_string(lengths.front()),
                          quartile(lengths, 1), quartile(lengths, 2), quartile(lengths, 3),
                          std::to_string(lengths.back())});
  }
}

/// But for the shortest of a hundred traces, which would take as much room as all others.
figure::Axis token_axis(ReportSources& sources, const std::vector<std::size_t>& runs) {
  constexpr std::size_t kHundred = 100;
  constexpr int kTicks = 5;
  std::vector<std::int64_t> lengths;
  for (const std::size_t run : runs) {
    for (const GradedTrace& trace : sources.group(run).traces)
      lengths.push_back(std::max<std::int64_t>(1, trace.info.tokens));
  }
  std::sort(lengths.begin(), lengths.end());
  return figure::log2_axis(static_cast<double>(lengths[lengths.size() / kHundred]),
                           static_cast<double>(lengths.back()), kTicks, "generated tokens");
}

void draw_panel(Panel& panel, const TraceGroup& group, const figure::Axis& x) {
  if (group.run.cap_tokens) {
    const auto cap = static_cast<double>(*group.run.cap_tokens);
    if (cap >= x.low && cap <= x.high) panel.upright(cap, "cap");
  }
  for (const LengthOutcome& outcome : kOutcomes) {
    const auto lengths = sorted_lengths(group, outcome);
    if (!lengths.empty()) panel.steps(cumulative(lengths, group.traces.size(), x), outcome.series);
  }
}

/// What is said where logs do not say how traces ended.
std::string unknown_ends(ReportSources& sources, const std::vector<std::size_t>& runs) {
  std::int64_t traces = 0;
  std::int64_t unknown = 0;
  for (const std::size_t run : runs) {
    const Cell& cell = sources.runs()[run].whole.cell;
    traces += cell.traces;
    unknown += cell.traces - cell.finish_known;
  }
  if (unknown == 0) return "";
  const std::string which =
      unknown == traces ? "Here no record says how a trace ended"
                        : fmt::format("The record of {} of the {} traces here does not say how they ended",
                                      figure::grouped(unknown), figure::grouped(traces));
  return " " + which + ": one that a cap cut before its answer counts as wrong.";
}

}  // namespace

Drawing draw_lengths(ReportSources& sources) {
  const std::vector<std::size_t> runs = sources.choose_runs(kMostPanels);
  ReportFigure figure;
  figure.id = "lengths";
  figure.title = "Lengths by outcome";
  figure.description =
      "Share of all traces of a run that came out so and have at most so many tokens: each line ends at the "
      "share of its "
      "outcome. What the cap is known to have cut is not counted as right or wrong." +
      unknown_ends(sources, runs) + common_setting(sources, runs);
  std::vector<figure::LegendEntry> legend;
  for (const LengthOutcome& outcome : kOutcomes) {
    const bool any = std::any_of(runs.begin(), runs.end(), [&](std::size_t run) {
      return !sorted_lengths(sources.group(run), outcome).empty();
    });
    if (any) legend.push_back({outcome.name, outcome.series, figure::Sample::kLine});
  }
  figure::Svg svg(figure.id, width_for(runs.size()));
  const Multiples multiples(svg, names_of(sources, runs), legend, {});
  const figure::Axis x = token_axis(sources, runs);
  const figure::Axis y = figure::linear_axis(0, 1, 6, figure::NumberForm::kPercent, "traces, %");
  figure.table.columns = {"run",        "problem_set", "model",         "policy",     "outcome",   "traces",
                          "tokens_min", "tokens_q25",  "tokens_median", "tokens_q75", "tokens_max"};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Panel panel(svg, multiples.frame(i), x, y);
    panel.draw_axes(multiples.parts(i));
    panel.draw_title(multiples.title(i));
    draw_panel(panel, sources.group(runs[i]), x);
    add_rows(sources.group(runs[i]), figure.table);
  }
  figure.svg = svg.finish(multiples.height(), figure.title, figure.description);
  Drawing drawing;
  drawing.figures.push_back(std::move(figure));
  const std::string left_out = sources.left_out(runs);
  if (!left_out.empty()) drawing.notes.push_back("Lengths: " + left_out + ".");
  return drawing;
}

}  // namespace lil::analyze
