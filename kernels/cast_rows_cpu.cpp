// One compilation for each kind of processor; the widest one is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cast_rows_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <type_traits>

#include "kernels/checks.h"
#include "kernels/half_rows-inl.h"
#include "kernels/launchers.h"
#include "kernels/thread_team.h"

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu::HWY_NAMESPACE {
namespace {

using half_rows::kChunk;

/// Some columns of a row.
struct Piece {
  std::int64_t in = 0;  ///< where it begins
  std::int64_t out = 0;
  std::int64_t bias = 0;
  std::int64_t count = 0;
};

void add(const float* HWY_RESTRICT terms, std::int64_t count, float* HWY_RESTRICT sums) {
  for (std::int64_t i = 0; i < count; ++i) sums[i] += terms[i];
}

/// T: the type of the numbers.
template <class T, class In, class Out>
void cast(const CastRowsArgs& args, const Piece& piece) {
  const In* in = static_cast<const In*>(args.in) + piece.in;
  Out* out = static_cast<Out*>(args.out) + piece.out;
  HWY_ALIGN float values[kChunk];
  for (std::int64_t i = 0; i < piece.count; i += kChunk) {
    const std::int64_t count = std::min(kChunk, piece.count - i);
    half_rows::widen(in + i, count, values);
    if (args.bias != nullptr) add(args.bias + piece.bias + i, count, values);
    if constexpr (!std::is_same_v<Out, T>) half_rows::round_chunk<T>(values, count);
    half_rows::narrow(values, count, out + i);
  }
}

template <class T>
void cast_as(const CastRowsArgs& args, const Piece& piece) {
  const bool from_fp32 = args.in_dtype == DType::kFp32;
  const bool to_fp32 = args.out_dtype == DType::kFp32;
  if (from_fp32 && to_fp32) return cast<T, float, float>(args, piece);
  if (from_fp32) return cast<T, float, T>(args, piece);
  if (to_fp32) return cast<T, T, float>(args, piece);
  return cast<T, T, T>(args, piece);
}

void cast_some(const CastRowsArgs& args, std::int64_t row, std::int64_t first, std::int64_t end) {
  const Piece piece{row * args.in_stride + first, row * args.out_stride + first, first, end - first};
  for_dtype(args.dtype, [&](auto zero) { cast_as<decltype(zero)>(args, piece); });
}

}  // namespace
}  // namespace lil::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lil::kernels::cpu {
namespace {
HWY_EXPORT(cast_some);

constexpr std::int64_t kPartColumns = 8192;
/// Worth of a number, as ThreadTeam::worth_sharing counts it.
constexpr std::int64_t kBytesOfNumber = 8;
}  // namespace

Status cast_rows(const CastRowsArgs& args, Stream stream) {
  if (check(args) != Status::kOk) return Status::kBadArguments;
  const std::int64_t parts = (args.columns + kPartColumns - 1) / kPartColumns;  // of a row
  ThreadTeam::run_on(ThreadTeam::worth_sharing(stream, args.rows * args.columns * kBytesOfNumber),
                     args.rows * parts, [&](std::int64_t part) {
                       const std::int64_t first = part % parts * kPartColumns;
                       HWY_DYNAMIC_DISPATCH(cast_some)
                       (args, part / parts, first, std::min(first + kPartColumns, args.columns));
                     });
  return Status::kOk;
}

}  // namespace lil::kernels::cpu
#endif
