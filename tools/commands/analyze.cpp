#include <fmt/format.h>

#include "analyze/cell_record.h"
#include "analyze/cells.h"
#include "analyze/verdict.h"
#include "schemas/cell_store.h"
#include "schemas/error.h"
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

double saved(const Cell& cell) {
  return cell.tokens == 0 ? 0 : 1 - static_cast<double>(cell.kept) / static_cast<double>(cell.tokens);
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
          percent(saved(cell)),
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

/// One table a run and problem set, under a line that names them, the cap and the share cut by it.
std::string reading_text(const std::vector<Cell>& cells, TableFormat format) {
  std::string text;
  for (std::size_t first = 0; first < cells.size();) {
    const Cell& head = cells[first];
    Table table(reading_columns());
    std::size_t next = first;
    for (; next < cells.size() && cells[next].run == head.run && cells[next].problem_set == head.problem_set;
         ++next) {
      table.add_row(reading_row(cells[next]));
    }
    const char* comment = format == TableFormat::kLatex ? "% " : "";
    text += fmt::format(
        "{0}run {1}: model {2}, policy {3}, sampler {4}\n{0}{5}: {6} traces of {7} problems, {8} tokens; "
        "{9}\n{10}{11}",
        comment, head.run, head.model, head.policy, head.sampler, head.problem_set, head.traces,
        head.problems, head.tokens, cut_by_cap(head), format == TableFormat::kMarkdown ? "\n" : "",
        table.render(format));
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
      "column; the cells are kept in the store (view v_cell).");
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
  {
    const schemas::Store store = schemas::Store::open(line.store(), schemas::Access::kRead);
    cells = analyze::analyze_cells(store, request_from(line));
  }
  const bool whole = format == TableFormat::kCsv || format == TableFormat::kJson;
  output.write(whole ? full_table(cells).render(format) : reading_text(cells, format));
  if (!line.given("no-save")) save_cells(line.store(), line.where(), cells);
  return kDone;
}

}  // namespace lil::tools
