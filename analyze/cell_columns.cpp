#include <fmt/format.h>

#include <vector>

#include "analyze/cells.h"

namespace lil::analyze {
namespace {

std::string count(std::int64_t value) {
  return std::to_string(value);
}
std::string count(const std::optional<std::int64_t>& value) {
  return value ? count(*value) : "";
}
std::string share(double value) {
  return fmt::format("{:.6f}", value);
}

/// `part` of `whole` as a share; unknown of nothing.
std::string share_of(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? "" : share(static_cast<double>(part) / static_cast<double>(whole));
}
std::string saved_of(std::int64_t kept, std::int64_t tokens) {
  return share_of(tokens - kept, tokens);
}

Interval harm_interval(const Cell& cell) {
  return clopper_pearson(cell.harm, cell.with_gold);
}
Interval full_interval(const Cell& cell) {
  return clopper_pearson(cell.right_full, cell.traces);
}
Interval stop_interval(const Cell& cell) {
  return clopper_pearson(cell.right_stop, cell.traces);
}

std::vector<CellColumn> promised_columns() {
  constexpr auto kText = ColumnKind::kText;
  constexpr auto kCount = ColumnKind::kCount;
  return {
      {"run", kText, "uid of the run", [](const Cell& c) { return c.run; }},
      {"problem_set", kText, "name of the problem set", [](const Cell& c) { return c.problem_set; }},
      {"signal", kText, "what is measured; - for a rule that reads no signal",
       [](const Cell& c) { return c.signal; }},
      {"stream", kText, "what it is measured on; - as for signal", [](const Cell& c) { return c.stream; }},
      {"rule", kText, "the stop rule with all its parameters", [](const Cell& c) { return c.rule; }},
      {"traces", kCount, "complete traces", [](const Cell& c) { return count(c.traces); }},
      {"capped", kCount, "traces known to be cut by the cap", [](const Cell& c) { return count(c.capped); }},
      {"tokens", kCount, "generated tokens", [](const Cell& c) { return count(c.tokens); }},
      {"kept", kCount, "tokens up to the stops", [](const Cell& c) { return count(c.kept); }},
      {"saved", ColumnKind::kShare, "1 - kept / tokens",
       [](const Cell& c) { return c.tokens == 0 ? share(0) : saved_of(c.kept, c.tokens); }},
      {"stopped", kCount, "traces stopped before their end", [](const Cell& c) { return count(c.stopped); }},
      {"right_full", kCount, "traces whose full answer is right",
       [](const Cell& c) { return count(c.right_full); }},
      {"right_stop", kCount, "traces whose answer at the stop is right",
       [](const Cell& c) { return count(c.right_stop); }},
      {"harm", kCount, "right in full, not at the stop", [](const Cell& c) { return count(c.harm); }},
      {"gain", kCount, "right at the stop, not in full", [](const Cell& c) { return count(c.gain); }},
  };
}

std::vector<CellColumn> measured_columns() {
  constexpr auto kCount = ColumnKind::kCount;
  constexpr auto kShare = ColumnKind::kShare;
  return {
      {"problems", kCount, "problems among the traces", [](const Cell& c) { return count(c.problems); }},
      {"finish_known", kCount, "traces whose record says how they ended",
       [](const Cell& c) { return count(c.finish_known); }},
      {"capped_share", kShare, "capped / finish_known",
       [](const Cell& c) { return share_of(c.capped, c.finish_known); }},
      {"saved_low", kShare, "saved, 95 % bootstrap interval over problems",
       [](const Cell& c) { return share(c.saved_interval.low); }},
      {"saved_high", kShare, "upper end of that", [](const Cell& c) { return share(c.saved_interval.high); }},
      {"mean_saved", kShare, "mean over traces of the share each saves",
       [](const Cell& c) { return share(c.mean_saved); }},
      {"saved_right", kShare, "saved, of the traces right in full",
       [](const Cell& c) { return saved_of(c.kept_right, c.tokens_right); }},
      {"saved_wrong", kShare, "saved, of the other traces",
       [](const Cell& c) { return saved_of(c.kept - c.kept_right, c.tokens - c.tokens_right); }},
      {"accuracy_full", kShare, "right_full / traces",
       [](const Cell& c) { return share_of(c.right_full, c.traces); }},
      {"accuracy_full_low", kShare, "95 % exact interval, traces as independent",
       [](const Cell& c) { return share(full_interval(c).low); }},
      {"accuracy_full_high", kShare, "upper end of that",
       [](const Cell& c) { return share(full_interval(c).high); }},
      {"accuracy_stop", kShare, "right_stop / traces",
       [](const Cell& c) { return share_of(c.right_stop, c.traces); }},
      {"accuracy_stop_low", kShare, "95 % exact interval, traces as independent",
       [](const Cell& c) { return share(stop_interval(c).low); }},
      {"accuracy_stop_high", kShare, "upper end of that",
       [](const Cell& c) { return share(stop_interval(c).high); }},
      {"harm_share", kShare, "harm / with_gold", [](const Cell& c) { return share_of(c.harm, c.with_gold); }},
      {"harm_low", kShare, "95 % exact interval, traces as independent",
       [](const Cell& c) { return share(harm_interval(c).low); }},
      {"harm_high", kShare, "upper end of that", [](const Cell& c) { return share(harm_interval(c).high); }},
  };
}

std::vector<CellColumn> origin_columns() {
  constexpr auto kText = ColumnKind::kText;
  constexpr auto kCount = ColumnKind::kCount;
  return {
      {"model", kText, "name of the model", [](const Cell& c) { return c.model; }},
      {"policy", kText, "attention policy of the run", [](const Cell& c) { return c.policy; }},
      {"sampler", kText, "sampler of the run", [](const Cell& c) { return c.sampler; }},
      {"stop_rule", kText, "live rule that could end the run's generations; empty where none",
       [](const Cell& c) { return c.stop_rule; }},
      {"cap_tokens", kCount, "the run's cap on generated tokens, where known",
       [](const Cell& c) { return count(c.cap_tokens); }},
      {"signal_version", kText, "version of the signal's code and library",
       [](const Cell& c) { return c.signal_version; }},
      {"grid_tokens", kCount, "grid of the curves used", [](const Cell& c) { return count(c.grid_tokens); }},
      {"grading", kText, "extraction and graders with their versions",
       [](const Cell& c) { return c.grading; }},
  };
}

/// One of the numbers of the difference to the reference; empty where there is none.
template <class Number>
std::string of_difference(const Cell& cell, Number&& number) {
  return cell.saved_more ? share(number(*cell.saved_more)) : "";
}

std::vector<CellColumn> reference_columns() {
  constexpr auto kShare = ColumnKind::kShare;
  return {
      {"saved_more", kShare, "saved less the reference's, paired by problem; empty without --reference",
       [](const Cell& c) { return of_difference(c, [](const Estimate& more) { return more.value; }); }},
      {"saved_more_low", kShare, "95 % bootstrap interval over problems",
       [](const Cell& c) {
         return of_difference(c, [](const Estimate& more) { return more.interval.low; });
       }},
      {"saved_more_high", kShare, "upper end of that",
       [](const Cell& c) {
         return of_difference(c, [](const Estimate& more) { return more.interval.high; });
       }},
  };
}

std::vector<CellColumn> gold_columns() {
  return {{"with_gold", ColumnKind::kCount,
           "traces whose problem has a gold answer; the others count as not right, and cannot be harmed",
           [](const Cell& c) { return count(c.with_gold); }}};
}

}  // namespace

std::span<const CellColumn> cell_columns() {
  static const std::vector<CellColumn> columns = [] {
    std::vector<CellColumn> all = promised_columns();
    for (auto more : {measured_columns, origin_columns, reference_columns, gold_columns}) {
      for (auto& column : more()) all.push_back(std::move(column));
    }
    return all;
  }();
  return columns;
}

}  // namespace lil::analyze
