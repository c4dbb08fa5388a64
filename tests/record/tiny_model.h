#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace lil::tests {

/// A tensor to write: row-major numbers that are rounded to `dtype` (F32, BF16 or F16).
struct TinyTensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

using TinyTensors = std::map<std::string, TinyTensor>;

/// A file from its header as text and its data, well-formed or not.
void write_raw_safetensors(const std::filesystem::path& path, const std::string& header,
                           const std::string& data);
/// A well-formed file of these tensors.
void write_safetensors(const std::filesystem::path& path, const TinyTensors& tensors,
                       const std::string& dtype = "F32");
void write_text(const std::filesystem::path& path, const std::string& text);
/// Rounds every number to what `dtype` can hold.
[[nodiscard]] TinyTensors rounded(TinyTensors tensors, const std::string& dtype);

/// A small model with random weights: 3 layers, 4 query and 2 kv heads of 12, vocabulary 50.
struct TinyModel {
  nlohmann::json config;
  TinyTensors tensors;

  /// Writes config.json and model.safetensors.
  void write(const std::filesystem::path& folder, const std::string& dtype = "F32") const;
};

/// Whether a layer of the model that this config.json describes has experts in place of an MLP.
[[nodiscard]] bool has_experts(const nlohmann::json& config, std::int64_t layer);

/// A llama unless `changes` name another model_type: qwen2, or qwen2_moe with 6 experts of which a token
/// picks 2, one by one in the file. `changes` are merged into config.json before the tensors that it asks for
/// are drawn.
[[nodiscard]] TinyModel make_tiny_model(std::uint32_t seed,
                                        const nlohmann::json& changes = nlohmann::json::object());

}  // namespace lil::tests
