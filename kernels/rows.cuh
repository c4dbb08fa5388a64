#pragma once

// How the small CUDA kernels go over rows of channels: 16 bytes at a time where rows begin at 16 bytes.

#include <cstdint>
#include <device_access.cuh>
#include <type_traits>

#include "kernels/dtype.h"
#include "kernels/page_lists.h"

namespace lil::kernels::cuda {

constexpr int kPackBytes = 16;

/// Elements of a pack.
template <class T>
constexpr int kPack = kPackBytes / static_cast<int>(sizeof(T));

/// Whether an array's rows, `stride` elements apart, begin at multiples of a pack's size.
inline bool has_aligned_rows(const void* data, std::int64_t stride, std::int64_t element_bytes) {
  return reinterpret_cast<std::uintptr_t>(data) % kPackBytes == 0 && stride * element_bytes % kPackBytes == 0;
}

/// kWidth elements by one access.
template <int kWidth, class T>
__device__ simt::Pack<std::remove_const_t<T>, kWidth> load_wide(const simt::Global<T>& data, std::int64_t i) {
  if constexpr (kWidth == 1) {
    return {{data.load(i)}};
  } else {
    return data.template load_pack<kWidth>(i);
  }
}
template <int kWidth, class T>
__device__ void store_wide(const simt::Global<T>& data, std::int64_t i, const simt::Pack<T, kWidth>& pack) {
  if constexpr (kWidth == 1) {
    data.store(i, pack.at[0]);
  } else {
    data.template store_pack<kWidth>(i, pack);
  }
}

/// A block for each request, and along y as many more as the longest list has work for.
inline dim3 grid_of(std::int32_t requests, std::int64_t items, std::int64_t items_per_block) {
  constexpr std::int64_t kMostBlocks = 65535;  // a grid's limit along y; kernels stride over the rest
  const std::int64_t blocks = (items + items_per_block - 1) / items_per_block;
  return dim3(static_cast<unsigned>(requests),
              static_cast<unsigned>(blocks < 1 ? 1 : (blocks < kMostBlocks ? blocks : kMostBlocks)));
}

/// The threads of a block dealt out to rows of `parts` parts each: a row at a time to each team of threads,
/// and along a row a thread takes the parts part(), part() + step(), …
class RowTeams {
 public:
  __device__ RowTeams(int parts)
      : step_(parts < static_cast<int>(blockDim.x) ? parts : static_cast<int>(blockDim.x)),
        teams_(static_cast<int>(blockDim.x) / step_),
        team_(static_cast<int>(threadIdx.x) / step_),
        part_(static_cast<int>(threadIdx.x) % step_) {}

  /// Where the block's size is no multiple of `parts` some threads have no row: first_row() is then `rows`.
  __device__ std::int64_t first_row(std::int64_t rows) const {
    return team_ < teams_ ? static_cast<std::int64_t>(blockIdx.y) * teams_ + team_ : rows;
  }
  __device__ std::int64_t row_step() const { return static_cast<std::int64_t>(gridDim.y) * teams_; }
  __device__ int part() const { return part_; }
  __device__ int step() const { return step_; }

 private:
  int step_;
  int teams_;
  int team_;
  int part_;
};

/// Entries of a request's list.
__device__ inline std::int32_t tokens_of(const PageLists& lists, std::int64_t request) {
  return simt::Global<const std::int32_t>(lists.tokens).load(request);
}

/// Pages of a request's list.
__device__ inline std::int32_t list_pages(const PageLists& lists, std::int64_t request) {
  const std::int32_t tokens = tokens_of(lists, request);
  return tokens / lists.page_size + (tokens % lists.page_size == 0 ? 0 : 1);
}

/// Page at a place of a request's list.
__device__ inline std::int32_t page_of(const PageLists& lists, std::int64_t request, std::int64_t i) {
  return simt::Global<const std::int32_t>(lists.pages).load(request * lists.stride + i);
}

/// Slot of an entry of a request's list.
__device__ inline std::int64_t slot_of(const PageLists& lists, std::int64_t request, std::int32_t place) {
  const std::int64_t page = page_of(lists, request, place / lists.page_size);
  return page * lists.page_size + place % lists.page_size;
}

}  // namespace lil::kernels::cuda
