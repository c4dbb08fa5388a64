#pragma once

// What the two paths of decode_attention_cuda.cu share: the work of a block, its slots, the softmax of a
// split. The order of every sum is described there.

#include <cstdint>
#include <device_access.cuh>

#include "kernels/convert.cuh"
#include "kernels/decode_attention.h"

namespace lil::kernels::cuda::attention {

using simt::Global;
using simt::Pack;

constexpr int kThreads = 128;
constexpr int kWarpLanes = 32;
constexpr int kWarps = kThreads / kWarpLanes;
constexpr unsigned kAllLanes = 0xffffffffU;
constexpr int kEntries = static_cast<int>(kSplitTokens);
constexpr float kLog2E = 1.44269504088896340736F;

/// From one head's scores to the next in shared memory; the 4 spread a warp's writes over the banks.
constexpr int kScoreRow = kEntries + 4;

/// Channels that a lane reads in one access, of 16 bytes.
template <class T>
constexpr int kPackChannels = 16 / static_cast<int>(sizeof(T));

/// A block's part of the work.
struct Split {
  std::int64_t request;
  std::int64_t state;  ///< row of the partial results
  std::int32_t first;  ///< place of its first entry
  int entries;         ///< 0: the list ends before it
};

__device__ inline Split this_split(const PageLists& lists) {
  const std::int64_t request = blockIdx.x;
  const std::int64_t first = std::int64_t{blockIdx.y} * kEntries;
  const std::int64_t left = Global<const std::int32_t>(lists.tokens).load(request) - first;
  const std::int64_t entries = left < 0 ? 0 : (left < kEntries ? left : kEntries);
  return {request, request * gridDim.y + blockIdx.y, static_cast<std::int32_t>(first),
          static_cast<int>(entries)};
}

/// The states of a split without entries.
__device__ inline void write_empty(const DecodeAttentionArgs& args, const Split& split) {
  const Global<float> lse(args.partial_lse);
  for (int head = static_cast<int>(threadIdx.x); head < args.group; head += kThreads) {
    lse.store(split.state * args.group + head, -INFINITY);
  }
}

/// Phase 1: slots[i] is the slot of the split's entry i.
template <class Slots>
__device__ void find_slots(const PageLists& lists, const Split& split, Slots& slots) {
  const Global<const std::int32_t> pages(lists.pages);
  for (int entry = static_cast<int>(threadIdx.x); entry < split.entries; entry += kThreads) {
    const std::int32_t place = split.first + entry;
    const std::int32_t page = place / lists.page_size;
    const std::int32_t number = pages.load(split.request * lists.stride + page);
    slots[entry] = number * lists.page_size + (place - page * lists.page_size);
  }
}

__device__ inline float warp_maximum(float value) {
  for (int offset = kWarpLanes / 2; offset > 0; offset /= 2) {
    value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, offset));
  }
  return value;
}

__device__ inline float warp_sum(float value) {
  for (int offset = kWarpLanes / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, offset);
  }
  return value;
}

/// Phase 3, one head per warp: turns row `row` of the scores into weights, whose sum it returns to every
/// lane, and writes what is wanted of query head `head`.
template <class Scores>
__device__ float soften(const DecodeAttentionArgs& args, const Split& split, int head, int row,
                        Scores& scores) {
  constexpr int kMine = kEntries / kWarpLanes;
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  float mine[kMine];
  float maximum = -INFINITY;
#pragma unroll
  for (int i = 0; i < kMine; ++i) {
    const int entry = i * kWarpLanes + lane;
    mine[i] = -INFINITY;
    if (entry < split.entries) {
      mine[i] = scores[row * kScoreRow + entry];
    }
    maximum = fmaxf(maximum, mine[i]);
  }
  maximum = warp_maximum(maximum);

  const std::int64_t logits = (split.request * args.group + head) * args.logits_stride + split.first;
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kMine; ++i) {
    const int entry = i * kWarpLanes + lane;
    float weight = -0.0F;  // past the end: -0 times the fast path's zeros changes no sum, not even its sign
    if (entry < split.entries) {
      weight = exp2f((mine[i] - maximum) * kLog2E);
      sum += weight;
      if (args.logits != nullptr) {
        Global<float>(args.logits).store(logits + entry, mine[i]);
      }
    }
    scores[row * kScoreRow + entry] = weight;
  }
  sum = warp_sum(sum);
  if (lane == 0) {
    Global<float>(args.partial_lse).store(split.state * args.group + head, maximum + logf(sum));
  }
  return sum;
}

/// Phase 3 for `heads` heads from `first_head` on, which have rows 0, 1, ... of the scores.
template <class Scores, class Inverses>
__device__ void soften_all(const DecodeAttentionArgs& args, const Split& split, int first_head, int heads,
                           Scores& scores, Inverses& inverse_sums) {
  for (int row = static_cast<int>(threadIdx.x) / kWarpLanes; row < heads; row += kWarps) {
    const float sum = soften(args, split, first_head + row, row, scores);
    if (threadIdx.x % kWarpLanes == 0) {
      inverse_sums[row] = 1.0F / sum;
    }
  }
}

}  // namespace lil::kernels::cuda::attention
