#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "record/model_config.h"
#include "record/models/weight_reader.h"

namespace lil::record {

/// down(silu(gate) * up).
struct GatedMlp {
  Linear gate;
  Linear up;
  Linear down;
};

/// A router that picks experts, and the expert that all tokens share, times sigmoid(shared_gate).
struct Experts {
  Linear router;  ///< (experts, hidden)
  std::vector<GatedMlp> experts;
  GatedMlp shared;
  Linear shared_gate;  ///< (1, hidden)
};

struct DecoderLayer {
  std::vector<float> attention_norm;
  Linear query;
  Linear key;
  Linear value;
  Linear output;
  std::vector<float> mlp_norm;
  GatedMlp mlp;  ///< of a layer without experts
  std::optional<Experts> experts;
};

/// The weights of a decoder of the Llama form, named as in Hugging Face checkpoints, in one type: mapped
/// where type and alignment allow, else converted once. Immutable; safe to share between threads.
class Checkpoint {
 public:
  /// Throws Error as WeightReader does, and for a tensor that the model has no place for. Experts may be
  /// packed into one tensor (`experts.gate_up_proj`) or stand one by one (`experts.0.gate_proj`).
  Checkpoint(const std::filesystem::path& folder, const ModelConfig& config, DType dtype);
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  [[nodiscard]] const MatrixView& embedding() const { return embedding_; }
  [[nodiscard]] const std::vector<DecoderLayer>& layers() const { return layers_; }
  [[nodiscard]] const std::vector<float>& final_norm() const { return final_norm_; }
  /// (vocabulary, hidden); the embedding itself where they are tied.
  [[nodiscard]] const MatrixView& head() const { return head_; }
  /// Reads all of the weights.
  [[nodiscard]] std::string sha256() const { return reader_.weights().sha256(); }

 private:
  [[nodiscard]] DecoderLayer read_layer(std::int64_t layer, const ModelConfig& config);
  [[nodiscard]] GatedMlp read_mlp(const std::string& name, std::int64_t hidden, std::int64_t intermediate,
                                  bool bias);
  [[nodiscard]] Experts read_experts(const std::string& name, const ModelConfig& config);
  [[nodiscard]] std::vector<GatedMlp> read_packed_experts(const std::string& name, const ModelConfig& config);
  void read_head(const ModelConfig& config);

  WeightReader reader_;
  MatrixView embedding_;
  std::vector<DecoderLayer> layers_;
  std::vector<float> final_norm_;
  MatrixView head_;
};

}  // namespace lil::record
