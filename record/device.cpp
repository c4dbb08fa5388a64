#include "record/device.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "kernels/thread_team.h"
#include "schemas/error.h"

namespace lil::record {
namespace {

class CpuDevice final : public Device {
 public:
  CpuDevice(int threads, const kernels::Backend& backend) : team_(threads), backend_(backend) {}

  [[nodiscard]] const char* name() const override { return "cpu"; }
  [[nodiscard]] const kernels::Backend& kernels() const override { return backend_; }
  [[nodiscard]] kernels::Stream stream() const override { return team_.threads() == 1 ? nullptr : &team_; }

  void* allocate(std::size_t bytes) override {
    // Pages of the system's own: zeroed, and only there once they are written to.
    void* memory =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
      throw Error(ErrorCode::kEnvironment,
                  fmt::format("cannot allocate {} bytes of memory: {}", bytes, std::strerror(errno)));
    }
    return memory;
  }
  void free(void* memory, std::size_t bytes) noexcept override { munmap(memory, bytes); }
  void upload(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  void copy(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
  void zero(void* memory, std::size_t bytes) override { std::memset(memory, 0, bytes); }

 private:
  mutable kernels::ThreadTeam team_;  ///< a stream is handed out to be worked on
  const kernels::Backend& backend_;
};

}  // namespace

void require_ok(kernels::Status status, const char* kernel) {
  switch (status) {
    case kernels::Status::kOk:
      return;
    case kernels::Status::kBadArguments:
      throw std::logic_error(fmt::format("kernel {} was given wrong arguments", kernel));
    case kernels::Status::kLaunchFailed:
      throw Error(ErrorCode::kEnvironment,
                  fmt::format("kernel {} could not be started on the device", kernel));
  }
}

std::unique_ptr<Device> make_cpu_device(int threads, const kernels::Backend& backend) {
  return std::make_unique<CpuDevice>(threads, backend);
}

}  // namespace lil::record
