#include "record/models/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>

#include "schemas/error.h"

namespace lil::record {

Checkpoint::Checkpoint(const std::filesystem::path& folder, const ModelConfig& config, DType dtype)
    : reader_(folder, dtype) {
  embedding_ = reader_.matrix("model.embed_tokens.weight", {config.vocabulary, config.hidden});
  for (std::int64_t l = 0; l < config.layers; ++l) layers_.push_back(read_layer(l, config));
  final_norm_ = reader_.vector("model.norm.weight", config.hidden);
  read_head(config);
  reader_.refuse_unused();
  reader_.weights().release_pages();  // what was converted is not needed twice
}

DecoderLayer Checkpoint::read_layer(std::int64_t l, const ModelConfig& config) {
  const std::int64_t hidden = config.hidden;
  const std::int64_t query = config.heads * config.head_dim;
  const std::int64_t key = config.kv_heads * config.head_dim;
  const std::string prefix = fmt::format("model.layers.{}.", l);
  DecoderLayer layer;
  layer.attention_norm = reader_.vector(prefix + "input_layernorm.weight", hidden);
  layer.query = reader_.linear(prefix + "self_attn.q_proj", query, hidden, config.qkv_bias);
  layer.key = reader_.linear(prefix + "self_attn.k_proj", key, hidden, config.qkv_bias);
  layer.value = reader_.linear(prefix + "self_attn.v_proj", key, hidden, config.qkv_bias);
  layer.output = reader_.linear(prefix + "self_attn.o_proj", hidden, query, config.output_bias);
  layer.mlp_norm = reader_.vector(prefix + "post_attention_layernorm.weight", hidden);
  if (std::binary_search(config.moe.layers.begin(), config.moe.layers.end(), l)) {
    layer.experts = read_experts(prefix + "mlp.", config);
  } else {
    layer.mlp = read_mlp(prefix + "mlp.", hidden, config.intermediate, config.mlp_bias);
  }
  reader_.ignore(prefix + "self_attn.rotary_emb.inv_freq");  // older checkpoints store what config.json says
  return layer;
}

GatedMlp Checkpoint::read_mlp(const std::string& name, std::int64_t hidden, std::int64_t intermediate,
                              bool bias) {
  return {reader_.linear(name + "gate_proj", intermediate, hidden, bias),
          reader_.linear(name + "up_proj", intermediate, hidden, bias),
          reader_.linear(name + "down_proj", hidden, intermediate, bias)};
}

Experts Checkpoint::read_experts(const std::string& name, const ModelConfig& config) {
  const MoeConfig& moe = config.moe;
  Experts experts;
  experts.router = reader_.linear(name + "gate", moe.experts, config.hidden, false);
  if (reader_.weights().has(name + "experts.gate_up_proj")) {
    experts.experts = read_packed_experts(name + "experts.", config);
  } else {
    for (std::int64_t e = 0; e < moe.experts; ++e) {
      experts.experts.push_back(
          read_mlp(fmt::format("{}experts.{}.", name, e), config.hidden, moe.intermediate, false));
    }
  }
  experts.shared = read_mlp(name + "shared_expert.", config.hidden, moe.shared_intermediate, false);
  experts.shared_gate = reader_.linear(name + "shared_expert_gate", 1, config.hidden, false);
  return experts;
}

// gate_up_proj: (experts, gate rows then up rows, hidden); down_proj: (experts, hidden, intermediate).
std::vector<GatedMlp> Checkpoint::read_packed_experts(const std::string& name, const ModelConfig& config) {
  const std::int64_t hidden = config.hidden;
  const std::int64_t wide = config.moe.intermediate;
  const MatrixView gate_up = reader_.matrix(name + "gate_up_proj", {config.moe.experts, 2 * wide, hidden});
  const MatrixView down = reader_.matrix(name + "down_proj", {config.moe.experts, hidden, wide});
  std::vector<GatedMlp> experts;
  for (std::int64_t e = 0; e < config.moe.experts; ++e) {
    experts.push_back({{gate_up.part(2 * wide * e, wide), {}},
                       {gate_up.part(2 * wide * e + wide, wide), {}},
                       {down.part(hidden * e, hidden), {}}});
  }
  return experts;
}

void Checkpoint::read_head(const ModelConfig& config) {
  const std::string name = "lm_head.weight";
  if (!config.tied_embeddings) {
    head_ = reader_.matrix(name, {config.vocabulary, config.hidden});
    return;
  }
  head_ = embedding_;
  if (!reader_.weights().has(name)) return;
  // Some writers store tied weights twice; if they differ, config.json or the file is wrong.
  const auto& own = reader_.weights().tensor(name).bytes;
  const auto& tied = reader_.weights().tensor("model.embed_tokens.weight").bytes;
  if (!std::equal(own.begin(), own.end(), tied.begin(), tied.end())) {
    throw Error(ErrorCode::kInput,
                fmt::format("{}: tensor '{}' differs from 'model.embed_tokens.weight', but config.json says "
                            "tie_word_embeddings",
                            reader_.weights().file_of(name).string(), name));
  }
  reader_.ignore(name);
}

}  // namespace lil::record
