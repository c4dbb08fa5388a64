#include "tests/record/tiny_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "record/dtype.h"

namespace lil::tests {
namespace {

using nlohmann::json;

record::DType dtype_of(const std::string& name) {
  if (name == "BF16") return record::DType::kBf16;
  return name == "F16" ? record::DType::kFp16 : record::DType::kFp32;
}

/// Numbers spread evenly around `centre`, the same with every standard library.
class Drawer {
 public:
  explicit Drawer(std::uint32_t seed) : random_(seed) {}

  TinyTensor tensor(std::vector<std::int64_t> shape, float centre, float spread) {
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    TinyTensor tensor{std::move(shape), {}};
    for (std::int64_t i = 0; i < count; ++i) {
      const double unit = static_cast<double>(random_()) / 4294967295.0;
      tensor.values.push_back(centre + spread * static_cast<float>(2 * unit - 1));
    }
    return tensor;
  }

 private:
  std::mt19937 random_;
};

}  // namespace

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

void write_raw_safetensors(const std::filesystem::path& path, const std::string& header,
                           const std::string& data) {
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i));
  write_text(path, length + header + data);
}

void write_safetensors(const std::filesystem::path& path, const TinyTensors& tensors,
                       const std::string& dtype) {
  json header = {{"__metadata__", {{"format", "pt"}}}};
  std::string data;
  const record::DType stored = dtype_of(dtype);
  for (const auto& [name, tensor] : tensors) {
    std::string bytes(tensor.values.size() * static_cast<std::size_t>(kernels::bytes_of(stored)), '\0');
    record::narrow(stored, tensor.values, reinterpret_cast<std::byte*>(bytes.data()));
    header[name] = {{"dtype", dtype},
                    {"shape", tensor.shape},
                    {"data_offsets", {data.size(), data.size() + bytes.size()}}};
    data += bytes;
  }
  std::string text = header.dump();
  while (text.size() % 8 != 0) text += ' ';
  write_raw_safetensors(path, text, data);
}

TinyTensors rounded(TinyTensors tensors, const std::string& dtype) {
  for (auto& [name, tensor] : tensors) record::round_to(dtype_of(dtype), tensor.values);
  return tensors;
}

void TinyModel::write(const std::filesystem::path& folder, const std::string& dtype) const {
  std::filesystem::create_directories(folder);
  write_text(folder / "config.json", config.dump(1));
  write_safetensors(folder / "model.safetensors", tensors, dtype);
}

namespace {

json tiny_config(const json& changes) {
  json config = {{"model_type", "llama"},
                 {"hidden_size", 32},
                 {"intermediate_size", 44},
                 {"num_hidden_layers", 3},
                 {"num_attention_heads", 4},
                 {"num_key_value_heads", 2},
                 {"head_dim", 12},
                 {"vocab_size", 50},
                 {"rms_norm_eps", 1e-5},
                 {"rope_theta", 100.0},
                 {"tie_word_embeddings", true},
                 {"eos_token_id", 2}};
  if (changes.value("model_type", "") == "qwen2_moe") {
    config.update({{"num_experts", 6},
                   {"num_experts_per_tok", 2},
                   {"moe_intermediate_size", 20},
                   {"shared_expert_intermediate_size", 28}});
  }
  config.update(changes);
  return config;
}

/// Draws the tensors that a config.json asks for.
class TensorDrawer {
 public:
  TensorDrawer(std::uint32_t seed, TinyModel& model) : draw_(seed), model_(model) {}

  void draw_all() {
    linear("model.embed_tokens", size("vocab_size"), hidden(), false);
    for (std::int64_t l = 0; l < size("num_hidden_layers"); ++l) layer(l);
    norm("model.norm.weight");
    if (!has("tie_word_embeddings")) linear("lm_head", size("vocab_size"), hidden(), false);
  }

 private:
  [[nodiscard]] std::int64_t size(const char* key) const { return model_.config.at(key).get<std::int64_t>(); }
  [[nodiscard]] bool has(const char* key) const { return model_.config.value(key, false); }
  [[nodiscard]] std::int64_t hidden() const { return size("hidden_size"); }

  void linear(const std::string& name, std::int64_t rows, std::int64_t columns, bool bias) {
    model_.tensors[name + ".weight"] = draw_.tensor({rows, columns}, 0, 0.5F);
    if (bias) model_.tensors[name + ".bias"] = draw_.tensor({rows}, 0, 0.3F);
  }
  void norm(const std::string& name) { model_.tensors[name] = draw_.tensor({hidden()}, 1, 0.2F); }
  void mlp(const std::string& prefix, std::int64_t intermediate) {
    linear(prefix + "gate_proj", intermediate, hidden(), has("mlp_bias"));
    linear(prefix + "up_proj", intermediate, hidden(), has("mlp_bias"));
    linear(prefix + "down_proj", hidden(), intermediate, has("mlp_bias"));
  }
  void experts(const std::string& prefix) {
    linear(prefix + "gate", size("num_experts"), hidden(), false);
    for (std::int64_t e = 0; e < size("num_experts"); ++e) {
      mlp(fmt::format("{}experts.{}.", prefix, e), size("moe_intermediate_size"));
    }
    mlp(prefix + "shared_expert.", size("shared_expert_intermediate_size"));
    linear(prefix + "shared_expert_gate", 1, hidden(), false);
  }
  void layer(std::int64_t l) {
    const std::string prefix = fmt::format("model.layers.{}.", l);
    const std::int64_t query = size("num_attention_heads") * size("head_dim");
    const std::int64_t key = size("num_key_value_heads") * size("head_dim");
    const bool llama = model_.config.at("model_type") == "llama";
    const bool qkv_bias = llama ? has("attention_bias") : model_.config.value("qkv_bias", true);
    norm(prefix + "input_layernorm.weight");
    linear(prefix + "self_attn.q_proj", query, hidden(), qkv_bias);
    linear(prefix + "self_attn.k_proj", key, hidden(), qkv_bias);
    linear(prefix + "self_attn.v_proj", key, hidden(), qkv_bias);
    linear(prefix + "self_attn.o_proj", hidden(), query, llama && qkv_bias);
    norm(prefix + "post_attention_layernorm.weight");
    if (has_experts(model_.config, l)) {
      experts(prefix + "mlp.");
    } else {
      mlp(prefix + "mlp.", size("intermediate_size"));
    }
  }

  Drawer draw_;
  TinyModel& model_;
};

}  // namespace

bool has_experts(const json& config, std::int64_t layer) {
  if (config.at("model_type") != "qwen2_moe") return false;
  const json plain = config.value("mlp_only_layers", json::array());
  return std::find(plain.begin(), plain.end(), layer) == plain.end() &&
         (layer + 1) % config.value("decoder_sparse_step", 1) == 0;
}

TinyModel make_tiny_model(std::uint32_t seed, const json& changes) {
  TinyModel model{tiny_config(changes), {}};
  TensorDrawer(seed, model).draw_all();
  return model;
}

}  // namespace lil::tests
