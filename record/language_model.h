#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "record/attention_policy.h"
#include "record/model_config.h"
#include "schemas/ids.h"

namespace lil::record {

/// One sequence being generated: its KV cache and its policy's state. Used by one thread at a time; the
/// model it came from must outlive it.
class Sequence {
 public:
  virtual ~Sequence() = default;

  /// Reads the prompt (at least one token) with full attention; called once, first. Returns the logits
  /// (vocabulary) for the first generated token, valid until the next call. Throws Error(kInput) for an id
  /// outside the model's vocabulary.
  [[nodiscard]] virtual std::span<const float> prefill(std::span<const schemas::TokenId> prompt) = 0;
  /// Reads one more token under the attention policy; returns the logits for the one after it.
  [[nodiscard]] virtual std::span<const float> decode(schemas::TokenId token) = 0;

  /// KV entries one query head attended to for the latest logits, the current token included: the most
  /// over layers. After prefill, the length of the prompt.
  [[nodiscard]] virtual std::int32_t attended() const = 0;
  /// Positions of the tokens that the cache holds for a kv head of a layer, ascending.
  [[nodiscard]] virtual std::vector<std::int32_t> kept(std::int64_t layer, std::int64_t kv_head) const = 0;
};

/// A model loaded from a folder. Immutable; several threads may start and run sequences at once. A
/// sequence's logits depend on its tokens and policy alone, not on what runs beside it.
class LanguageModel {
 public:
  virtual ~LanguageModel() = default;

  [[nodiscard]] virtual const ModelConfig& config() const = 0;
  /// Name of the folder.
  [[nodiscard]] virtual const std::string& name() const = 0;
  /// `fp32`, `bf16` or `fp16`: what `auto` stands for is settled.
  [[nodiscard]] virtual std::string dtype() const = 0;
  [[nodiscard]] virtual std::string device() const = 0;
  /// SHA-256 of the weights, as ModelWeights::sha256 says.
  [[nodiscard]] virtual const std::string& weights_sha256() const = 0;

  /// A sequence under `policy`, which must outlive it.
  [[nodiscard]] virtual std::unique_ptr<Sequence> start(const AttentionPolicy& policy) const = 0;
};

/// How a model computes.
struct ModelOptions {
  std::string dtype = "auto";  ///< of the computation: `auto` (fp32 on a CPU), `fp32`, `bf16`, `fp16`
  std::string device = "cpu";
};

/// A Hugging Face model folder of the Llama form: config.json, safetensors. Holds the process's torch to
/// one thread. Throws Error: kUsage for an unknown dtype or device, kEnvironment for `cuda`, which this
/// build does not have; else as read_model_config, ModelWeights and Checkpoint do.
[[nodiscard]] std::unique_ptr<LanguageModel> load_language_model(const std::filesystem::path& folder,
                                                                 const ModelOptions& options = {});

}  // namespace lil::record
