#include <device_access.cuh>

#include "kernels/checks.h"
#include "kernels/convert.cuh"
#include "kernels/launchers.h"
#include "kernels/rotate_pair.cuh"
#include "kernels/rows.cuh"

namespace lil::kernels::cuda {
namespace {

constexpr unsigned kThreads = 256;

/// A thread turns kWidth pairs of channels of a row at a time.
template <class T, int kWidth>
__global__ void rotate_kernel(RotateArgs args) {
  const std::int64_t request = blockIdx.x;
  const std::int32_t tokens = tokens_of(args.lists, request);
  const int half = args.head_dim / 2;
  const int parts = half / kWidth;
  const RowTeams teams(parts);
  const simt::Global<const T> in(static_cast<const T*>(args.in));
  const simt::Global<T> out(static_cast<T*>(args.out));
  const simt::Global<const float> rope(args.rope);
  constexpr int kAngles = kWidth < kPack<float> ? kWidth : kPack<float>;

  for (std::int64_t place = teams.first_row(tokens); place < tokens; place += teams.row_step()) {
    const std::int64_t slot = slot_of(args.lists, request, static_cast<std::int32_t>(place));
    const std::int64_t position = args.slot_positions != nullptr
                                      ? simt::Global<const std::int32_t>(args.slot_positions).load(slot)
                                      : place * args.place_stride;
    for (int part = teams.part(); part < parts; part += teams.step()) {
      const int channel = part * kWidth;
      const std::int64_t angle = position * args.head_dim + channel;
      auto lower = load_wide<kWidth>(in, slot * args.in_stride + channel);
      auto upper = load_wide<kWidth>(in, slot * args.in_stride + half + channel);
      for (int first = 0; first < kWidth; first += kAngles) {
        const auto cosines = load_wide<kAngles>(rope, angle + first);
        const auto sines = load_wide<kAngles>(rope, angle + half + first);
        for (int i = 0; i < kAngles; ++i) {
          const ChannelPair turned = rotate_pair(
              {to_float(lower.at[first + i]), to_float(upper.at[first + i])}, cosines.at[i], sines.at[i]);
          lower.at[first + i] = from_float<T>(turned.x);
          upper.at[first + i] = from_float<T>(turned.y);
        }
      }
      store_wide<kWidth>(out, slot * args.out_stride + channel, lower);
      store_wide<kWidth>(out, slot * args.out_stride + half + channel, upper);
    }
  }
}

}  // namespace

Status rotate(const RotateArgs& args, Stream stream) {
  if (check(args) != Status::kOk) {
    return Status::kBadArguments;
  }
  if (args.requests == 0 || args.lists.max_tokens == 0) {
    return Status::kOk;
  }
  const int half = args.head_dim / 2;
  return for_dtype(args.dtype, [&](auto storage) {
    using T = typename decltype(storage)::Type;
    const auto launch = [&](auto kernel, int width) {
      const int parts = half / width;
      const int rows = parts < static_cast<int>(kThreads) ? static_cast<int>(kThreads) / parts : 1;
      return simt::launch(kernel, grid_of(args.requests, args.lists.max_tokens, rows), kThreads, stream,
                          args);
    };
    const bool is_aligned = half % kPack<T> == 0 && has_aligned_rows(args.in, args.in_stride, sizeof(T)) &&
                            has_aligned_rows(args.out, args.out_stride, sizeof(T)) &&
                            has_aligned_rows(args.rope, half, sizeof(float));
    return is_aligned ? launch(rotate_kernel<T, kPack<T>>, kPack<T>) : launch(rotate_kernel<T, 1>, 1);
  });
}

}  // namespace lil::kernels::cuda
