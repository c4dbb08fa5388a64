#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/page_lists.h"
#include "kernels/status.h"

namespace lil::kernels {

/// The least and the greatest value of each channel over the entries of each listed page, as Quest needs them
/// after prefill [Tang 2024]; append keeps them up later. Exact: bounds are values of the keys.
struct PageBoundsArgs {
  DType dtype = DType::kFp32;  ///< of keys and bounds
  std::int32_t requests = 0;
  std::int32_t head_dim = 0;   ///< 1 to 512
  PageLists lists;             ///< no page is listed twice
  const void* keys = nullptr;  ///< slot s at s * key_slot_stride elements
  std::int64_t key_slot_stride = 0;
  void* lows = nullptr;   ///< (pages, head_dim)
  void* highs = nullptr;  ///< (pages, head_dim)
};

}  // namespace lil::kernels
