#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "kernels/dtype.h"
#include "record/decoder.h"
#include "record/device.h"
#include "record/model_config.h"

namespace lil::record {

/// A model loaded from a folder: its weights, once, in the memory of a device. Immutable but for the device,
/// which belongs to whoever decodes with it.
class LanguageModel {
 public:
  virtual ~LanguageModel() = default;

  [[nodiscard]] virtual const ModelConfig& config() const = 0;
  /// Name of the folder.
  [[nodiscard]] virtual const std::string& name() const = 0;
  /// Type of activations and KV cache: what `auto` stands for is settled.
  [[nodiscard]] virtual kernels::DType dtype() const = 0;
  /// SHA-256 of the weights, as ModelWeights::sha256 says.
  [[nodiscard]] virtual const std::string& weights_sha256() const = 0;
  /// Where the weights are and the decoders of this model compute.
  [[nodiscard]] virtual Device& device() const = 0;
  /// A decoder with activations of its own. The model outlives it.
  [[nodiscard]] virtual std::unique_ptr<Decoder> make_decoder() const = 0;
};

/// How a model computes.
struct ModelOptions {
  /// Of the computation: `fp32`, `bf16`, `fp16`, or `auto`: the checkpoint's on a GPU; on a CPU fp32, which
  /// holds every checkpoint exactly, at twice the memory and time of bf16.
  std::string dtype = "auto";
};

/// A Hugging Face model folder: config.json and safetensors, of the forms llama, qwen2 and qwen2_moe.
/// `device` is one of the host's memory and outlives the model. Throws Error: kUsage for an unknown dtype;
/// else as read_model_config, ModelWeights and Checkpoint do.
[[nodiscard]] std::unique_ptr<LanguageModel> load_language_model(const std::filesystem::path& folder,
                                                                 Device& device,
                                                                 const ModelOptions& options = {});

}  // namespace lil::record
