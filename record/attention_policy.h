#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/append.h"
#include "kernels/dtype.h"
#include "kernels/group_reduce.h"
#include "kernels/page_lists.h"
#include "record/device.h"
#include "record/kv_pool.h"
#include "schemas/registry.h"

namespace lil::record {

/// What a policy decides for: a batch of up to `lanes` sequences of one model that are decoded together, each
/// in a lane. Lanes in use are 0, 1, … without gaps.
struct PolicyContext {
  Device* device = nullptr;
  KvPool* pool = nullptr;        ///< with pages of AttentionPolicy::page_tokens
  std::int64_t first_layer = 0;  ///< the first governed one
  std::int64_t layers = 0;       ///< of the model
  std::int64_t heads = 0;        ///< query heads; a multiple of kv_heads
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  kernels::DType dtype = kernels::DType::kFp32;  ///< of queries, keys and values
  std::int64_t lanes = 0;
  std::int64_t max_tokens = 0;  ///< no sequence has more, its prompt included
  /// RoPE's table in the device's memory, as kernels/append.h wants it.
  const float* rope = nullptr;
  std::int64_t rope_positions = 0;

  [[nodiscard]] std::int64_t group() const { return heads / kv_heads; }
};

/// A layer's keys and values of a prompt after its prefill with full attention, in the device's memory: kv
/// head h has the rows [h * capacity, h * capacity + tokens), by position. What the policy did not ask for is
/// null. Valid during the call.
struct PromptLayer {
  std::int64_t layer = 0;
  std::int64_t tokens = 0;
  std::int64_t capacity = 0;
  const void* keys = nullptr;      ///< (kv_heads, capacity, head_dim) rotated at their positions
  const void* raw_keys = nullptr;  ///< the same, not rotated
  const void* values = nullptr;    ///< (kv_heads, capacity, head_dim)
  /// As PromptNeeds::scores says: (kv_heads, capacity), or with per_query_head (group, kv_heads, capacity).
  const float* scores = nullptr;
  const void* queries = nullptr;  ///< (tokens, heads, head_dim), rotated at their positions
};

/// What a policy wants to know of the prompt.
struct PromptNeeds {
  enum class Scores {
    kNone,
    kSum,      ///< column sums: each token's softmax weights from all of the prompt's queries, H2O's start
    kLast,     ///< the weights of the last query alone
    kWindowed  ///< those from the `window` latest queries that see the token: from itself to window - 1 later
  };
  Scores scores = Scores::kNone;
  kernels::GroupReduce reduce = kernels::GroupReduce::kSum;
  bool across_heads = false;    ///< reduced over all heads of the layer; the scores stand at kv head 0
  bool per_query_head = false;  ///< not reduced
  std::int64_t window = 0;
};

/// Where a step's new entries go: (lanes in use * kv_heads) requests, lane by lane.
struct AppendPlan {
  const std::int32_t* slots = nullptr;  ///< in the device's memory
  std::int32_t bounds_page_size = 0;    ///< as AppendArgs
  void* lows = nullptr;
  void* highs = nullptr;
};

/// One softmax's share of a layer's attention. A step with several parts attends to all of their entries,
/// under one softmax.
struct AttentionPart {
  /// (requests): lane by lane, in it by kv head, or by query head where `per_query_head`.
  kernels::PageLists lists;
  bool per_query_head = false;
  const void* keys = nullptr;    ///< slot s at s * head_dim elements
  const void* values = nullptr;  ///< likewise
  /// (lanes) in the device's memory: where the queries stand for RoPE. Given exactly for a policy of raw
  /// queries.
  const std::int32_t* query_positions = nullptr;
  bool wants_logits = false;  ///< for observe()
};

/// What attention to a part found, in the device's memory; `logits` by place, see DecodeAttentionArgs.
struct PartResult {
  const float* logits = nullptr;  ///< (requests, group or 1, logits_stride); null where not asked for
  std::int64_t logits_stride = 0;
  const float* lse = nullptr;  ///< (requests, group or 1), over the entries of all parts
};

/// A policy at work on a batch, in the layers that it governs. All that depends on a sequence is in arrays
/// with a row for each lane, so that one launch serves the batch, and what it decides for a lane depends on
/// that lane alone. Numbers of entries are known to the host from the numbers of tokens; which entries is
/// known to the device. Used by one thread at a time.
///
/// A sequence: open, take_prompt for each governed layer, then steps, then close. A step: begin_step, then
/// for each governed layer plan_append → (the new entries are appended) → attend → (attention) → observe.
class PolicyState {
 public:
  virtual ~PolicyState() = default;

  /// A sequence begins in a lane that has none.
  virtual void open(std::int64_t lane, std::int64_t prompt_tokens) = 0;
  virtual void take_prompt(std::int64_t lane, const PromptLayer& prompt) = 0;
  /// The sequence ends: its groups go back.
  virtual void close(std::int64_t lane) = 0;
  virtual void swap_lanes(std::int64_t a, std::int64_t b) = 0;
  /// `to`, which has no sequence, gets a copy of what `from` is now, entries included.
  virtual void fork(std::int64_t from, std::int64_t to) = 0;

  /// A step of the lanes 0 .. positions.size() - 1, whose current tokens stand at these positions.
  virtual void begin_step(std::span<const std::int64_t> positions) = 0;
  /// Drops what goes before attention, and says where the current entries go.
  [[nodiscard]] virtual AppendPlan plan_append(std::int64_t layer) = 0;
  /// Appends to `parts`, which comes in empty. `queries`: (lanes in use, heads, head_dim), rotated at the
  /// absolute position unless the policy has raw queries.
  virtual void attend(std::int64_t layer, const void* queries, std::vector<AttentionPart>& parts) = 0;
  /// After attention, one result for each part.
  virtual void observe(std::int64_t /*layer*/, std::span<const PartResult> /*parts*/) {}

  /// Entries that a query head attended to in the latest step: the most over heads and governed layers.
  [[nodiscard]] virtual std::int64_t attended(std::int64_t lane) const = 0;
  /// Positions of the entries held, ascending.
  [[nodiscard]] virtual std::vector<std::int32_t> held(std::int64_t lane, std::int64_t layer,
                                                       std::int64_t kv_head) const = 0;
  /// Positions of the entries that the latest step attended to, ascending, for a query head of the layer.
  [[nodiscard]] virtual std::vector<std::int32_t> seen(std::int64_t lane, std::int64_t layer,
                                                       std::int64_t head) const = 0;
};

/// Decides which entries of the KV cache a decoded token attends to, and at which distances. A budget is
/// the most entries that one query head attends to in one layer and step, the current token included. The
/// prompt is always prefilled with full attention. Immutable; safe to share between threads.
class AttentionPolicy {
 public:
  virtual ~AttentionPolicy() = default;

  /// So many first layers keep full attention and are none of the policy's; all of them for `full`.
  [[nodiscard]] virtual std::int64_t dense_layers(std::int64_t layers) const = 0;
  /// Slots of a page of the pool.
  [[nodiscard]] virtual std::int32_t page_tokens() const { return 16; }
  /// Keys lie in the cache without rotation, and are rotated anew in each step.
  [[nodiscard]] virtual bool raw_keys() const { return false; }
  /// Queries come without rotation, and each part says where they stand.
  [[nodiscard]] virtual bool raw_queries() const { return raw_keys(); }
  /// RoPE's table must hold this many positions for sequences of up to `tokens`.
  [[nodiscard]] virtual std::int64_t rope_positions(std::int64_t tokens) const { return tokens; }
  /// Raw keys come in any case where raw_keys() says so.
  [[nodiscard]] virtual PromptNeeds prompt_needs() const { return {}; }
  /// Groups of the pool that a sequence of `total_tokens`, its prompt included, needs at most at any time of
  /// its life for so many governed layers.
  [[nodiscard]] virtual std::int64_t groups_needed(std::int64_t layers, std::int64_t prompt_tokens,
                                                   std::int64_t total_tokens) const = 0;
  /// Bytes that the policy holds beside the pool for each of its groups: copies of keys, scores, bounds of
  /// pages. Tables of slots and scratch aside, it holds nothing else that grows with the pool. `group`: query
  /// heads of a kv head.
  [[nodiscard]] virtual std::int64_t extra_group_bytes(const KvShape& /*shape*/,
                                                       std::int64_t /*group*/) const {
    return 0;
  }
  /// None of this, extra_group_bytes and groups_needed is called for a policy whose layers are all dense.
  [[nodiscard]] virtual std::unique_ptr<PolicyState> start(const PolicyContext& context) const = 0;
};

using AttentionPolicyRow =
    schemas::RegistryRow<std::unique_ptr<AttentionPolicy> (*)(const schemas::Arguments&)>;

/// Every known policy, in order of the documentation.
[[nodiscard]] std::span<const AttentionPolicyRow> attention_policy_rows();

/// A policy with the string that names every parameter, as it is stored with a run.
struct ResolvedPolicy {
  std::string spec;
  std::unique_ptr<AttentionPolicy> policy;
};

/// From `name(key=value,…)`. Throws Error(kUsage) as schemas::resolve_row does, and where parameters do not
/// go together.
[[nodiscard]] ResolvedPolicy make_attention_policy(const std::string& text);

}  // namespace lil::record
