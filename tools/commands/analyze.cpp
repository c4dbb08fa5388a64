#include <fmt/format.h>

#include <algorithm>
#include <array>
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
#include "schemas/named_spec.h"
#include "schemas/registry.h"
#include "schemas/run_store.h"
#include "schemas/trace_store.h"
#include "tools/command_line.h"
#include "tools/commands/analyze_tables.h"
#include "tools/commands/brief_policy.h"
#include "tools/commands/command.h"
#include "tools/commands/run_labels.h"
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
std::vector<std::string> reading_columns(bool against_reference) {
  std::vector<std::string> names{"signal", "stream", "rule", "kept", "saved", "95 %"};
  if (against_reference) names.insert(names.end(), {"more", "95 %"});
  names.insert(names.end(), {"stopped", "right_full", "right_stop", "harm", "gain"});
  return names;
}

/// What is saved more than by the reference, and its interval; nothing where there is none.
std::vector<Value> reading_of(const std::optional<analyze::Estimate>& more) {
  if (!more) return {};
  return {fmt::format("{:+.1f} %", 100 * more->value), percent(more->interval)};
}

std::vector<Value> reading_row(const Cell& cell) {
  const bool stops = cell.kept < cell.tokens;
  std::vector<Value> row{cell.signal,
                         cell.stream,
                         cell.rule,
                         cell.kept,
                         percent(cell.tokens == 0 ? 0 : 1 - share(cell.kept, cell.tokens)),
                         stops ? Value(percent(cell.saved_interval)) : Value()};
  for (Value& value : reading_of(cell.saved_more)) row.push_back(std::move(value));
  for (const std::int64_t count : {cell.stopped, cell.right_full, cell.right_stop, cell.harm, cell.gain})
    row.emplace_back(count);
  return row;
}

std::string cut_by_cap(const Cell& cell) {
  const std::string cap = cell.cap_tokens ? fmt::format("cap {} tokens", *cell.cap_tokens) : "cap not known";
  if (cell.finish_known == 0) return cap + ", how traces ended is not known";
  return fmt::format("{}, {} of {} traces cut by it", cap, cell.capped, cell.finish_known);
}

bool same_group(const Cell& a, const Cell& b) {
  return a.run == b.run && a.problem_set == b.problem_set;
}

/// What is said of runs and problem sets beside their cells.
struct Remarks {
  /// (run, problem set) → its traces that have no gold answer, and so count as not right.
  std::map<std::pair<std::string, std::string>, std::int64_t> ungradable;
  std::map<std::string, std::string> labels;  ///< of runs that look alike, see run_labels()
};

Remarks remarks_on(const schemas::Store& store, const schemas::TraceFilter& filter) {
  Remarks remarks;
  for (const schemas::TraceInfo& trace : schemas::list_traces(store, filter)) {
    if (trace.gold.empty()) ++remarks.ungradable[{trace.run_uid, trace.problem_set}];
  }
  remarks.labels = run_labels(schemas::list_runs(store));
  return remarks;
}

std::string label_of(const Remarks& remarks, const std::string& run) {
  const auto found = remarks.labels.find(run);
  return found == remarks.labels.end() ? "" : found->second;
}

/// A line a run and problem set: what the generations were before any rule.
Table overview(const std::vector<Cell>& cells, const Remarks& remarks) {
  const bool labelled = std::any_of(cells.begin(), cells.end(),
                                    [&](const Cell& cell) { return !label_of(remarks, cell.run).empty(); });
  std::vector<std::string> names{"run",      "model", "policy", "problem_set", "traces", "right",
                                 "accuracy", "95 %",  "tokens", "mean",        "capped", "stop_rule"};
  if (labelled) names.emplace_back("apart by");
  Table table(names);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Cell& cell = cells[i];
    if (i > 0 && same_group(cells[i - 1], cell)) continue;
    const auto interval = analyze::clopper_pearson(cell.right_full, cell.traces);
    std::vector<Value> row{cell.run,
                           cell.model,
                           brief_policy(cell.policy),
                           cell.problem_set,
                           cell.traces,
                           cell.right_full,
                           percent(share(cell.right_full, cell.traces)),
                           percent(interval),
                           cell.tokens,
                           Fixed{share(cell.tokens, cell.traces), 0},
                           cell.finish_known > 0 ? Value(cell.capped) : Value(),
                           cell.stop_rule};
    if (labelled) row.emplace_back(label_of(remarks, cell.run));
    table.add_row(std::move(row));
  }
  return table;
}

std::string heading(const Cell& cell, const Remarks& remarks, const std::string& comment) {
  const auto found = remarks.ungradable.find({cell.run, cell.problem_set});
  const std::string missing =
      found == remarks.ungradable.end()
          ? ""
          : fmt::format("{}{} of {} traces have no gold answer and count as not right\n", comment,
                        found->second, cell.traces);
  const std::string live = cell.stop_rule.empty() ? "" : ", stopped live by " + cell.stop_rule;
  const std::string label = label_of(remarks, cell.run);
  return fmt::format(
             "{0}run {1}: model {2}, policy {3}, sampler {4}{5}{6}\n{0}{7}: {8} traces of {9} problems, {10} "
             "tokens; {11}\n",
             comment, cell.run, cell.model, brief_policy(cell.policy), cell.sampler,
             label.empty() ? "" : ", " + label, live, cell.problem_set, cell.traces, cell.problems,
             cell.tokens, cut_by_cap(cell)) +
         missing;
}

/// Where there are several runs, what they are; then a table for each, under a line that names it, the cap
/// and the share cut by it.
std::string reading_text(const std::vector<Cell>& cells, const Remarks& remarks, TableFormat format) {
  const std::string comment = comment_mark(format);
  const std::string gap = gap_before_table(format);
  std::string text;
  if (!same_group(cells.front(), cells.back())) text = overview(cells, remarks).render(format) + "\n";
  for (std::size_t first = 0; first < cells.size();) {
    Table table(reading_columns(cells[first].saved_more.has_value()));
    std::size_t next = first;
    for (; next < cells.size() && same_group(cells[next], cells[first]); ++next)
      table.add_row(reading_row(cells[next]));
    text += heading(cells[first], remarks, comment) + gap + table.render(format);
    first = next;
    if (first < cells.size()) text += '\n';
  }
  return text;
}

/// A rule that names a signal, as `lil record --stop` takes it, is told where signals are named here.
std::vector<std::string> rules_from(const CommandLine& line) {
  std::vector<std::string> rules = line.specs("rule");
  for (const std::string& rule : rules) {
    for (const auto& [key, value] : schemas::parse_named_spec(rule).values) {
      if (key != "signal") continue;
      throw Error(ErrorCode::kUsage,
                  fmt::format("--rule: '{}' names a signal; here each rule goes with every "
                              "signal of --signal, as --signal {}",
                              rule, value));
    }
  }
  return rules;
}

template <class Request>
Request request_from(const CommandLine& line, std::vector<std::string>& left_out) {
  Request request;
  read_source_options(line, request, left_out);
  request.signals = line.specs("signal");
  request.streams = line.specs("stream");
  request.rules = rules_from(line);
  if (line.given("reference")) request.reference = line.text("reference");
  request.bootstrap.seed = static_cast<std::uint64_t>(line.count("seed"));
  return request;
}

/// The columns of a frontier: those promised of a cell, with `f,patience,t` after `rule`.
std::vector<std::string> frontier_columns() {
  return {"run",      "problem_set", "signal",     "stream",     "rule",   "f",
          "patience", "t",           "traces",     "capped",     "tokens", "kept",
          "saved",    "stopped",     "right_full", "right_stop", "harm",   "gain"};
}

/// One threshold, or that at which nothing stops.
std::vector<Value> frontier_row(const Frontier& frontier, const std::optional<FrontierRow>& at) {
  const Cell& cell = frontier.cell;
  const FrontierRow row = at.value_or(FrontierRow{.kept = cell.kept, .right_stop = cell.right_stop});
  const double saved = cell.tokens == 0 ? 0 : 1 - share(row.kept, cell.tokens);
  return {cell.run,
          cell.problem_set,
          cell.signal,
          cell.stream,
          cell.rule,
          frontier.shape.every_tokens,
          frontier.shape.patience,
          at ? Value(row.t) : Value(),
          cell.traces,
          cell.capped,
          cell.tokens,
          row.kept,
          Fixed{saved, kShareDecimals},
          row.stopped,
          cell.right_full,
          row.right_stop,
          row.harm,
          row.gain};
}

/// Every threshold, or those picked with their intervals; last the traces with a gold answer.
Table frontier_table(const Frontier& frontier) {
  std::vector<std::string> names = frontier_columns();
  if (!frontier.picks.empty()) {
    names.insert(names.end(),
                 {"within", "saved_low", "saved_high", "saved_more", "saved_more_low", "saved_more_high"});
  }
  names.emplace_back("with_gold");
  Table table(names);
  const auto fixed = [](double value) { return Fixed{value, kShareDecimals}; };
  for (const analyze::FrontierPick& pick : frontier.picks) {
    std::vector<Value> row = frontier_row(frontier, pick.row);
    row.insert(row.end(),
               {fixed(share(pick.within_percent, 100)), fixed(pick.saved.low), fixed(pick.saved.high)});
    const auto& more = pick.saved_more;
    row.push_back(more ? Value(fixed(more->value)) : Value());
    row.push_back(more ? Value(fixed(more->interval.low)) : Value());
    row.push_back(more ? Value(fixed(more->interval.high)) : Value());
    row.emplace_back(frontier.cell.with_gold);
    table.add_row(std::move(row));
  }
  if (!frontier.picks.empty()) return table;
  for (const FrontierRow& at : frontier.rows) {
    std::vector<Value> row = frontier_row(frontier, at);
    row.emplace_back(frontier.cell.with_gold);
    table.add_row(std::move(row));
  }
  return table;
}

/// Shares of the traces with a gold answer that are harmed, per cent, that a frontier is read at.
constexpr std::array<std::int64_t, 5> kWithinPercent{0, 1, 2, 5, 10};

/// Writes frontiers as they come: all of them at once may be millions of rows.
class FrontierWriter {
 public:
  /// With intervals the frontiers come with what is picked of them.
  FrontierWriter(Output& output, TableFormat format, Remarks remarks, bool intervals, bool reference)
      : output_(output),
        format_(format),
        remarks_(std::move(remarks)),
        intervals_(intervals),
        against_reference_(reference) {}

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
    const Table table = frontier_table(frontier);
    if (table.empty()) return;
    const std::string text = table.render(format_);  // "[\n" rows "\n]\n"
    output_.stream() << (any_rows_ ? ",\n" : "[\n") << text.substr(2, text.size() - 5);
    any_rows_ = true;
  }

  /// For reading: of all the corners, the most that can be saved for each number of harmed traces.
  void take_reading(const Frontier& frontier) {
    const Cell& cell = frontier.cell;
    if (reading_ && !same_group(first_, cell)) write_reading();
    if (!reading_) {
      first_ = cell;
      reading_.emplace(picked_columns());
    }
    if (intervals_) {
      for (const analyze::FrontierPick& pick : frontier.picks) add_picked(frontier, pick);
      return;
    }
    std::optional<std::int64_t> last_t;
    for (const std::int64_t percent_harmed : kWithinPercent) {
      const auto row = analyze::best_within(frontier.rows, cell.with_gold * percent_harmed / 100);
      if (!row || last_t == row->t) continue;
      last_t = row->t;
      add_picked(frontier, {percent_harmed, row, {}, std::nullopt});
    }
  }

  [[nodiscard]] std::vector<std::string> picked_columns() const {
    std::vector<std::string> names{"signal", "stream", "rule", "within", "t", "kept", "saved"};
    if (intervals_) names.emplace_back("95 %");
    if (against_reference_) names.insert(names.end(), {"more", "95 %"});
    names.insert(names.end(), {"stopped", "right_full", "right_stop", "harm", "gain"});
    return names;
  }

  void add_picked(const Frontier& frontier, const analyze::FrontierPick& pick) {
    const Cell& cell = frontier.cell;
    const FrontierRow at = pick.row.value_or(FrontierRow{.kept = cell.kept, .right_stop = cell.right_stop});
    std::vector<Value> row{cell.signal,
                           cell.stream,
                           cell.rule,
                           fmt::format("{} %", pick.within_percent),
                           pick.row ? Value(at.t) : Value(),
                           at.kept,
                           percent(cell.tokens == 0 ? 0 : 1 - share(at.kept, cell.tokens))};
    if (intervals_) row.push_back(pick.row ? Value(percent(pick.saved)) : Value());
    for (Value& value : reading_of(pick.saved_more)) row.push_back(std::move(value));
    for (const std::int64_t count : {at.stopped, cell.right_full, at.right_stop, at.harm, at.gain})
      row.emplace_back(count);
    reading_->add_row(std::move(row));
  }

  void write_reading() {
    const std::string comment = comment_mark(format_);
    const std::string gap = gap_before_table(format_);
    const char* const what =
        intervals_
            ? "for each share of traces that may be harmed the t that saves most: chosen on these very "
              "traces, so no certificate"
            : "for at most 0, 1, 2, 5 and 10 % of traces harmed the t that saves most; csv and json "
              "have every t";
    output_.stream() << (any_rows_ ? "\n" : "") << heading(first_, remarks_, comment) << comment << what
                     << '\n'
                     << gap << reading_->render(format_);
    any_rows_ = true;
    reading_.reset();
  }

  Output& output_;
  TableFormat format_;
  Remarks remarks_;
  bool intervals_;
  bool against_reference_;
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
  Remarks remarks;
  std::vector<std::string> left_out;
  {
    const schemas::Store store = schemas::Store::open(line.store(), schemas::Access::kRead);
    auto request = request_from<analyze::CellRequest>(line, left_out);
    cells = analyze::analyze_cells(store, request);
    remarks = remarks_on(store, line.where());
  }
  const bool whole = for_programs(format);
  output.write(whole ? full_table(cells).render(format) : reading_text(cells, remarks, format));
  // A cell stands for a whole run and problem set, and for the answers in its texts; others are not kept.
  const schemas::TraceFilter where = line.where();
  if (!line.given("no-save") && !where.problem_id && !where.uid && line.text("answers") == "readable")
    save_cells(line.store(), where, cells);
  return report_left_out(left_out);
}

/// The shares to pick thresholds for; none where the frontier is wanted as it is.
std::vector<std::int64_t> within_from(const CommandLine& line) {
  if (!line.given("within")) {
    if (!line.given("reference")) return {};
    return {kWithinPercent.begin(), kWithinPercent.end()};
  }
  std::vector<std::int64_t> shares = schemas::parse_count_list("--within", line.text("within"));
  for (const std::int64_t share : shares) {
    if (share < 0 || share > 100)
      throw Error(ErrorCode::kUsage, fmt::format("--within: {} is not from 0 to 100 per cent", share));
  }
  return shares;
}

int analyze_frontiers(const CommandLine& line, Output& output, TableFormat format) {
  const schemas::Store store = schemas::Store::open(line.store(), schemas::Access::kRead);
  std::vector<std::string> left_out;
  auto request = request_from<analyze::FrontierRequest>(line, left_out);
  if (line.texts("rule") == default_rules()) request.rules = {"guardian(f=250)"};
  request.threads = line.threads();
  request.within_percent = within_from(line);
  FrontierWriter writer(output, format, remarks_on(store, line.where()), !request.within_percent.empty(),
                        request.reference.has_value());
  analyze::analyze_frontiers(store, request, [&](const Frontier& frontier) { writer.take(frontier); });
  writer.finish();
  return report_left_out(left_out);
}

}  // namespace

int run_analyze(const std::vector<std::string>& arguments) {
  CommandLine line(
      "analyze store.db [options]",
      "What stopping by rules would have saved and cost, for each run and problem set, beside the\n"
      "baselines never, cap (the same tokens, by a fixed length), repetition (a detector of exact\n"
      "cycles) and oracle. csv and json have every column; the cells of whole runs are kept in the\n"
      "store (view v_cell).");
  line.repeated("signal", "SPEC", "a signal, as zlib(level=6); all that have curves where not given");
  line.repeated("stream", "NAME",
                "text, prompt+text, ids32, prompt+ids32; all that have curves where not given");
  line.repeated("rule", "SPEC", "a rule (`lil list rules`); lists and ranges multiply", default_rules());
  line.flag(
      "frontier",
      "every threshold at once: a row for each t from which on another one holds, for guardians without "
      "their t, as guardian(f=50..500+50); guardian(f=250) where no rule is given");
  line.option("within", "PERCENTS",
              "--frontier: only, for each of these shares of traces harmed, as 0,1,2, the t that saves most, "
              "with intervals");
  line.option("reference", "RULE",
              "how much more is saved than by this rule, paired by problem, as guardian(f=250,t=20); one "
              "that reads a signal reads zlib of text. With --frontier for --within 0,1,2,5,10");
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
  if (line.given("within") && !line.given("frontier"))
    throw Error(ErrorCode::kUsage, "--within: it picks thresholds of a --frontier");
  if (line.given("table") && (line.given("frontier") || line.given("reference")))
    throw Error(ErrorCode::kUsage, "--table: it goes with neither --frontier nor --reference");
  if (line.given("table")) return analyze_table(line);
  static_cast<void>(line.threads());
  const TableFormat format = parse_table_format(line.text("format"));
  Output output(line.text("output"));
  if (line.given("frontier")) return analyze_frontiers(line, output, format);
  return analyze_cells(line, output, format);
}

}  // namespace lil::tools
