#pragma once

// Stored types of the CUDA kernels and their way to and from fp32. Every kernel includes this after
// <device_access.cuh>, which brings the types.

#include <device_access.cuh>

#include "kernels/dtype.h"

namespace lil::kernels::cuda {

__device__ inline float to_float(float value) {
  return value;
}
__device__ inline float to_float(__half value) {
  return __half2float(value);
}
__device__ inline float to_float(__nv_bfloat16 value) {
  return __bfloat162float(value);
}

/// `value` in the stored type T, rounded to nearest even.
template <class T>
__device__ T from_float(float value);
template <>
__device__ inline float from_float<float>(float value) {
  return value;
}
template <>
__device__ inline __half from_float<__half>(float value) {
  return __float2half_rn(value);
}
template <>
__device__ inline __nv_bfloat16 from_float<__nv_bfloat16>(float value) {
  return __float2bfloat16_rn(value);
}

/// Says by its type in which type values are stored.
template <class T>
struct Storage {
  using Type = T;
};

/// run(Storage<T>{}) for the type T that `dtype` names; for launchers:
///   return for_dtype(args.dtype, [&](auto storage) {
///     using T = typename decltype(storage)::Type;
///     return simt::launch(kernel<T>, grid, threads, stream, args);
///   });
template <class Run>
auto for_dtype(DType dtype, const Run& run) {
  switch (dtype) {
    case DType::kBf16:
      return run(Storage<__nv_bfloat16>{});
    case DType::kFp16:
      return run(Storage<__half>{});
    case DType::kFp32:
      break;
  }
  return run(Storage<float>{});
}

}  // namespace lil::kernels::cuda
