#include "tests/record/emulated_device.h"

#include <cstring>

#include "tests/support/simt/memory.h"

namespace lil::tests {
namespace {

class EmulatedDevice final : public record::Device {
 public:
  [[nodiscard]] const char* name() const override { return "emulated"; }
  [[nodiscard]] const kernels::Backend& kernels() const override { return kernels::cuda_backend(); }
  [[nodiscard]] kernels::Stream stream() const override { return nullptr; }

  void* allocate(std::size_t bytes) override {
    void* const memory = simt::allocate("memory of the recorder", static_cast<std::int64_t>(bytes));
    zero(memory, bytes);
    return memory;
  }
  void free(void* memory, std::size_t /*bytes*/) noexcept override { simt::free(memory); }
  void upload(void* to, const void* from, std::size_t bytes) override {
    std::memcpy(to, from, bytes);
    mark(to, bytes);
  }
  void download(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  void copy(void* to, const void* from, std::size_t bytes) override { upload(to, from, bytes); }
  void zero(void* memory, std::size_t bytes) override {
    std::memset(memory, 0, bytes);
    mark(memory, bytes);
  }

 private:
  /// Nothing in it is unwritten: Device hands out zeroed memory.
  static void mark(void* memory, std::size_t bytes) {
    simt::fill_written(memory, static_cast<std::int64_t>(bytes), true);
  }
};

}  // namespace

std::unique_ptr<record::Device> make_emulated_device() {
  return std::make_unique<EmulatedDevice>();
}

}  // namespace lil::tests
