#include <device_access.cuh>

#include "kernels/checks.h"
#include "kernels/launchers.h"

namespace lil::kernels::cuda {
namespace {

constexpr int kThreads = 128;

/// How many of the `kept` ascending places are below `place`.
__device__ std::int32_t places_below(simt::Global<const std::int32_t> places, std::int64_t first,
                                     std::int32_t kept, std::int32_t place) {
  std::int32_t low = 0;
  std::int32_t high = kept;
  while (low < high) {
    const std::int32_t middle = low + (high - low) / 2;
    if (places.load(first + middle) < place) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/// Writes the pages that are not at `places` to `freed` and makes their slots nobody's.
__device__ void free_pages(const CompactArgs& args, std::int64_t request, std::int32_t count,
                           std::int32_t kept) {
  const simt::Global<std::int32_t> pages(args.pages);
  const simt::Global<const std::int32_t> places(args.places);
  const std::int64_t first_place = request * args.places_stride;
  for (std::int32_t place = static_cast<std::int32_t>(threadIdx.x); place < count; place += kThreads) {
    const std::int32_t below = places_below(places, first_place, kept, place);
    if (below < kept && places.load(first_place + below) == place) {
      continue;
    }
    const std::int64_t page = pages.load(request * args.pages_stride + place);
    simt::Global<std::int32_t>(args.freed)
        .store(request * args.freed_stride + place - below, static_cast<std::int32_t>(page));
    if (args.slot_positions != nullptr) {
      const simt::Global<std::int32_t> slot_positions(args.slot_positions);
      for (std::int64_t slot = 0; slot < args.page_size; ++slot) {
        slot_positions.store(page * args.page_size + slot, -1);
      }
    }
  }
}

/// A block for each request.
__global__ void compact_kernel(CompactArgs args) {
  const std::int64_t request = blockIdx.x;
  const std::int32_t count = simt::Global<std::int32_t>(args.counts).load(request);
  const std::int32_t kept = simt::Global<const std::int32_t>(args.kept).load(request);
  free_pages(args, request, count, kept);

  // Pages move to the front, a block's width at a time: none moves to a place that is still to be read, for
  // places ascend.
  const simt::Global<std::int32_t> pages(args.pages);
  const simt::Global<const std::int32_t> places(args.places);
  const std::int64_t list = request * args.pages_stride;
  for (std::int32_t first = 0; first < kept; first += kThreads) {
    const std::int32_t i = first + static_cast<std::int32_t>(threadIdx.x);
    std::int32_t page = 0;
    if (i < kept) {
      page = pages.load(list + places.load(request * args.places_stride + i));
    }
    __syncthreads();
    if (i < kept) {
      pages.store(list + i, page);
    }
  }
  __syncthreads();
  if (args.append_freed) {
    const simt::Global<const std::int32_t> freed(args.freed);
    for (std::int32_t i = static_cast<std::int32_t>(threadIdx.x); i < count - kept; i += kThreads) {
      pages.store(list + kept + i, freed.load(request * args.freed_stride + i));
    }
  }
  if (threadIdx.x == 0) {
    simt::Global<std::int32_t>(args.counts).store(request, kept);
    simt::Global<std::int32_t>(args.freed_counts).store(request, count - kept);
  }
}

}  // namespace

Status compact(const CompactArgs& args, Stream stream) {
  if (check(args) != Status::kOk) {
    return Status::kBadArguments;
  }
  if (args.requests == 0) {
    return Status::kOk;
  }
  return simt::launch(compact_kernel, dim3(static_cast<unsigned>(args.requests)), kThreads, stream, args);
}

}  // namespace lil::kernels::cuda
