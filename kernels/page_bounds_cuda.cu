#include <device_access.cuh>

#include "kernels/checks.h"
#include "kernels/convert.cuh"
#include "kernels/launchers.h"
#include "kernels/rows.cuh"

namespace lil::kernels::cuda {
namespace {

constexpr unsigned kThreads = 128;

/// A thread finds the bounds of kWidth channels of a page at a time.
template <class T, int kWidth>
__global__ void page_bounds_kernel(PageBoundsArgs args) {
  const std::int64_t request = blockIdx.x;
  const std::int32_t tokens = tokens_of(args.lists, request);
  const std::int32_t page_size = args.lists.page_size;
  const std::int32_t pages = list_pages(args.lists, request);
  const int parts = args.head_dim / kWidth;
  const RowTeams teams(parts);
  const simt::Global<const T> keys(static_cast<const T*>(args.keys));
  const simt::Global<T> lows(static_cast<T*>(args.lows));
  const simt::Global<T> highs(static_cast<T*>(args.highs));

  for (std::int64_t i = teams.first_row(pages); i < pages; i += teams.row_step()) {
    const std::int64_t page = page_of(args.lists, request, i);
    const std::int64_t left = tokens - i * page_size;
    const std::int64_t entries = left < page_size ? left : page_size;
    for (int part = teams.part(); part < parts; part += teams.step()) {
      const std::int64_t first = page * page_size * args.key_slot_stride + std::int64_t{part} * kWidth;
      auto low = load_wide<kWidth>(keys, first);
      auto high = low;
      for (std::int64_t entry = 1; entry < entries; ++entry) {
        const auto key = load_wide<kWidth>(keys, first + entry * args.key_slot_stride);
        for (int j = 0; j < kWidth; ++j) {
          low.at[j] = to_float(key.at[j]) < to_float(low.at[j]) ? key.at[j] : low.at[j];
          high.at[j] = to_float(key.at[j]) > to_float(high.at[j]) ? key.at[j] : high.at[j];
        }
      }
      store_wide<kWidth>(lows, page * args.head_dim + std::int64_t{part} * kWidth, low);
      store_wide<kWidth>(highs, page * args.head_dim + std::int64_t{part} * kWidth, high);
    }
  }
}

}  // namespace

Status page_bounds(const PageBoundsArgs& args, Stream stream) {
  if (check(args) != Status::kOk) {
    return Status::kBadArguments;
  }
  if (args.requests == 0 || args.lists.max_tokens == 0) {
    return Status::kOk;
  }
  const std::int64_t pages = pages_of(args.lists.max_tokens, args.lists.page_size);
  return for_dtype(args.dtype, [&](auto storage) {
    using T = typename decltype(storage)::Type;
    const auto launch = [&](auto kernel, int width) {
      const int parts = args.head_dim / width;
      const int rows = parts < static_cast<int>(kThreads) ? static_cast<int>(kThreads) / parts : 1;
      return simt::launch(kernel, grid_of(args.requests, pages, rows), kThreads, stream, args);
    };
    const bool is_aligned = has_aligned_rows(args.keys, args.key_slot_stride, sizeof(T)) &&
                            has_aligned_rows(args.lows, args.head_dim, sizeof(T)) &&
                            has_aligned_rows(args.highs, args.head_dim, sizeof(T));
    return is_aligned ? launch(page_bounds_kernel<T, kPack<T>>, kPack<T>)
                      : launch(page_bounds_kernel<T, 1>, 1);
  });
}

}  // namespace lil::kernels::cuda
