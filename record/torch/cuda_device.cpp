#include <ATen/Context.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

#include <cstdint>
#include <string>

#include "record/torch/cuda.h"
#include "record/torch/guarded.h"
#include "record/torch/torch_device.h"
#include "record/torch/torch_model.h"

namespace lil::record {
namespace {

constexpr int kLeastMajor = 8;  ///< of compute capability: what the kernels are compiled for

int compute_capability_major() {
  int major = 0;
  C10_CUDA_CHECK(
      cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, c10::cuda::current_device()));
  return major;
}

kernels::Stream current_stream() {
  return c10::cuda::getCurrentCUDAStream().stream();
}

/// Sums in fp32, in one order: TF32 and partial sums in half precision off. cuBLAS itself sums in one order
/// as long as one stream alone calls it.
void set_exact_products() {
  at::Context& context = at::globalContext();
  context.setFloat32MatmulPrecision("highest");
  context.setAllowFP16ReductionCuBLAS(false);
  context.setAllowBF16ReductionCuBLAS(false);
}

}  // namespace

std::unique_ptr<Device> make_cuda_device() {
  guarded("the device cuda is missing", [] {
    c10::cuda::device_count_ensure_non_zero();  // says why there is none
    if (const int major = compute_capability_major(); major < kLeastMajor) {
      throw Error(ErrorCode::kEnvironment, "the first GPU has compute capability " + std::to_string(major) +
                                               "; the kernels need " + std::to_string(kLeastMajor) + ".0");
    }
    set_exact_products();
  });
  return make_torch_device("cuda", kernels::cuda_backend(), current_stream);
}

std::int64_t free_cuda_memory() {
  return guarded("the device cuda is missing", [] {
    std::size_t free = 0;
    std::size_t total = 0;
    C10_CUDA_CHECK(cudaMemGetInfo(&free, &total));
    return static_cast<std::int64_t>(free);
  });
}

std::unique_ptr<LanguageModel> load_cuda_model(const std::filesystem::path& folder, Device& device,
                                               const ModelOptions& options) {
  return load_torch_model(folder, device, options);
}

}  // namespace lil::record
