#include <device_access.cuh>

#include "kernels/checks.h"
#include "kernels/launchers.h"
#include "kernels/rows.cuh"

namespace lil::kernels::cuda {
namespace {

constexpr unsigned kThreads = 256;

using Word = std::uint32_t;

/// Row of `in` for a place of a request, and row of `out`.
__device__ std::int64_t row_in(const CopyRowsArgs& args, std::int64_t request, std::int64_t place) {
  const std::int64_t first_of_set = request - request % args.requests_per_set;
  const std::int64_t row =
      args.index != nullptr
          ? simt::Global<const std::int32_t>(args.index).load(first_of_set * args.index_stride + place)
          : place;
  return request * args.in_request_rows + row;
}
__device__ std::int64_t row_out(const CopyRowsArgs& args, std::int64_t request, std::int64_t place) {
  return args.out_index != nullptr
             ? simt::Global<const std::int32_t>(args.out_index).load(request * args.out_index_stride + place)
             : request * args.out_request_rows + place;
}

/// Neighbouring threads have a row, kWidth words each; rows of one access have a thread each.
template <int kWidth>
__global__ void copy_rows_kernel(CopyRowsArgs args) {
  const std::int64_t request = blockIdx.x;
  const std::int64_t count = simt::Global<const std::int32_t>(args.counts).load(request);
  const std::int64_t words = args.row_bytes / static_cast<std::int64_t>(sizeof(Word));
  const int parts = static_cast<int>(words) / kWidth;
  const RowTeams teams(parts);
  const simt::Global<const Word> in(static_cast<const Word*>(args.in));
  const simt::Global<Word> out(static_cast<Word*>(args.out));
  for (std::int64_t place = teams.first_row(count); place < count; place += teams.row_step()) {
    const std::int64_t from = row_in(args, request, place) * words;
    const std::int64_t to = row_out(args, request, place) * words;
    for (int part = teams.part(); part < parts; part += teams.step()) {
      const std::int64_t word = static_cast<std::int64_t>(part) * kWidth;
      store_wide<kWidth>(out, to + word, load_wide<kWidth>(in, from + word));
    }
  }
}

}  // namespace

Status copy_rows(const CopyRowsArgs& args, Stream stream) {
  if (check(args) != Status::kOk) {
    return Status::kBadArguments;
  }
  if (args.requests == 0 || args.max_count == 0) {
    return Status::kOk;
  }
  const bool is_aligned =
      has_aligned_rows(args.in, args.row_bytes, 1) && has_aligned_rows(args.out, args.row_bytes, 1);
  const auto launch = [&](auto kernel, int width) {
    const auto parts = static_cast<int>(args.row_bytes / static_cast<std::int64_t>(sizeof(Word))) / width;
    const int rows = parts < static_cast<int>(kThreads) ? static_cast<int>(kThreads) / parts : 1;
    return simt::launch(kernel, grid_of(args.requests, args.max_count, rows), kThreads, stream, args);
  };
  return is_aligned ? launch(copy_rows_kernel<kPack<Word>>, kPack<Word>) : launch(copy_rows_kernel<1>, 1);
}

}  // namespace lil::kernels::cuda
