#pragma once

#include <cstdint>

namespace lil::kernels {

/// Which entries of a KV pool each request attends to. A request is one kv head of one layer of one sequence,
/// so that each may keep other tokens. A pool is an array of slots; page p is its slots
/// [p * page_size, (p + 1) * page_size). Token sets have pages of one slot.
///
/// A list names pages in order of position. Its entries are all slots of those pages but for the last page,
/// which may be filled in part: entry j of request r, its place, is slot
/// pages[r * stride + j / page_size] * page_size + j % page_size.
struct PageLists {
  const std::int32_t* pages = nullptr;   ///< (requests, stride)
  std::int64_t stride = 0;               ///< from one request's list to the next
  const std::int32_t* tokens = nullptr;  ///< (requests) entries of each list, 0 or more
  std::int64_t max_tokens = 0;           ///< no list is longer; the shape of the launch, never of a result
  std::int32_t page_size = 1;
};

/// Pages that `tokens` entries take.
constexpr std::int64_t pages_of(std::int64_t tokens, std::int64_t page_size) {
  return (tokens + page_size - 1) / page_size;
}

}  // namespace lil::kernels
