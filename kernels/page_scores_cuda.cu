#include <device_access.cuh>

#include "kernels/checks.h"
#include "kernels/convert.cuh"
#include "kernels/launchers.h"
#include "kernels/rows.cuh"

namespace lil::kernels::cuda {
namespace {

constexpr unsigned kThreads = 128;
constexpr unsigned kWarp = 32;
constexpr unsigned kWholeWarp = 0xFFFFFFFFU;

/// kPack<T> channels of a row in fp32, zeros from head_dim on. The same values by one access or by many.
template <class T, bool kAligned>
__device__ void load_channels(simt::Global<const T> data, std::int64_t row, int channel, int head_dim,
                              float (&values)[kPack<T>]) {
  if (kAligned && channel < head_dim) {
    const auto pack = data.template load_pack<kPack<T>>(row + channel);
    for (int i = 0; i < kPack<T>; ++i) {
      values[i] = to_float(pack.at[i]);
    }
    return;
  }
  for (int i = 0; i < kPack<T>; ++i) {
    values[i] = channel + i < head_dim ? to_float(data.load(row + channel + i)) : 0.0F;
  }
}

/// The scores of a page's heads, taken in ascending order.
__device__ float join(GroupReduce reduce, int head, float so_far, float score) {
  if (head == 0) {
    return score;
  }
  return reduce == GroupReduce::kMax ? fmaxf(so_far, score) : so_far + score;
}

/// Teams of `lanes` threads of a warp, a power of 2, take a page at a time: its bounds stay in registers, in
/// kSpans spans of `lanes` packs, while the heads' queries pass.
template <class T, bool kAligned, int kSpans>
__global__ void page_scores_kernel(PageScoresArgs args, unsigned lanes) {
  const std::int64_t request = blockIdx.x;
  const std::int32_t pages = list_pages(args.lists, request);
  const unsigned teams = kThreads / lanes;
  const unsigned team = threadIdx.x / lanes;
  const unsigned lane = threadIdx.x % lanes;
  const simt::Global<const T> queries(static_cast<const T*>(args.queries));
  const simt::Global<const T> lows(static_cast<const T*>(args.lows));
  const simt::Global<const T> highs(static_cast<const T*>(args.highs));
  const simt::Global<float> scores(args.scores);

  // All lanes of a warp stay to the end, for the sums across them.
  for (std::int64_t first = static_cast<std::int64_t>(blockIdx.y) * teams; first < pages;
       first += static_cast<std::int64_t>(gridDim.y) * teams) {
    const std::int64_t i = first + team;
    const bool has_page = i < pages;
    const std::int64_t bounds =
        has_page ? static_cast<std::int64_t>(page_of(args.lists, request, i)) * args.head_dim : 0;
    float low[kSpans][kPack<T>];
    float high[kSpans][kPack<T>];
    for (int span = 0; span < kSpans; ++span) {
      const int channel = static_cast<int>(span * lanes + lane) * kPack<T>;
      const int end = has_page ? args.head_dim : 0;
      load_channels<T, kAligned>(lows, bounds, channel, end, low[span]);
      load_channels<T, kAligned>(highs, bounds, channel, end, high[span]);
    }
    float joint = 0;
    for (int head = 0; head < args.group; ++head) {
      const std::int64_t row = request * args.query_request_stride + head * args.query_head_stride;
      float sum = 0;
      for (int span = 0; span < kSpans; ++span) {
        float query[kPack<T>];
        const int channel = static_cast<int>(span * lanes + lane) * kPack<T>;
        load_channels<T, kAligned>(queries, row, channel, args.head_dim, query);
        for (int j = 0; j < kPack<T>; ++j) {
          // A query's sign says which bound gives the greater product.
          sum = __fmaf_rn(query[j], query[j] < 0 ? low[span][j] : high[span][j], sum);
        }
      }
      for (unsigned distance = lanes / 2; distance != 0; distance /= 2) {
        sum += __shfl_xor_sync(kWholeWarp, sum, static_cast<int>(distance));
      }
      if (args.per_query_head && has_page && lane == 0) {
        scores.store((request * args.group + head) * args.scores_stride + i, sum);
      }
      joint = join(args.reduce, head, joint, sum);
    }
    if (!args.per_query_head && has_page && lane == 0) {
      const float divisor = args.reduce == GroupReduce::kMean ? static_cast<float>(args.group) : 1.0F;
      scores.store(request * args.scores_stride + i, joint / divisor);
    }
  }
}

/// Threads that a row of `packs` packs occupies.
unsigned lanes_for(int packs) {
  unsigned lanes = 1;
  while (lanes < kWarp && lanes < static_cast<unsigned>(packs)) {
    lanes *= 2;
  }
  return lanes;
}

template <class T, bool kAligned>
Status launch_for(const PageScoresArgs& args, Stream stream) {
  constexpr int kMaxHeadDim = 512;
  constexpr int kMostSpans = kMaxHeadDim / kPack<T> / static_cast<int>(kWarp);
  const int packs = (args.head_dim + kPack<T> - 1) / kPack<T>;
  const unsigned lanes = lanes_for(packs);
  const std::int64_t pages = pages_of(args.lists.max_tokens, args.lists.page_size);
  const dim3 grid = grid_of(args.requests, pages, kThreads / lanes);
  return packs <= static_cast<int>(lanes)
             ? simt::launch(page_scores_kernel<T, kAligned, 1>, grid, kThreads, stream, args, lanes)
             : simt::launch(page_scores_kernel<T, kAligned, kMostSpans>, grid, kThreads, stream, args, lanes);
}

}  // namespace

Status page_scores(const PageScoresArgs& args, Stream stream) {
  if (check(args) != Status::kOk) {
    return Status::kBadArguments;
  }
  if (args.requests == 0 || args.lists.max_tokens == 0) {
    return Status::kOk;
  }
  return for_dtype(args.dtype, [&](auto storage) {
    using T = typename decltype(storage)::Type;
    const bool is_aligned = has_aligned_rows(args.queries, args.query_request_stride, sizeof(T)) &&
                            has_aligned_rows(args.queries, args.query_head_stride, sizeof(T)) &&
                            has_aligned_rows(args.lows, args.head_dim, sizeof(T)) &&
                            has_aligned_rows(args.highs, args.head_dim, sizeof(T));
    return is_aligned ? launch_for<T, true>(args, stream) : launch_for<T, false>(args, stream);
  });
}

}  // namespace lil::kernels::cuda
