#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "record/layer_ops.h"
#include "record/model_config.h"
#include "record/weights/safetensors.h"

namespace lil::record {

/// A linear map: a matrix in the mapped file where type and alignment allow, else a converted copy; and
/// its bias in fp32, empty where it has none.
struct Linear {
  MatrixView matrix;
  std::vector<std::byte> copy;
  std::vector<float> bias;
};

struct DecoderLayer {
  std::vector<float> attention_norm;
  Linear query;
  Linear key;
  Linear value;
  Linear output;
  std::vector<float> mlp_norm;
  Linear gate;
  Linear up;
  Linear down;
};

/// The weights of a decoder of the Llama form, named as in Hugging Face checkpoints, in one type.
/// Immutable; safe to share between threads.
class Checkpoint {
 public:
  /// Throws Error: kNotFound naming a tensor that is missing, kInput one that has another shape than
  /// `config` asks for or a type that is not F32, F16 or BF16.
  Checkpoint(const std::filesystem::path& folder, const ModelConfig& config, DType dtype);
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  [[nodiscard]] const MatrixView& embedding() const { return embedding_.matrix; }
  [[nodiscard]] const std::vector<DecoderLayer>& layers() const { return layers_; }
  [[nodiscard]] const std::vector<float>& final_norm() const { return final_norm_; }
  /// (vocabulary, hidden); the embedding itself where they are tied.
  [[nodiscard]] const MatrixView& head() const { return head_.matrix; }
  [[nodiscard]] std::string sha256() const { return weights_.sha256(); }

 private:
  Linear read_linear(const std::string& name, std::int64_t rows, std::int64_t columns, bool bias) const;
  std::vector<float> read_vector(const std::string& name, std::int64_t size) const;
  const TensorView& read_tensor(const std::string& name, const std::vector<std::int64_t>& shape) const;

  ModelWeights weights_;
  DType dtype_;
  Linear embedding_;
  std::vector<DecoderLayer> layers_;
  std::vector<float> final_norm_;
  Linear head_;
};

}  // namespace lil::record
