#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/page_lists.h"
#include "kernels/status.h"

namespace lil::kernels {

/// Rotates rows for RoPE: out[s] = R(position) in[s] for the slot s of every listed entry, channel i with
/// channel i + head_dim/2 [Su 2021], in fp32, rounded once to `dtype`. Serves Sink, whose raw keys are
/// rotated in each step by their place in the cache, and query heads (lists of rows).
struct RotateArgs {
  DType dtype = DType::kFp32;
  std::int32_t requests = 0;
  std::int32_t head_dim = 0;  ///< 1 to 512, even
  PageLists lists;            ///< no slot is listed twice
  const void* in = nullptr;   ///< slot s at s * in_stride elements
  void* out = nullptr;        ///< slot s at s * out_stride elements; may be the same memory as `in`
  std::int64_t in_stride = 0;
  std::int64_t out_stride = 0;
  const std::int32_t* slot_positions =
      nullptr;  ///< (slots); null: an entry's position is place * place_stride
  std::int32_t place_stride = 1;
  const float* rope = nullptr;  ///< (rope_positions, 2, head_dim/2): cosines, then sines
  std::int32_t rope_positions = 0;
};

}  // namespace lil::kernels
