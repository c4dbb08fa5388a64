// Rows of each type to and from fp32, and fp32 rounded to a type, for one of Highway's targets: included once
// by each target of a .cpp, as Highway has it. All have the bits of kernels/half.h.
#if defined(LIL_KERNELS_HALF_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIL_KERNELS_HALF_ROWS_INL_H
#undef LIL_KERNELS_HALF_ROWS_INL_H
#else
#define LIL_KERNELS_HALF_ROWS_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/half.h"
#include "kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu {
namespace HWY_NAMESPACE {
namespace half_rows {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t kChunk = 256;  ///< numbers that go together where steps follow one another

// widen_vectors and narrow_vectors convert whole vectors and say how many numbers those were: 0 for fp16
// where the processor has no instructions for it. (Highway would compute it, and make infinities finite.)
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_NEON

using HalfTag = hn::Rebind<hwy::float16_t, lanes::FloatTag>;
constexpr HalfTag kHalves;

HWY_INLINE std::int64_t widen_vectors(const Fp16* from, std::int64_t count, float* to) {
  std::int64_t i = 0;
  for (; i + lanes::kVectorLanes <= count; i += lanes::kVectorLanes) {
    const auto some = hn::LoadU(kHalves, reinterpret_cast<const hwy::float16_t*>(from + i));
    hn::StoreU(hn::PromoteTo(lanes::kFloats, some), lanes::kFloats, to + i);
  }
  return i;
}

HWY_INLINE std::int64_t narrow_vectors(const float* from, std::int64_t count, Fp16* to) {
  const hn::RebindToUnsigned<lanes::FloatTag> words;
  const auto quiet_nan = hn::BitCast(lanes::kFloats, hn::Set(words, 0x7fc00000U));  // without payload
  std::int64_t i = 0;
  for (; i + lanes::kVectorLanes <= count; i += lanes::kVectorLanes) {
    const auto some = hn::LoadU(lanes::kFloats, from + i);
    const auto plain = hn::IfThenElse(hn::IsNaN(some), hn::CopySign(quiet_nan, some), some);
    hn::StoreU(hn::DemoteTo(kHalves, plain), kHalves, reinterpret_cast<hwy::float16_t*>(to + i));
  }
  return i;
}

#else

HWY_INLINE std::int64_t widen_vectors(const Fp16* /*from*/, std::int64_t /*count*/, float* /*to*/) {
  return 0;
}
HWY_INLINE std::int64_t narrow_vectors(const float* /*from*/, std::int64_t /*count*/, Fp16* /*to*/) {
  return 0;
}

#endif

#if HWY_TARGET == HWY_SCALAR

HWY_INLINE std::int64_t widen_vectors(const Bf16* /*from*/, std::int64_t /*count*/, float* /*to*/) {
  return 0;
}
HWY_INLINE std::int64_t narrow_vectors(const float* /*from*/, std::int64_t /*count*/, Bf16* /*to*/) {
  return 0;
}
HWY_INLINE std::int64_t round_vectors(float* /*values*/, std::int64_t /*count*/) {
  return 0;
}

#else

using WordTag = hn::RebindToUnsigned<lanes::FloatTag>;
constexpr WordTag kWords;

HWY_INLINE std::int64_t widen_vectors(const Bf16* from, std::int64_t count, float* to) {
  const hn::Rebind<std::uint16_t, WordTag> narrow_words;
  std::int64_t i = 0;
  for (; i + lanes::kVectorLanes <= count; i += lanes::kVectorLanes) {
    const auto some = hn::LoadU(narrow_words, reinterpret_cast<const std::uint16_t*>(from + i));
    const auto words = hn::ShiftLeft<16>(hn::PromoteTo(kWords, some));
    hn::StoreU(hn::BitCast(lanes::kFloats, words), lanes::kFloats, to + i);
  }
  return i;
}

/// The bits of numbers rounded to bf16, as from_float<Bf16> in kernels/half.h makes them.
HWY_INLINE hn::Vec<WordTag> bf16_bits(lanes::FloatVector some) {
  const auto bits = hn::BitCast(kWords, some);
  const auto upper = hn::ShiftRight<16>(bits);
  const auto half = hn::Add(hn::And(upper, hn::Set(kWords, 1)), hn::Set(kWords, 0x7fff));
  const auto rounded = hn::ShiftRight<16>(hn::Add(bits, half));
  const auto is_nan = hn::RebindMask(kWords, hn::IsNaN(some));
  return hn::IfThenElse(is_nan, hn::Or(upper, hn::Set(kWords, 0x40)), rounded);
}

HWY_INLINE std::int64_t narrow_vectors(const float* from, std::int64_t count, Bf16* to) {
  const hn::Rebind<std::uint16_t, WordTag> narrow_words;
  const hn::RebindToSigned<WordTag> integers;
  std::int64_t i = 0;
  for (; i + lanes::kVectorLanes <= count; i += lanes::kVectorLanes) {
    const auto bits = bf16_bits(hn::LoadU(lanes::kFloats, from + i));
    hn::StoreU(hn::DemoteTo(narrow_words, hn::BitCast(integers, bits)), narrow_words,
               reinterpret_cast<std::uint16_t*>(to + i));
  }
  return i;
}

/// Rounds whole vectors in place, of how many numbers it says.
HWY_INLINE std::int64_t round_vectors(float* values, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + lanes::kVectorLanes <= count; i += lanes::kVectorLanes) {
    const auto words = hn::ShiftLeft<16>(bf16_bits(hn::LoadU(lanes::kFloats, values + i)));
    hn::StoreU(hn::BitCast(lanes::kFloats, words), lanes::kFloats, values + i);
  }
  return i;
}

#endif

HWY_INLINE void widen(const float* from, std::int64_t count, float* to) {
  std::memmove(to, from, static_cast<std::size_t>(count) * sizeof(float));
}
template <class T>
HWY_INLINE void widen(const T* from, std::int64_t count, float* to) {
  for (std::int64_t i = widen_vectors(from, count, to); i < count; ++i) to[i] = to_float(from[i]);
}

HWY_INLINE void narrow(const float* from, std::int64_t count, float* to) {
  std::memmove(to, from, static_cast<std::size_t>(count) * sizeof(float));
}
template <class T>
HWY_INLINE void narrow(const float* from, std::int64_t count, T* to) {
  for (std::int64_t i = narrow_vectors(from, count, to); i < count; ++i) to[i] = from_float<T>(from[i]);
}

/// Rounds each of some numbers, at most kChunk, to the nearest of T.
template <class T>
HWY_INLINE void round_chunk(float* values, std::int64_t count) {
  if constexpr (std::is_same_v<T, Bf16>) {
    for (std::int64_t i = round_vectors(values, count); i < count; ++i) {
      values[i] = to_float(from_float<Bf16>(values[i]));
    }
  } else if constexpr (std::is_same_v<T, Fp16>) {
    Fp16 narrowed[kChunk];
    narrow(values, count, narrowed);
    widen(narrowed, count, values);
  }
}

}  // namespace half_rows
}  // namespace HWY_NAMESPACE
}  // namespace lil::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
