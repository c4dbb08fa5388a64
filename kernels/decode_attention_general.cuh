#pragma once

// The general path of decode_attention_cuda.cu: any head_dim, group and alignment, element by element. Keys
// and values are read once for every kHeads query heads. The orders of summing are the fast path's.

#include "kernels/decode_attention_block.cuh"

namespace lil::kernels::cuda::attention {

/// Query heads that are served by one reading of the keys and values.
constexpr int kHeads = 8;
constexpr int kMaxHeadDim = 512;

/// How the threads of a block share out rows: `lanes` neighbouring lanes, a team, read one together, pack by
/// pack, of which lane i takes the packs i, i + lanes, ...
struct AnyLayout {
  int lanes;  ///< of a team: a power of two, up to a warp
  int teams;
  int packs;  ///< of a lane
  int team;
  int lane;  ///< of the team
};

__device__ inline AnyLayout any_layout(int lanes, int pack_channels, int head_dim) {
  const int team_channels = lanes * pack_channels;
  return {lanes, kThreads / lanes, (head_dim + team_channels - 1) / team_channels,
          static_cast<int>(threadIdx.x) / lanes, static_cast<int>(threadIdx.x) % lanes};
}

/// Query heads first, first + 1, ... of the request, widened.
template <class T, class Queries>
__device__ void copy_queries(const DecodeAttentionArgs& args, std::int64_t request, int first, int heads,
                             Queries& queries) {
  const Global<const T> data(static_cast<const T*>(args.queries));
  for (int i = static_cast<int>(threadIdx.x); i < heads * args.head_dim; i += kThreads) {
    const int head = i / args.head_dim;
    const std::int64_t begin = request * args.query_request_stride + (first + head) * args.query_head_stride;
    queries[i] = to_float(data.load(begin + i % args.head_dim));
  }
}

/// q . k of the row at `begin`, of this lane's channels.
template <class T, class Queries>
__device__ void any_dot_products(const AnyLayout& layout, const Global<const T>& keys, std::int64_t begin,
                                 int head_dim, int heads, Queries& queries, float (&sums)[kHeads]) {
  for (int pack = 0; pack < layout.packs; ++pack) {
    const int first = (pack * layout.lanes + layout.lane) * kPackChannels<T>;
    for (int channel = first; channel < first + kPackChannels<T> && channel < head_dim; ++channel) {
      const float key = to_float(keys.load(begin + channel));
#pragma unroll
      for (int head = 0; head < kHeads; ++head) {
        if (head < heads) {
          sums[head] = __fmaf_rn(queries[head * head_dim + channel], key, sums[head]);
        }
      }
    }
  }
}

/// Phase 2.
template <class T, class Slots, class Queries, class Scores>
__device__ void score_any_keys(const DecodeAttentionArgs& args, const Split& split, const AnyLayout& layout,
                               int heads, Slots& slots, Queries& queries, Scores& scores) {
  const Global<const T> keys(static_cast<const T*>(args.keys));
  for (int begin = 0; begin < split.entries; begin += layout.teams) {
    const int entry = begin + layout.team;
    float sums[kHeads] = {};
    if (entry < split.entries) {
      const std::int64_t slot = slots[entry];
      any_dot_products(layout, keys, slot * args.key_slot_stride, args.head_dim, heads, queries, sums);
    }
#pragma unroll
    for (int head = 0; head < kHeads; ++head) {
      for (int offset = layout.lanes / 2; offset > 0; offset /= 2) {
        sums[head] += __shfl_xor_sync(kAllLanes, sums[head], offset);
      }
      if (head < heads && entry < split.entries && layout.lane == 0) {
        scores[head * kScoreRow + entry] = args.scale * sums[head];
      }
    }
  }
}

/// Sums of weight * value over the entries of this lane's team, for its channels from `first` on.
template <class T, class Slots, class Weights>
__device__ void weigh_any_values(const DecodeAttentionArgs& args, const Split& split, const AnyLayout& layout,
                                 int first, int heads, Slots& slots, Weights& weights,
                                 float (&sums)[kHeads][kPackChannels<T>]) {
  const Global<const T> values(static_cast<const T*>(args.values));
  for (int entry = layout.team; entry < split.entries; entry += layout.teams) {
    const std::int64_t slot = slots[entry];
#pragma unroll
    for (int c = 0; c < kPackChannels<T>; ++c) {
      if (first + c < args.head_dim) {
        const float value = to_float(values.load(slot * args.value_slot_stride + first + c));
#pragma unroll
        for (int head = 0; head < kHeads; ++head) {
          if (head < heads) {
            sums[head][c] = __fmaf_rn(weights[head * kScoreRow + entry], value, sums[head][c]);
          }
        }
      }
    }
  }
}

/// Joins the sums of one head over the block and writes those of `count` channels from `out_begin` on.
template <int kChannels, class Partials>
__device__ void join_any(const AnyLayout& layout, float (&sums)[kChannels], float inverse, int count,
                         const Global<float>& out, std::int64_t out_begin, Partials& partials) {
  const int team_channels = layout.lanes * kChannels;
  const int warp = static_cast<int>(threadIdx.x) / kWarpLanes;
#pragma unroll
  for (int c = 0; c < kChannels; ++c) {
    for (int offset = layout.lanes; offset < kWarpLanes; offset *= 2) {
      sums[c] += __shfl_xor_sync(kAllLanes, sums[c], offset);
    }
    if (static_cast<int>(threadIdx.x) % kWarpLanes < layout.lanes) {
      partials[warp * team_channels + layout.lane * kChannels + c] = sums[c];
    }
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads) {
    float joined = partials[i];
    for (int other = 1; other < kWarps; ++other) {
      joined += partials[other * team_channels + i];
    }
    out.store(out_begin + i, joined * inverse);
  }
  __syncthreads();
}

/// Phase 4, pack by pack: the channels that a team covers with one pack per lane.
template <class T, class Slots, class Weights, class Inverses, class Partials>
__device__ void write_any_out(const DecodeAttentionArgs& args, const Split& split, const AnyLayout& layout,
                              int first_head, int heads, Slots& slots, Weights& weights,
                              Inverses& inverse_sums, Partials& partials) {
  const Global<float> out(args.partial_out);
  const int team_channels = layout.lanes * kPackChannels<T>;
  for (int pack = 0; pack < layout.packs; ++pack) {
    const int begin = pack * team_channels;
    const int left = args.head_dim - begin;
    float sums[kHeads][kPackChannels<T>] = {};
    weigh_any_values<T>(args, split, layout, begin + layout.lane * kPackChannels<T>, heads, slots, weights,
                        sums);
#pragma unroll
    for (int head = 0; head < kHeads; ++head) {
      if (head < heads) {
        const std::int64_t row = split.state * args.group + first_head + head;
        join_any(layout, sums[head], inverse_sums[head], left < team_channels ? left : team_channels, out,
                 row * args.head_dim + begin, partials);
      }
    }
  }
}

template <class T>
__global__ void decode_attention_general(DecodeAttentionArgs args, int lanes) {
  LIL_SHARED(std::int32_t, slots, kEntries);
  LIL_SHARED(float, queries, kHeads* kMaxHeadDim);
  LIL_SHARED(float, scores, kHeads* kScoreRow);
  LIL_SHARED(float, inverse_sums, kHeads);
  LIL_SHARED(float, partials, kWarps* kWarpLanes* kPackChannels<T>);
  const Split split = this_split(args.lists);
  if (split.entries == 0) {
    write_empty(args, split);
    return;
  }
  const AnyLayout layout = any_layout(lanes, kPackChannels<T>, args.head_dim);
  find_slots(args.lists, split, slots);
  for (int first = 0; first < args.group; first += kHeads) {
    const int heads = args.group - first < kHeads ? args.group - first : kHeads;
    copy_queries<T>(args, split.request, first, heads, queries);
    __syncthreads();
    score_any_keys<T>(args, split, layout, heads, slots, queries, scores);
    __syncthreads();
    soften_all(args, split, first, heads, scores, inverse_sums);
    __syncthreads();
    write_any_out<T>(args, split, layout, first, heads, slots, scores, inverse_sums, partials);
  }
}

}  // namespace lil::kernels::cuda::attention
