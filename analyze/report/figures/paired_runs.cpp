#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "analyze/compare/compare_runs.h"
#include "analyze/report/figure/numbers.h"
#include "analyze/report/figures/multiples.h"
#include "analyze/report/report_figures.h"

namespace lil::analyze {
namespace {

using figure::Panel;
using figure::Sample;
using figure::Series;

constexpr std::size_t kMostPanels = 9;

/// What became of a problem from A to B.
struct Change {
  const char* name;
  Series series;
  bool hollow;
  bool (*is)(const PairedProblem& problem);
};

/// The frequent ones are drawn first, below the others. Without a gold answer a problem is in neither right.
constexpr std::array kChanges{
    Change{"right in neither", Series{9}, true,
           [](const PairedProblem& p) { return !p.is_changed() && p.a.right == 0; }},
    Change{"equally right", Series{1}, true,
           [](const PairedProblem& p) { return !p.is_changed() && p.a.right > 0; }},
    Change{"less right in B", Series{2}, false, [](const PairedProblem& p) { return p.b.right < p.a.right; }},
    Change{"more right in B", Series{3}, false, [](const PairedProblem& p) { return p.b.right > p.a.right; }},
};

struct DrawnPair {
  const RunPair* pair = nullptr;
  std::vector<PairedProblem> problems;
  PairedRuns summary;
};

/// Tokens as a log axis has a place for.
double shown(double tokens) {
  return std::max(1.0, tokens);
}

figure::Axis token_axis(const std::vector<DrawnPair>& pairs, const std::string& title) {
  constexpr int kTicks = 5;
  double low = std::numeric_limits<double>::max();
  double high = 1;
  for (const DrawnPair& pair : pairs) {
    for (const PairedProblem& problem : pair.problems) {
      low = std::min({low, shown(problem.a.tokens), shown(problem.b.tokens)});
      high = std::max({high, problem.a.tokens, problem.b.tokens});
    }
  }
  return figure::log2_axis(std::min(low, high), high, kTicks, title);
}

std::string ratio_text(const PairedRuns& runs) {
  if (!runs.length_ratio) return "";
  const auto& [value, interval] = *runs.length_ratio;
  return fmt::format("B / A = {} ({} to {})", figure::spoken(value, 2), figure::spoken(interval.low, 2),
                     figure::spoken(interval.high, 2));
}

std::string title_of(const DrawnPair& pair) {
  return fmt::format("A {} \xC2\xB7 B {}", pair.pair->name_a, pair.pair->name_b);
}

void draw_panel(figure::Svg& svg, Panel& panel, const DrawnPair& pair, const figure::Axis& axis) {
  panel.line({{axis.low, axis.low}, {axis.high, axis.high}}, {0}, "lead");
  for (const Change& change : kChanges) {
    for (const PairedProblem& problem : pair.problems) {
      if (!change.is(problem)) continue;
      panel.point(
          {shown(problem.a.tokens), shown(problem.b.tokens)}, change.series,
          fmt::format("{}: {} and {} tokens, {}", problem.problem_id, figure::spoken(problem.a.tokens, 0),
                      figure::spoken(problem.b.tokens, 0), change.name),
          change.hollow);
    }
  }
  svg.text({panel.frame().x + 5, panel.frame().y + 12}, ratio_text(pair.summary), "small halo");
}

std::string draw(const std::vector<DrawnPair>& pairs, const ReportFigure& figure) {
  std::vector<std::string> titles;
  titles.reserve(pairs.size());
  for (const DrawnPair& pair : pairs) titles.push_back(title_of(pair));
  std::vector<figure::LegendEntry> legend;
  for (const Change& change : kChanges) {
    const bool any = std::any_of(pairs.begin(), pairs.end(), [&](const DrawnPair& pair) {
      return std::any_of(pair.problems.begin(), pair.problems.end(), change.is);
    });
    if (any)
      legend.push_back({change.name, change.series, change.hollow ? Sample::kHollow : Sample::kMarker});
  }
  figure::Svg svg(figure.id, pairs.size() == 1 ? figure::FigureWidth::kMiddle : width_for(pairs.size()));
  const Multiples multiples(svg, titles, legend,
                            {.panel_height = pairs.size() == 1 ? 400.0 : 220.0, .title_lines = 4});
  const figure::Axis x = token_axis(pairs, "tokens in A");
  figure::Axis y = x;
  y.title = "tokens in B";
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    Panel panel(svg, multiples.frame(i), x, y);
    panel.draw_axes(multiples.parts(i));
    panel.draw_title(multiples.title(i));
    draw_panel(svg, panel, pairs[i], x);
  }
  return svg.finish(multiples.height(), figure.title, figure.description);
}

void add_rows(const DrawnPair& pair, ReportTable& table) {
  for (const PairedProblem& problem : pair.problems) {
    table.rows.push_back({pair.pair->a->run.uid, pair.pair->b->run.uid, pair.pair->a->problem_set,
                          problem.problem_id, std::to_string(problem.a.traces),
                          std::to_string(problem.b.traces), figure::share_cell(problem.a.right),
                          figure::share_cell(problem.b.right), figure::share_cell(problem.a.tokens),
                          figure::share_cell(problem.b.tokens), std::to_string(problem.a.capped),
                          std::to_string(problem.b.capped)});
  }
}

}  // namespace

ReportFigure draw_paired_runs(const std::vector<RunPair>& pairs) {
  ReportFigure figure;
  figure.id = "paired-runs";
  figure.title = "Tokens of each problem in A and B";
  figure.description =
      "A point a problem that both runs have, by its mean tokens; above the diagonal B writes more. B / A: "
      "all tokens "
      "of B over those of A, with a 95 % bootstrap interval over problems.";
  figure.table.columns = {"run_a",   "run_b",   "problem_set", "problem_id", "traces_a", "traces_b",
                          "right_a", "right_b", "tokens_a",    "tokens_b",   "capped_a", "capped_b"};
  std::vector<DrawnPair> drawn;
  std::size_t with_problems = 0;
  for (const RunPair& pair : pairs) {
    DrawnPair one{&pair, pair_problems(*pair.a, *pair.b), {}};
    if (one.problems.empty()) continue;
    add_rows(one, figure.table);
    if (++with_problems > kMostPanels) continue;
    one.summary = pair_runs(*pair.a, *pair.b, {});
    drawn.push_back(std::move(one));
  }
  if (with_problems > kMostPanels) {
    figure.description +=
        fmt::format(" The first {} of {} pairs are drawn; the table has all.", kMostPanels, with_problems);
  }
  if (drawn.empty()) {
    figure::Svg svg(figure.id, figure::FigureWidth::kNarrow);
    svg.text({12, 24}, "The runs have no problem in common.", "muted");
    figure.svg = svg.finish(40, figure.title, figure.description);
    return figure;
  }
  figure.svg = draw(drawn, figure);
  return figure;
}

}  // namespace lil::analyze
