#pragma once

#include <filesystem>
#include <memory>

#include "record/device.h"
#include "record/language_model.h"

namespace lil::record {

/// As load_language_model, with weights and activations in libtorch's memory: on the GPU where the device's
/// name is `cuda`, else the host's. `auto` stands for the checkpoint's type on a GPU, else for fp32. The
/// model's decoders have passed check_rows. Throws as load_language_model and check_rows do, and
/// Error(kEnvironment) where memory lacks.
[[nodiscard]] std::unique_ptr<LanguageModel> load_torch_model(const std::filesystem::path& folder,
                                                              Device& device,
                                                              const ModelOptions& options = {});

}  // namespace lil::record
