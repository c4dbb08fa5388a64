// Decode attention on a GPU: one block per (request, split), four phases with barriers between them.
//
//   1 slots    the places of the split become slots, in shared memory
//   2 scores   s = scale * q . k into shared memory; each key is read once, for all query heads
//   3 softmax  w = exp2((s - max s) log2 e), the sum of w, lse; a warp per head
//   4 values   sum of w v; each value is read once, for all query heads; out = that sum over the sum of w
//
// A split is short enough for its scores to stay in shared memory. So the rescaling of the online softmax
// [Milakov 2018] is done once per split, in merge_states, instead of at every new maximum, and the registers
// of the queries are free again when the sums of values need them. The maximum is taken off before the step
// to base 2: the difference of two large scores is exact, that of their rounded multiples is not.
//
// A row is cut into packs of 16 bytes. Neighbouring lanes, a team, read one row together, and the teams of
// the block take the entries in turn: team t takes t, t + teams, ... The orders of all sums follow from that,
// and both paths keep to them, so that strides and alignment change no bit:
//   q . k       a lane along its channels, then the lanes of the team in a butterfly, far ones first
//   sum of w    a lane of a warp along every 32nd entry, then the same butterfly over 32 lanes
//   sum of w v  a team along its entries, then the teams of the warp, near ones first, then warps 0 to 3
// Multiply-adds are written out, since a compiler may or may not make them of products and sums.
//
// Fast path: a lane has one pack of a row, and asks for the rows of the next round before it works on those
// of this one. General path: element by element, eight query heads per reading of the keys and values.

#include <device_access.cuh>

#include "kernels/checks.h"
#include "kernels/convert.cuh"
#include "kernels/decode_attention_fast.cuh"
#include "kernels/decode_attention_general.cuh"
#include "kernels/launchers.h"

namespace lil::kernels::cuda {
namespace {

bool at_pack(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0;
}

/// Whether rows this far apart all begin at a pack, at words that fit the fast path's 32 bits.
bool at_packs(std::int64_t stride, DType dtype) {
  const std::int64_t bytes = stride * bytes_of(dtype);
  return bytes % 16 == 0 && bytes / 4 <= UINT32_MAX;
}

/// Whether everything that the fast path reads or writes in packs begins at one.
bool rows_at_packs(const DecodeAttentionArgs& args) {
  return at_pack(args.queries) && at_pack(args.keys) && at_pack(args.values) && at_pack(args.partial_out) &&
         at_packs(args.query_request_stride, args.dtype) && at_packs(args.query_head_stride, args.dtype) &&
         at_packs(args.key_slot_stride, args.dtype) && at_packs(args.value_slot_stride, args.dtype);
}

/// Lanes of a team: a power of two that holds a row's packs, at most a warp.
int team_lanes(const DecodeAttentionArgs& args) {
  int lanes = 1;
  while (lanes < attention::kWarpLanes && std::int64_t{16} * lanes < args.head_dim * bytes_of(args.dtype)) {
    lanes *= 2;
  }
  return lanes;
}

using FastKernel = void (*)(DecodeAttentionArgs);

/// Null where there is none.
template <class T, int kHeadDim>
FastKernel fast_kernel(int group) {
  switch (group) {
    case 1:
      return attention::decode_attention_fast<T, kHeadDim, 1>;
    case 2:
      return attention::decode_attention_fast<T, kHeadDim, 2>;
    case 3:
      return attention::decode_attention_fast<T, kHeadDim, 3>;
    case 4:
      return attention::decode_attention_fast<T, kHeadDim, 4>;
    case 6:
      return attention::decode_attention_fast<T, kHeadDim, 6>;
    case 7:
      return attention::decode_attention_fast<T, kHeadDim, 7>;
    case 8:
      return attention::decode_attention_fast<T, kHeadDim, 8>;
    default:
      return nullptr;
  }
}

template <class T>
FastKernel fast_kernel(const DecodeAttentionArgs& args) {
  if (!rows_at_packs(args)) {
    return nullptr;
  }
  switch (args.head_dim) {
    case 64:
      return fast_kernel<T, 64>(args.group);
    case 128:
      return fast_kernel<T, 128>(args.group);
    default:
      return nullptr;
  }
}

}  // namespace

Status decode_attention(const DecodeAttentionArgs& args, Stream stream) {
  const Status status = check(args);
  if (status != Status::kOk || args.requests == 0) {
    return status;
  }
  const dim3 grid(static_cast<unsigned>(args.requests),
                  static_cast<unsigned>(splits_of(args.lists.max_tokens)));
  return for_dtype(args.dtype, [&](auto storage) {
    using T = typename decltype(storage)::Type;
    if (const FastKernel kernel = fast_kernel<T>(args)) {
      return simt::launch(kernel, grid, attention::kThreads, stream, args);
    }
    return simt::launch(attention::decode_attention_general<T>, grid, attention::kThreads, stream, args,
                        team_lanes(args));
  });
}

}  // namespace lil::kernels::cuda
