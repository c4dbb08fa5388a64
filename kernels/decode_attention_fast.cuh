#pragma once

// The fast path of decode_attention_cuda.cu: head_dim and group are known, and rows begin at 16 bytes.

#include <cstring>
#include <type_traits>

#include "kernels/decode_attention_block.cuh"

namespace lil::kernels::cuda::attention {

/// How the threads of a block share out rows: `kLanes` neighbouring lanes, a team, read one together.
template <class T, int kHeadDim, int kGroup>
struct Layout {
  static constexpr int kChannels = kPackChannels<T>;
  static constexpr int kLanes = kHeadDim / kChannels;
  static constexpr int kTeams = kThreads / kLanes;
  /// Rows that a lane has on their way at a time: as many as leave room for a few blocks on a processor.
  static constexpr int kRows = kGroup <= 4 ? 8 : 4;
  static constexpr int kRound = kTeams * kRows;  ///< entries that the block reads at once
  static_assert(kWarpLanes % kLanes == 0 && kEntries % kRound == 0, "rows do not share out evenly");

  int team = static_cast<int>(threadIdx.x) / kLanes;
  int lane = static_cast<int>(threadIdx.x) % kLanes;
};

/// A lane's part of a row, 16 bytes. It stays in the words in which it came until it is used: taking it apart
/// would wait for it.
using Words = Pack<std::uint32_t, 4>;

/// A lane's parts of the rows of a round: of entries begin + team, begin + kTeams + team, ...
template <class L>
struct Round {
  Words rows[L::kRows];
};

/// Rows of keys or of values, in words.
struct Rows {
  Global<const std::uint32_t> data;
  std::uint32_t slot_stride;
};

template <class T>
__device__ Rows rows_of(const void* data, std::int64_t slot_stride) {
  return {Global<const std::uint32_t>(static_cast<const std::uint32_t*>(data)),
          static_cast<std::uint32_t>(slot_stride * sizeof(T) / sizeof(std::uint32_t))};
}

/// The channels of a lane's part in fp32, exactly.
template <class T>
__device__ void widen(const Words& words, float (&channels)[kPackChannels<T>]) {
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {  // bf16 is the upper half of fp32: one operation each
#pragma unroll
    for (int word = 0; word < 4; ++word) {
      channels[2 * word] = __uint_as_float(words.at[word] << 16U);
      channels[2 * word + 1] = __uint_as_float(words.at[word] & 0xffff0000U);
    }
  } else {
    Pack<T, kPackChannels<T>> pack;
    memcpy(&pack, &words, sizeof(pack));
#pragma unroll
    for (int c = 0; c < kPackChannels<T>; ++c) {
      channels[c] = to_float(pack.at[c]);
    }
  }
}

template <class T, int kGroup>
__device__ void load_queries(const DecodeAttentionArgs& args, std::int64_t request, int lane,
                             float (&queries)[kGroup][kPackChannels<T>]) {
  const Global<const std::uint32_t> data(static_cast<const std::uint32_t*>(args.queries));
#pragma unroll
  for (int head = 0; head < kGroup; ++head) {
    const std::int64_t begin = request * args.query_request_stride + head * args.query_head_stride;
    const std::int64_t word = begin * sizeof(T) / sizeof(std::uint32_t);
    widen<T>(data.load_pack<4>(word + std::int64_t{4} * lane), queries[head]);
  }
}

/// The round at entry `begin`. Past the end nothing is read, and there are zeros.
template <class L, class Slots>
__device__ Round<L> load_round(const L& layout, const Rows& rows, Slots& slots, int begin, int entries) {
  const auto load = [&](int entry) {
    const std::uint32_t slot = slots[entry];
    return rows.data.load_pack<4>(
        static_cast<std::int64_t>(std::uint64_t{slot} * rows.slot_stride + layout.lane * 4));
  };
  const int first = begin + layout.team;
  Round<L> round;
  if (begin + L::kRound <= entries) {
#pragma unroll
    for (int i = 0; i < L::kRows; ++i) {
      round.rows[i] = load(first + i * L::kTeams);
    }
    return round;
  }
#pragma unroll
  for (int i = 0; i < L::kRows; ++i) {
    round.rows[i] = {};
    if (first + i * L::kTeams < entries) {
      round.rows[i] = load(first + i * L::kTeams);
    }
  }
  return round;
}

/// Adds up each of kCount values over the lanes of a team. A butterfly in which each step halves what a lane
/// keeps: the same bits with far fewer shuffles and sums. held_sums says which sums a lane ends up with.
template <int kOffset, int kCount, int kSize>
__device__ void scatter_sums(float (&values)[kSize]) {
  if constexpr (kOffset > 0) {
    constexpr int kHalf = (kCount + 1) / 2;
    const bool upper = (threadIdx.x & kOffset) != 0;
#pragma unroll
    for (int i = 0; i < kHalf; ++i) {
      const float low = values[i];
      const float high = i + kHalf < kCount ? values[i + kHalf] : low;
      const float received = __shfl_xor_sync(kAllLanes, upper ? low : high, kOffset);
      values[i] = (upper ? high : low) + received;
    }
    scatter_sums<kOffset / 2, kHalf>(values);
  }
}

/// The sums that a lane holds after scatter_sums: values[i] is sum first + i, where that is below `end`. One
/// lane of the team holds each sum.
struct Held {
  int first;
  int end;
};

template <int kLanes, int kCount>
__device__ Held held_sums(int lane) {
  Held held{0, kCount};
  int count = kCount;
#pragma unroll
  for (int offset = kLanes / 2; offset > 0; offset /= 2) {
    const int half = (count + 1) / 2;
    if ((lane & offset) != 0) {
      held.first += half;
    } else if (held.end > held.first + half) {
      held.end = held.first + half;
    }
    count = half;
  }
  return held;
}

/// Where in the scores of a round the sums go that a lane holds; negative: it does not hold so many. Sums are
/// numbered head * kRows + row of the round.
template <class L, int kCount>
struct Targets {
  static constexpr int kMost = (kCount + L::kLanes - 1) / L::kLanes;
  int at[kMost];

  __device__ explicit Targets(const L& layout) {
    const Held held = held_sums<L::kLanes, kCount>(layout.lane);
#pragma unroll
    for (int i = 0; i < kMost; ++i) {
      const int sum = held.first + i;
      at[i] = sum / L::kRows * kScoreRow + sum % L::kRows * L::kTeams + layout.team;
      if (sum >= held.end) {
        at[i] = -1;
      }
    }
  }
};

/// q . k of a round, of this lane's channels.
template <class T, class L, int kGroup>
__device__ void dot_products(const float (&queries)[kGroup][L::kChannels], const Round<L>& round,
                             float (&sums)[kGroup * L::kRows]) {
#pragma unroll
  for (int row = 0; row < L::kRows; ++row) {
    float key[L::kChannels];
    widen<T>(round.rows[row], key);
#pragma unroll
    for (int head = 0; head < kGroup; ++head) {
      float sum = 0;
#pragma unroll
      for (int c = 0; c < L::kChannels; ++c) {
        sum = __fmaf_rn(queries[head][c], key[c], sum);
      }
      sums[head * L::kRows + row] = sum;
    }
  }
}

/// Phase 2: scores of all entries and heads.
template <class T, int kGroup, class L, class Slots, class Scores>
__device__ void score_keys(const DecodeAttentionArgs& args, const Split& split, const L& layout,
                           const Rows& keys, Slots& slots, Scores& scores) {
  constexpr int kSums = kGroup * L::kRows;
  float queries[kGroup][L::kChannels];
  load_queries<T>(args, split.request, layout.lane, queries);
  const Targets<L, kSums> targets(layout);

  Round<L> ahead = load_round(layout, keys, slots, 0, split.entries);
  for (int begin = 0; begin < split.entries; begin += L::kRound) {
    const Round<L> round = ahead;
    ahead = load_round(layout, keys, slots, begin + L::kRound, split.entries);
    float sums[kSums];
    dot_products<T>(queries, round, sums);
    scatter_sums<L::kLanes / 2, kSums>(sums);
#pragma unroll
    for (int i = 0; i < targets.kMost; ++i) {
      if (targets.at[i] >= 0) {  // scores past the end as well: there is room, and nobody reads them
        scores[targets.at[i] + begin] = args.scale * sums[i];
      }
    }
  }
}

/// Phase 4: sums of weight * value over the entries of this lane's team. `ahead` is the first round.
template <class T, int kGroup, class L, class Slots, class Weights>
__device__ void weigh_values(const Split& split, const L& layout, const Rows& values, Slots& slots,
                             Weights& weights, Round<L> ahead, float (&sums)[kGroup][L::kChannels]) {
  for (int begin = 0; begin < split.entries; begin += L::kRound) {
    const Round<L> round = ahead;
    ahead = load_round(layout, values, slots, begin + L::kRound, split.entries);
#pragma unroll
    for (int row = 0; row < L::kRows; ++row) {
      const int entry = begin + row * L::kTeams + layout.team;
      float value[L::kChannels];
      widen<T>(round.rows[row], value);
#pragma unroll
      for (int head = 0; head < kGroup; ++head) {
        const float weight = weights[head * kScoreRow + entry];
#pragma unroll
        for (int c = 0; c < L::kChannels; ++c) {
          sums[head][c] = __fmaf_rn(weight, value[c], sums[head][c]);
        }
      }
    }
  }
}

/// Channels of a result that are written at once.
using Quad = Pack<float, 4>;

/// Joins the teams of each warp; the warp's sums go to its part of `partials`.
template <class L, int kGroup, class Partials>
__device__ void join_teams(const L& layout, float (&sums)[kGroup][L::kChannels], Partials& partials) {
  constexpr int kQuads = L::kChannels / 4;
  const int warp = static_cast<int>(threadIdx.x) / kWarpLanes;
#pragma unroll
  for (int head = 0; head < kGroup; ++head) {
#pragma unroll
    for (int quad = 0; quad < kQuads; ++quad) {
      Quad joined;
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        float sum = sums[head][quad * 4 + c];
#pragma unroll
        for (int offset = L::kLanes; offset < kWarpLanes; offset *= 2) {
          sum += __shfl_xor_sync(kAllLanes, sum, offset);
        }
        joined.at[c] = sum;
      }
      if (threadIdx.x % kWarpLanes < L::kLanes) {
        partials[((warp * kGroup + head) * L::kLanes + layout.lane) * kQuads + quad] = joined;
      }
    }
  }
}

/// Joins the warps and writes the split's result.
template <int kGroup, int kHeadDim, class Partials, class Inverses>
__device__ void write_out(const DecodeAttentionArgs& args, const Split& split, Partials& partials,
                          Inverses& inverse_sums) {
  constexpr int kQuads = kGroup * kHeadDim / 4;
  const Global<float> out(args.partial_out);
  for (int i = static_cast<int>(threadIdx.x); i < kQuads; i += kThreads) {
    const float inverse = inverse_sums[i / (kHeadDim / 4)];
    Quad joined = partials[i];
#pragma unroll
    for (int warp = 1; warp < kWarps; ++warp) {
      const Quad other = partials[warp * kQuads + i];
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        joined.at[c] += other.at[c];
      }
    }
#pragma unroll
    for (float& channel : joined.at) {
      channel *= inverse;
    }
    out.template store_pack<4>((split.state * kQuads + i) * 4, joined);
  }
}

template <class T, int kHeadDim, int kGroup>
__global__ void decode_attention_fast(DecodeAttentionArgs args) {
  using L = Layout<T, kHeadDim, kGroup>;
  constexpr int kScores = kGroup * kScoreRow;
  constexpr int kPartials = kWarps * kGroup * kHeadDim / 4;
  LIL_SHARED(std::uint32_t, slots, kEntries);
  LIL_SHARED(float, scores, kScores);
  LIL_SHARED(float, inverse_sums, kGroup);
  LIL_SHARED(Quad, partials, kPartials);
  const Split split = this_split(args.lists);
  if (split.entries == 0) {
    write_empty(args, split);
    return;
  }
  const L layout;
  const Rows keys = rows_of<T>(args.keys, args.key_slot_stride);
  const Rows values = rows_of<T>(args.values, args.value_slot_stride);
  find_slots(args.lists, split, slots);
  __syncthreads();
  score_keys<T, kGroup>(args, split, layout, keys, slots, scores);
  const Round<L> ahead =
      load_round(layout, values, slots, 0, split.entries);  // comes while weights are found
  __syncthreads();
  soften_all(args, split, 0, kGroup, scores, inverse_sums);
  __syncthreads();
  float sums[kGroup][L::kChannels] = {};
  weigh_values<T>(split, layout, values, slots, scores, ahead, sums);
  join_teams(layout, sums, partials);
  __syncthreads();
  write_out<kGroup, kHeadDim>(args, split, partials, inverse_sums);
}

}  // namespace lil::kernels::cuda::attention
