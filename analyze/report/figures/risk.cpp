#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analyze/report/figure/numbers.h"
#include "analyze/report/figures/figures.h"
#include "analyze/report/figures/multiples.h"
#include "analyze/report/figures/risk_bound.h"

namespace lil::analyze {
namespace {

using figure::Panel;
using figure::Point;
using figure::Series;

constexpr std::size_t kMostPanels = 6;
constexpr Series kHarm{2};
constexpr Series kChosen{1};

/// One run: the frontier shown, and what was certified on it.
struct RiskLine {
  std::size_t run = 0;
  GoldCounts gold;
  const Frontier* frontier = nullptr;
  const ComparedSignal* certified = nullptr;  ///< of the main measure; null where the run cannot be split
};

const ComparedSignal* main_signal(const ReportSources& sources, const Attempt<SignalComparison>& comparison) {
  if (!comparison.result) return nullptr;
  for (const ComparedSignal& signal : comparison.result->signals) {
    if (signal.measure.signal == sources.main_measure()->signal &&
        signal.measure.stream == sources.main_measure()->stream)
      return &signal;
  }
  return nullptr;
}

const Frontier* frontier_of(const std::vector<Frontier>& frontiers, const std::string& shape) {
  for (const Frontier& frontier : frontiers) {
    if (frontier.shape.name == shape) return &frontier;
  }
  return nullptr;
}

std::vector<RiskLine> lines_of(ReportSources& sources, Drawing& drawing) {
  std::vector<RiskLine> lines;
  for (const std::size_t run : sources.choose_runs(kMostPanels, &kWithRightAnswers)) {
    const std::string name = sources.runs()[run].name();
    const auto& plane = sources.plane(run);
    if (!plane.result) {
      drawing.notes.push_back(fmt::format("Risk against t of {} is not drawn: {}.", name, plane.why_not));
      continue;
    }
    RiskLine line{run, sources.gold(run), nullptr, main_signal(sources, sources.comparison(run))};
    if (line.certified != nullptr && line.certified->t)
      line.frontier = frontier_of(*plane.result, line.certified->shape);
    if (line.frontier == nullptr) line.frontier = frontier_of(*plane.result, sources.main_shape().name);
    if (line.frontier == nullptr && !plane.result->empty()) line.frontier = &plane.result->back();
    if (line.frontier == nullptr || line.frontier->rows.empty()) {
      drawing.notes.push_back(fmt::format("Risk against t of {} is not drawn: no t stops anything.", name));
      continue;
    }
    lines.push_back(line);
  }
  return lines;
}

/// All that stop at t below 1 stand at the left end.
double shown(std::int64_t t) {
  return static_cast<double>(std::max<std::int64_t>(1, t));
}

double harm_share(const GoldCounts& gold, std::int64_t harmed) {
  return static_cast<double>(harmed) / static_cast<double>(gold.traces);
}

struct Steps {
  std::vector<Point> harm;
  std::vector<Point> bound;
};

Steps steps_of(const RiskLine& line, double delta, double last) {
  Steps steps;
  const auto add = [&](double t, std::int64_t harmed) {
    // Of several rows at the left end the last one counts.
    if (!steps.harm.empty() && steps.harm.back().x == t) {
      steps.harm.pop_back();
      steps.bound.pop_back();
    }
    steps.harm.push_back({t, harm_share(line.gold, harmed)});
    steps.bound.push_back({t, harm_bound(line.gold, harmed, delta)});
  };
  add(1, 0);
  for (const FrontierRow& row : line.frontier->rows) add(shown(row.t), row.harm);
  if (last > steps.harm.back().x) {
    steps.harm.push_back({last, steps.harm.back().y});
    steps.bound.push_back({last, steps.bound.back().y});
  }
  return steps;
}

/// As high as alpha is to be seen well in, though lines go on above.
double top_of(const std::vector<RiskLine>& lines, const ReportRequest& request) {
  constexpr double kAlphas = 5;
  double top = kAlphas * request.alpha;
  for (const RiskLine& line : lines) top = std::max(top, 1.5 * harm_bound(line.gold, 0, request.delta));
  return std::min(1.0, top);
}

void add_rows(const ReportSources& sources, const RiskLine& line, ReportTable& table) {
  const Cell& cell = line.frontier->cell;
  const FrontierRow* before = nullptr;
  for (const FrontierRow& row : line.frontier->rows) {
    // Where harm stays, the last t of that harm saves most; rows between say nothing new of the risk.
    const bool last_of_harm = &row == &line.frontier->rows.back() || (&row + 1)->harm != row.harm;
    const bool certified = line.certified != nullptr && line.certified->t == row.t;
    if (before != nullptr && before->harm == row.harm && !last_of_harm && !certified) continue;
    before = &row;
    const double saved =
        cell.tokens == 0 ? 0 : 1 - static_cast<double>(row.kept) / static_cast<double>(cell.tokens);
    table.rows.push_back({cell.run,
                          cell.problem_set,
                          cell.signal,
                          cell.stream,
                          cell.rule,
                          std::to_string(line.frontier->shape.every_tokens),
                          std::to_string(row.t),
                          std::to_string(cell.traces),
                          std::to_string(line.gold.traces),
                          std::to_string(cell.tokens),
                          std::to_string(row.kept),
                          figure::share_cell(saved),
                          std::to_string(row.stopped),
                          std::to_string(cell.right_full),
                          std::to_string(row.right_stop),
                          std::to_string(row.harm),
                          std::to_string(row.gain),
                          figure::share_cell(harm_share(line.gold, row.harm)),
                          figure::share_cell(harm_bound(line.gold, row.harm, sources.request().delta)),
                          figure::share_cell(sources.request().alpha),
                          certified ? "1" : "0"});
  }
}

bool is_certified(const RiskLine& line) {
  const ComparedSignal* certified = line.certified;
  return certified != nullptr && certified->t && certified->shape == line.frontier->shape.name;
}

/// Along the upper edge where it is above it, with how high it goes.
void draw_harm(Panel& panel, const std::vector<Point>& harm, double top) {
  constexpr double kEdge = 0.992;  // of the axis: so that all of the line's width is in the frame
  std::vector<Point> shown = harm;
  const Point* first_above = nullptr;
  double highest = 0;
  for (std::size_t i = 0; i < harm.size(); ++i) {
    shown[i].y = std::min(harm[i].y, kEdge * top);
    highest = std::max(highest, harm[i].y);
    if (first_above == nullptr && harm[i].y > top) first_above = &harm[i];
  }
  panel.steps(shown, kHarm, "line", figure::Dash::kSolid);
  if (first_above != nullptr) {
    panel.off_scale(*first_above, fmt::format("off scale: up to {} %", figure::spoken_percent(highest, 0)),
                    kHarm, "", 1);
  }
}

std::string draw(const ReportSources& sources, const std::vector<RiskLine>& lines,
                 const ReportFigure& figure) {
  const ReportRequest& request = sources.request();
  std::vector<std::size_t> runs;
  double last = 2;
  for (const RiskLine& line : lines) {
    runs.push_back(line.run);
    last = std::max(last, shown(line.frontier->rows.back().t));
  }
  std::vector<std::string> titles = names_of(sources, runs);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    titles[i] += fmt::format(" \xC2\xB7 {}, n\xC2\xA0=\xC2\xA0{}", lines[i].frontier->shape.name,
                             figure::grouped(lines[i].gold.traces));
  }
  figure::Svg svg(figure.id, width_for(lines.size()));
  std::vector<figure::LegendEntry> legend{
      {"harm", kHarm, figure::Sample::kSolidLine},
      {fmt::format("its {} % bound", figure::spoken_level(1 - request.delta)), kHarm,
       figure::Sample::kReference},
      {fmt::format("\xCE\xB1 = {} %", figure::spoken_level(request.alpha)), {0}, figure::Sample::kReference}};
  if (std::any_of(lines.begin(), lines.end(), is_certified))
    legend.push_back({"certified t", kChosen, figure::Sample::kReference});
  const Multiples multiples(svg, titles, legend, {.title_lines = 4});
  const figure::Axis x = figure::log2_axis(1, last, 6, "t");
  const figure::Axis y =
      figure::linear_axis(0, top_of(lines, request), 6, figure::NumberForm::kPercent, "harm, %");
  for (std::size_t i = 0; i < lines.size(); ++i) {
    Panel panel(svg, multiples.frame(i), x, y);
    panel.draw_axes(multiples.parts(i));
    panel.draw_title(multiples.title(i));
    const Steps steps = steps_of(lines[i], request.delta, x.high);
    panel.step_band(steps.harm, steps.bound, kHarm);
    panel.steps(steps.bound, kHarm, "thin", figure::Dash::kReference);
    panel.level(request.alpha, "");
    draw_harm(panel, steps.harm, y.high);
    const ComparedSignal* certified = lines[i].certified;
    if (is_certified(lines[i])) {
      panel.upright(shown(*certified->t), fmt::format("t = {}", *certified->t), kChosen);
    } else {
      const auto& frame = panel.frame();
      svg.text({frame.x + 5, frame.y + 39},
               certified == nullptr ? "too few problems to certify" : "nothing certified",
               "small muted halo");
    }
  }
  return svg.finish(multiples.height(), figure.title, figure.description);
}

}  // namespace

Drawing draw_risk(ReportSources& sources) {
  Drawing drawing;
  if (!sources.main_measure() || !sources.any_gold()) {
    drawing.notes.push_back(!sources.any_gold()
                                ? "There is no risk against t: no problem has a gold answer, so that nothing "
                                  "can be right; `lil import … "
                                  "--field gold=KEY` reads them."
                                : fmt::format("There is no risk against t: no curves are stored; `lil replay "
                                              "{} --signal 'zlib(level=6)'` "
                                              "makes them.",
                                              sources.store_name()));
    return drawing;
  }
  const std::vector<RiskLine> lines = lines_of(sources, drawing);
  if (lines.empty()) {
    if (drawing.notes.empty()) {
      drawing.notes.emplace_back(
          "There is no risk against t: no trace is right in full, so that none can be harmed.");
    }
    return drawing;
  }
  const Measure& measure = *sources.main_measure();
  std::vector<std::size_t> runs;
  runs.reserve(lines.size());
  for (const RiskLine& line : lines) runs.push_back(line.run);
  const bool any_repeats =
      std::any_of(lines.begin(), lines.end(), [](const RiskLine& line) { return line.gold.has_repeats(); });
  ReportFigure figure;
  figure.id = "risk";
  figure.title = "Risk against t";
  figure.description = fmt::format(
      "Share of the traces with a gold answer that are right in full and not at the stop of a guardian on "
      "{}, "
      "with its "
      "exact bound, {}; thresholds below 1 stand at 1. The t certified by Learn-then-Test on "
      "calibrate "
      "problems (harm at most {} %, confidence {} %) is marked; a bound below \xCE\xB1 alone certifies "
      "nothing.{}",
      measure_name(measure.signal, measure.stream), unit_of_bounds(any_repeats),
      figure::spoken_level(sources.request().alpha), figure::spoken_level(1 - sources.request().delta),
      common_setting(sources, runs));
  figure.svg = draw(sources, lines, figure);
  figure.table.columns = {"run",        "problem_set", "signal",     "stream", "rule", "f",
                          "t",          "traces",      "with_gold",  "tokens", "kept", "saved",
                          "stopped",    "right_full",  "right_stop", "harm",   "gain", "harm_share",
                          "harm_bound", "alpha",       "certified"};
  for (const RiskLine& line : lines) add_rows(sources, line, figure.table);
  drawing.figures.push_back(std::move(figure));
  const std::string left_out = sources.left_out(runs, &kWithRightAnswers);
  if (!left_out.empty()) drawing.notes.push_back("Risk against t: " + left_out + ".");
  return drawing;
}

}  // namespace lil::analyze
