#include <fmt/format.h>

#include <map>
#include <optional>
#include <ostream>
#include <utility>

#include "analyze/cell_record.h"
#include "analyze/cells.h"
#include "analyze/frontier.h"
#include "analyze/intervals.h"
#include "schemas/cell_store.h"
#include "schemas/error.h"
#include "schemas/registry.h"
#include "schemas/trace_store.h"
#include "tools/command_line.h"
#include "tools/commands/analyze_tables.h"
#include "tools/commands/brief_policy.h"
#include "tools/commands/command.h"
#include "tools/commands/shares.h"
#include "tools/commands/source_options.h"
#include "tools/output.h"
#include "tools/table.h"

namespace lil::tools {
namespace {

using analyze::Cell;
using analyze::CellColumn;
using analyze::ColumnKind;
using analyze::Frontier;
using analyze::FrontierRow;

Value value_of(const CellColumn& column, const Cell& cell) {
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
  const std::string comment = comment_mark(format);
  const std::string gap = gap_before_table(format);
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

template <class Request>
Request request_from(const CommandLine& line, std::vector<std::string>& left_out) {
  Request request;
  read_source_options(line, request, left_out);
  request.signals = line.specs("signal");
  request.streams = line.specs("stream");
  request.rules = line.specs("rule");
  return request;
}

/// The columns of a frontier: those promised of a cell, with `f,patience,t` after `rule`.
Table frontier_table(const Frontier& frontier) {
  Table table({"run", "problem_set", "signal", "stream", "rule", "f", "patience", "t", "traces", "capped",
               "tokens", "kept", "saved", "stopped", "right_full", "right_stop", "harm", "gain"});
  const Cell& cell = frontier.cell;
  for (const FrontierRow& row : frontier.rows) {
    const double saved = 1 - share(row.kept, cell.tokens);
    table.add_row({cell.run, cell.problem_set, cell.signal, cell.stream, cell.rule,
                   frontier.shape.every_tokens, frontier.shape.patience, row.t, cell.traces, cell.capped,
                   cell.tokens, row.kept, Fixed{saved, kShareDecimals}, row.stopped, cell.right_full,
                   row.right_stop, row.harm, row.gain});
  }
  return table;
}

/// Writes frontiers as they come: all of them at once may be millions of rows.
class FrontierWriter {
 public:
  FrontierWriter(Output& output, TableFormat format, Ungradable ungradable)
      : output_(output), format_(format), ungradable_(std::move(ungradable)) {}

  void take(const Frontier& frontier) {
    if (format_ == TableFormat::kCsv) return take_csv(frontier);
    if (format_ == TableFormat::kJson) return take_json(frontier);
    take_reading(frontier);
  }

  void finish() {
    if (format_ == TableFormat::kJson) output_.stream() << (any_rows_ ? "\n]\n" : "[]\n");
    if (reading_) write_reading();
    output_.finish();
  }

 private:
  void take_csv(const Frontier& frontier) {
    const std::string text = frontier_table(frontier).render(format_);
    output_.stream() << (any_rows_ ? text.substr(text.find('\n') + 1) : text);
    any_rows_ = true;
  }

  void take_json(const Frontier& frontier) {
    if (frontier.rows.empty()) return;
    const std::string text = frontier_table(frontier).render(format_);  // "[\n" rows "\n]\n"
    output_.stream() << (any_rows_ ? ",\n" : "[\n") << text.substr(2, text.size() - 5);
    any_rows_ = true;
  }

  /// For reading: of all the corners, the most that can be saved for each number of harmed traces.
  void take_reading(const Frontier& frontier) {
    const Cell& cell = frontier.cell;
    if (reading_ && !same_group(first_, cell)) write_reading();
    if (!reading_) {
      first_ = cell;
      reading_.emplace(std::vector<std::string>{"signal", "stream", "rule", "within", "t", "kept", "saved",
                                                "stopped", "right_full", "right_stop", "harm", "gain"});
    }
    std::optional<std::int64_t> last_t;
    for (const int percent_harmed : {0, 1, 2, 5, 10}) {
      const auto row = analyze::best_within(frontier.rows, cell.traces * percent_harmed / 100);
      if (!row || last_t == row->t) continue;
      last_t = row->t;
      reading_->add_row({cell.signal, cell.stream, cell.rule, fmt::format("{} %", percent_harmed), row->t,
                         row->kept, percent(1 - share(row->kept, cell.tokens)), row->stopped, cell.right_full,
                         row->right_stop, row->harm, row->gain});
    }
  }

  void write_reading() {
    const std::string comment = comment_mark(format_);
    const std::string gap = gap_before_table(format_);
    output_.stream() << (any_rows_ ? "\n" : "") << heading(first_, ungradable_, comment) << comment
                     << "for at most 0, 1, 2, 5 and 10 % of traces harmed the t that saves most; csv and "
                        "json have every t\n"
                     << gap << reading_->render(format_);
    any_rows_ = true;
    reading_.reset();
  }

  Output& output_;
  TableFormat format_;
  Ungradable ungradable_;
  bool any_rows_ = false;
  Cell first_;
  std::optional<Table> reading_;
};

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

const std::vector<std::string>& default_rules() {
  static const std::vector<std::string> rules{"guardian(f=250,t=20)"};
  return rules;
}

int analyze_cells(const CommandLine& line, Output& output, TableFormat format) {
  std::vector<Cell> cells;
  Ungradable ungradable;
  std::vector<std::string> left_out;
  {
    const schemas::Store store = schemas::Store::open(line.store(), schemas::Access::kRead);
    auto request = request_from<analyze::CellRequest>(line, left_out);
    request.bootstrap.seed = static_cast<std::uint64_t>(line.count("seed"));
    cells = analyze::analyze_cells(store, request);
    ungradable = ungradable_traces(store, line.where());
  }
  const bool whole = for_programs(format);
  output.write(whole ? full_table(cells).render(format) : reading_text(cells, ungradable, format));
  // A cell stands for a whole run and problem set, and for the answers in its texts; others are not kept.
  const schemas::TraceFilter where = line.where();
  if (!line.given("no-save") && !where.problem_id && !where.uid && line.text("answers") == "readable")
    save_cells(line.store(), where, cells);
  return report_left_out(left_out);
}

int analyze_frontiers(const CommandLine& line, Output& output, TableFormat format) {
  const schemas::Store store = schemas::Store::open(line.store(), schemas::Access::kRead);
  std::vector<std::string> left_out;
  auto request = request_from<analyze::FrontierRequest>(line, left_out);
  if (line.texts("rule") == default_rules()) request.rules = {"guardian(f=250)"};
  request.threads = line.threads();
  FrontierWriter writer(output, format, ungradable_traces(store, line.where()));
  analyze::analyze_frontiers(store, request, [&](const Frontier& frontier) { writer.take(frontier); });
  writer.finish();
  return report_left_out(left_out);
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
  line.repeated("rule", "SPEC", "a rule (`lil list rules`); lists and ranges multiply", default_rules());
  line.flag(
      "frontier",
      "every threshold at once: a row for each t from which on another one holds, for guardians without "
      "their t, as guardian(f=50..500+50); guardian(f=250) where no rule is given");
  add_table_options(line);
  add_answer_options(line);
  add_probe_options(line);
  line.option("seed", "N", "seed of the bootstrap", "0");
  line.flag("no-save", "do not keep the cells in the store");
  line.add_where();
  line.add_threads();
  line.add_output();
  if (!line.parse(arguments)) return kDone;
  line.expect_at_most(1);
  if (line.given("table")) return analyze_table(line);
  static_cast<void>(line.threads());
  const TableFormat format = parse_table_format(line.text("format"));
  Output output(line.text("output"));
  if (line.given("frontier")) return analyze_frontiers(line, output, format);
  return analyze_cells(line, output, format);
}

}  // namespace lil::tools
