#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "kernels/status.h"

namespace lil::record {

/// Memory and kernels of the processor that a recording runs on. Work is in the order of the calls: a copy
/// sees what the kernels before it wrote. Used by one thread at a time.
class Device {
 public:
  virtual ~Device() = default;

  /// `cpu` or `cuda`, as it is stored with a run.
  [[nodiscard]] virtual const char* name() const = 0;
  [[nodiscard]] virtual const kernels::Backend& kernels() const = 0;
  [[nodiscard]] virtual kernels::Stream stream() const = 0;

  /// Zeroed memory at an address that is a multiple of 64; on a CPU, pages that nobody writes to cost
  /// nothing. Throws Error(kEnvironment) where there is not enough.
  [[nodiscard]] virtual void* allocate(std::size_t bytes) = 0;
  virtual void free(void* memory, std::size_t bytes) noexcept = 0;

  /// From the host; `from` may be changed as soon as this returns.
  virtual void upload(void* to, const void* from, std::size_t bytes) = 0;
  /// To the host; waits for it.
  virtual void download(void* to, const void* from, std::size_t bytes) = 0;
  /// Within the device; the areas do not overlap.
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;
  virtual void zero(void* memory, std::size_t bytes) = 0;
};

/// An array in a device's memory, which it owns. The device outlives it.
template <class T>
class DeviceArray {
 public:
  DeviceArray() = default;
  /// Zeroed. Throws as Device::allocate does.
  DeviceArray(Device& device, std::size_t size)
      : device_(&device),
        data_(size == 0 ? nullptr : static_cast<T*>(device.allocate(size * sizeof(T)))),
        size_(size) {}
  DeviceArray(DeviceArray&& other) noexcept { *this = std::move(other); }
  DeviceArray& operator=(DeviceArray&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~DeviceArray() {
    if (data_ != nullptr) device_->free(data_, size_ * sizeof(T));
  }

  [[nodiscard]] T* data() { return data_; }
  [[nodiscard]] const T* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

  void upload(std::span<const T> values, std::size_t first = 0) {
    assert(first + values.size() <= size_);
    if (!values.empty()) device_->upload(data_ + first, values.data(), values.size_bytes());
  }
  [[nodiscard]] std::vector<T> download(std::size_t first, std::size_t count) const {
    assert(first + count <= size_);
    std::vector<T> values(count);
    if (count != 0) device_->download(values.data(), data_ + first, count * sizeof(T));
    return values;
  }

 private:
  Device* device_ = nullptr;
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

/// The threads of a device whose kernels run on the host: work of the host's own may be shared with them.
/// Null for others.
[[nodiscard]] inline kernels::Stream host_threads(const Device& device) {
  return device.kernels().linear == nullptr ? nullptr : device.stream();
}

/// Throws what a kernel's refusal stands for: Error(kEnvironment) naming it where the device failed,
/// std::logic_error where it was given wrong arguments, which is a bug of the caller.
void require_ok(kernels::Status status, const char* kernel);

/// The host's memory, with a team of `threads` threads for the kernels of `backend`. With a team of one,
/// kernels run on the calling thread.
[[nodiscard]] std::unique_ptr<Device> make_cpu_device(
    int threads, const kernels::Backend& backend = kernels::cpu_backend());

}  // namespace lil::record
