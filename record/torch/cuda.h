#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "record/device.h"
#include "record/language_model.h"

namespace lil::record {

/// The first GPU, with the CUDA kernels: memory of libtorch's allocator, all work on libtorch's current
/// stream. Sets libtorch to multiply without TF32 and without sums in half precision, for the whole process.
/// Throws Error(kEnvironment) that says in one line what is missing: this build's CUDA part, a GPU, or one of
/// compute capability 8.0. Used by the thread that made it.
[[nodiscard]] std::unique_ptr<Device> make_cuda_device();

/// Memory of that GPU that nobody uses now, in bytes. Throws as make_cuda_device does.
[[nodiscard]] std::int64_t free_cuda_memory();

/// As load_language_model, with the weights, once, in the memory of a device of make_cuda_device, which
/// outlives it; `auto` stands for the checkpoint's type. Throws as that does, and Error(kEnvironment) where
/// the GPU lacks the memory, or where its library lets rows of a batch change each other (see check_rows).
[[nodiscard]] std::unique_ptr<LanguageModel> load_cuda_model(const std::filesystem::path& folder,
                                                             Device& device,
                                                             const ModelOptions& options = {});

}  // namespace lil::record
