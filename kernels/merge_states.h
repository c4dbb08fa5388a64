#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/status.h"

namespace lil::kernels {

/// Joins partial attention states, in ascending order:
///   lse = ln sum_i exp(lse_i);  out = sum_i exp(lse_i - lse) out_i   [Milakov 2018].
/// A state with lse = -inf counts nothing and its `out` is not read; it may stand anywhere and changes no bit
/// of the others' result. All empty: out = 0, lse = -inf.
struct MergeStatesArgs {
  DType dtype = DType::kFp32;  ///< of `out`
  std::int32_t requests = 0;
  std::int32_t group = 0;
  std::int32_t head_dim = 0;           ///< 1 to 512
  std::int64_t states = 0;             ///< of each request
  const float* partial_out = nullptr;  ///< (requests, states, group, head_dim)
  const float* partial_lse = nullptr;  ///< (requests, states, group)
  void* out = nullptr;                 ///< (requests, group, head_dim)
  std::int64_t out_request_stride = 0;
  std::int64_t out_head_stride = 0;
  float* lse = nullptr;  ///< (requests, group); may be null
};

}  // namespace lil::kernels
