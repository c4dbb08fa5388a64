// One compilation for each kind of processor; the widest one is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/silu_times_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "kernels/checks.h"
#include "kernels/exp-inl.h"
#include "kernels/half_rows-inl.h"
#include "kernels/launchers.h"
#include "kernels/thread_team.h"

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using half_rows::kChunk;

/// values[i] = silu(values[i]) for all of a chunk. By the exponential of -|x|, which is never too great:
/// silu(x) = x / (1 + e^-x) = x e^x / (1 + e^x).
void silu_chunk(float* values) {
  const lanes::FloatTag d;
  const auto one = hn::Set(d, 1.0F);
  for (std::int64_t i = 0; i < kChunk; i += lanes::kVectorLanes) {
    const auto x = hn::Load(d, values + i);
    const auto power = exp_of(hn::Neg(hn::Abs(x)));
    const auto above = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Mul(x, power), x);
    hn::Store(hn::Div(above, hn::Add(one, power)), d, values + i);
  }
}

template <class T>
void run_chunk(const float* up, std::int64_t count, float* gate) {
  HWY_ALIGN float values[kChunk] = {};
  HWY_ALIGN float factors[kChunk];
  const auto bytes = static_cast<std::size_t>(count) * sizeof(float);
  std::memcpy(values, gate, bytes);
  std::memcpy(factors, up, bytes);
  half_rows::round_chunk<T>(values, count);
  half_rows::round_chunk<T>(factors, count);
  silu_chunk(values);
  half_rows::round_chunk<T>(values, count);
  for (std::int64_t i = 0; i < count; ++i) values[i] *= factors[i];
  half_rows::round_chunk<T>(values, count);
  std::memcpy(gate, values, bytes);
}

void silu_times_some(const SiluTimesArgs& args, std::int64_t row, std::int64_t first, std::int64_t end) {
  float* gate = args.gate + row * args.gate_stride;
  const float* up = args.up + row * args.up_stride;
  for_dtype(args.dtype, [&](auto zero) {
    for (std::int64_t i = first; i < end; i += kChunk) {
      run_chunk<decltype(zero)>(up + i, std::min(kChunk, end - i), gate + i);
    }
  });
}

}  // namespace
}  // namespace lil::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lil::kernels::cpu {
namespace {
HWY_EXPORT(silu_times_some);

constexpr std::int64_t kPartColumns = 2048;
/// Worth of a number, as ThreadTeam::worth_sharing counts it.
constexpr std::int64_t kBytesOfNumber = 32;
}  // namespace

Status silu_times(const SiluTimesArgs& args, Stream stream) {
  if (check(args) != Status::kOk) return Status::kBadArguments;
  const std::int64_t parts = (args.columns + kPartColumns - 1) / kPartColumns;  // of a row
  ThreadTeam::run_on(ThreadTeam::worth_sharing(stream, args.rows * args.columns * kBytesOfNumber),
                     args.rows * parts, [&](std::int64_t part) {
                       const std::int64_t first = part % parts * kPartColumns;
                       HWY_DYNAMIC_DISPATCH(silu_times_some)
                       (args, part / parts, first, std::min(first + kPartColumns, args.columns));
                     });
  return Status::kOk;
}

}  // namespace lil::kernels::cpu
#endif
