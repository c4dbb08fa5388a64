#include "tools/commands/compare_html.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>

#include "analyze/report/report.h"
#include "tools/commands/brief_policy.h"
#include "tools/commands/run_labels.h"

namespace lil::tools {
namespace {

std::string file_name(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

/// What tells one side from the other, its policy in any case where one is known.
std::string name_of(const std::string& store, const schemas::RunRecord& run, const std::string& other_store,
                    const schemas::RunRecord& other) {
  constexpr std::size_t kUidDigits = 8;
  std::vector<std::string> words;
  if (store != other_store) words.push_back(file_name(store));
  if (run.model != other.model) words.push_back(run.model);
  if (run.policy != "unknown") words.push_back(brief_policy(run.policy));
  std::string name = fmt::format("{}", fmt::join(words, " "));
  const std::string details = differing_details(run, other);
  if (!details.empty()) name += (name.empty() ? "" : ", ") + details;
  return name.empty() ? "run " + run.uid.substr(0, kUidDigits) : name;
}

/// The cap and how many traces it cut, of what is known.
std::string cap_of(const analyze::TraceGroup& group) {
  const auto cut = std::count_if(group.traces.begin(), group.traces.end(), [](const auto& trace) {
    return trace.info.finish == schemas::Finish::kLength;
  });
  if (!group.run.cap_tokens) return cut == 0 ? "" : fmt::format("{} cut", cut);
  return fmt::format("{}, {} cut", *group.run.cap_tokens, cut);
}

analyze::RunPair named(const ComparedRuns& pair) {
  return {pair.a, pair.b, name_of(pair.store_a, pair.a->run, pair.store_b, pair.b->run),
          name_of(pair.store_b, pair.b->run, pair.store_a, pair.a->run)};
}

std::string percent(double share) {
  return fmt::format("{:.1f}", 100 * share);
}

std::string interval(const analyze::Interval& interval, double factor, int decimals) {
  return fmt::format("{:.{}f} to {:.{}f}", factor * interval.low, decimals, factor * interval.high, decimals);
}

std::vector<std::string> summary_row(const ComparedRuns& pair) {
  const analyze::RunPair names = named(pair);
  const analyze::PairedRuns& runs = *pair.runs;
  const auto& ratio = runs.length_ratio;
  return {names.name_a,
          names.name_b,
          pair.b->problem_set,
          std::to_string(runs.problems),
          percent(runs.accuracy_a),
          percent(runs.accuracy_b),
          fmt::format("{:+.1f}", 100 * runs.difference.value),
          interval(runs.difference.interval, 100, 1),
          runs.mcnemar ? fmt::format("{:.3g}", *runs.mcnemar) : "",
          fmt::format("{:.0f}", runs.tokens_a),
          fmt::format("{:.0f}", runs.tokens_b),
          cap_of(*pair.a),
          cap_of(*pair.b),
          ratio ? fmt::format("{:.3f}", ratio->value) : "",
          ratio ? interval(ratio->interval, 1, 3) : ""};
}

}  // namespace

std::string compare_html(const std::vector<ComparedRuns>& pairs) {
  analyze::ReportTable summary{
      {"A", "B", "problem set", "problems", "right in A, %", "right in B, %", "difference", "95 %",
       "McNemar p", "tokens A", "tokens B", "cap of A", "cap of B", "ratio", "95 % of it"},
      {}};
  std::vector<analyze::RunPair> drawn;
  for (const ComparedRuns& pair : pairs) {
    summary.rows.push_back(summary_row(pair));
    drawn.push_back(named(pair));
  }
  const std::string a = file_name(pairs.front().store_a);
  const std::string b = file_name(pairs.front().store_b);
  const std::string title = a == b ? a + ": run against run" : fmt::format("{} against {}", b, a);
  return analyze::build_figure_page(title, summary, {{analyze::draw_paired_runs(drawn)}, {}});
}

}  // namespace lil::tools
