#include "tools/commands/run_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

namespace lil::tools {
namespace {

using schemas::RunRecord;
using schemas::StoredRun;

constexpr std::size_t kHashDigits = 8;

std::string listed(const std::vector<std::pair<std::string, std::string>>& details,
                   const std::set<std::string>& names) {
  std::string text;
  for (const auto& [name, value] : details) {
    if (names.count(name) == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, value.empty() ? "none" : value);
  }
  return text;
}

std::set<std::string> differing_names(const RunRecord& a, const RunRecord& b) {
  const auto of_a = run_details(a);
  const auto of_b = run_details(b);
  std::set<std::string> names;
  for (std::size_t i = 0; i < of_a.size(); ++i) {
    if (of_a[i].second != of_b[i].second) names.insert(of_a[i].first);
  }
  return names;
}

bool look_alike(const RunRecord& a, const RunRecord& b) {
  const auto key = [](const RunRecord& run) {
    return std::tie(run.model, run.policy, run.sampler, run.problem_set);
  };
  return key(a) == key(b);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> run_details(const RunRecord& run) {
  return {{"dtype", run.dtype},
          {"seed", std::to_string(run.seed)},
          {"cap", run.cap_tokens ? std::to_string(*run.cap_tokens) : ""},
          {"template", run.prompt_template},
          {"stop rule", run.stop_rule},
          {"device", run.device},
          {"weights", run.weights_sha256.substr(0, kHashDigits)}};
}

std::map<std::string, std::string> run_labels(std::span<const StoredRun> runs) {
  std::map<std::string, std::string> labels;
  for (const StoredRun& run : runs) {
    std::set<std::string> names;
    for (const StoredRun& other : runs) {
      if (look_alike(run.record, other.record)) names.merge(differing_names(run.record, other.record));
    }
    const std::string label = listed(run_details(run.record), names);
    if (!label.empty()) labels.emplace(run.record.uid, label);
  }
  return labels;
}

std::string differing_details(const RunRecord& run, const RunRecord& other) {
  return listed(run_details(run), differing_names(run, other));
}

}  // namespace lil::tools
