// The 16 fp32 lanes in which the CPU's kernels sum, whatever the width of the processor's vectors, for one of
// Highway's targets: included once by each target of a .cpp, as Highway has it.
#if defined(LIL_KERNELS_LANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIL_KERNELS_LANES_INL_H
#undef LIL_KERNELS_LANES_INL_H
#else
#define LIL_KERNELS_LANES_INL_H
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu {
namespace HWY_NAMESPACE {
namespace lanes {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t kLanes = 16;

using FloatTag = hn::CappedTag<float, kLanes>;
using FloatVector = hn::Vec<FloatTag>;
constexpr FloatTag kFloats;
constexpr std::int64_t kVectorLanes = static_cast<std::int64_t>(hn::MaxLanes(FloatTag()));
constexpr std::int64_t kVectors = kLanes / kVectorLanes;  ///< that make up 16 lanes

struct Lanes {
  FloatVector at[kVectors];
};

HWY_INLINE Lanes broadcast(float value) {
  Lanes lanes;
  HWY_UNROLL(16)
  for (FloatVector& vector : lanes.at) vector = hn::Set(kFloats, value);
  return lanes;
}

HWY_INLINE Lanes load(const float* from) {
  Lanes lanes;
  HWY_UNROLL(16)
  for (std::int64_t i = 0; i < kVectors; ++i) lanes.at[i] = hn::LoadU(kFloats, from + i * kVectorLanes);
  return lanes;
}

HWY_INLINE void store(const Lanes& lanes, float* to) {
  HWY_UNROLL(16)
  for (std::int64_t i = 0; i < kVectors; ++i) hn::StoreU(lanes.at[i], kFloats, to + i * kVectorLanes);
}

/// The first `count` of 16 lanes from memory, the others `rest`; what lies behind is not read.
HWY_INLINE Lanes load_some(const float* from, std::int64_t count, float rest) {
  alignas(64) float padded[kLanes];
  for (float& value : padded) value = rest;
  std::memcpy(padded, from, static_cast<std::size_t>(count) * sizeof(float));
  return load(padded);
}

HWY_INLINE void add_product(const Lanes& a, const Lanes& b, Lanes& sum) {
  HWY_UNROLL(16)
  for (std::int64_t i = 0; i < kVectors; ++i) sum.at[i] = hn::MulAdd(a.at[i], b.at[i], sum.at[i]);
}

/// Sixteen sums folded in halves: lane l takes lane l + 8, then l + 4, l + 2, l + 1.
template <class T>
HWY_INLINE T fold_halves(T* sums) {
  for (std::int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::int64_t i = 0; i < half; ++i) sums[i] += sums[i + half];
  }
  return sums[0];
}

HWY_INLINE float fold(const Lanes& lanes) {
  float sums[kLanes];
  store(lanes, sums);
  return fold_halves(sums);
}

}  // namespace lanes
}  // namespace HWY_NAMESPACE
}  // namespace lil::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
