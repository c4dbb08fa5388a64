#pragma once

#include <device_access.cuh>
#include <string>
#include <type_traits>
#include <vector>

// For the emulation's own tests, whose kernels stand in the tests.
namespace lil::tests {

/// Device memory of the emulation, freed with the object.
template <class T>
class EmulatedArray {
 public:
  /// Nothing has written it.
  explicit EmulatedArray(const std::string& name, std::size_t count)
      : count_(count),
        data_(static_cast<T*>(simt::allocate(name, static_cast<std::int64_t>(count * sizeof(T))))) {}
  EmulatedArray(const std::string& name, const std::vector<T>& values) : EmulatedArray(name, values.size()) {
    std::copy(values.begin(), values.end(), data_);
    simt::fill_written(data_, static_cast<std::int64_t>(count_ * sizeof(T)), true);
  }
  ~EmulatedArray() { simt::free(data_); }
  EmulatedArray(const EmulatedArray&) = delete;
  EmulatedArray& operator=(const EmulatedArray&) = delete;

  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] std::vector<T> values() const { return {data_, data_ + count_}; }

 private:
  std::size_t count_;
  T* data_;
};

/// What a launch does wrong; empty if nothing.
template <class... Parameters>
std::string faults_of(void (*kernel)(Parameters...), dim3 grid, unsigned threads,
                      std::type_identity_t<Parameters>... arguments) {
  const kernels::Status status = kernels::simt::launch(kernel, grid, threads, nullptr, arguments...);
  const std::string faults = simt::take_faults();
  return (status == kernels::Status::kOk) == faults.empty() ? faults
                                                            : "status and faults disagree: " + faults;
}

}  // namespace lil::tests
