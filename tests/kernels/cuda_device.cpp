// The devices of kernels_cuda_test: the first GPU, or none and the reason. Of the CUDA runtime this uses
// malloc, memcpy and streams alone, so that a simulator of PTX can stand in for it.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/kernels/harness.h"

namespace lil::tests {
namespace {

constexpr std::int64_t kLongestList = 32768;
constexpr std::int64_t kGuardBytes = 256;

std::string text_of(cudaError_t error) {
  return std::string(cudaGetErrorName(error)) + ", " + cudaGetErrorString(error);
}

void require(cudaError_t error, const std::string& what) {
  if (error != cudaSuccess) throw std::runtime_error(what + ": " + text_of(error));
}

class CudaDevice final : public TestDevice {
 public:
  CudaDevice() { require(cudaStreamCreate(&stream_), "cudaStreamCreate"); }
  ~CudaDevice() override { static_cast<void>(cudaStreamDestroy(stream_)); }
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  [[nodiscard]] const kernels::Backend& backend() const override { return kernels::cuda_backend(); }
  [[nodiscard]] kernels::Stream stream() const override { return stream_; }
  [[nodiscard]] std::int64_t longest_list() const override { return kLongestList; }

  void copy_in(void* to, const void* from, std::int64_t bytes) override {
    copy(to, from, bytes, cudaMemcpyHostToDevice);
  }
  void copy_out(void* to, const void* from, std::int64_t bytes) override {
    copy(to, from, bytes, cudaMemcpyDeviceToHost);
  }

  void finish() override {
    const cudaError_t error = cudaStreamSynchronize(stream_);
    if (error != cudaSuccess) ADD_FAILURE() << "work on the GPU failed: " << text_of(error);
  }

 protected:
  void* raw_allocate(const std::string& name, std::int64_t bytes) override {
    void* data = nullptr;
    const std::int64_t at_least_one = std::max<std::int64_t>(bytes, 1);  // else all empty arrays are at null
    require(cudaMalloc(&data, static_cast<std::size_t>(at_least_one)), "cudaMalloc for " + name);
    return data;
  }
  void raw_free(void* data) override {
    const cudaError_t error = cudaFree(data);
    if (error != cudaSuccess) ADD_FAILURE() << "cudaFree: " << text_of(error);
  }

  [[nodiscard]] std::int64_t guard_bytes() const override {
    static const bool wanted = std::getenv("LIL_CUDA_GUARDS") != nullptr;
    return wanted ? kGuardBytes : 0;
  }

 private:
  void copy(void* to, const void* from, std::int64_t bytes, cudaMemcpyKind kind) {
    if (bytes == 0) return;
    require(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), kind, stream_), "cudaMemcpyAsync");
    require(cudaStreamSynchronize(stream_), "copying, or a kernel before it");
  }

  cudaStream_t stream_ = nullptr;
};

std::unique_ptr<TestDevice> make_gpu(std::string& why_not) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0) return std::make_unique<CudaDevice>();
  why_not = "no CUDA device was found";
  if (error != cudaSuccess) why_not += " (" + text_of(error) + ")";
  return nullptr;
}

}  // namespace

const std::vector<DeviceEntry>& devices() {
  static const std::vector<DeviceEntry> entries{{"Cuda", "gpu", make_gpu}};
  return entries;
}

}  // namespace lil::tests
