// merge_states for the CPU. Channels are independent; of one channel, products are added state by state,
// fused where the target can. The sum of weights likewise.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/merge_states_cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>
// The above re-include this file, once for each target.

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// sum[i] += weight * state[i]
void add_state(const float* state, float weight, std::int64_t count, float* sum) {
  const hn::CappedTag<float, 16> floats;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(floats));
  const auto weights = hn::Set(floats, weight);
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(hn::MulAdd(weights, hn::LoadU(floats, state + i), hn::LoadU(floats, sum + i)), floats,
               sum + i);
  }
  const hn::CappedTag<float, 1> one;
  for (; i < count; ++i) {
    hn::StoreU(hn::MulAdd(hn::Set(one, weight), hn::LoadU(one, state + i), hn::LoadU(one, sum + i)), one,
               sum + i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lil::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "kernels/checks.h"
#include "kernels/half.h"
#include "kernels/launchers.h"
#include "kernels/thread_team.h"

namespace lil::kernels::cpu {

HWY_EXPORT(add_state);

namespace {

constexpr std::size_t kMaxHeadDim = 512;
constexpr float kEmpty = -std::numeric_limits<float>::infinity();

template <class T>
void write_row(const float* sum, float factor, std::int64_t count, void* out, std::int64_t offset) {
  T* row = static_cast<T*>(out) + offset;
  for (std::int64_t i = 0; i < count; ++i) row[i] = from_float<T>(sum[i] * factor);
}

/// Merges the states of one query head.
void merge_head(const MergeStatesArgs& args, std::int64_t request, std::int64_t head) {
  const std::int64_t first =
      request * args.states * args.group + head;  // of the head's states in partial_lse
  const auto lse_of = [&](std::int64_t state) { return args.partial_lse[first + state * args.group]; };
  float most = kEmpty;
  for (std::int64_t state = 0; state < args.states; ++state) most = std::max(most, lse_of(state));
  std::array<float, kMaxHeadDim> sum{};
  float total = 0;
  for (std::int64_t state = 0; state < args.states; ++state) {
    const float lse = lse_of(state);
    if (lse == kEmpty) continue;
    const float weight = std::exp(lse - most);
    total += weight;
    HWY_DYNAMIC_DISPATCH(add_state)
    (args.partial_out + (first + state * args.group) * args.head_dim, weight, args.head_dim, sum.data());
  }
  const float factor = total > 0 ? 1 / total : 0;
  const std::int64_t offset = request * args.out_request_stride + head * args.out_head_stride;
  for_dtype(args.dtype, [&](auto zero) {
    write_row<decltype(zero)>(sum.data(), factor, args.head_dim, args.out, offset);
  });
  if (args.lse != nullptr) args.lse[request * args.group + head] = most + std::log(total);
}

}  // namespace

Status merge_states(const MergeStatesArgs& args, Stream stream) {
  const Status status = check(args);
  if (status != Status::kOk) return status;
  const std::int64_t heads = std::int64_t{args.requests} * args.group;
  const std::int64_t bytes = heads * args.states * args.head_dim * std::int64_t{sizeof(float)};
  ThreadTeam::run_on(ThreadTeam::worth_sharing(stream, bytes), heads,
                     [&](std::int64_t part) { merge_head(args, part / args.group, part % args.group); });
  return Status::kOk;
}

}  // namespace lil::kernels::cpu

#endif  // HWY_ONCE
