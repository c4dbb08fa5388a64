#pragma once

namespace lil::kernels {

/// What a launcher answers. Nothing ran unless it is kOk.
enum class Status {
  kOk,
  kBadArguments,  ///< sizes, strides or pointers that the kernel's header does not allow
  kLaunchFailed,  ///< the device's runtime refused; cuda only
};

constexpr const char* to_string(Status status) {
  switch (status) {
    case Status::kOk:
      return "ok";
    case Status::kBadArguments:
      return "bad arguments";
    case Status::kLaunchFailed:
      return "launch failed";
  }
  return "";
}

/// Where a launcher's work runs: for `cuda` a cudaStream_t, and the launcher returns before the work is done;
/// for `cpu` a ThreadTeam*, or null for the calling thread alone, and it returns when the work is done.
using Stream = void*;

}  // namespace lil::kernels
