#include "record/language_model.h"

#include "record/dtype.h"
#include "record/models/checkpoint.h"
#include "record/models/cpu_decoder.h"

namespace lil::record {
namespace {

class CpuLanguageModel final : public LanguageModel {
 public:
  CpuLanguageModel(const std::filesystem::path& folder, std::string name, DType dtype, Device& device)
      : name_(std::move(name)),
        config_(read_model_config(folder)),
        dtype_(dtype),
        device_(device),
        checkpoint_(folder, config_, dtype),
        weights_sha256_(checkpoint_.sha256()) {}

  [[nodiscard]] const ModelConfig& config() const override { return config_; }
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] DType dtype() const override { return dtype_; }
  [[nodiscard]] const std::string& weights_sha256() const override { return weights_sha256_; }
  [[nodiscard]] Device& device() const override { return device_; }
  [[nodiscard]] std::unique_ptr<Decoder> make_decoder() const override {
    return make_cpu_decoder(checkpoint_, config_, dtype_, device_);
  }

 private:
  std::string name_;
  ModelConfig config_;
  DType dtype_;
  Device& device_;
  Checkpoint checkpoint_;
  std::string weights_sha256_;
};

}  // namespace

std::unique_ptr<LanguageModel> load_language_model(const std::filesystem::path& folder, Device& device,
                                                   const ModelOptions& options) {
  const DType dtype = options.dtype == "auto" ? DType::kFp32 : dtype_from(options.dtype);
  const std::filesystem::path full = std::filesystem::absolute(folder).lexically_normal();
  const std::string name =
      full.has_filename() ? full.filename().string() : full.parent_path().filename().string();
  return std::make_unique<CpuLanguageModel>(folder, name, dtype, device);
}

}  // namespace lil::record
