#include "tools/commands/analyze_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "analyze/information.h"
#include "analyze/intervals.h"
#include "analyze/paper_rows.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"
#include "schemas/run_store.h"
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
using analyze::Estimate;
using analyze::Interval;
using analyze::MeasuredGroup;
using analyze::PaperRow;

constexpr const char* kWholeTraces = "never";

Value fixed(double value) {
  return Fixed{value, kShareDecimals};
}

Value fixed(double part, double whole) {
  return whole == 0 ? Value() : fixed(part / whole);
}

Value count_or_none(const std::optional<std::int64_t>& count) {
  return count ? Value(*count) : Value();
}

/// Columns with how each reads a row; a table is rows put through them.
template <class Row>
using Columns = std::vector<std::pair<std::string, std::function<Value(const Row&)>>>;

template <class Row>
Table table_of(const Columns<Row>& columns, const std::vector<Row>& rows) {
  std::vector<std::string> names;
  for (const auto& [name, value] : columns) names.push_back(name);
  Table table(names);
  for (const Row& row : rows) {
    std::vector<Value> values;
    for (const auto& [name, value] : columns) values.push_back(value(row));
    table.add_row(std::move(values));
  }
  return table;
}

template <class Row>
void append(Columns<Row>& columns, Columns<Row> more) {
  std::move(more.begin(), more.end(), std::back_inserter(columns));
}

// The tables of rules and runs.

using PaperColumns = Columns<PaperRow>;

std::int64_t right(const PaperRow& row) {
  return row.cell.right_stop;
}
Interval accuracy_interval(const PaperRow& row) {
  return analyze::clopper_pearson(right(row), row.cell.traces);
}
double mean(std::int64_t tokens, std::int64_t traces) {
  return share(tokens, traces);
}
double saved(std::int64_t kept, std::int64_t tokens) {
  return tokens == 0 ? 0 : 1 - share(kept, tokens);
}

/// The share saved of some tokens; empty where there are none.
Value saved_of(std::int64_t kept, std::int64_t tokens) {
  return tokens == 0 ? Value() : fixed(saved(kept, tokens));
}
Value saved_percent_of(std::int64_t kept, std::int64_t tokens) {
  return tokens == 0 ? Value() : Value(percent(saved(kept, tokens)));
}

PaperColumns origin_columns() {
  return {{"run", [](const PaperRow& r) { return r.cell.run; }},
          {"problem_set", [](const PaperRow& r) { return r.cell.problem_set; }},
          {"model", [](const PaperRow& r) { return r.cell.model; }},
          {"policy", [](const PaperRow& r) { return r.cell.policy; }},
          {"budget", [](const PaperRow& r) { return count_or_none(r.budget); }},
          {"sampler", [](const PaperRow& r) { return r.cell.sampler; }},
          {"live_stop_rule", [](const PaperRow& r) { return r.cell.stop_rule; }},
          {"cap_tokens", [](const PaperRow& r) { return count_or_none(r.cell.cap_tokens); }},
          {"traces", [](const PaperRow& r) { return r.cell.traces; }},
          {"problems", [](const PaperRow& r) { return r.cell.problems; }},
          {"finish_known", [](const PaperRow& r) { return r.cell.finish_known; }},
          {"capped", [](const PaperRow& r) { return r.cell.capped; }}};
}

PaperColumns rule_columns() {
  return {{"signal", [](const PaperRow& r) { return r.cell.signal; }},
          {"stream", [](const PaperRow& r) { return r.cell.stream; }},
          {"rule", [](const PaperRow& r) { return r.cell.rule; }}};
}

/// A number out of what a row has against full attention; nothing where it has none.
std::function<Value(const PaperRow&)> paired(Value (*value)(const analyze::PairedRuns& pairs)) {
  return [value](const PaperRow& row) { return row.against_full ? value(*row.against_full) : Value(); };
}

Value ratio_end(const analyze::PairedRuns& pairs, double (*end)(const Estimate& ratio)) {
  return pairs.length_ratio ? fixed(end(*pairs.length_ratio)) : Value();
}

PaperColumns paired_columns() {
  using analyze::PairedRuns;
  return {
      {"pairs", paired([](const PairedRuns& p) { return Value(p.problems); })},
      {"accuracy_difference", paired([](const PairedRuns& p) { return fixed(p.difference.value); })},
      {"accuracy_difference_low",
       paired([](const PairedRuns& p) { return fixed(p.difference.interval.low); })},
      {"accuracy_difference_high",
       paired([](const PairedRuns& p) { return fixed(p.difference.interval.high); })},
      {"mcnemar_p", paired([](const PairedRuns& p) { return p.mcnemar ? fixed(*p.mcnemar) : Value(); })},
      {"length_ratio",
       paired([](const PairedRuns& p) { return ratio_end(p, [](const Estimate& e) { return e.value; }); })},
      {"length_ratio_low", paired([](const PairedRuns& p) {
         return ratio_end(p, [](const Estimate& e) { return e.interval.low; });
       })},
      {"length_ratio_high", paired([](const PairedRuns& p) {
         return ratio_end(p, [](const Estimate& e) { return e.interval.high; });
       })},
  };
}

PaperColumns accuracy_columns() {
  return {{"right", [](const PaperRow& r) { return right(r); }},
          {"accuracy", [](const PaperRow& r) { return fixed(share(right(r), r.cell.traces)); }},
          {"accuracy_low", [](const PaperRow& r) { return fixed(accuracy_interval(r).low); }},
          {"accuracy_high", [](const PaperRow& r) { return fixed(accuracy_interval(r).high); }}};
}

/// Figure 1: whole traces.
PaperColumns policies_whole() {
  PaperColumns columns = origin_columns();
  append(columns, accuracy_columns());
  append(columns,
         {{"tokens", [](const PaperRow& r) { return r.cell.tokens; }},
          {"mean_tokens", [](const PaperRow& r) { return fixed(mean(r.cell.tokens, r.cell.traces)); }}});
  append(columns, paired_columns());
  return columns;
}

/// Tables 1 and 2: what a rule does, also against whole traces of full attention.
PaperColumns stops_whole() {
  PaperColumns columns = origin_columns();
  append(columns, rule_columns());
  append(columns, {{"right_full", [](const PaperRow& r) { return r.cell.right_full; }}});
  append(columns, accuracy_columns());
  append(columns, {{"tokens", [](const PaperRow& r) { return r.cell.tokens; }},
                   {"kept", [](const PaperRow& r) { return r.cell.kept; }},
                   {"mean_kept", [](const PaperRow& r) { return fixed(mean(r.cell.kept, r.cell.traces)); }},
                   {"saved", [](const PaperRow& r) { return fixed(saved(r.cell.kept, r.cell.tokens)); }},
                   {"saved_low", [](const PaperRow& r) { return fixed(r.cell.saved_interval.low); }},
                   {"saved_high", [](const PaperRow& r) { return fixed(r.cell.saved_interval.high); }},
                   {"stopped", [](const PaperRow& r) { return r.cell.stopped; }},
                   {"harm", [](const PaperRow& r) { return r.cell.harm; }},
                   {"gain", [](const PaperRow& r) { return r.cell.gain; }}});
  append(columns, paired_columns());
  return columns;
}

std::int64_t wrong_traces(const Cell& cell) {
  return cell.traces - cell.right_full;
}
std::int64_t saved_wrong(const Cell& cell) {
  return (cell.tokens - cell.tokens_right) - (cell.kept - cell.kept_right);
}

/// Table 3: savings by whether the whole trace is right.
PaperColumns split_whole() {
  PaperColumns columns = origin_columns();
  append(columns, rule_columns());
  append(columns,
         {{"saved", [](const PaperRow& r) { return fixed(saved(r.cell.kept, r.cell.tokens)); }},
          {"right", [](const PaperRow& r) { return r.cell.right_full; }},
          {"right_stopped", [](const PaperRow& r) { return r.stopped_right; }},
          {"right_tokens", [](const PaperRow& r) { return r.cell.tokens_right; }},
          {"right_saved", [](const PaperRow& r) { return saved_of(r.cell.kept_right, r.cell.tokens_right); }},
          {"wrong", [](const PaperRow& r) { return wrong_traces(r.cell); }},
          {"wrong_stopped", [](const PaperRow& r) { return r.cell.stopped - r.stopped_right; }},
          {"wrong_tokens", [](const PaperRow& r) { return r.cell.tokens - r.cell.tokens_right; }},
          {"wrong_saved",
           [](const PaperRow& r) {
             return saved_of(r.cell.kept - r.cell.kept_right, r.cell.tokens - r.cell.tokens_right);
           }},
          {"from_wrong", [](const PaperRow& r) {
             return fixed(static_cast<double>(saved_wrong(r.cell)),
                          static_cast<double>(r.cell.tokens - r.cell.kept));
           }}});
  return columns;
}

// The same for reading.

std::string cut(const Cell& cell) {
  return cell.finish_known == 0 ? "" : percent(share(cell.capped, cell.finish_known));
}

/// `sink(pos=doubled)`: without the budget, which has a column of its own, and what stands at its default.
std::string variant_of(const PaperRow& row) {
  std::string brief = brief_policy(row.cell.policy);
  if (!row.budget) return brief;
  schemas::NamedSpec spec = schemas::parse_named_spec(brief);
  std::erase_if(spec.values, [](const auto& value) { return value.first == "budget"; });
  std::string inside;
  for (const auto& [key, value] : spec.values)
    inside += fmt::format("{}{}={}", inside.empty() ? "" : ",", key, value);
  return inside.empty() ? spec.name : fmt::format("{}({})", spec.name, inside);
}

PaperColumns reading_origin() {
  return {{"model", [](const PaperRow& r) { return r.cell.model; }},
          {"problems", [](const PaperRow& r) { return r.cell.problem_set; }},
          {"policy", [](const PaperRow& r) { return variant_of(r); }},
          {"budget", [](const PaperRow& r) { return count_or_none(r.budget); }},
          {"sampler", [](const PaperRow& r) { return r.cell.sampler; }},
          {"traces", [](const PaperRow& r) { return r.cell.traces; }},
          {"cap", [](const PaperRow& r) { return count_or_none(r.cell.cap_tokens); }},
          {"cut", [](const PaperRow& r) { return cut(r.cell); }}};
}

/// Signal and rule in one: `guardian(f=250,t=20) zlib(level=6)`.
std::string rule_name(const PaperRow& row) {
  const Cell& cell = row.cell;
  if (cell.rule == kWholeTraces) return "-";
  if (cell.signal == "-") return cell.rule;
  return fmt::format("{} {}{}", cell.rule, cell.signal, cell.stream == "text" ? "" : " " + cell.stream);
}

PaperColumns reading_accuracy() {
  return {{"accuracy", [](const PaperRow& r) { return percent(share(right(r), r.cell.traces)); }},
          {"95 %", [](const PaperRow& r) { return percent(accuracy_interval(r)); }},
          {"tokens", [](const PaperRow& r) {
             return Fixed{mean(r.cell.kept, r.cell.traces), 0};
           }}};
}

PaperColumns reading_paired() {
  using analyze::PairedRuns;
  return {{"against full", paired([](const PairedRuns& p) {
             return Value(fmt::format("{:+.1f}", 100 * p.difference.value));
           })},
          {"95 %", paired([](const PairedRuns& p) { return Value(percent(p.difference.interval)); })},
          {"length ratio", paired([](const PairedRuns& p) {
             return p.length_ratio ? Value(fmt::format("{:.2f}", p.length_ratio->value)) : Value();
           })},
          {"95 %", paired([](const PairedRuns& p) {
             return p.length_ratio ? Value(fmt::format("{:.2f} to {:.2f}", p.length_ratio->interval.low,
                                                       p.length_ratio->interval.high))
                                   : Value();
           })}};
}

PaperColumns policies_reading() {
  PaperColumns columns = reading_origin();
  append(columns, reading_accuracy());
  append(columns, reading_paired());
  return columns;
}

PaperColumns stops_reading() {
  PaperColumns columns = reading_origin();
  append(columns, {{"rule", [](const PaperRow& r) { return rule_name(r); }}});
  append(columns, reading_accuracy());
  append(columns, {{"saved", [](const PaperRow& r) { return percent(saved(r.cell.kept, r.cell.tokens)); }},
                   {"95 %",
                    [](const PaperRow& r) {
                      return r.cell.kept < r.cell.tokens ? Value(percent(r.cell.saved_interval)) : Value();
                    }},
                   {"harm", [](const PaperRow& r) { return r.cell.harm; }},
                   {"gain", [](const PaperRow& r) { return r.cell.gain; }}});
  append(columns, reading_paired());
  return columns;
}

PaperColumns split_reading() {
  PaperColumns columns = reading_origin();
  append(columns,
         {{"rule", [](const PaperRow& r) { return rule_name(r); }},
          {"right", [](const PaperRow& r) { return r.cell.right_full; }},
          {"stopped", [](const PaperRow& r) { return r.stopped_right; }},
          {"saved of right",
           [](const PaperRow& r) { return saved_percent_of(r.cell.kept_right, r.cell.tokens_right); }},
          {"wrong", [](const PaperRow& r) { return wrong_traces(r.cell); }},
          {"stopped", [](const PaperRow& r) { return r.cell.stopped - r.stopped_right; }},
          {"saved of wrong",
           [](const PaperRow& r) {
             return saved_percent_of(r.cell.kept - r.cell.kept_right, r.cell.tokens - r.cell.tokens_right);
           }},
          {"saved", [](const PaperRow& r) { return percent(saved(r.cell.kept, r.cell.tokens)); }},
          {"from wrong", [](const PaperRow& r) {
             const std::int64_t all = r.cell.tokens - r.cell.kept;
             return all == 0 ? Value() : Value(percent(share(saved_wrong(r.cell), all)));
           }}});
  return columns;
}

// The tables of curves.

/// Figure 2: a row a run, problem set, signal and stream.
void add_information(const MeasuredGroup& measured, Table& table) {
  std::int64_t tokens = 0;
  std::int64_t bytes = 0;
  std::int64_t value = 0;
  for (const auto& trace : measured.traces) {
    tokens += trace.token;
    bytes += trace.bytes;
    value += trace.value;
  }
  const auto& run = measured.group->run;
  table.add_row(
      {run.uid, measured.group->problem_set, run.model, brief_policy(run.policy), measured.measure.signal,
       measured.measure.stream, static_cast<std::int64_t>(measured.traces.size()), tokens, bytes, value,
       fixed(static_cast<double>(value), static_cast<double>(tokens)), fixed(measured.rho.value),
       fixed(measured.rho.interval.low), fixed(measured.rho.interval.high), fixed(measured.rho_quartiles[0]),
       fixed(measured.rho_quartiles[1]), fixed(measured.rho_quartiles[2])});
}

Table information_table() {
  return Table({"run", "problem_set", "model", "policy", "signal", "stream", "traces", "tokens", "bytes",
                "value", "value_per_token", "rho", "rho_low", "rho_high", "rho_q25", "rho_median",
                "rho_q75"});
}

/// Figure 3: a row every step.
void add_growth(const MeasuredGroup& measured, Table& table) {
  constexpr int kQuartileDecimals = 2;
  const auto& run = measured.group->run;
  for (const analyze::GrowthPoint& point : measured.growth) {
    std::vector<Value> row{run.uid,
                           measured.group->problem_set,
                           run.model,
                           brief_policy(run.policy),
                           measured.measure.signal,
                           measured.measure.stream,
                           point.token,
                           point.traces};
    for (const auto& quartiles : {point.value, point.growth}) {
      for (const double quartile : quartiles) row.emplace_back(Fixed{quartile, kQuartileDecimals});
    }
    table.add_row(std::move(row));
  }
}

Table growth_table() {
  return Table({"run", "problem_set", "model", "policy", "signal", "stream", "token", "traces", "value_q25",
                "value_median", "value_q75", "growth_q25", "growth_median", "growth_q75"});
}

/// A row a trace.
void add_traces(const MeasuredGroup& measured, std::int64_t longest_match, Table& table) {
  const auto& run = measured.group->run;
  for (std::size_t i = 0; i < measured.traces.size(); ++i) {
    const analyze::GradedTrace& trace = measured.group->traces[i];
    const analyze::TraceInformation& found = measured.traces[i];
    table.add_row(
        {trace.info.uid, run.uid, measured.group->problem_set, trace.info.problem_id, trace.info.repeat,
         brief_policy(run.policy), measured.measure.signal, measured.measure.stream, trace.info.tokens,
         schemas::to_string(trace.info.finish), std::int64_t{trace.right_at(trace.info.tokens) ? 1 : 0},
         found.token, found.bytes, found.value, found.bytes > 0 ? fixed(found.rho) : Value(),
         fixed(analyze::ziv_lempel_epsilon(longest_match)), found.loop ? Value(found.loop->onset) : Value(),
         found.loop ? Value(found.loop->period) : Value()});
  }
}

Table traces_table() {
  return Table({"uid", "run", "problem_set", "problem_id", "repeat", "policy", "signal", "stream", "tokens",
                "finish", "right", "token", "bytes", "value", "rho", "epsilon", "loop_onset", "loop_period"});
}

int write_measured(const CommandLine& line, Table table,
                   const std::function<void(const MeasuredGroup&, Table&)>& add) {
  const TableFormat format = parse_table_format(line.text("format"));
  Output output(line.text("output"));
  std::vector<std::string> left_out;
  analyze::InformationRequest request;
  read_source_options(line, request, left_out);
  request.signals = line.specs("signal");
  request.streams = line.specs("stream");
  request.step_tokens = line.count("step");
  request.bootstrap.seed = static_cast<std::uint64_t>(line.count("seed"));
  const auto store = schemas::Store::open(line.store(), schemas::Access::kRead);
  analyze::measure_information(store, request, [&](const MeasuredGroup& measured) { add(measured, table); });
  output.write(table.render(format));
  return report_left_out(left_out);
}

/// Which of the rows a table has.
enum class Rows { kWhole, kStopped, kStoppedFull };

bool is_in(const PaperRow& row, Rows rows) {
  const bool whole = row.cell.rule == kWholeTraces;
  if (rows == Rows::kWhole) return whole;
  return rows == Rows::kStopped || row.is_full_attention;
}

/// A column at the end that tells apart the runs that look alike, where there are any.
void add_labels(PaperColumns& columns, const std::vector<PaperRow>& rows, const schemas::Store& store) {
  const auto labels = run_labels(schemas::list_runs(store));
  const auto label = [labels](const PaperRow& row) {
    const auto found = labels.find(row.cell.run);
    return found == labels.end() ? std::string() : found->second;
  };
  if (std::any_of(rows.begin(), rows.end(), [&](const PaperRow& row) { return !label(row).empty(); }))
    columns.emplace_back("apart by", label);
}

bool has_pairs(const PaperColumns& columns) {
  return std::any_of(columns.begin(), columns.end(),
                     [](const auto& column) { return column.first == "pairs"; });
}

std::string policies_in(const std::vector<PaperRow>& rows) {
  std::set<std::string> names;
  for (const PaperRow& row : rows) names.insert(brief_policy(row.cell.policy));
  return fmt::format("{}", fmt::join(names, ", "));
}

/// Says on stderr why a table is empty, or some of its rows stand against nothing.
void explain_gaps(const std::vector<PaperRow>& all, const std::vector<PaperRow>& shown, Rows which,
                  bool policy_selected) {
  if (shown.empty() && which == Rows::kStoppedFull) {
    fmt::print(
        stderr,
        "no run of full attention is selected, and this table has no other: the policies are {}; `--table "
        "guardian` shows them all, and a log becomes a run of full attention by `lil import --policy full`\n",
        policies_in(all));
    return;
  }
  const auto is_alone = [](const PaperRow& row) { return !row.is_full_attention && !row.against_full; };
  const auto alone = std::count_if(shown.begin(), shown.end(), is_alone);
  if (alone == 0) return;
  fmt::print(stderr, "{} of {} rows stand against no run of full attention: {}\n", alone, shown.size(),
             policy_selected
                 ? "--where policy=… leaves its runs out; without it they are compared"
                 : "none of the same model, problems, sampler, seed, template, dtype and cap is selected");
}

int write_paper(const CommandLine& line, Rows which, const PaperColumns& whole, PaperColumns reading) {
  const TableFormat format = parse_table_format(line.text("format"));
  Output output(line.text("output"));
  std::vector<std::string> left_out;
  analyze::CellRequest request;
  read_source_options(line, request, left_out);
  request.signals = line.specs("signal");
  request.streams = line.specs("stream");
  if (which != Rows::kWhole) request.rules = line.specs("rule");
  request.bootstrap.seed = static_cast<std::uint64_t>(line.count("seed"));
  const auto store = schemas::Store::open(line.store(), schemas::Access::kRead);
  const std::vector<PaperRow> all = analyze::paper_rows(store, request);
  std::vector<PaperRow> rows;
  std::copy_if(all.begin(), all.end(), std::back_inserter(rows),
               [&](const PaperRow& row) { return is_in(row, which); });
  if (has_pairs(whole)) explain_gaps(all, rows, which, request.filter.policy.has_value());
  add_labels(reading, rows, store);
  output.write(table_of(for_programs(format) ? whole : reading, rows).render(format));
  return report_left_out(left_out);
}

struct NamedTable {
  const char* name;
  const char* description;
  int (*write)(const CommandLine& line);
};

constexpr std::array kTables{
    NamedTable{"policies",
               "accuracy and length by model, problems, policy and budget, against full attention",
               [](const CommandLine& line) {
                 return write_paper(line, Rows::kWhole, policies_whole(), policies_reading());
               }},
    NamedTable{"guardian", "the same with the rules, and what they save",
               [](const CommandLine& line) {
                 return write_paper(line, Rows::kStopped, stops_whole(), stops_reading());
               }},
    NamedTable{"full", "the same of full attention alone",
               [](const CommandLine& line) {
                 return write_paper(line, Rows::kStoppedFull, stops_whole(), stops_reading());
               }},
    NamedTable{"split", "savings by whether the whole trace is right",
               [](const CommandLine& line) {
                 return write_paper(line, Rows::kStopped, split_whole(), split_reading());
               }},
    NamedTable{
        "information", "a signal's value per token and per byte (rho), by policy",
        [](const CommandLine& line) { return write_measured(line, information_table(), add_information); }},
    NamedTable{"growth", "quartiles of a signal and its growth every --step tokens",
               [](const CommandLine& line) { return write_measured(line, growth_table(), add_growth); }},
    NamedTable{"traces", "a row a trace: rho, epsilon(Ls), the onset of its loop",
               [](const CommandLine& line) {
                 const std::int64_t longest = line.count("longest-match");
                 if (longest < 2) {
                   throw Error(ErrorCode::kUsage, fmt::format("--longest-match: {} is less than 2", longest));
                 }
                 return write_measured(line, traces_table(),
                                       [longest](const MeasuredGroup& measured, Table& table) {
                                         add_traces(measured, longest, table);
                                       });
               }},
};

}  // namespace

std::string table_names() {
  std::string names;
  for (const NamedTable& table : kTables)
    names += fmt::format("{}{} ({})", names.empty() ? "" : "; ", table.name, table.description);
  return names;
}

void add_table_options(CommandLine& line) {
  line.option("table", "NAME", "one of these tables instead: " + table_names());
  line.option("step", "TOKENS", "--table information, growth, traces: from one point to the next", "250");
  line.option("longest-match", "BYTES", "--table traces: Ls of epsilon(Ls), deflate's", "258");
}

int analyze_table(const CommandLine& line) {
  const std::string name = line.text("table");
  std::string known;
  for (const NamedTable& table : kTables) {
    if (name == table.name) return table.write(line);
    known += (known.empty() ? "" : ", ") + std::string(table.name);
  }
  throw Error(ErrorCode::kUsage, fmt::format("--table: unknown table '{}'; known are: {}", name, known));
}

}  // namespace lil::tools
