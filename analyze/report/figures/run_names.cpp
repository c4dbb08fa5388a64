#include "analyze/report/figures/run_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "analyze/report/figure/numbers.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"

namespace lil::analyze {
namespace {

constexpr const char* kBudget = "budget";
constexpr const char* kUnknown = "unknown";
constexpr const char* kDot = " \xC2\xB7 ";

using Values = std::vector<std::pair<std::string, std::string>>;

Values parameters_of(const std::string& policy) {
  try {
    return schemas::parse_named_spec(policy).values;
  } catch (const Error&) {
    return {};  // of a log, in words of its own
  }
}

/// (policy name, budget) → its parameters that have several values.
using Differing = std::map<std::pair<std::string, std::int64_t>, std::set<std::string>>;

std::pair<std::string, std::int64_t> kind_of(const ReportedRun& run) {
  return {run.whole.policy_name, run.whole.budget.value_or(0)};
}

Differing differing_parameters(const std::vector<ReportedRun>& runs) {
  std::map<std::pair<std::string, std::int64_t>, std::map<std::string, std::set<std::string>>> values;
  for (const ReportedRun& run : runs) {
    for (const auto& [key, value] : parameters_of(run.whole.cell.policy))
      values[kind_of(run)][key].insert(value);
  }
  Differing differing;
  for (const auto& [kind, by_key] : values) {
    for (const auto& [key, seen] : by_key) {
      if (seen.size() > 1) differing[kind].insert(key);
    }
  }
  return differing;
}

std::string spelled(const std::string& name, const std::string& inside) {
  return inside.empty() ? name : fmt::format("{}({})", name, inside);
}

void name_policy(const Differing& differing, ReportedRun& run) {
  const std::string& name = run.whole.policy_name;
  if (name == kUnknown) return;
  const auto found = differing.find(kind_of(run));
  std::string others;
  for (const auto& [key, value] : parameters_of(run.whole.cell.policy)) {
    if (found == differing.end() || found->second.count(key) == 0) continue;
    others += fmt::format("{}{}={}", others.empty() ? "" : ",", key, value);
  }
  run.family = spelled(name, others);
  const std::string budget = run.whole.budget ? fmt::format("{}={}", kBudget, *run.whole.budget) : "";
  run.policy = spelled(name, budget + (budget.empty() || others.empty() ? "" : ",") + others);
}

/// What a run's name may have beside model and problem set, and only where runs of these differ in it.
struct Extra {
  std::string (*value)(const Cell& cell);
};

std::string cap_name(const Cell& cell) {
  return cell.cap_tokens ? "cap " + figure::grouped(*cell.cap_tokens) : "cap not known";
}

constexpr std::size_t kExtras = 3;
constexpr Extra kExtraParts[kExtras] = {
    {[](const Cell& cell) { return cell.sampler; }},
    {cap_name},
    {[](const Cell& cell) {
      return cell.stop_rule.empty() ? std::string() : "stopped live by " + cell.stop_rule;
    }},
};

std::string model_and_problems(const Cell& cell) {
  return cell.model == cell.problem_set ? cell.model : cell.model + kDot + cell.problem_set;
}

void name_settings(std::vector<ReportedRun>& runs) {
  std::map<std::string, std::vector<std::set<std::string>>> values;
  for (const ReportedRun& run : runs) {
    auto& seen = values.try_emplace(model_and_problems(run.whole.cell), kExtras).first->second;
    for (std::size_t i = 0; i < kExtras; ++i) seen[i].insert(kExtraParts[i].value(run.whole.cell));
  }
  for (ReportedRun& run : runs) {
    run.setting = model_and_problems(run.whole.cell);
    const auto& seen = values.at(run.setting);
    for (std::size_t i = 0; i < kExtras; ++i) {
      const std::string value = kExtraParts[i].value(run.whole.cell);
      if (seen[i].size() > 1 && !value.empty()) run.setting += kDot + value;
    }
  }
}

/// Runs that are still alike, as those of two seeds, get their uid.
void tell_apart(std::vector<ReportedRun>& runs) {
  constexpr std::size_t kDigits = 6;
  std::map<std::string, int> count;
  for (const ReportedRun& run : runs) ++count[run.name()];
  for (ReportedRun& run : runs) {
    // name() changes below, and each is looked up before.
    if (count.at(run.name()) > 1) run.setting += kDot + run.whole.cell.run.substr(0, kDigits);
  }
}

}  // namespace

void name_runs(std::vector<ReportedRun>& runs) {
  const Differing differing = differing_parameters(runs);
  for (ReportedRun& run : runs) name_policy(differing, run);
  name_settings(runs);
  tell_apart(runs);
  std::map<std::string, int> series;
  for (ReportedRun& run : runs) {
    if (run.whole.is_full_attention) continue;
    run.family_series = series.try_emplace(run.family, static_cast<int>(series.size()) + 1).first->second;
  }
}

}  // namespace lil::analyze
