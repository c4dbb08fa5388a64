#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "schemas/run_store.h"
#include "schemas/trace.h"

namespace lil::tools {

/// The rest of a run's configuration under names for reading: dtype, seed, cap, template, live stop rule,
/// device, weights (first digits of their hash).
[[nodiscard]] std::vector<std::pair<std::string, std::string>> run_details(const schemas::RunRecord& run);

/// Run uid → `dtype bf16, seed 1`: what tells it from the other runs of its model, policy, sampler and
/// problem set. Runs without such a twin are left out.
[[nodiscard]] std::map<std::string, std::string> run_labels(std::span<const schemas::StoredRun> runs);

/// The details of `run` in which it differs from `other`, as `dtype bf16, seed 1`.
[[nodiscard]] std::string differing_details(const schemas::RunRecord& run, const schemas::RunRecord& other);

}  // namespace lil::tools
