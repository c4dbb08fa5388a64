#include "analyze/compare/compare_signals.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analyze/calibration/risks.h"
#include "replay/signals/registry.h"
#include "schemas/error.h"
#include "tools/commands/brief_policy.h"
#include "tools/commands/calibration_options.h"
#include "tools/commands/command.h"
#include "tools/commands/compare_modes.h"
#include "tools/commands/shares.h"
#include "tools/commands/source_options.h"
#include "tools/output.h"
#include "tools/table.h"

namespace lil::tools {
namespace {

using analyze::ComparedSignal;
using analyze::Estimate;
using analyze::SignalComparison;
using analyze::SignalComparisonRequest;

Value fixed(double value) {
  return Fixed{value, kShareDecimals};
}

template <class T>
Value fixed_or_none(const std::optional<T>& value) {
  return value ? fixed(*value) : Value();
}

void add_estimate(std::vector<Value>& row, const std::optional<Estimate>& estimate) {
  row.push_back(estimate ? fixed(estimate->value) : Value());
  row.push_back(estimate ? fixed(estimate->interval.low) : Value());
  row.push_back(estimate ? fixed(estimate->interval.high) : Value());
}

/// An estimate's name for its value and the two ends of its interval.
void add_names(std::vector<std::string>& names, const std::string& name) {
  for (const char* end : {"", "_low", "_high"}) names.push_back(name + end);
}

std::vector<std::string> whole_columns() {
  std::vector<std::string> names{"run",     "problem_set", "signal",   "stream", "shape",  "rule",
                                 "p_value", "hypotheses",  "problems", "traces", "tokens", "kept"};
  add_names(names, "saved");
  add_names(names, "saved_more");
  for (const char* name : {"stopped", "right_full", "right_stop", "harm", "harm_low", "harm_high", "gain",
                           "loops", "loops_caught", "loops_early", "delay_median"})
    names.emplace_back(name);
  add_names(names, "delay_mean");
  names.insert(names.end(), {"checks", "checks_positive"});
  for (const char* name : {"auc", "auc_more", "area", "area_more"}) add_names(names, name);
  names.insert(names.end(), {"signal_version", "grid_tokens", "check_us", "step_us"});
  return names;
}

double saved(const analyze::Cell& cell) {
  return cell.tokens == 0 ? 0 : 1 - share(cell.kept, cell.tokens);
}

Value microseconds(const std::optional<double>& ns) {
  return ns ? Value(Fixed{*ns / 1000, 3}) : Value();
}

std::vector<Value> whole_row(const ComparedSignal& one, const std::optional<double>& step_ns) {
  const analyze::Cell& cell = one.test;
  std::vector<Value> row{cell.run,
                         cell.problem_set,
                         one.measure.signal,
                         one.measure.stream,
                         one.shape,
                         one.t ? Value(one.rule) : Value(),
                         fixed_or_none(one.p_value),
                         one.hypotheses,
                         cell.problems,
                         cell.traces,
                         cell.tokens,
                         cell.kept};
  add_estimate(row, Estimate{saved(cell), one.saved});
  add_estimate(row, one.saved_difference);
  for (const std::int64_t count : {cell.stopped, cell.right_full, cell.right_stop, cell.harm})
    row.emplace_back(count);
  row.insert(row.end(), {fixed(one.harm.low), fixed(one.harm.high)});
  for (const std::int64_t count : {cell.gain, one.delays.loops, one.delays.caught, one.delays.early})
    row.emplace_back(count);
  row.push_back(fixed_or_none(one.delays.median));
  add_estimate(row, one.delays.mean);
  row.insert(row.end(), {one.positives + one.negatives, one.positives});
  for (const auto& estimate : {one.auc, one.auc_difference}) add_estimate(row, estimate);
  add_estimate(row, one.area);
  add_estimate(row, one.area_difference);
  row.insert(row.end(), {one.version, one.grid_tokens, microseconds(one.point_ns), microseconds(step_ns)});
  return row;
}

Table roc_table(const std::vector<SignalComparison>& comparisons) {
  Table table({"run", "problem_set", "signal", "stream", "shape", "t", "flagged", "false_alarms",
               "true_share", "false_share"});
  for (const SignalComparison& comparison : comparisons) {
    for (const ComparedSignal& one : comparison.signals) {
      for (const analyze::RocPoint& point : one.roc) {
        table.add_row({one.test.run, one.test.problem_set, one.measure.signal, one.measure.stream, one.shape,
                       point.t, point.flagged, point.false_alarms, fixed(share(point.flagged, one.positives)),
                       fixed(share(point.false_alarms, one.negatives))});
      }
    }
  }
  return table;
}

Table whole_table(const std::vector<SignalComparison>& comparisons) {
  Table table(whole_columns());
  for (const SignalComparison& comparison : comparisons) {
    for (const ComparedSignal& one : comparison.signals) table.add_row(whole_row(one, comparison.step_ns));
  }
  return table;
}

std::string signed_percent(double share) {
  return fmt::format("{:+.1f} %", 100 * share);
}

/// What the certified rules do.
Table certified_table(const SignalComparison& comparison) {
  Table table({"signal", "stream", "rule", "p", "saved", "95 %", "more", "95 %", "stopped", "harm", "95 %",
               "gain", "caught", "early", "delay (median)"});
  for (const ComparedSignal& one : comparison.signals) {
    const bool stops = one.test.kept < one.test.tokens;
    const auto& more = one.saved_difference;
    table.add_row({one.measure.signal, one.measure.stream, one.t ? one.rule : "none certified",
                   one.p_value ? Value(fmt::format("{:.2g}", *one.p_value)) : Value(),
                   percent(saved(one.test)), stops ? Value(percent(one.saved)) : Value(),
                   more ? Value(signed_percent(more->value)) : Value(),
                   more ? Value(percent(more->interval)) : Value(), one.test.stopped, one.test.harm,
                   percent(one.harm), one.test.gain, one.delays.caught, one.delays.early,
                   one.delays.median ? Value(Fixed{*one.delays.median, 0}) : Value()});
  }
  return table;
}

std::string three(double value) {
  return fmt::format("{:.3f}", value);
}

std::vector<Value> reading_of(const std::optional<Estimate>& estimate, bool is_difference) {
  if (!estimate) return {Value(), Value()};
  return {is_difference ? fmt::format("{:+.3f}", estimate->value) : three(estimate->value),
          fmt::format("{} to {}", three(estimate->interval.low), three(estimate->interval.high))};
}

/// What all thresholds do.
Table threshold_table(const SignalComparison& comparison) {
  Table table({"signal", "stream", "shape", "checks", "positive", "AUC", "95 %", "more", "95 %", "area",
               "95 %", "more", "95 %"});
  for (const ComparedSignal& one : comparison.signals) {
    std::vector<Value> row{one.measure.signal, one.measure.stream, one.shape, one.positives + one.negatives,
                           one.positives};
    for (const auto& [estimate, is_difference] :
         {std::pair(one.auc, false), std::pair(one.auc_difference, true),
          std::pair(std::optional(one.area), false), std::pair(one.area_difference, true)}) {
      for (Value& value : reading_of(estimate, is_difference)) row.push_back(std::move(value));
    }
    table.add_row(std::move(row));
  }
  return table;
}

/// What watching takes, of what was measured when the curves were made and the tokens recorded.
Table cost_table(const SignalComparison& comparison) {
  Table table({"signal", "stream", "every", "us a check", "of the decoding"});
  for (const ComparedSignal& one : comparison.signals) {
    const bool both = one.point_ns && comparison.step_ns;
    table.add_row({one.measure.signal, one.measure.stream, one.grid_tokens, microseconds(one.point_ns),
                   both ? Value(fmt::format("{:.3f} %",
                                            100 * *one.point_ns /
                                                (static_cast<double>(one.grid_tokens) * *comparison.step_ns)))
                        : Value()});
  }
  return table;
}

std::string heading(const SignalComparison& comparison, const SignalComparisonRequest& request,
                    const std::string& comment) {
  const ComparedSignal& first = comparison.signals.front();
  const analyze::Cell& cell = first.test;
  const std::string reference = comparison.reference
                                    ? fmt::format("; more: than {} of {}, paired by problem",
                                                  comparison.signals[*comparison.reference].measure.signal,
                                                  comparison.signals[*comparison.reference].measure.stream)
                                    : "";
  const std::string few =
      comparison.problems[1] < comparison.least_needed
          ? fmt::format(
                "{}even without any loss it takes {} calibrate problems to certify this; there are {}\n",
                comment, comparison.least_needed, comparison.problems[1])
          : "";
  return fmt::format(
      "{0}run {1}: model {2}, policy {3}, sampler {4}; {5}: {6} problems to tune on, {7} to calibrate on, "
      "{8} to "
      "test on (split seed {9})\n"
      "{0}each at {10} at most {11:g} with confidence {12:g}, {13} p-values; on test: {14} traces, {15} "
      "tokens, {16} "
      "right in full, {17} end in a loop{18}\n{19}",
      comment, cell.run, cell.model, brief_policy(cell.policy), cell.sampler, cell.problem_set,
      comparison.problems[0], comparison.problems[1], comparison.problems[2], request.split.seed,
      request.risk, request.alpha, 1 - request.delta, analyze::to_string(comparison.p_value_kind),
      cell.traces, cell.tokens, cell.right_full, first.delays.loops, reference, few);
}

/// Areas go by the shape, so those of different shapes say little of the signals.
std::string shapes_note(const SignalComparison& comparison) {
  const auto& signals = comparison.signals;
  const bool differ = std::any_of(signals.begin(), signals.end(), [&](const ComparedSignal& one) {
    return one.shape != signals.front().shape;
  });
  return differ
             ? "; each at the f that did best on tune, and areas of different f do not compare: name one by "
               "--f"
             : "";
}

std::string reading_text(const std::vector<SignalComparison>& comparisons,
                         const SignalComparisonRequest& request, TableFormat format) {
  const std::string comment = comment_mark(format);
  const std::string gap = gap_before_table(format);
  std::string text;
  for (const SignalComparison& comparison : comparisons) {
    text += (text.empty() ? "" : "\n") + heading(comparison, request, comment) + gap +
            certified_table(comparison).render(format) +
            fmt::format(
                "\n{}every threshold: area under the ROC of the checks (positive: from there on nothing is "
                "gained), and under the savings-accuracy curve{}\n{}",
                comment, shapes_note(comparison), gap) +
            threshold_table(comparison).render(format) +
            fmt::format(
                "\n{}cost, as measured when the curves were made (CPU time of a check, reading the tokens "
                "since the last included){}\n{}",
                comment,
                comparison.step_ns ? fmt::format(" and recorded ({:.0f} us a decode step of a sequence)",
                                                 *comparison.step_ns / 1000)
                                   : "; how long decoding took is not on record",
                gap) +
            cost_table(comparison).render(format);
  }
  return text;
}

SignalComparisonRequest request_from(const CommandLine& line, std::vector<std::string>& left_out) {
  SignalComparisonRequest request;
  read_calibration_options(line, request);
  read_source_options(line, request, left_out);
  request.threads = line.threads();
  request.loop = {line.count("loop-repeats"), line.count("loop-tokens")};
  if (request.loop.min_repeats < 2) {
    throw Error(ErrorCode::kUsage,
                fmt::format("--loop-repeats: {} is less than 2", request.loop.min_repeats));
  }
  request.reference = replay::make_signal(line.given("reference") ? line.text("reference") : "zlib")->name();
  const bool listed = std::any_of(
      request.signals.begin(), request.signals.end(),
      [&](const std::string& spec) { return replay::make_signal(spec)->name() == request.reference; });
  if (line.given("reference") && !request.signals.empty() && !listed)
    request.signals.insert(request.signals.begin(), *request.reference);
  return request;
}

}  // namespace

int compare_signals(const CommandLine& line) {
  const TableFormat format = parse_table_format(line.text("format"));
  std::vector<std::string> left_out;
  const SignalComparisonRequest request = request_from(line, left_out);
  Output output(line.text("output"));
  const auto store = schemas::Store::open(line.store(), schemas::Access::kRead);
  std::vector<SignalComparison> comparisons;
  analyze::compare_signals(store, request, [&](const SignalComparison& one) { comparisons.push_back(one); });
  if (line.given("roc")) {
    output.write(roc_table(comparisons).render(format));
  } else if (for_programs(format)) {
    output.write(whole_table(comparisons).render(format));
  } else {
    output.write(reading_text(comparisons, request, format));
  }
  return report_left_out(left_out);
}

}  // namespace lil::tools
