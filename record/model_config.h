#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "schemas/ids.h"

namespace lil::record {

/// Rotary position embedding: angle of channel pair i at position p is p * inverse_frequency[i].
struct RopeConfig {
  enum class Scaling { kNone, kLlama3 };

  double theta = 10000.0;
  Scaling scaling = Scaling::kNone;
  // Of kLlama3: wavelengths above original / low are stretched by `factor`, those below original / high
  // are kept, those between are interpolated.
  double factor = 1.0;
  double low_frequency_factor = 1.0;
  double high_frequency_factor = 4.0;
  std::int64_t original_positions = 0;
};

/// Experts in place of one MLP (qwen2_moe): a router picks some for each token, and one that all share is
/// added.
struct MoeConfig {
  std::int64_t experts = 0;
  std::int64_t experts_per_token = 0;
  std::int64_t intermediate = 0;         ///< of each expert
  std::int64_t shared_intermediate = 0;  ///< of the shared expert
  bool normalise_weights = false;        ///< the picked experts' weights are made to sum to 1
  std::vector<std::int64_t> layers;      ///< that have experts, ascending; empty: the model has none
};

/// What a Hugging Face model folder says of its model: a decoder of the Llama form.
struct ModelConfig {
  std::string model_type;
  std::int64_t vocabulary = 0;
  std::int64_t hidden = 0;
  std::int64_t intermediate = 0;  ///< of the MLP; of no meaning where every layer has experts
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  double rms_epsilon = 1e-6;
  RopeConfig rope;
  MoeConfig moe;
  bool qkv_bias = false;
  bool output_bias = false;  ///< of the projection after attention
  bool mlp_bias = false;
  bool tied_embeddings = false;
  std::optional<std::int64_t> max_positions;  ///< that it was made for; none where the file says nothing
  std::string checkpoint_dtype;               ///< as written in the file; empty where it says nothing
  std::vector<schemas::TokenId> end_ids;      ///< end-of-sequence tokens, ascending; may be empty

  /// Canonical JSON of all that changes what the model computes or where it ends: sorted keys.
  [[nodiscard]] std::string to_json() const;
};

/// Reads `config.json` of a llama, qwen2 or qwen2_moe, and the end-of-sequence tokens from
/// `generation_config.json` where that has them. Throws Error: kNotFound without config.json, kInput naming
/// file, key and value where a value is missing, of another type, out of range, or stands for something this
/// recorder does not compute.
[[nodiscard]] ModelConfig read_model_config(const std::filesystem::path& folder);

}  // namespace lil::record
