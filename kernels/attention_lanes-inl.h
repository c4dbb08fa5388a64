// Rows of each type in the lanes in which the CPU's decode_attention sums, for one of Highway's targets:
// included once by each target of a .cpp, as Highway has it.
#if defined(LIL_KERNELS_ATTENTION_LANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIL_KERNELS_ATTENTION_LANES_INL_H
#undef LIL_KERNELS_ATTENTION_LANES_INL_H
#else
#define LIL_KERNELS_ATTENTION_LANES_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu {
namespace HWY_NAMESPACE {
namespace attention {

namespace hn = hwy::HWY_NAMESPACE;

using lanes::add_product;
using lanes::broadcast;
using lanes::FloatTag;
using lanes::FloatVector;
using lanes::fold;
using lanes::kFloats;
using lanes::kLanes;
using lanes::kVectorLanes;
using lanes::kVectors;
using lanes::Lanes;
using lanes::load;
using lanes::store;

// ------------------------------------------------------------------------------------- rows of each type

/// Elements of a row that are loaded at once, widened to fp32, in kWidth times 16 lanes.
template <class Rows>
struct Unit {
  Lanes at[Rows::kWidth];
};

template <class Rows>
constexpr std::int64_t kUnitElements = Rows::kWidth* kLanes;
template <class Rows>
constexpr std::int64_t kUnitBytes = Rows::kWidth* kLanes* Rows::kElementBytes;

struct Fp32Rows {
  static constexpr std::int64_t kElementBytes = 4;
  static constexpr std::int64_t kWidth = 1;
  template <std::int64_t kPart>
  static HWY_INLINE Lanes load_part(const std::byte* from) {
    return load(reinterpret_cast<const float*>(from));
  }
  static HWY_INLINE void store_in_order(const Unit<Fp32Rows>& unit, float* to) { store(unit.at[0], to); }
};

struct Fp16Rows {
  static constexpr std::int64_t kElementBytes = 2;
  static constexpr std::int64_t kWidth = 1;
  template <std::int64_t kPart>
  static HWY_INLINE Lanes load_part(const std::byte* from) {
    const hn::Rebind<hwy::float16_t, FloatTag> halves;
    const auto* data = reinterpret_cast<const hwy::float16_t*>(from);
    Lanes lanes;
    HWY_UNROLL(16)
    for (std::int64_t i = 0; i < kVectors; ++i) {
      lanes.at[i] = hn::PromoteTo(kFloats, hn::LoadU(halves, data + i * kVectorLanes));
    }
    return lanes;
  }
  static HWY_INLINE void store_in_order(const Unit<Fp16Rows>& unit, float* to) { store(unit.at[0], to); }
};

/// Pairs of elements are loaded as words: lane l of part 0 holds element 2 l, that of part 1 element 2 l + 1,
/// so widening takes one instruction.
struct Bf16Rows {
  static constexpr std::int64_t kElementBytes = 2;
  static constexpr std::int64_t kWidth = 2;
  template <std::int64_t kPart>
  static HWY_INLINE Lanes load_part(const std::byte* from) {
    const hn::RebindToUnsigned<FloatTag> words;
    Lanes lanes;
    HWY_UNROLL(16)
    for (std::int64_t i = 0; i < kVectors; ++i) {
      const auto pairs = load_words(from + i * kVectorLanes * 4);
      lanes.at[i] = hn::BitCast(
          kFloats, kPart == 0 ? hn::ShiftLeft<16>(pairs) : hn::And(pairs, hn::Set(words, 0xffff0000U)));
    }
    return lanes;
  }
  static HWY_INLINE void store_in_order(const Unit<Bf16Rows>& unit, float* to) {
    HWY_UNROLL(16)
    for (std::int64_t i = 0; i < kVectors; ++i) {
      hn::StoreInterleaved2(unit.at[0].at[i], unit.at[1].at[i], kFloats, to + 2 * i * kVectorLanes);
    }
  }

 private:
  static HWY_INLINE hn::Vec<hn::RebindToUnsigned<FloatTag>> load_words(const std::byte* from) {
    const hn::RebindToUnsigned<FloatTag> words;
#if HWY_TARGET == HWY_SCALAR
    std::uint32_t word;
    std::memcpy(&word, from, sizeof(word));
    return hn::Set(words, word);
#else
    const hn::Repartition<std::uint16_t, FloatTag> halves;
    return hn::BitCast(words, hn::LoadU(halves, reinterpret_cast<const std::uint16_t*>(from)));
#endif
  }
};

template <class Rows>
HWY_INLINE Unit<Rows> load_unit(const std::byte* from) {
  Unit<Rows> unit;
  unit.at[0] = Rows::template load_part<0>(from);
  if constexpr (Rows::kWidth == 2) unit.at[1] = Rows::template load_part<1>(from);
  return unit;
}

/// The last unit of a row that is not a multiple of a unit: what lies behind the row is not read.
template <class Rows>
HWY_INLINE Unit<Rows> load_tail(const std::byte* from, std::int64_t bytes) {
  alignas(64) std::byte padded[kUnitBytes<Rows>] = {};
  std::memcpy(padded, from, static_cast<std::size_t>(bytes));
  return load_unit<Rows>(padded);
}

template <class Rows>
HWY_INLINE Unit<Rows> load_sums(const float* from) {
  Unit<Rows> unit;
  HWY_UNROLL(2)
  for (std::int64_t w = 0; w < Rows::kWidth; ++w) unit.at[w] = load(from + w * kLanes);
  return unit;
}

template <class Rows>
HWY_INLINE void store_sums(const Unit<Rows>& unit, float* to) {
  HWY_UNROLL(2)
  for (std::int64_t w = 0; w < Rows::kWidth; ++w) store(unit.at[w], to + w * kLanes);
}

}  // namespace attention
}  // namespace HWY_NAMESPACE
}  // namespace lil::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
