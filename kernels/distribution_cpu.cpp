// One compilation for each kind of processor; the widest one is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/distribution_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/checks.h"
#include "kernels/exp-inl.h"
#include "kernels/lanes-inl.h"
#include "kernels/launchers.h"
#include "kernels/thread_team.h"

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using lanes::FloatVector;
using lanes::kFloats;
using lanes::kLanes;
using lanes::Lanes;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// take(logits) for 16 lanes of a row at a time; the last ones are filled up with -infinity.
template <class Take>
HWY_INLINE void for_lanes(const float* logits, std::int64_t count, const Take& take) {
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) take(lanes::load(logits + i));
  if (i < count) take(lanes::load_some(logits + i, count - i, -kInfinity));
}

/// The greatest logit; NaN where one is NaN.
float greatest_of(const float* logits, std::int64_t count) {
  Lanes greatest = lanes::broadcast(-kInfinity);
  Lanes nan = lanes::broadcast(0);  // 0, or NaN where the lane had one
  for_lanes(logits, count, [&](const Lanes& some) HWY_ATTR {
    HWY_UNROLL(16)
    for (std::int64_t v = 0; v < lanes::kVectors; ++v) {
      greatest.at[v] = hn::Max(greatest.at[v], some.at[v]);
      nan.at[v] = hn::IfThenElse(hn::IsNaN(some.at[v]), some.at[v], nan.at[v]);
    }
  });
  float values[kLanes];
  lanes::store(nan, values);
  for (const float value : values) {
    if (std::isnan(value)) return value;
  }
  lanes::store(greatest, values);
  return *std::max_element(values, values + kLanes);
}

/// The first place of a value that is there.
std::int64_t place_of(float value, const float* logits, std::int64_t count) {
  const FloatVector wanted = hn::Set(kFloats, value);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Lanes some = lanes::load(logits + i);
    auto found = hn::Eq(some.at[0], wanted);
    HWY_UNROLL(16)
    for (std::int64_t v = 1; v < lanes::kVectors; ++v) found = hn::Or(found, hn::Eq(some.at[v], wanted));
    if (!hn::AllFalse(kFloats, found)) break;
  }
  return std::find(logits + i, logits + count, value) - logits;
}

using DoubleTag = hn::CappedTag<double, kLanes>;
constexpr DoubleTag kDoubles;
constexpr auto kDoubleLanes = static_cast<std::int64_t>(hn::MaxLanes(DoubleTag()));

/// 16 sums in fp64.
struct Sums {
  hn::Vec<DoubleTag> at[kLanes / kDoubleLanes];
};

HWY_INLINE Sums no_sums() {
  Sums sums;
  HWY_UNROLL(16)
  for (auto& sum : sums.at) sum = hn::Zero(kDoubles);
  return sums;
}

/// Adds the lanes of vector `v` to those of 16.
HWY_INLINE void add_wide(FloatVector terms, std::int64_t v, Sums& sums) {
#if HWY_TARGET == HWY_SCALAR
  sums.at[v] = hn::Add(sums.at[v], hn::PromoteTo(kDoubles, terms));
#else
  const hn::Half<lanes::FloatTag> half;
  auto& low = sums.at[2 * v];
  auto& high = sums.at[2 * v + 1];
  low = hn::Add(low, hn::PromoteTo(kDoubles, hn::LowerHalf(half, terms)));
  high = hn::Add(high, hn::PromoteTo(kDoubles, hn::UpperHalf(half, terms)));
#endif
}

HWY_INLINE double fold(const Sums& sums) {
  double values[kLanes];
  for (std::int64_t i = 0; i < kLanes / kDoubleLanes; ++i) {
    hn::StoreU(sums.at[i], kDoubles, values + i * kDoubleLanes);
  }
  return lanes::fold_halves(values);
}

/// log_sum and entropy; weights below exp(kLeastExponent) count as 0.
void weigh(const float* logits, std::int64_t count, Distribution& out) {
  const FloatVector greatest = hn::Set(kFloats, out.greatest);
  const FloatVector least = hn::Set(kFloats, kLeastExponent);
  Sums weights = no_sums();
  Sums weighted = no_sums();
  for_lanes(logits, count, [&](const Lanes& some) HWY_ATTR {
    HWY_UNROLL(16)
    for (std::int64_t v = 0; v < lanes::kVectors; ++v) {
      const FloatVector shifted = hn::Sub(some.at[v], greatest);
      const FloatVector weight = exp_of(shifted);
      add_wide(weight, v, weights);
      add_wide(hn::Mul(weight, hn::Max(least, shifted)), v, weighted);
    }
  });
  const double sum = fold(weights);
  out.log_sum = std::log(sum);
  out.entropy = out.log_sum - fold(weighted) / sum;
}

void distribution_row(const DistributionArgs& args, std::int64_t row) {
  const float* logits = args.logits + row * args.logits_stride;
  Distribution& out = args.out[row];
  out = {};
  const float greatest = greatest_of(logits, args.vocabulary);
  if (!std::isfinite(greatest)) return;
  out.is_finite = true;
  out.id = static_cast<std::int32_t>(place_of(greatest, logits, args.vocabulary));
  out.greatest = logits[out.id];
  weigh(logits, args.vocabulary, out);
}

}  // namespace
}  // namespace lil::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lil::kernels::cpu {
namespace {
HWY_EXPORT(distribution_row);

/// Worth of a logit, as ThreadTeam::worth_sharing counts it.
constexpr std::int64_t kBytesOfLogit = 32;
}  // namespace

Status distribution(const DistributionArgs& args, Stream stream) {
  if (check(args) != Status::kOk) return Status::kBadArguments;
  ThreadTeam::run_on(ThreadTeam::worth_sharing(stream, args.rows * args.vocabulary * kBytesOfLogit),
                     args.rows, [&](std::int64_t row) {
                       HWY_DYNAMIC_DISPATCH(distribution_row)
                       (args, row);
                     });
  return Status::kOk;
}

}  // namespace lil::kernels::cpu
#endif
