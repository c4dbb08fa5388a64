#include "record/batch_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "schemas/error.h"

namespace lil::record {

BatchPlan plan_batch(const BatchNeeds& needs) {
  BatchPlan plan;
  plan.batch = std::min(needs.batch > 0 ? needs.batch : kAutoBatch, std::max<std::int64_t>(needs.traces, 1));
  if (needs.probe_share > 0) {
    const double busy = std::ceil(static_cast<double>(plan.batch) * needs.probe_share);
    plan.probe_lanes = std::clamp<std::int64_t>(static_cast<std::int64_t>(busy), 1, plan.batch);
  }
  std::int64_t sequences = plan.batch + plan.probe_lanes;
  if (needs.kv_bytes > 0)
    sequences = std::min(sequences, needs.kv_bytes / std::max<std::int64_t>(needs.sequence_bytes, 1));
  const std::int64_t least = needs.probe_share > 0 ? 2 : 1;
  if (sequences < least) {
    throw Error(
        ErrorCode::kUsage,
        fmt::format("the KV pool may have {} bytes, and {} may need {}: allow more memory, fewer tokens "
                    "or a smaller budget",
                    needs.kv_bytes, least == 2 ? "one sequence with a probe" : "one sequence",
                    least * needs.sequence_bytes));
  }
  // Where not all fit, probes get their share of what there is.
  plan.probe_lanes =
      std::min(plan.probe_lanes,
               std::max<std::int64_t>(sequences * plan.probe_lanes / (plan.batch + plan.probe_lanes), 1));
  plan.resident = sequences - plan.probe_lanes;
  plan.probe_bytes = plan.probe_lanes * needs.sequence_bytes;
  plan.kv_bytes = sequences < plan.batch + plan.probe_lanes && needs.kv_bytes > 0
                      ? needs.kv_bytes  // smaller traces may share what the largest leave
                      : sequences * needs.sequence_bytes;
  return plan;
}

}  // namespace lil::record
