// The devices of kernels_test: the processor, and the emulation of a GPU.

#include <cstring>

#include "kernels/thread_team.h"
#include "tests/kernels/emulated_backend.h"
#include "tests/kernels/harness.h"
#include "tests/support/simt/block.h"
#include "tests/support/simt/memory.h"

namespace lil::tests {
namespace {

constexpr std::align_val_t kAlignment{256};

class CpuDevice : public TestDevice {
 public:
  explicit CpuDevice(int threads) {
    if (threads > 1) team_ = std::make_unique<kernels::ThreadTeam>(threads);
  }

  [[nodiscard]] const kernels::Backend& backend() const override { return kernels::cpu_backend(); }
  [[nodiscard]] kernels::Stream stream() const override { return team_.get(); }
  [[nodiscard]] std::int64_t longest_list() const override { return 32768; }

  void copy_in(void* to, const void* from, std::int64_t bytes) override { copy(to, from, bytes); }
  void copy_out(void* to, const void* from, std::int64_t bytes) override { copy(to, from, bytes); }
  void finish() override {}

 protected:
  void* raw_allocate(const std::string& /*name*/, std::int64_t bytes) override {
    return ::operator new(static_cast<std::size_t>(bytes), kAlignment);
  }
  void raw_free(void* data) override { ::operator delete(data, kAlignment); }
#ifdef __SANITIZE_ADDRESS__
  // AddressSanitizer's own guards see reads as well.
  [[nodiscard]] std::int64_t guard_bytes() const override {
    return 0;
  }
#endif

 private:
  static void copy(void* to, const void* from, std::int64_t bytes) {
    if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
  }

  std::unique_ptr<kernels::ThreadTeam> team_;
};

class EmulatedDevice : public TestDevice {
 public:
  ~EmulatedDevice() override { simt::set_order(0); }

  [[nodiscard]] const kernels::Backend& backend() const override { return emulated_backend(); }
  [[nodiscard]] kernels::Stream stream() const override { return nullptr; }
  [[nodiscard]] std::int64_t longest_list() const override { return 4097; }

  void copy_in(void* to, const void* from, std::int64_t bytes) override {
    if (bytes == 0) return;
    std::memcpy(to, from, static_cast<std::size_t>(bytes));
    simt::fill_written(to, bytes, true);
  }
  void copy_out(void* to, const void* from, std::int64_t bytes) override {
    if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
  }
  void mark_unwritten(void* data, std::int64_t bytes) override { simt::fill_written(data, bytes, false); }
  void finish() override {
    const std::string faults = simt::take_faults();
    EXPECT_TRUE(faults.empty()) << faults;
  }
  [[nodiscard]] int orders() const override { return 3; }  // ascending, descending, shuffled
  void set_order(int order) override { simt::set_order(order); }

 protected:
  void* raw_allocate(const std::string& name, std::int64_t bytes) override {
    return simt::allocate(name, bytes);
  }
  void raw_free(void* data) override { simt::free(data); }
  [[nodiscard]] std::int64_t guard_bytes() const override { return 0; }
  [[nodiscard]] std::vector<std::byte> written(const void* data, std::int64_t bytes) override {
    return simt::written(data, bytes);
  }
  void set_written(void* data, const std::vector<std::byte>& flags) override {
    simt::set_written(data, flags);
  }
};

std::unique_ptr<TestDevice> make_emulated([[maybe_unused]] std::string& why_not) {
#ifdef __SANITIZE_THREAD__
  why_not = "one thread runs all of the emulation, and ThreadSanitizer would take minutes to see nothing";
  return nullptr;
#else
  return std::make_unique<EmulatedDevice>();
#endif
}

}  // namespace

const std::vector<DeviceEntry>& devices() {
  static const std::vector<DeviceEntry> all = {
      {"Cpu", "one_thread", [](std::string&) { return std::make_unique<CpuDevice>(1); }},
      {"Cpu", "three_threads", [](std::string&) { return std::make_unique<CpuDevice>(3); }},
      {"Emulated", "fibers", make_emulated},
  };
  return all;
}

}  // namespace lil::tests
