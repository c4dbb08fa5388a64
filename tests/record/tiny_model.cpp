#include "tests/record/tiny_model.h"

#include <fmt/format.h>

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
    std::string bytes(tensor.values.size() * record::bytes_of(stored), '\0');
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

TinyModel make_tiny_model(std::uint32_t seed, const json& changes) {
  TinyModel model;
  model.config = {{"model_type", "llama"},
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
  model.config.update(changes);
  const auto size = [&](const char* key) { return model.config.at(key).get<std::int64_t>(); };
  const auto has = [&](const char* key) { return model.config.value(key, false); };
  const std::int64_t hidden = size("hidden_size");
  const std::int64_t query = size("num_attention_heads") * size("head_dim");
  const std::int64_t key = size("num_key_value_heads") * size("head_dim");
  Drawer draw(seed);
  const auto linear = [&](const std::string& name, std::int64_t rows, std::int64_t columns, bool bias) {
    model.tensors[name + ".weight"] = draw.tensor({rows, columns}, 0, 0.5F);
    if (bias) model.tensors[name + ".bias"] = draw.tensor({rows}, 0, 0.3F);
  };
  linear("model.embed_tokens", size("vocab_size"), hidden, false);
  for (std::int64_t l = 0; l < size("num_hidden_layers"); ++l) {
    const std::string prefix = fmt::format("model.layers.{}.", l);
    model.tensors[prefix + "input_layernorm.weight"] = draw.tensor({hidden}, 1, 0.2F);
    linear(prefix + "self_attn.q_proj", query, hidden, has("attention_bias"));
    linear(prefix + "self_attn.k_proj", key, hidden, has("attention_bias"));
    linear(prefix + "self_attn.v_proj", key, hidden, has("attention_bias"));
    linear(prefix + "self_attn.o_proj", hidden, query, has("attention_bias"));
    model.tensors[prefix + "post_attention_layernorm.weight"] = draw.tensor({hidden}, 1, 0.2F);
    linear(prefix + "mlp.gate_proj", size("intermediate_size"), hidden, has("mlp_bias"));
    linear(prefix + "mlp.up_proj", size("intermediate_size"), hidden, has("mlp_bias"));
    linear(prefix + "mlp.down_proj", hidden, size("intermediate_size"), has("mlp_bias"));
  }
  model.tensors["model.norm.weight"] = draw.tensor({hidden}, 1, 0.2F);
  if (!has("tie_word_embeddings")) linear("lm_head", size("vocab_size"), hidden, false);
  return model;
}

}  // namespace lil::tests
