#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "schemas/registry.h"

namespace lil::record {

/// Where the keys of a layer stand for RoPE when a decoded token attends to them.
struct KeyPlacement {
  /// false: at their absolute positions, rotated once, when they enter the cache; so is the query.
  /// true: raw in the cache; in each step the key at place i of n is rotated to i * stride, the query
  /// (the current token, whose key is at the last place) to (n - 1) * stride.
  bool by_place = false;
  std::int64_t stride = 1;
};

/// The sequence a policy decides for.
struct SequenceShape {
  std::int64_t layers = 0;
  std::int64_t kv_heads = 0;
  std::int64_t prompt_tokens = 0;
};

/// A policy's state for one sequence. A decoded token goes through each layer in this order: q, k, v →
/// evict() for every kv head → the token's entry is appended → attention over what the cache holds. The
/// prompt is prefilled with full attention; evict() is first called for the first decoded token.
class SequencePolicy {
 public:
  virtual ~SequencePolicy() = default;

  /// `positions` are the tokens whose entries this layer and kv head holds, ascending; the current token
  /// (about to be appended and always attended to) is not among them. Appends to `places` the indices into
  /// `positions` of the entries to drop for good, ascending; `places` comes in empty.
  virtual void evict(std::int64_t layer, std::int64_t kv_head, std::span<const std::int32_t> positions,
                     std::vector<std::int32_t>& places) = 0;
};

/// Decides which entries of the KV cache a decoded token attends to, and at which distances. A budget is
/// the most entries that one query head attends to in one layer and step, the current token included.
/// Immutable; safe to share between threads.
class AttentionPolicy {
 public:
  virtual ~AttentionPolicy() = default;

  [[nodiscard]] virtual KeyPlacement placement(std::int64_t layer) const = 0;
  [[nodiscard]] virtual std::unique_ptr<SequencePolicy> start(const SequenceShape& shape) const = 0;
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

/// From `name(key=value,…)`. Throws Error(kUsage) as schemas::resolve_row does.
[[nodiscard]] ResolvedPolicy make_attention_policy(const std::string& text);

}  // namespace lil::record
