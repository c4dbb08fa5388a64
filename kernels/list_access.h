#pragma once

#include <cstdint>
#include <numeric>

#include "kernels/page_lists.h"

namespace lil::kernels {

/// Slot of an entry of a request's list.
inline std::int64_t slot_of(const PageLists& lists, std::int64_t request, std::int64_t place) {
  const std::int64_t page = lists.pages[request * lists.stride + place / lists.page_size];
  return page * lists.page_size + place % lists.page_size;
}

/// Entries of the lists of `requests` requests.
inline std::int64_t entries_of(const PageLists& lists, std::int64_t requests) {
  return std::accumulate(lists.tokens, lists.tokens + requests, std::int64_t{0});
}

}  // namespace lil::kernels
