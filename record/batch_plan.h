#pragma once

#include <cstdint>

namespace lil::record {

/// Sequences at a time where nobody says how many. Beyond it, a step on a CPU no longer gets cheaper for
/// each sequence: `linear` reads weights once for so many rows.
inline constexpr std::int64_t kAutoBatch = 16;

/// What a batch is planned from.
struct BatchNeeds {
  std::int64_t batch = 0;           ///< sequences at a time at most; 0: kAutoBatch
  std::int64_t kv_bytes = 0;        ///< most KV memory, see Engine::kv_bytes; 0: no limit
  std::int64_t traces = 0;          ///< to be generated
  std::int64_t sequence_bytes = 0;  ///< KV memory that the largest of them may need
  /// Steps that probes take for each step of a trace: 0 without probes.
  double probe_share = 0;
};

/// How many sequences are decoded at a time, and in how much memory.
struct BatchPlan {
  std::int64_t batch = 0;        ///< traces at a time at most
  std::int64_t probe_lanes = 0;  ///< probes at a time at most, beside them
  std::int64_t kv_bytes = 0;     ///< of KV memory: the pool, and what the policy holds for its entries
  std::int64_t probe_bytes = 0;  ///< of these, set aside for probes
  std::int64_t resident = 0;     ///< of the largest traces, so many fit at a time
  std::int64_t max_tokens = 0;   ///< of a sequence, its prompt included
  std::int64_t max_prompt_tokens = 0;
};

/// All but the numbers of tokens, which are the caller's. With probes there is always a lane and memory for
/// one of the largest. Throws Error(kUsage) naming both numbers where the limit has no room for one trace,
/// and its probe where there are probes.
[[nodiscard]] BatchPlan plan_batch(const BatchNeeds& needs);

}  // namespace lil::record
