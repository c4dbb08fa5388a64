#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "analyze/intervals.h"
#include "analyze/report/figure/numbers.h"
#include "analyze/report/figure/text_size.h"
#include "analyze/report/figure/xml.h"
#include "analyze/report/figures/figures.h"
#include "analyze/report/figures/multiples.h"
#include "analyze/report/figures/risk_bound.h"

namespace lil::analyze {
namespace {

using figure::Frame;
using figure::Series;

constexpr std::size_t kMostRuns = 4;
constexpr std::size_t kMostThresholds = 9;
constexpr double kCellHeight = 19;
constexpr double kLeft = 46;
constexpr Series kSavedColour{1};
constexpr Series kLossColour{2};
constexpr Series kGainColour{3};

/// The planes of one run: frontiers by ascending f.
struct Plane {
  std::size_t run = 0;
  GoldCounts gold;
  std::vector<const Frontier*> rows;

  [[nodiscard]] bool has_gold() const { return gold.traces > 0; }
};

/// With fewer problems every cell would be hatched, and the hatch say nothing.
bool can_be_without_hatch(const Plane& plane, const ReportRequest& request) {
  return plane.gold.problems >= traces_without_harm(request.alpha, request.delta);
}

/// What a guardian does at one setting.
struct PlaneCell {
  Cell cell;  ///< with f and t in its rule
  std::int64_t f = 0;
  std::int64_t t = 0;
  double saved = 0;
  double change = 0;  ///< of accuracy
  double bound = 1;   ///< of harm
};

PlaneCell cell_at(const Plane& plane, const Frontier& frontier, std::int64_t t, double delta) {
  const auto after =
      std::upper_bound(frontier.rows.begin(), frontier.rows.end(), t,
                       [](std::int64_t value, const FrontierRow& row) { return value < row.t; });
  PlaneCell found{frontier.cell, frontier.shape.every_tokens, t};
  Cell& cell = found.cell;
  cell.rule = frontier.shape.with_threshold(t);
  if (after != frontier.rows.begin()) {
    const FrontierRow& row = *(after - 1);
    cell.kept = row.kept;
    cell.stopped = row.stopped;
    cell.right_stop = row.right_stop;
    cell.harm = row.harm;
    cell.gain = row.gain;
  }
  if (cell.tokens > 0) found.saved = 1 - static_cast<double>(cell.kept) / static_cast<double>(cell.tokens);
  if (plane.gold.traces > 0) {
    found.change =
        static_cast<double>(cell.right_stop - cell.right_full) / static_cast<double>(plane.gold.traces);
  }
  found.bound = harm_bound(plane.gold, cell.harm, delta);
  return found;
}

/// Round thresholds over the range in which anything happens, those of the rules among them.
std::vector<std::int64_t> thresholds(const ReportSources& sources, const std::vector<Plane>& planes) {
  std::vector<std::int64_t> corners;
  for (const Plane& plane : planes) {
    for (const Frontier* frontier : plane.rows) {
      for (const FrontierRow& row : frontier->rows) corners.push_back(row.t);
    }
  }
  std::sort(corners.begin(), corners.end());
  const std::int64_t highest =
      corners.empty() ? 1 : std::max<std::int64_t>(1, corners[corners.size() * 9 / 10]);
  std::set<std::int64_t> found;
  for (const ReportedGuardian& guardian : sources.guardians()) found.insert(guardian.t);
  std::vector<std::int64_t> round;
  constexpr std::int64_t kTen = 10;
  for (std::int64_t unit = 1; unit <= highest; unit *= kTen) {
    for (const std::int64_t mantissa : {1, 2, 5}) {
      if (mantissa * unit <= highest) round.push_back(mantissa * unit);
    }
  }
  // The largest: small ones stop only what has come to a halt.
  for (auto t = round.rbegin(); t != round.rend() && found.size() < kMostThresholds; ++t) found.insert(*t);
  return {found.begin(), found.end()};
}

std::string tenths_class(double share) {
  constexpr double kTenths = 10;
  return fmt::format("o{}", std::clamp(static_cast<int>(std::lround(kTenths * share)), 0, 10));
}

/// One of the two maps of a run.
struct HeatMap {
  const char* title;
  bool is_change;
  double most;  ///< the value of the strongest colour
};

std::string link_to(const PlaneCell& found) {
  return fmt::format("#traces?run={}&set={}&signal={}&stream={}&f={}&t={}",
                     figure::url_component(found.cell.run), figure::url_component(found.cell.problem_set),
                     figure::url_component(found.cell.signal), figure::url_component(found.cell.stream),
                     found.f, found.t);
}

/// How a cell is marked.
struct CellMarks {
  bool hatched = false;
  bool chosen = false;  ///< a rule of the request
};

void draw_cell(figure::Svg& svg, const Frame& frame, const PlaneCell& found, const HeatMap& map,
               const CellMarks& marks) {
  const double value = map.is_change ? found.change : found.saved;
  const Series colour = !map.is_change ? kSavedColour : value < 0 ? kLossColour : kGainColour;
  const double strength = map.most > 0 ? std::abs(value) / map.most : 0;
  svg.begin_link(link_to(found),
                 fmt::format("f = {}, t = {}: {} of {} stopped, {} harmed (at most {} %), {} gained", found.f,
                             found.t, found.cell.stopped, found.cell.traces, found.cell.harm,
                             figure::spoken_percent(found.bound), found.cell.gain));
  svg.rect(frame, fmt::format("cell {} {}", colour.fill(), tenths_class(strength)));
  if (marks.hatched) svg.hatch({frame.x + 0.5, frame.y + 0.5, frame.width - 1, frame.height - 1});
  const std::string number = map.is_change ? figure::spoken_change(100 * value, 1)
                                           : figure::spoken_percent(value, value < 0.9995 ? 1 : 0);
  svg.text({frame.x + frame.width / 2, frame.y + frame.height / 2 + 3.5}, number,
           marks.hatched ? "tiny halo" : "tiny", figure::Anchor::kMiddle);
  if (marks.chosen) svg.rect({frame.x + 1, frame.y + 1, frame.width - 2, frame.height - 2}, "chosen");
  svg.end_link();
}

bool is_rule(const ReportSources& sources, const GuardianShape& shape, std::int64_t t) {
  const auto& guardians = sources.guardians();
  return std::any_of(guardians.begin(), guardians.end(), [&](const ReportedGuardian& guardian) {
    return guardian.t == t && guardian.shape.name == shape.name;
  });
}

/// Draws one map; returns the y below it.
double draw_map(figure::Svg& svg, figure::Pixel corner, double width, const Plane& plane,
                const std::vector<std::int64_t>& ts, const HeatMap& map, const ReportSources& sources,
                bool names_rows) {
  const ReportRequest& request = sources.request();
  const bool hatches = plane.has_gold() && can_be_without_hatch(plane, request);
  const double cell_width = width / static_cast<double>(ts.size());
  svg.text({corner.x, corner.y - 5}, map.title, "small");
  double y = corner.y;
  for (const Frontier* frontier : plane.rows) {
    if (names_rows) {
      svg.text({corner.x - 6, y + kCellHeight / 2 + 4}, std::to_string(frontier->shape.every_tokens),
               "small muted", figure::Anchor::kEnd);
    }
    double x = corner.x;
    for (const std::int64_t t : ts) {
      const PlaneCell found = cell_at(plane, *frontier, t, request.delta);
      draw_cell(svg, {x, y, cell_width, kCellHeight}, found, map,
                {hatches && found.bound > request.alpha, is_rule(sources, frontier->shape, t)});
      x += cell_width;
    }
    y += kCellHeight;
  }
  for (std::size_t i = 0; i < ts.size(); ++i) {
    svg.text({corner.x + cell_width * (static_cast<double>(i) + 0.5), y + 13}, figure::grouped(ts[i]),
             "small muted", figure::Anchor::kMiddle);
  }
  svg.text({corner.x + width / 2, y + 27}, "t", "small", figure::Anchor::kMiddle);
  if (names_rows) svg.upright_text({corner.x - 36, (corner.y + y) / 2}, "f, tokens", "small");
  return y + 27;
}

double largest_change(const std::vector<Plane>& planes, const std::vector<std::int64_t>& ts, double delta) {
  constexpr double kLeast = 0.05;
  double most = kLeast;
  for (const Plane& plane : planes) {
    for (const Frontier* frontier : plane.rows) {
      for (const std::int64_t t : ts)
        most = std::max(most, std::abs(cell_at(plane, *frontier, t, delta).change));
    }
  }
  return most;
}

void add_rows(const Plane& plane, const std::vector<std::int64_t>& ts, double delta, ReportTable& table) {
  for (const Frontier* frontier : plane.rows) {
    for (const std::int64_t t : ts) {
      const PlaneCell found = cell_at(plane, *frontier, t, delta);
      auto row = cell_values(found.cell, {"run", "problem_set", "signal", "stream", "rule"});
      row.push_back(std::to_string(found.f));
      row.push_back(std::to_string(t));
      for (std::string& value : cell_values(found.cell, {"traces"})) row.push_back(std::move(value));
      row.push_back(std::to_string(plane.gold.traces));
      for (std::string& value : cell_values(found.cell, {"tokens", "kept", "saved", "stopped", "right_full",
                                                         "right_stop", "harm", "gain", "harm_share"}))
        row.push_back(std::move(value));
      row.push_back(plane.has_gold() ? figure::share_cell(found.bound) : "");
      table.rows.push_back(std::move(row));
    }
  }
}

std::vector<Plane> planes_of(ReportSources& sources, Drawing& drawing) {
  std::vector<Plane> planes;
  for (const std::size_t run : sources.choose_runs(kMostRuns)) {
    const auto& found = sources.plane(run);
    if (!found.result) {
      drawing.notes.push_back(
          fmt::format("The plane of {} is not drawn: {}.", sources.runs()[run].name(), found.why_not));
      continue;
    }
    Plane plane{run, sources.gold(run), {}};
    for (const Frontier& frontier : *found.result) {
      if (!frontier.rows.empty()) plane.rows.push_back(&frontier);
    }
    if (plane.rows.size() > 1) {
      planes.push_back(std::move(plane));
    } else {
      drawing.notes.push_back(
          fmt::format("The plane of {} is not drawn: its traces have checks at {} value of f; `lil replay {} "
                      "--every TOKENS` with a "
                      "finer grid allows more.",
                      sources.runs()[run].name(), plane.rows.empty() ? "no" : "one", sources.store_name()));
    }
  }
  return planes;
}

/// The colours from the least to the most value of a map, with these two; returns the y below.
double draw_scale(figure::Svg& svg, figure::Pixel at, const HeatMap& map) {
  constexpr double kBox = 9;
  constexpr double kGap = 5;
  const auto text = [&](double value) {
    return map.is_change ? figure::spoken_change(100 * value, 0) : figure::spoken_percent(value, 0);
  };
  const std::string low = text(map.is_change ? -map.most : 0);
  svg.text({at.x, at.y + kBox}, low, "small muted");
  double x = at.x + figure::text_width(low, figure::kSmallSize) + kGap;
  for (int tenth = map.is_change ? -10 : 0; tenth <= 10; tenth += map.is_change ? 2 : 1) {
    const Series colour = !map.is_change ? kSavedColour : tenth < 0 ? kLossColour : kGainColour;
    svg.rect({x, at.y, kBox, kBox + 2}, fmt::format("solid {} o{}", colour.fill(), std::abs(tenth)));
    x += kBox;
  }
  svg.text({x + kGap, at.y + kBox}, text(map.most) + (map.is_change ? " points" : " %"), "small muted");
  return at.y + kBox;
}

std::vector<std::size_t> runs_of(const std::vector<Plane>& planes) {
  std::vector<std::size_t> runs;
  runs.reserve(planes.size());
  for (const Plane& plane : planes) runs.push_back(plane.run);
  return runs;
}

std::string draw(const ReportSources& sources, const std::vector<Plane>& planes,
                 const std::vector<std::int64_t>& ts, const ReportFigure& figure) {
  figure::Svg svg(figure.id, figure::FigureWidth::kWide);
  constexpr double kGap = 24;
  const double width = (svg.width() - kLeft - kGap - 4) / 2;
  const double most = largest_change(planes, ts, sources.request().delta);
  const std::vector<std::size_t> runs = runs_of(planes);
  const auto names = names_of(sources, runs);
  const HeatMap saved{"tokens saved, %", false, 1};
  const HeatMap change{"change of accuracy, points", true, most};
  const HeatMap unbounded{"change of accuracy, points (too few problems to bound harm)", true, most};
  const bool any_hatches = std::any_of(planes.begin(), planes.end(), [&](const Plane& plane) {
    return can_be_without_hatch(plane, sources.request());
  });
  double y = draw_scale(svg, {kLeft, 4}, saved) + 8;
  const auto has_gold = [](const Plane& plane) { return plane.has_gold(); };
  if (std::any_of(planes.begin(), planes.end(), has_gold)) draw_scale(svg, {kLeft + width + kGap, 4}, change);
  for (std::size_t i = 0; i < planes.size(); ++i) {
    y = svg.lines({kLeft, y + 12}, figure::wrapped(names[i], svg.width() - kLeft - 8, 2, figure::kSmallSize),
                  14, "head small");
    const figure::Pixel corner{kLeft, y + 6};
    const double below = draw_map(svg, corner, width, planes[i], ts, saved, sources, true);
    if (planes[i].has_gold()) {
      draw_map(svg, {corner.x + width + kGap, corner.y}, width, planes[i], ts,
               any_hatches && !can_be_without_hatch(planes[i], sources.request()) ? unbounded : change,
               sources, false);
    }
    y = below + 14;
  }
  return svg.finish(y, figure.title, figure.description);
}

/// What is hatched, or why nothing is.
std::string bound_text(const std::vector<Plane>& planes, const ReportRequest& request) {
  const auto any = [&](auto&& is) { return std::any_of(planes.begin(), planes.end(), is); };
  const bool hatches = any([&](const Plane& plane) { return can_be_without_hatch(plane, request); });
  const bool lacks =
      any([&](const Plane& plane) { return plane.has_gold() && !can_be_without_hatch(plane, request); });
  const std::string alpha = figure::spoken_level(request.alpha);
  const std::string confidence = figure::spoken_level(1 - request.delta);
  const std::string needed = figure::grouped(traces_without_harm(request.alpha, request.delta));
  std::string text;
  if (hatches) {
    text = fmt::format(
        " Hatched: harm (right in full, not at the stop) may be above {} % of the traces with a gold answer, "
        "by "
        "its exact bound at confidence {} %, {}.",
        alpha, confidence, unit_of_bounds(any([](const Plane& plane) { return plane.gold.has_repeats(); })));
  }
  if (lacks) {
    text += fmt::format(
        " {} has fewer than the {} problems with a gold answer that it takes to bound harm by {} % at "
        "confidence "
        "{} %: no cell of it is safe by such a bound, and none is hatched.",
        hatches ? "A run with too few problems" : "Every run here", needed, alpha, confidence);
  }
  return text;
}

std::string describe(const ReportSources& sources, const std::vector<Plane>& planes) {
  const ReportRequest& request = sources.request();
  const Measure& measure = *sources.main_measure();
  std::string text = fmt::format(
      "guardian(f, t) on {}, over all traces of a run. A cell leads to its traces; framed are the rules of "
      "the report.",
      measure_name(measure.signal, measure.stream));
  const bool any_gold =
      std::any_of(planes.begin(), planes.end(), [](const Plane& plane) { return plane.has_gold(); });
  if (any_gold) text += bound_text(planes, request);
  const std::vector<std::size_t> runs = runs_of(planes);
  return text + common_setting(sources, runs);
}

}  // namespace

Drawing draw_plane(ReportSources& sources) {
  Drawing drawing;
  if (!sources.main_measure()) {
    drawing.notes.push_back(
        fmt::format("There is no (f, t) plane: no curves are stored; `lil replay {} --signal "
                    "'zlib(level=6)'` makes them.",
                    sources.store_name()));
    return drawing;
  }
  const std::vector<Plane> planes = planes_of(sources, drawing);
  if (planes.empty()) return drawing;
  const auto ts = thresholds(sources, planes);
  ReportFigure figure;
  figure.id = "plane";
  figure.title = "Every f and t: what is saved and what it costs";
  figure.description = describe(sources, planes);
  figure.svg = draw(sources, planes, ts, figure);
  figure.table.columns = {"run",  "problem_set", "signal",     "stream",     "rule",
                          "f",    "t",           "traces",     "with_gold",  "tokens",
                          "kept", "saved",       "stopped",    "right_full", "right_stop",
                          "harm", "gain",        "harm_share", "harm_bound"};
  for (const Plane& plane : planes) add_rows(plane, ts, sources.request().delta, figure.table);
  drawing.figures.push_back(std::move(figure));
  const std::vector<std::size_t> drawn = runs_of(planes);
  const std::string left_out = sources.left_out(drawn);
  if (!left_out.empty()) drawing.notes.push_back("The (f, t) plane: " + left_out + ".");
  return drawing;
}

}  // namespace lil::analyze
