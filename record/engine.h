#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "record/attention_policy.h"
#include "record/language_model.h"
#include "record/prompt_pass.h"
#include "schemas/ids.h"

namespace lil::record {

/// A sequence that an engine holds.
enum class SequenceId : std::int64_t {};

/// Sizes of an engine.
struct EngineOptions {
  std::int64_t lanes = 1;              ///< sequences at a time
  std::int64_t max_tokens = 0;         ///< no sequence has more, its prompt included
  std::int64_t kv_bytes = 0;           ///< of KV memory; 0: as much as all lanes may need
  std::int64_t max_prompt_tokens = 0;  ///< no prompt has more; 0: max_tokens
};

/// One token that a sequence reads.
struct StepInput {
  SequenceId sequence{};
  schemas::TokenId token = 0;
};

/// Decodes sequences of one model under one attention policy together. What it computes for a sequence
/// depends on its tokens alone, bit for bit: not on the sequences beside it, their number, their order, or
/// threads. Model and policy outlive it. Used by one thread at a time.
class Engine {
 public:
  /// Throws Error(kUsage) where the pool has no room for one sequence of max_tokens, naming both numbers;
  /// kEnvironment where the device lacks the memory.
  Engine(const LanguageModel& model, const AttentionPolicy& policy, const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Whether there is a lane, and room in the pool, for a prompt that grows to `total_tokens`.
  [[nodiscard]] bool has_room(std::int64_t prompt_tokens, std::int64_t total_tokens) const;
  /// Takes in a sequence that will read at most `total_tokens`, the prompt included, and reads the prompt
  /// (one token or more) with full attention. There must be room. Throws Error(kInput) for an id outside the
  /// model's vocabulary, and nothing has changed.
  [[nodiscard]] SequenceId admit(std::span<const schemas::TokenId> prompt, std::int64_t total_tokens);
  /// The same, but for asking `stop` several times a second: nothing, and nothing has changed, as soon as
  /// that says so.
  [[nodiscard]] std::optional<SequenceId> admit(std::span<const schemas::TokenId> prompt,
                                                std::int64_t total_tokens, const StopRequested& stop);
  /// Each of these sequences, none twice, reads one more token under the policy. Throws as admit does.
  void step(std::span<const StepInput> inputs);
  /// Whether there is a lane, and room in the pool, for a second one like this sequence.
  [[nodiscard]] bool has_room_to_fork(SequenceId sequence) const;
  /// A copy of the sequence as it is now, which may grow as far as the original; there must be room.
  [[nodiscard]] SequenceId fork(SequenceId sequence);
  void release(SequenceId sequence);

  /// (vocabulary) for the token after the latest one that the sequence read; valid until the next admit or
  /// step.
  [[nodiscard]] std::span<const float> logits(SequenceId sequence) const;
  /// Tokens read so far.
  [[nodiscard]] std::int64_t tokens(SequenceId sequence) const;
  /// KV entries that one query head attended to for the latest logits, the current token included: the most
  /// over heads and the layers that the policy governs. After the prompt, its length.
  [[nodiscard]] std::int32_t attended(SequenceId sequence) const;
  /// Positions of the entries that the cache holds for a kv head, ascending.
  [[nodiscard]] std::vector<std::int32_t> held(SequenceId sequence, std::int64_t layer,
                                               std::int64_t kv_head) const;
  /// Positions that a query head attended to in the latest step, ascending.
  [[nodiscard]] std::vector<std::int32_t> seen(SequenceId sequence, std::int64_t layer,
                                               std::int64_t head) const;

  [[nodiscard]] std::int64_t lanes() const;
  /// Bytes of KV memory, and of these what sequences hold now: the pool, and what the policy holds for its
  /// entries (AttentionPolicy::extra_group_bytes).
  [[nodiscard]] std::int64_t kv_bytes() const;
  [[nodiscard]] std::int64_t kv_bytes_taken() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Bytes of KV memory that a sequence of `prompt_tokens` growing to `total_tokens` may need under a policy.
[[nodiscard]] std::int64_t kv_bytes_needed(const ModelConfig& config, kernels::DType dtype,
                                           const AttentionPolicy& policy, std::int64_t prompt_tokens,
                                           std::int64_t total_tokens);

}  // namespace lil::record
