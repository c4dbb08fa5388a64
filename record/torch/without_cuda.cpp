// In place of cuda_device.cpp where the build has no CUDA libtorch.

#include "record/torch/cuda.h"
#include "schemas/error.h"

namespace lil::record {
namespace {

[[noreturn]] void refuse() {
  throw Error(
      ErrorCode::kEnvironment,
      "the device cuda is missing: this program was built without a CUDA libtorch (CMake preset cuda)");
}

}  // namespace

std::unique_ptr<Device> make_cuda_device() {
  refuse();
}

std::int64_t free_cuda_memory() {
  refuse();
}

std::unique_ptr<LanguageModel> load_cuda_model(const std::filesystem::path& /*folder*/, Device& /*device*/,
                                               const ModelOptions& /*options*/) {
  refuse();
}

}  // namespace lil::record
