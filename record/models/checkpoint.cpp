#include "record/models/checkpoint.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <optional>

#include "schemas/error.h"

namespace lil::record {
namespace {

std::optional<DType> dtype_of(ElementType type) {
  switch (type) {
    case ElementType::kF32:
      return DType::kFp32;
    case ElementType::kBf16:
      return DType::kBf16;
    case ElementType::kF16:
      return DType::kFp16;
    default:
      return std::nullopt;
  }
}

bool aligned(const std::byte* data, DType dtype) {
  return reinterpret_cast<std::uintptr_t>(data) % bytes_of(dtype) == 0;
}

/// The tensor's numbers in fp32, exactly. Its start need not be aligned.
std::vector<float> numbers(const TensorView& tensor) {
  const DType stored = *dtype_of(tensor.type);
  std::vector<float> values(tensor.bytes.size() / bytes_of(stored));
  if (aligned(tensor.bytes.data(), stored)) {
    widen(stored, tensor.bytes.data(), values);
  } else {
    const std::vector<std::byte> moved(tensor.bytes.begin(), tensor.bytes.end());
    widen(stored, moved.data(), values);
  }
  return values;
}

}  // namespace

Checkpoint::Checkpoint(const std::filesystem::path& folder, const ModelConfig& config, DType dtype)
    : weights_(folder), dtype_(dtype) {
  const std::int64_t hidden = config.hidden;
  const std::int64_t query = config.heads * config.head_dim;
  const std::int64_t key = config.kv_heads * config.head_dim;
  embedding_ = read_linear("model.embed_tokens", config.vocabulary, hidden, false);
  layers_.resize(static_cast<std::size_t>(config.layers));
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const std::string prefix = fmt::format("model.layers.{}.", l);
    DecoderLayer& layer = layers_[l];
    layer.attention_norm = read_vector(prefix + "input_layernorm.weight", hidden);
    layer.query = read_linear(prefix + "self_attn.q_proj", query, hidden, config.qkv_bias);
    layer.key = read_linear(prefix + "self_attn.k_proj", key, hidden, config.qkv_bias);
    layer.value = read_linear(prefix + "self_attn.v_proj", key, hidden, config.qkv_bias);
    layer.output = read_linear(prefix + "self_attn.o_proj", hidden, query, config.output_bias);
    layer.mlp_norm = read_vector(prefix + "post_attention_layernorm.weight", hidden);
    layer.gate = read_linear(prefix + "mlp.gate_proj", config.intermediate, hidden, config.mlp_bias);
    layer.up = read_linear(prefix + "mlp.up_proj", config.intermediate, hidden, config.mlp_bias);
    layer.down = read_linear(prefix + "mlp.down_proj", hidden, config.intermediate, config.mlp_bias);
  }
  final_norm_ = read_vector("model.norm.weight", hidden);
  if (config.tied_embeddings) {
    head_.matrix = embedding_.matrix;
  } else {
    head_ = read_linear("lm_head", config.vocabulary, hidden, false);
  }
}

const TensorView& Checkpoint::read_tensor(const std::string& name,
                                          const std::vector<std::int64_t>& shape) const {
  const TensorView& tensor = weights_.tensor(name);
  if (!dtype_of(tensor.type)) {
    throw Error(ErrorCode::kInput,
                fmt::format("{}: tensor '{}' is of type {}; weights of type F32, F16 and BF16 are known",
                            weights_.file_of(name).string(), name, to_string(tensor.type)));
  }
  if (tensor.shape != shape) {
    throw Error(ErrorCode::kInput, fmt::format("{}: tensor '{}' has shape [{}], config.json asks for [{}]",
                                               weights_.file_of(name).string(), name,
                                               fmt::join(tensor.shape, ", "), fmt::join(shape, ", ")));
  }
  return tensor;
}

std::vector<float> Checkpoint::read_vector(const std::string& name, std::int64_t size) const {
  return numbers(read_tensor(name, {size}));
}

Linear Checkpoint::read_linear(const std::string& name, std::int64_t rows, std::int64_t columns,
                               bool bias) const {
  const TensorView& tensor = read_tensor(name + ".weight", {rows, columns});
  Linear linear;
  linear.matrix = {dtype_, tensor.bytes.data(), rows, columns};
  const DType stored = *dtype_of(tensor.type);
  if (stored != dtype_) {
    const std::vector<float> values = numbers(tensor);
    linear.copy.resize(values.size() * bytes_of(dtype_));
    narrow(dtype_, values, linear.copy.data());
  } else if (!aligned(tensor.bytes.data(), dtype_)) {
    linear.copy.assign(tensor.bytes.begin(), tensor.bytes.end());
  }
  if (!linear.copy.empty()) linear.matrix.data = linear.copy.data();
  if (bias) linear.bias = read_vector(name + ".bias", rows);
  return linear;
}

}  // namespace lil::record
