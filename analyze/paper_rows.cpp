#include "analyze/paper_rows.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "schemas/error.h"
#include "schemas/named_spec.h"

namespace lil::analyze {
namespace {

constexpr std::string_view kFullAttention = "full";
constexpr std::string_view kBudget = "budget";
constexpr const char* kWholeTraces = "never";

void read_policy(const std::string& policy, PaperRow& row) {
  row.policy_name = policy;
  try {
    const schemas::NamedSpec spec = schemas::parse_named_spec(policy);
    row.policy_name = spec.name;
    for (const auto& [key, value] : spec.values) {
      if (key == kBudget) row.budget = schemas::parse_count(key, value);
    }
  } catch (const Error&) {
    return;  // of a log, in words of its own
  }
}

bool is_full(const TraceGroup& group) {
  PaperRow row;
  read_policy(group.run.policy, row);
  return row.policy_name == kFullAttention;
}

/// Whether two runs agree in what v_length_inflation asks for besides problem set and cap.
bool same_but_for_policy(const schemas::RunRecord& a, const schemas::RunRecord& b) {
  const auto key = [](const schemas::RunRecord& run) {
    return std::tie(run.model, run.weights_sha256, run.sampler, run.seed, run.prompt_template, run.dtype);
  };
  return key(a) == key(b);
}

/// The run of full attention that `group` is held against.
const TraceGroup* reference_of(const std::vector<GroupCells>& all, const TraceGroup& group) {
  for (const GroupCells& other : all) {
    const schemas::RunRecord& run = other.group.run;
    const bool same_setting = same_but_for_policy(run, group.run) &&
                              other.group.problem_set == group.problem_set &&
                              run.cap_tokens == group.run.cap_tokens;
    if (same_setting && run.stop_rule.empty() && is_full(other.group)) return &other.group;
  }
  return nullptr;
}

PaperRow row_of(const GroupCells& of_group, std::size_t index, const TraceGroup* reference,
                const Bootstrap& bootstrap) {
  PaperRow row;
  row.cell = of_group.cells[index];
  read_policy(of_group.group.run.policy, row);
  row.is_full_attention = row.policy_name == kFullAttention;
  const TraceStops& stops = of_group.stops[index];
  for (std::size_t i = 0; i < stops.size(); ++i) {
    const GradedTrace& trace = of_group.group.traces[i];
    row.stopped_right += stops[i] && trace.right_at(trace.info.tokens) ? 1 : 0;
  }
  const bool itself = reference == &of_group.group && row.cell.rule == kWholeTraces;
  if (reference == nullptr || itself) return row;
  row.against_full =
      pair_runs(*reference, TraceStops(reference->traces.size()), of_group.group, stops, bootstrap);
  return row;
}

}  // namespace

std::vector<PaperRow> paper_rows(const schemas::Store& store, const CellRequest& request) {
  CellRequest with_whole = request;
  with_whole.baselines = false;
  with_whole.rules.insert(with_whole.rules.begin(), kWholeTraces);
  const std::vector<GroupCells> all = analyze_groups(store, with_whole);
  std::vector<PaperRow> rows;
  for (const GroupCells& group : all) {
    const TraceGroup* reference = reference_of(all, group.group);
    for (std::size_t i = 0; i < group.cells.size(); ++i)
      rows.push_back(row_of(group, i, reference, request.bootstrap));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const PaperRow& a, const PaperRow& b) {
    const auto key = [](const PaperRow& row) {
      return std::tuple(row.cell.model, row.cell.problem_set, !row.is_full_attention, row.policy_name,
                        row.budget.value_or(0));
    };
    return key(a) < key(b);
  });
  return rows;
}

}  // namespace lil::analyze
