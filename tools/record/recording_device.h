#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "record/device.h"
#include "record/language_model.h"

namespace lil::tools {

/// The processor that --device names, with `threads` threads where it is the CPU: the one place that knows
/// which there are. Throws Error: kUsage for an unknown name, kEnvironment saying what is missing for one
/// that this build or this machine does not have.
[[nodiscard]] std::unique_ptr<record::Device> make_device(const std::string& name, int threads);

/// A model in the memory of a device of make_device, which outlives it. Throws as record::load_language_model
/// and record::load_cuda_model do.
[[nodiscard]] std::unique_ptr<record::LanguageModel> load_model(const std::filesystem::path& folder,
                                                                record::Device& device,
                                                                const record::ModelOptions& options);

/// Memory of the device that nobody uses now; 0 where that cannot be told.
[[nodiscard]] std::int64_t free_memory_bytes(const record::Device& device);

/// Bytes of the safetensors files of a model folder.
[[nodiscard]] std::int64_t weights_bytes(const std::filesystem::path& folder);

}  // namespace lil::tools
