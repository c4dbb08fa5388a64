#pragma once

#include <cstdint>

#include "kernels/status.h"

namespace lil::kernels {

/// Drops pages from lists and hands their numbers back for use by later tokens; no key or value moves. Of
/// each request's list only the pages at `places` stay, in their order; the numbers of the others are written
/// to `freed`, in their order, and the slots of those pages get slot_positions = -1. With append_freed the
/// freed numbers also follow the kept ones in the list, in their order: the list then holds the same numbers
/// as before, those that are in use first.
struct CompactArgs {
  std::int32_t requests = 0;
  std::int32_t* pages = nullptr;  ///< (requests, pages_stride) in and out
  std::int64_t pages_stride = 0;
  std::int32_t* counts = nullptr;        ///< (requests) pages of each list, in and out
  std::int64_t max_count = 0;            ///< no list is longer
  const std::int32_t* places = nullptr;  ///< (requests, places_stride) ascending, as topk writes them
  std::int64_t places_stride = 0;
  const std::int32_t* kept = nullptr;      ///< (requests) how many places
  std::int32_t* freed = nullptr;           ///< (requests, freed_stride)
  std::int64_t freed_stride = 0;           ///< at least what any request frees
  std::int32_t* freed_counts = nullptr;    ///< (requests) out
  std::int32_t* slot_positions = nullptr;  ///< (slots); may be null
  std::int32_t page_size = 1;
  bool append_freed = false;  ///< list places from kept[r] to the old count get the freed numbers too
};

}  // namespace lil::kernels
