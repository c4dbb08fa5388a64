#include "analyze/report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <set>
#include <utility>

#include "analyze/report/figure/numbers.h"
#include "analyze/report/figure/xml.h"
#include "analyze/report/page/explorer_html.h"
#include "analyze/report/page/page.h"
#include "analyze/report/page/run_names.h"
#include "schemas/error.h"

namespace lil::analyze {
namespace {

using figure::grouped;
using figure::spoken_percent;
using figure::xml_text;

/// Where each rule stops each trace; the same left-out trace is told of once.
std::vector<GroupCells> groups_of(const schemas::Store& store, const ReportRequest& request) {
  CellRequest cells;
  static_cast<SourceRequest&>(cells) = request;
  cells.rules = request.rules;
  cells.baselines = false;
  cells.bootstrap.replicates = 1;  // no interval of these cells is shown
  return analyze_groups(store, cells);
}

/// Counts of a run and problem set.
struct GroupCounts {
  std::int64_t tokens = 0;
  std::int64_t right = 0;
  std::int64_t gold = 0;
  std::int64_t cut = 0;
  std::int64_t finish_known = 0;
};

GroupCounts count(const TraceGroup& group) {
  GroupCounts counts;
  for (const GradedTrace& trace : group.traces) {
    counts.tokens += trace.info.tokens;
    counts.right += trace.right_at(trace.info.tokens) ? 1 : 0;
    counts.gold += trace.has_gold() ? 1 : 0;
    counts.cut += trace.info.finish == schemas::Finish::kLength ? 1 : 0;
    counts.finish_known += trace.info.finish == schemas::Finish::kPartial ? 0 : 1;
  }
  return counts;
}

std::string share_of(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return page::kNotKnown;
  return spoken_percent(static_cast<double>(part) / static_cast<double>(whole)) + " %";
}

/// Rounded as `lil analyze` does it: halves to even.
std::string mean_of(std::int64_t sum, std::int64_t count) {
  if (count == 0) return page::kNotKnown;
  return grouped(std::llrint(static_cast<double>(sum) / static_cast<double>(count)));
}

/// A column of the runs' table.
struct RunColumn {
  std::string name;
  bool only_if_different = false;  ///< left out where all rows have one value: the sentence above names it
  bool only_if_any = false;        ///< left out where no row has a value
  std::string (*value)(const TraceGroup& group, const GroupCounts& counts);
};

/// In the order of reading: what a run is, how well it did, at what length. A narrow window shows the first.
std::vector<RunColumn> run_columns() {
  using Group = TraceGroup;
  using Counts = GroupCounts;
  return {
      {"run", false, false, [](const Group& g, const Counts&) { return g.run.uid; }},
      {"model", true, false, [](const Group& g, const Counts&) { return g.run.model; }},
      {"policy", true, false, [](const Group& g, const Counts&) { return page::brief_policy(g.run.policy); }},
      {"problem set", true, false, [](const Group& g, const Counts&) { return g.problem_set; }},
      {"right", false, false,
       [](const Group&, const Counts& c) {
         return c.gold == 0 ? std::string(page::kNotKnown) : grouped(c.right);
       }},
      {"with gold", false, false, [](const Group&, const Counts& c) { return grouped(c.gold); }},
      {"right of those with gold", false, false,
       [](const Group&, const Counts& c) { return share_of(c.right, c.gold); }},
      {"traces", false, false,
       [](const Group& g, const Counts&) { return grouped(static_cast<std::int64_t>(g.traces.size())); }},
      {"not complete, left out", false, true,
       [](const Group& g, const Counts&) {
         return g.incomplete == 0 ? std::string() : grouped(g.incomplete);
       }},
      {"problems", false, false,
       [](const Group& g, const Counts&) { return grouped(static_cast<std::int64_t>(g.problems)); }},
      {"mean tokens", false, false,
       [](const Group& g, const Counts& c) {
         return mean_of(c.tokens, static_cast<std::int64_t>(g.traces.size()));
       }},
      {"cap", false, false,
       [](const Group& g, const Counts&) {
         return g.run.cap_tokens ? grouped(*g.run.cap_tokens) : std::string(page::kNotKnown);
       }},
      {"cut by it", false, false,
       [](const Group&, const Counts& c) { return share_of(c.cut, c.finish_known); }},
      {"stopped live by", false, true, [](const Group& g, const Counts&) { return g.run.stop_rule; }},
  };
}

bool is_shown(const RunColumn& column, const std::vector<std::string>& values) {
  if (column.only_if_different) {
    return std::any_of(values.begin(), values.end(),
                       [&](const auto& value) { return value != values.front(); });
  }
  if (column.only_if_any) {
    return std::any_of(values.begin(), values.end(), [](const auto& value) { return !value.empty(); });
  }
  return true;
}

/// A line a run and problem set: what the store holds.
ReportTable runs_table(const std::vector<GroupCells>& groups) {
  std::vector<GroupCounts> counts;
  counts.reserve(groups.size());
  for (const GroupCells& entry : groups) counts.push_back(count(entry.group));
  ReportTable table;
  table.rows.resize(groups.size());
  for (const RunColumn& column : run_columns()) {
    std::vector<std::string> values;
    for (std::size_t i = 0; i < groups.size(); ++i)
      values.push_back(column.value(groups[i].group, counts[i]));
    if (!is_shown(column, values)) continue;
    table.columns.push_back(column.name);
    for (std::size_t i = 0; i < groups.size(); ++i) table.rows[i].push_back(std::move(values[i]));
  }
  return table;
}

/// What the numbers do not include though nothing is wrong with it, a line each.
std::string warnings_html(const std::vector<std::string>& warnings) {
  constexpr std::size_t kMostLines = 12;
  std::vector<ReportNote> notes;
  for (std::size_t i = 0; i < std::min(warnings.size(), kMostLines); ++i)
    notes.push_back({"runs", warnings[i]});
  if (warnings.size() > kMostLines) {
    notes.push_back(
        {"runs", fmt::format("… and {} runs more, see the table of the runs", warnings.size() - kMostLines)});
  }
  return page::notes_html(notes);
}

std::string names(const std::set<std::string>& values, const char* one, const char* many) {
  if (values == std::set<std::string>{"unknown"})
    return fmt::format("{} {}", one, page::kNotKnown);  // of a log
  if (values.size() == 1) return fmt::format("{} <strong>{}</strong>", one, xml_text(*values.begin()));
  return fmt::format("{} {}", values.size(), many);
}

std::string plural(std::int64_t count, const char* what) {
  return fmt::format("{} {}{}", grouped(count), what, count == 1 ? "" : "s");
}

/// What the store is, in a sentence or two.
std::string lead_html(const ReportRequest& request, const std::vector<GroupCells>& groups) {
  std::set<std::string> models;
  std::set<std::string> sets;
  std::set<std::string> policies;
  std::set<std::string> runs;
  std::int64_t traces = 0;
  std::int64_t tokens = 0;
  for (const GroupCells& entry : groups) {
    models.insert(entry.group.run.model);
    policies.insert(page::brief_policy(entry.group.run.policy));
    sets.insert(entry.group.problem_set);
    runs.insert(entry.group.run.uid);
    traces += static_cast<std::int64_t>(entry.group.traces.size());
    tokens += count(entry.group).tokens;
  }
  std::string rules;
  for (const std::string& rule : request.rules)
    rules += fmt::format("{}<code>{}</code>", rules.empty() ? "" : ", ", xml_text(rule));
  return fmt::format(
      "<p class=\"lead\">{} of {}, {} generated tokens: {}, {}, {}. Marked throughout: {}. The risk is harm, "
      "an answer "
      "right in full and not at the stop; its bound is {} % at a confidence of {} %.</p>\n",
      plural(traces, "trace"), plural(static_cast<std::int64_t>(runs.size()), "run"), grouped(tokens),
      names(models, "model", "models"), names(policies, "policy", "policies"),
      names(sets, "problem set", "problem sets"), rules, fmt::format("{:g}", 100 * request.alpha),
      fmt::format("{:g}", 100 * (1 - request.delta)));
}

std::vector<ReportNote> notes_on(const ReportFigures& figures, const std::string& id) {
  std::vector<ReportNote> notes;
  for (const ReportNote& note : figures.notes) {
    if (note.figure == id) notes.push_back(note);
  }
  return notes;
}

/// About what is not in the page at all.
std::vector<ReportNote> other_notes(const ReportFigures& figures) {
  std::vector<ReportNote> notes;
  for (const ReportNote& note : figures.notes) {
    const bool drawn = std::any_of(figures.figures.begin(), figures.figures.end(),
                                   [&](const ReportFigure& figure) { return figure.id == note.figure; });
    if (!drawn) notes.push_back(note);
  }
  return notes;
}

/// Tables come whole as long as figures and tables have at most `most_bytes`; beyond, the largest are cut
/// first.
void add_figures(page::Page& page, const ReportFigures& figures, std::int64_t most_bytes) {
  constexpr std::size_t kFirstRows = 50;
  struct Drawn {
    page::Section whole;
    page::Section cut;
    [[nodiscard]] std::size_t saved() const {
      return whole.html.size() - std::min(cut.html.size(), whole.html.size());
    }
  };
  std::vector<Drawn> drawn;
  std::int64_t bytes = 0;
  for (const ReportFigure& figure : figures.figures) {
    const auto notes = notes_on(figures, figure.id);
    drawn.push_back({page::figure_section(figure, notes, figure.table.rows.size()),
                     page::figure_section(figure, notes, kFirstRows)});
    bytes += static_cast<std::int64_t>(drawn.back().whole.html.size());
  }
  while (bytes > most_bytes) {
    const auto largest = std::max_element(
        drawn.begin(), drawn.end(), [](const Drawn& a, const Drawn& b) { return a.saved() < b.saved(); });
    if (largest == drawn.end() || largest->saved() == 0) break;
    bytes -= static_cast<std::int64_t>(largest->saved());
    largest->whole = largest->cut;
  }
  for (Drawn& each : drawn) page.sections.push_back(std::move(each.whole));
}

/// The rest is of the traces, which get what the tables leave, and this in any case.
std::int64_t most_figure_bytes(std::int64_t most_bytes) {
  return most_bytes - most_bytes / 5;
}

void add_other_notes(page::Page& page, const ReportFigures& figures) {
  const std::string notes = page::notes_html(other_notes(figures));
  if (!notes.empty()) page.sections.push_back({"not-shown", "Not shown", notes});
}

}  // namespace

Report build_report(const schemas::Store& store, const ReportRequest& request, const ReportStage& stage) {
  const auto now = [&](int done, const char* next) {
    if (stage) stage(done, kReportStages, next);
  };
  Report report;
  std::vector<std::string> warnings;
  ReportRequest heard = request;
  heard.warning = [&](const std::string& sentence) {
    warnings.push_back(sentence);
    if (request.warning) request.warning(sentence);
  };
  now(0, "reading traces, finding stops");
  const std::vector<GroupCells> groups = groups_of(store, heard);
  ReportRequest silent = request;  // what is left out was told of above
  silent.left_out = {};
  silent.warning = {};
  now(1, "drawing figures");
  report.figures = draw_report_figures(store, silent);
  page::Page page;
  page.title = store.path().filename().string();
  page.lead = lead_html(request, groups) + warnings_html(warnings);
  page.sections.push_back({"runs", "The runs", page::table_html(runs_table(groups), groups.size(), "")});
  add_figures(page, report.figures, most_figure_bytes(request.most_bytes));
  const std::size_t explorer = page.sections.size();
  page.sections.push_back(page::explorer_section({}));
  add_other_notes(page, report.figures);
  page.end = "{}";
  constexpr std::int64_t kSpare = 2000;  // the explorer's own words
  const std::int64_t room =
      request.most_bytes - static_cast<std::int64_t>(page::render(page).size()) - kSpare;
  if (room < 0) {
    throw Error(ErrorCode::kInput,
                fmt::format("the figures alone are more than {} bytes; select fewer runs with --where",
                            request.most_bytes));
  }
  now(2, "choosing traces to open");
  const page::ExplorerData data = page::collect_traces(store, request, groups, room);
  report.traces = data.traces;
  report.traces_held = static_cast<std::int64_t>(data.texts.size());
  page.sections[explorer] = page::explorer_section(data);
  page.end = page::data_elements(data);
  report.html = page::render(page);
  now(kReportStages, "");
  return report;
}

std::string build_figure_page(const std::string& title, const ReportTable& summary,
                              const ReportFigures& figures) {
  page::Page page;
  page.title = title;
  page.sections.push_back({"summary", "In numbers", page::table_html(summary, summary.rows.size(), "")});
  add_figures(page, figures, ReportRequest{}.most_bytes);
  add_other_notes(page, figures);
  return page::render(page);
}

std::string figure_csv(const ReportFigure& figure) {
  return page::csv(figure.table);
}

}  // namespace lil::analyze
