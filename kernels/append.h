#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/status.h"

namespace lil::kernels {

/// Puts one new token's key and value of each request into its slot of the KV pool.
///
/// key' = rope ? R(position) key : key, where channel i turns with channel i + head_dim/2 [Su 2021], computed
/// in fp32 from `rope` and rounded once to `dtype`. Where `bounds_page_size` is not 0, the page of the slot
/// gets lows = min(lows, key') and highs = max(highs, key') in each channel; a slot that is the first of its
/// page starts them afresh. No two requests of a call share a page.
struct AppendArgs {
  DType dtype = DType::kFp32;  ///< of keys, values, pools and bounds
  std::int32_t requests = 0;
  std::int32_t head_dim = 0;     ///< 1 to 512, even where rope is given
  const void* keys = nullptr;    ///< (requests, head_dim), not rotated
  const void* values = nullptr;  ///< (requests, head_dim)
  std::int64_t key_stride = 0;   ///< elements from one request's key to the next
  std::int64_t value_stride = 0;
  const float* rope = nullptr;  ///< (rope_positions, 2, head_dim/2): cosines, then sines; null: keys stay raw
  std::int32_t rope_positions = 0;
  const std::int32_t* positions =
      nullptr;  ///< (requests) of the tokens, below rope_positions where rope is given
  const std::int32_t* slots = nullptr;  ///< (requests) slot to write; negative: the request takes no part
  void* key_pool = nullptr;             ///< slot s at s * key_slot_stride elements
  void* value_pool = nullptr;
  std::int64_t key_slot_stride = 0;
  std::int64_t value_slot_stride = 0;
  std::int32_t* slot_positions = nullptr;  ///< (slots) gets the position of the slot's token; may be null
  std::int32_t bounds_page_size = 0;       ///< 0: no bounds
  void* lows = nullptr;                    ///< (pages, head_dim)
  void* highs = nullptr;                   ///< (pages, head_dim)
};

}  // namespace lil::kernels
