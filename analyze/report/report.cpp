#include "analyze/report/report.h"

#include <fmt/format.h>

#include <algorithm>
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
    counts.gold += trace.info.gold.empty() ? 0 : 1;
    counts.cut += trace.info.finish == schemas::Finish::kLength ? 1 : 0;
    counts.finish_known += trace.info.finish == schemas::Finish::kPartial ? 0 : 1;
  }
  return counts;
}

std::string share_of(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return page::kNotKnown;
  return spoken_percent(static_cast<double>(part) / static_cast<double>(whole)) + " %";
}

/// A line a run and problem set: what the store holds.
ReportTable runs_table(const std::vector<GroupCells>& groups) {
  ReportTable table{{"run", "model", "policy", "problem set", "traces", "problems", "with gold", "right",
                     "mean tokens", "cap", "cut by it", "stopped live by"},
                    {}};
  for (const GroupCells& entry : groups) {
    const TraceGroup& group = entry.group;
    const GroupCounts counts = count(group);
    const auto traces = static_cast<std::int64_t>(group.traces.size());
    table.rows.push_back(
        {group.run.uid, group.run.model, page::brief_policy(group.run.policy), group.problem_set,
         grouped(traces), grouped(static_cast<std::int64_t>(group.problems)), grouped(counts.gold),
         share_of(counts.right, counts.gold), grouped(counts.tokens / std::max<std::int64_t>(traces, 1)),
         group.run.cap_tokens ? grouped(*group.run.cap_tokens) : page::kNotKnown,
         share_of(counts.cut, counts.finish_known), group.run.stop_rule});
  }
  const bool live =
      std::any_of(table.rows.begin(), table.rows.end(), [](const auto& row) { return !row.back().empty(); });
  if (live) return table;
  table.columns.pop_back();
  for (auto& row : table.rows) row.pop_back();
  return table;
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

void add_figures(page::Page& page, const ReportFigures& figures) {
  for (const ReportFigure& figure : figures.figures)
    page.sections.push_back(page::figure_section(figure, notes_on(figures, figure.id)));
}

void add_other_notes(page::Page& page, const ReportFigures& figures) {
  const std::string notes = page::notes_html(other_notes(figures));
  if (!notes.empty()) page.sections.push_back({"not-shown", "Not shown", notes});
}

}  // namespace

Report build_report(const schemas::Store& store, const ReportRequest& request) {
  constexpr std::size_t kMostRuns = 500;
  Report report;
  const std::vector<GroupCells> groups = groups_of(store, request);
  ReportRequest silent = request;  // what is left out was told of above
  silent.left_out = {};
  report.figures = draw_report_figures(store, silent);
  page::Page page;
  page.title = store.path().filename().string();
  page.lead = lead_html(request, groups);
  page.sections.push_back({"runs", "The runs", page::table_html(runs_table(groups), kMostRuns, "")});
  add_figures(page, report.figures);
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
  const page::ExplorerData data = page::collect_traces(store, request, groups, room);
  report.traces = data.traces;
  report.traces_held = static_cast<std::int64_t>(data.texts.size());
  page.sections[explorer] = page::explorer_section(data);
  page.end = page::data_elements(data);
  report.html = page::render(page);
  return report;
}

std::string build_figure_page(const std::string& title, const ReportTable& summary,
                              const ReportFigures& figures) {
  page::Page page;
  page.title = title;
  page.sections.push_back({"summary", "In numbers", page::table_html(summary, summary.rows.size(), "")});
  add_figures(page, figures);
  add_other_notes(page, figures);
  return page::render(page);
}

std::string figure_csv(const ReportFigure& figure) {
  return page::csv(figure.table);
}

}  // namespace lil::analyze
