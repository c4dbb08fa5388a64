// Joining partial states on a GPU. A warp takes 32 channels of one query head: its lanes find the weights of
// 32 states at a time, w = exp2((lse - max lse) log2 e), and each lane goes through these states for its
// channel in ascending order. Each lane also sums the weights, in the same order, so nothing has to be shared
// between warps. States without weight are stepped over: they could not change a sum, but a sign of zero.

#include <cstdint>
#include <device_access.cuh>

#include "kernels/checks.h"
#include "kernels/convert.cuh"
#include "kernels/launchers.h"

namespace lil::kernels::cuda {
namespace {

using simt::Global;

constexpr int kWarpLanes = 32;
constexpr int kWarps = 4;  ///< of a block
constexpr unsigned kAllLanes = 0xffffffffU;
constexpr float kLog2E = 1.44269504088896340736F;

/// States whose `out` is on its way at a time.
constexpr int kUnroll = 8;

/// The states of one query head: state i at first + i * stride, in rows of `lse` and of `out`.
struct States {
  Global<const float> out;
  Global<const float> lse;
  std::int64_t first;
  std::int64_t stride;
  std::int64_t count;
};

/// What a lane has of the result.
struct Joined {
  float weights = 0;
  float channel = 0;
};

__device__ inline float maximum_lse(const States& states, int lane) {
  float maximum = -INFINITY;
  for (std::int64_t i = lane; i < states.count; i += kWarpLanes) {
    maximum = fmaxf(maximum, states.lse.load(states.first + i * states.stride));
  }
  for (int offset = kWarpLanes / 2; offset > 0; offset /= 2) {
    maximum = fmaxf(maximum, __shfl_xor_sync(kAllLanes, maximum, offset));
  }
  return maximum;
}

/// Weight of state i; 0 past the end and for a state that counts nothing.
__device__ inline float weight_of(const States& states, std::int64_t i, float maximum) {
  if (i >= states.count) {
    return 0;
  }
  const float lse = states.lse.load(states.first + i * states.stride);
  return lse == -INFINITY ? 0 : exp2f((lse - maximum) * kLog2E);
}

/// Adds states i, ..., i + kUnroll - 1, whose weights lanes from, from + 1, ... hold.
__device__ inline void join(const States& states, std::int64_t i, float weight, int from, int head_dim,
                            int channel, Joined& joined) {
  float weights[kUnroll];
  float outs[kUnroll] = {};
#pragma unroll
  for (int u = 0; u < kUnroll; ++u) {
    weights[u] = __shfl_sync(kAllLanes, weight, from + u);
    if (weights[u] != 0 && channel < head_dim) {
      outs[u] = states.out.load((states.first + (i + u) * states.stride) * head_dim + channel);
    }
  }
#pragma unroll
  for (int u = 0; u < kUnroll; ++u) {
    if (weights[u] != 0) {
      joined.weights += weights[u];
      joined.channel = __fmaf_rn(weights[u], outs[u], joined.channel);
    }
  }
}

template <class T>
__global__ void merge(MergeStatesArgs args) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  const std::int64_t warp = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpLanes;
  const int parts = (args.head_dim + kWarpLanes - 1) / kWarpLanes;
  const std::int64_t row = warp / parts;
  const std::int64_t request = row / args.group;
  const std::int64_t head = row % args.group;
  const int channel = static_cast<int>(warp % parts) * kWarpLanes + lane;
  if (request >= args.requests) {  // the whole warp
    return;
  }
  const States states{Global<const float>(args.partial_out), Global<const float>(args.partial_lse),
                      request * args.states * args.group + head, args.group, args.states};
  const float maximum = maximum_lse(states, lane);
  Joined joined;
  for (std::int64_t i = 0; i < states.count; i += kWarpLanes) {
    const float weight = weight_of(states, i + lane, maximum);
    for (int from = 0; from < kWarpLanes && i + from < states.count; from += kUnroll) {
      join(states, i + from, weight, from, args.head_dim, channel, joined);
    }
  }
  if (channel < args.head_dim) {
    const float out = joined.weights == 0 ? 0 : joined.channel / joined.weights;
    Global<T>(static_cast<T*>(args.out))
        .store(request * args.out_request_stride + head * args.out_head_stride + channel, from_float<T>(out));
  }
  if (channel == 0 && args.lse != nullptr) {
    Global<float>(args.lse).store(row, joined.weights == 0 ? -INFINITY : maximum + logf(joined.weights));
  }
}

}  // namespace

Status merge_states(const MergeStatesArgs& args, Stream stream) {
  const Status status = check(args);
  if (status != Status::kOk || args.requests == 0) {
    return status;
  }
  const std::int64_t parts = (args.head_dim + kWarpLanes - 1) / kWarpLanes;
  const std::int64_t warps = std::int64_t{args.requests} * args.group * parts;
  const dim3 grid(static_cast<unsigned>((warps + kWarps - 1) / kWarps));
  return for_dtype(args.dtype, [&](auto storage) {
    using T = typename decltype(storage)::Type;
    return simt::launch(merge<T>, grid, kWarps * kWarpLanes, stream, args);
  });
}

}  // namespace lil::kernels::cuda
