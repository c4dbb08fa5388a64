#pragma once

#include <device_access.cuh>

namespace lil::kernels::cuda {

/// Two channels of RoPE.
struct ChannelPair {
  float x;
  float y;
};

/// The pair turned by an angle. With fixed roundings, so that every kernel gets the same bits.
__device__ inline ChannelPair rotate_pair(ChannelPair in, float cosine, float sine) {
  return {__fmaf_rn(in.x, cosine, -__fmul_rn(in.y, sine)), __fmaf_rn(in.y, cosine, __fmul_rn(in.x, sine))};
}

}  // namespace lil::kernels::cuda
