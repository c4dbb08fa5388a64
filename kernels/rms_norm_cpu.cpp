// One compilation for each kind of processor; the widest one is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/rms_norm_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "kernels/checks.h"
#include "kernels/half_rows-inl.h"
#include "kernels/lanes-inl.h"
#include "kernels/launchers.h"
#include "kernels/thread_team.h"

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using half_rows::kChunk;
using lanes::Lanes;

HWY_INLINE void add_squares(const Lanes& x, Lanes& sum) {
  HWY_UNROLL(16)
  for (std::int64_t i = 0; i < lanes::kVectors; ++i) {
    sum.at[i] = hn::Add(sum.at[i], hn::Mul(x.at[i], x.at[i]));
  }
}

float sum_of_squares(const float* x, std::int64_t count) {
  Lanes sum = lanes::broadcast(0);
  std::int64_t i = 0;
  for (; i + lanes::kLanes <= count; i += lanes::kLanes) add_squares(lanes::load(x + i), sum);
  if (i < count) add_squares(lanes::load_some(x + i, count - i, 0), sum);
  return lanes::fold(sum);
}

/// stream = round(stream + round(branch)) for a chunk.
template <class T>
void join(const float* branch, std::int64_t count, float* HWY_RESTRICT stream) {
  HWY_ALIGN float terms[kChunk];
  std::memcpy(terms, branch, static_cast<std::size_t>(count) * sizeof(float));
  half_rows::round_chunk<T>(terms, count);
  for (std::int64_t i = 0; i < count; ++i) stream[i] += terms[i];
  half_rows::round_chunk<T>(stream, count);
}

template <class T>
void normalise(const float* HWY_RESTRICT x, float scale, const float* HWY_RESTRICT weight, std::int64_t count,
               float* HWY_RESTRICT y) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] * scale;
  half_rows::round_chunk<T>(y, count);
  for (std::int64_t i = 0; i < count; ++i) y[i] *= weight[i];
  half_rows::round_chunk<T>(y, count);
}

template <class T>
void run_row(const RmsNormArgs& args, std::int64_t row) {
  float* stream = args.stream + row * args.stream_stride;
  const float* branch = args.branch == nullptr ? nullptr : args.branch + row * args.branch_stride;
  for (std::int64_t i = 0; branch != nullptr && i < args.columns; i += kChunk) {
    join<T>(branch + i, std::min(kChunk, args.columns - i), stream + i);
  }
  const float mean = sum_of_squares(stream, args.columns) / static_cast<float>(args.columns);
  const float scale = 1.0F / std::sqrt(mean + args.epsilon);
  float* y = args.y + row * args.y_stride;
  for (std::int64_t i = 0; i < args.columns; i += kChunk) {
    normalise<T>(stream + i, scale, args.weight + i, std::min(kChunk, args.columns - i), y + i);
  }
}

void rms_norm_row(const RmsNormArgs& args, std::int64_t row) {
  for_dtype(args.dtype, [&](auto zero) { run_row<decltype(zero)>(args, row); });
}

}  // namespace
}  // namespace lil::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lil::kernels::cpu {
namespace {
HWY_EXPORT(rms_norm_row);

/// Worth of a number, as ThreadTeam::worth_sharing counts it.
constexpr std::int64_t kBytesOfNumber = 24;
}  // namespace

Status rms_norm(const RmsNormArgs& args, Stream stream) {
  if (check(args) != Status::kOk) return Status::kBadArguments;
  ThreadTeam::run_on(ThreadTeam::worth_sharing(stream, args.rows * args.columns * kBytesOfNumber), args.rows,
                     [&](std::int64_t row) {
                       HWY_DYNAMIC_DISPATCH(rms_norm_row)
                       (args, row);
                     });
  return Status::kOk;
}

}  // namespace lil::kernels::cpu
#endif
