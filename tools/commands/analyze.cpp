#include <fmt/format.h>

#include <map>
#include <utility>

#include "analyze/cell_record.h"
#include "analyze/cells.h"
#include "analyze/intervals.h"
#include "analyze/verdict.h"
#include "record/attention_policy.h"
#include "schemas/cell_store.h"
#include "schemas/error.h"
#include "schemas/registry.h"
#include "schemas/trace_store.h"
#include "tools/command_line.h"
#include "tools/commands/command.h"
#include "tools/output.h"
#include "tools/table.h"

namespace lil::tools {
namespace {

using analyze::Cell;
using analyze::CellColumn;
using analyze::ColumnKind;

Value value_of(const CellColumn& column, const Cell& cell) {
  constexpr int kShareDecimals = 6;
  std::string text = column.value(cell);
  if (text.empty()) return {};
  if (column.kind == ColumnKind::kText) return text;
  if (column.kind == ColumnKind::kShare) return Fixed{std::stod(text), kShareDecimals};
  return static_cast<std::int64_t>(std::stoll(text));
}

Table full_table(const std::vector<Cell>& cells) {
  std::vector<std::string> names;
  for (const CellColumn& column : analyze::cell_columns()) names.push_back(column.name);
  Table table(names);
  for (const Cell& cell : cells) {
    std::vector<Value> row;
    for (const CellColumn& column : analyze::cell_columns()) row.push_back(value_of(column, cell));
    table.add_row(std::move(row));
  }
  return table;
}

std::string percent(double share) {
  return fmt::format("{:.1f} %", 100 * share);
}

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// What one reads of a cell; the run and its problems stand in the heading.
const std::vector<std::string>& reading_columns() {
  static const std::vector<std::string> names{"signal",  "stream",     "rule",       "kept", "saved", "95 %",
                                              "stopped", "right_full", "right_stop", "harm", "gain"};
  return names;
}

std::vector<Value> reading_row(const Cell& cell) {
  const bool stops = cell.kept < cell.tokens;
  return {cell.signal,
          cell.stream,
          cell.rule,
          cell.kept,
          percent(cell.tokens == 0 ? 0 : 1 - share(cell.kept, cell.tokens)),
          stops ? Value(fmt::format("{:.1f} to {:.1f}", 100 * cell.saved_interval.low,
                                    100 * cell.saved_interval.high))
                : Value(),
          cell.stopped,
          cell.right_full,
          cell.right_stop,
          cell.harm,
          cell.gain};
}

std::string cut_by_cap(const Cell& cell) {
  const std::string cap = cell.cap_tokens ? fmt::format("cap {} tokens", *cell.cap_tokens) : "cap not known";
  if (cell.finish_known == 0) return cap + ", how traces ended is not known";
  return fmt::format("{}, {} of {} traces cut by it", cap, cell.capped, cell.finish_known);
}

bool same_group(const Cell& a, const Cell& b) {
  return a.run == b.run && a.problem_set == b.problem_set;
}

/// `sink(budget=64)` for the long spelling that names every parameter.
std::string brief_policy(const std::string& policy) {
  try {
    return schemas::resolve_row("attention policy", record::attention_policy_rows(), policy)
        .second.to_brief_string();
  } catch (const Error&) {
    return policy;  // of a log, or of another version
  }
}

/// A line a run and problem set: what the generations were before any rule.
Table overview(const std::vector<Cell>& cells) {
  Table table({"run", "model", "policy", "problem_set", "traces", "right", "accuracy", "95 %", "tokens",
               "mean", "capped", "stop_rule"});
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Cell& cell = cells[i];
    if (i > 0 && same_group(cells[i - 1], cell)) continue;
    const auto interval = analyze::clopper_pearson(cell.right_full, cell.traces);
    table.add_row({cell.run, cell.model, brief_policy(cell.policy), cell.problem_set, cell.traces,
                   cell.right_full, percent(share(cell.right_full, cell.traces)),
                   fmt::format("{:.1f} to {:.1f}", 100 * interval.low, 100 * interval.high), cell.tokens,
                   Fixed{share(cell.tokens, cell.traces), 0},
                   cell.finish_known > 0 ? Value(cell.capped) : Value(), cell.stop_rule});
  }
  return table;
}

/// (run, problem set) → its traces that have no gold answer, and so count as not right.
using Ungradable = std::map<std::pair<std::string, std::string>, std::int64_t>;

Ungradable ungradable_traces(const schemas::Store& store, const schemas::TraceFilter& filter) {
  Ungradable counts;
  for (const schemas::TraceInfo& trace : schemas::list_traces(store, filter)) {
    if (trace.gold.empty()) ++counts[{trace.run_uid, trace.problem_set}];
  }
  return counts;
}

std::string heading(const Cell& cell, const Ungradable& ungradable, const std::string& comment) {
  const auto found = ungradable.find({cell.run, cell.problem_set});
  const std::string missing =
      found == ungradable.end()
          ? ""
          : fmt::format("{}{} of {} traces have no gold answer and count as not right\n", comment,
                        found->second, cell.traces);
  const std::string live = cell.stop_rule.empty() ? "" : ", stopped live by " + cell.stop_rule;
  return fmt::format(
             "{0}run {1}: model {2}, policy {3}, sampler {4}{5}\n{0}{6}: {7} traces of {8} problems, {9} "
             "tokens; {10}\n",
             comment, cell.run, cell.model, cell.policy, cell.sampler, live, cell.problem_set, cell.traces,
             cell.problems, cell.tokens, cut_by_cap(cell)) +
         missing;
}

/// Where there are several runs, what they are; then a table for each, under a line that names it, the cap
/// and the share cut by it.
std::string reading_text(const std::vector<Cell>& cells, const Ungradable& ungradable, TableFormat format) {
  const std::string comment = format == TableFormat::kLatex ? "% " : "";
  const std::string gap = format == TableFormat::kMarkdown ? "\n" : "";
  std::string text;
  if (!same_group(cells.front(), cells.back())) text = overview(cells).render(format) + "\n";
  for (std::size_t first = 0; first < cells.size();) {
    Table table(reading_columns());
    std::size_t next = first;
    for (; next < cells.size() && same_group(cells[next], cells[first]); ++next)
      table.add_row(reading_row(cells[next]));
    text += heading(cells[first], ungradable, comment) + gap + table.render(format);
    first = next;
    if (first < cells.size()) text += '\n';
  }
  return text;
}

analyze::CellRequest request_from(const CommandLine& line) {
  analyze::CellRequest request;
  request.filter = line.where();
  request.signals = line.specs("signal");
  request.streams = line.specs("stream");
  request.rules = line.specs("rule");
  request.grading = analyze::grading_name(analyze::Extraction::parse(line.text("extract")));
  request.bootstrap.seed = static_cast<std::uint64_t>(line.count("seed"));
  return request;
}

/// Reading never fails because the store is read-only or in another writer's hands; keeping the cells may.
void save_cells(const std::string& path, const schemas::TraceFilter& filter, const std::vector<Cell>& cells) {
  try {
    schemas::Store store = schemas::Store::open(path, schemas::Access::kWrite);
    schemas::Transaction transaction(store);
    for (const auto& record : analyze::cell_records(store, filter, cells)) schemas::put_cell(store, record);
    transaction.commit();
  } catch (const Error& error) {
    fmt::print(stderr, "lil analyze: warning: the cells are not kept in the store: {}\n", error.what());
  }
}

}  // namespace

int run_analyze(const std::vector<std::string>& arguments) {
  CommandLine line(
      "analyze store.db [options]",
      "What stopping by rules would have saved and cost, for each run and problem set, beside the\n"
      "baselines never, cap (the same tokens, by a fixed length) and oracle. csv and json have every\n"
      "column; the cells of whole runs are kept in the store (view v_cell).");
  line.repeated("signal", "SPEC", "a signal, as zlib(level=6); all that have curves where not given");
  line.repeated("stream", "NAME",
                "text, prompt+text, ids32, prompt+ids32; all that have curves where not given");
  line.repeated("rule", "SPEC", "a rule (`lil list rules`); lists and ranges multiply",
                {"guardian(f=250,t=20)"});
  line.option("extract", "NAMES", "the answers to use, as `lil grade --extract` made them",
              std::string(analyze::kDefaultExtractors));
  line.option("seed", "N", "seed of the bootstrap", "0");
  line.flag("no-save", "do not keep the cells in the store");
  line.add_where();
  line.add_output();
  if (!line.parse(arguments)) return kDone;
  line.expect_at_most(1);
  const TableFormat format = parse_table_format(line.text("format"));
  Output output(line.text("output"));
  std::vector<Cell> cells;
  Ungradable ungradable;
  std::vector<std::string> left_out;
  {
    const schemas::Store store = schemas::Store::open(line.store(), schemas::Access::kRead);
    analyze::CellRequest request = request_from(line);
    request.left_out = [&](const std::string& trace) { left_out.push_back(trace); };
    cells = analyze::analyze_cells(store, request);
    ungradable = ungradable_traces(store, line.where());
  }
  const bool whole = format == TableFormat::kCsv || format == TableFormat::kJson;
  output.write(whole ? full_table(cells).render(format) : reading_text(cells, ungradable, format));
  // A cell stands for a whole run and problem set; what is said of some of its problems is not kept.
  const schemas::TraceFilter where = line.where();
  if (!line.given("no-save") && !where.problem_id && !where.uid) save_cells(line.store(), where, cells);
  print_failures("traces left out, as they could not be graded or replayed", left_out);
  return left_out.empty() ? kDone : kSomeFailed;
}

}  // namespace lil::tools
