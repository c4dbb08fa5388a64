#include <device_access.cuh>

#include "kernels/checks.h"
#include "kernels/convert.cuh"
#include "kernels/launchers.h"
#include "kernels/rotate_pair.cuh"

namespace lil::kernels::cuda {
namespace {

constexpr unsigned kThreads = 64;

/// Stores a channel of the rotated key, and lets the bounds of the slot's page enclose it.
template <class T>
__device__ void put_key(const AppendArgs& args, std::int32_t slot, int channel, T key) {
  simt::Global<T>(static_cast<T*>(args.key_pool)).store(slot * args.key_slot_stride + channel, key);
  if (args.bounds_page_size == 0) {
    return;
  }
  const simt::Global<T> lows(static_cast<T*>(args.lows));
  const simt::Global<T> highs(static_cast<T*>(args.highs));
  const std::int64_t i = static_cast<std::int64_t>(slot / args.bounds_page_size) * args.head_dim + channel;
  const bool starts_page = slot % args.bounds_page_size == 0;
  if (starts_page || to_float(key) < to_float(lows.load(i))) {
    lows.store(i, key);
  }
  if (starts_page || to_float(key) > to_float(highs.load(i))) {
    highs.store(i, key);
  }
}

/// A block for each request.
template <class T>
__global__ void append_kernel(AppendArgs args) {
  const std::int64_t request = blockIdx.x;
  const std::int32_t slot = simt::Global<const std::int32_t>(args.slots).load(request);
  if (slot < 0) {
    return;
  }
  const int thread = static_cast<int>(threadIdx.x);
  const simt::Global<const T> keys(static_cast<const T*>(args.keys));
  const std::int64_t key = request * args.key_stride;
  if (args.rope != nullptr) {
    const simt::Global<const float> rope(args.rope);
    const std::int64_t position = simt::Global<const std::int32_t>(args.positions).load(request);
    const int half = args.head_dim / 2;
    for (int i = thread; i < half; i += kThreads) {
      const ChannelPair raw{to_float(keys.load(key + i)), to_float(keys.load(key + half + i))};
      const std::int64_t angle = position * args.head_dim + i;
      const ChannelPair turned = rotate_pair(raw, rope.load(angle), rope.load(angle + half));
      put_key(args, slot, i, from_float<T>(turned.x));
      put_key(args, slot, half + i, from_float<T>(turned.y));
    }
  } else {
    for (int i = thread; i < args.head_dim; i += kThreads) {
      put_key(args, slot, i, keys.load(key + i));
    }
  }
  const simt::Global<const T> values(static_cast<const T*>(args.values));
  const simt::Global<T> value_pool(static_cast<T*>(args.value_pool));
  for (int i = thread; i < args.head_dim; i += kThreads) {
    value_pool.store(slot * args.value_slot_stride + i, values.load(request * args.value_stride + i));
  }
  if (thread == 0 && args.slot_positions != nullptr) {
    simt::Global<std::int32_t>(args.slot_positions)
        .store(slot, simt::Global<const std::int32_t>(args.positions).load(request));
  }
}

}  // namespace

Status append(const AppendArgs& args, Stream stream) {
  if (check(args) != Status::kOk) {
    return Status::kBadArguments;
  }
  if (args.requests == 0) {
    return Status::kOk;
  }
  return for_dtype(args.dtype, [&](auto storage) {
    using T = typename decltype(storage)::Type;
    return simt::launch(append_kernel<T>, dim3(static_cast<unsigned>(args.requests)), kThreads, stream, args);
  });
}

}  // namespace lil::kernels::cuda
