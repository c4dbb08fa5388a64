#include "record/torch/torch_model.h"

#include <string_view>
#include <utility>

#include "record/dtype.h"
#include "record/models/checkpoint.h"
#include "record/torch/row_check.h"
#include "record/torch/torch_decoder.h"

namespace lil::record {
namespace {

DType resolved_dtype(const std::string& asked, const ModelConfig& config, const Device& device) {
  if (asked != "auto") return dtype_from(asked);
  if (std::string_view(device.name()) != "cuda") return DType::kFp32;
  if (config.checkpoint_dtype == "bfloat16") return DType::kBf16;
  return config.checkpoint_dtype == "float16" ? DType::kFp16 : DType::kFp32;
}

std::string name_of(const std::filesystem::path& folder) {
  const std::filesystem::path full = std::filesystem::absolute(folder).lexically_normal();
  return full.has_filename() ? full.filename().string() : full.parent_path().filename().string();
}

class TorchLanguageModel final : public LanguageModel {
 public:
  TorchLanguageModel(const std::filesystem::path& folder, Device& device, const ModelOptions& options)
      : name_(name_of(folder)),
        config_(read_model_config(folder)),
        dtype_(resolved_dtype(options.dtype, config_, device)),
        device_(device) {
    const Checkpoint checkpoint(folder, config_, dtype_);
    weights_sha256_ = checkpoint.sha256();
    weights_ = make_torch_weights(checkpoint, device.name());
    check_rows(*TorchLanguageModel::make_decoder(), device, config_, dtype_, kTorchTileRows);
  }

  [[nodiscard]] const ModelConfig& config() const override { return config_; }
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] DType dtype() const override { return dtype_; }
  [[nodiscard]] const std::string& weights_sha256() const override { return weights_sha256_; }
  [[nodiscard]] Device& device() const override { return device_; }
  [[nodiscard]] std::unique_ptr<Decoder> make_decoder() const override {
    return make_torch_decoder(weights_, config_);
  }

 private:
  std::string name_;
  ModelConfig config_;
  DType dtype_;
  Device& device_;
  std::string weights_sha256_;
  std::shared_ptr<const TorchWeights> weights_;
};

}  // namespace

std::unique_ptr<LanguageModel> load_torch_model(const std::filesystem::path& folder, Device& device,
                                                const ModelOptions& options) {
  return std::make_unique<TorchLanguageModel>(folder, device, options);
}

}  // namespace lil::record
