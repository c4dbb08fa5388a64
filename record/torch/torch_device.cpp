#include "record/torch/torch_device.h"

#include <ATen/ATen.h>

#include <cstring>
#include <string>
#include <unordered_map>

#include "record/torch/guarded.h"

namespace lil::record {
namespace {

/// Copies of up to this many bytes go to a GPU by way of pinned memory, so that the host need not wait.
constexpr std::size_t kStagedBytes = 1 << 20;

class TorchDevice final : public Device {
 public:
  TorchDevice(const char* name, const kernels::Backend& backend, kernels::Stream (*stream_of_work)())
      : name_(name), device_(name), backend_(backend), stream_(stream_of_work) {}

  [[nodiscard]] const char* name() const override { return name_; }
  [[nodiscard]] const kernels::Backend& kernels() const override { return backend_; }
  [[nodiscard]] kernels::Stream stream() const override { return stream_(); }

  void* allocate(std::size_t bytes) override {
    return guarded("cannot allocate " + std::to_string(bytes) + " bytes on the device " + name_, [&] {
      const at::Tensor memory =
          at::zeros({static_cast<std::int64_t>(bytes)}, at::device(device_).dtype(at::kByte));
      void* const start = memory.data_ptr();
      memory_.emplace(start, memory);
      return start;
    });
  }
  void free(void* memory, std::size_t /*bytes*/) noexcept override { memory_.erase(memory); }

  void upload(void* to, const void* from, std::size_t bytes) override {
    guarded("cannot copy to the device", [&] {
      if (!device_.is_cuda() || bytes > kStagedBytes) {
        on_device(to, bytes).copy_(on_host(from, bytes));
        return;
      }
      // libtorch uses a pinned block again only after the copies out of it.
      const at::Tensor staged =
          at::empty({static_cast<std::int64_t>(bytes)}, at::dtype(at::kByte).pinned_memory(true));
      std::memcpy(staged.data_ptr(), from, bytes);
      on_device(to, bytes).copy_(staged, true);
    });
  }
  void download(void* to, const void* from, std::size_t bytes) override {
    guarded("cannot copy from the device", [&] { on_host(to, bytes).copy_(on_device(from, bytes)); });
  }
  void copy(void* to, const void* from, std::size_t bytes) override {
    guarded("cannot copy on the device", [&] { on_device(to, bytes).copy_(on_device(from, bytes)); });
  }
  void zero(void* memory, std::size_t bytes) override {
    guarded("cannot clear the device's memory", [&] { on_device(memory, bytes).zero_(); });
  }

 private:
  [[nodiscard]] static at::Tensor bytes_at(const void* memory, std::size_t bytes, const at::Device& device) {
    return at::from_blob(const_cast<void*>(memory), {static_cast<std::int64_t>(bytes)},
                         at::device(device).dtype(at::kByte));
  }
  [[nodiscard]] static at::Tensor on_host(const void* memory, std::size_t bytes) {
    return bytes_at(memory, bytes, at::kCPU);
  }
  [[nodiscard]] at::Tensor on_device(const void* memory, std::size_t bytes) const {
    return bytes_at(memory, bytes, device_);
  }

  const char* name_;
  at::Device device_;
  const kernels::Backend& backend_;
  kernels::Stream (*stream_)();
  std::unordered_map<void*, at::Tensor> memory_;
};

}  // namespace

std::unique_ptr<Device> make_torch_device(const char* name, const kernels::Backend& backend,
                                          kernels::Stream (*stream)()) {
  return std::make_unique<TorchDevice>(name, backend, stream);
}

}  // namespace lil::record
