#pragma once

// CUDA's names, as far as the kernels use them, for the emulation: what is here behaves as CUDA's programming
// guide says, and what the guide leaves undefined is a fault.

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tests/support/simt/block.h"
#include "tests/support/simt/shared_array.h"

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)

struct CUstream_st;
using cudaStream_t = CUstream_st*;

struct dim3 : lil::tests::simt::Dim3 {
  constexpr dim3(unsigned vx = 1, unsigned vy = 1, unsigned vz = 1) : Dim3{vx, vy, vz} {}
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
inline float2 make_float2(float x, float y) {
  return {x, y};
}
inline float4 make_float4(float x, float y, float z, float w) {
  return {x, y, z, w};
}

// Indices: macros, so that the scheduler's own copy is read each time.
#define threadIdx (::lil::tests::simt::current_indices.thread)
#define blockIdx (::lil::tests::simt::current_indices.block)
#define blockDim (::lil::tests::simt::current_indices.block_size)
#define gridDim (::lil::tests::simt::current_indices.grid)
constexpr int warpSize = 32;

// ---- barriers

inline void __syncthreads(lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  lil::tests::simt::meet_block(lil::tests::simt::Meeting::kSyncThreads, 0, where);
}
inline int __syncthreads_or(int predicate,
                            lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  return lil::tests::simt::meet_block(lil::tests::simt::Meeting::kSyncThreadsOr, predicate, where);
}
inline int __syncthreads_and(int predicate,
                             lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  return lil::tests::simt::meet_block(lil::tests::simt::Meeting::kSyncThreadsAnd, predicate, where);
}
inline int __syncthreads_count(int predicate,
                               lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  return lil::tests::simt::meet_block(lil::tests::simt::Meeting::kSyncThreadsCount, predicate, where);
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFU,
                       lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  lil::tests::simt::meet_warp({lil::tests::simt::Meeting::kSyncWarp, mask}, where);
}
inline void __threadfence() {}
inline void __threadfence_block() {}

// ---- shuffles, votes, reductions

namespace lil::tests::simt {

template <class T>
T shuffle(Meeting meeting, unsigned mask, T value, unsigned operand, int width, Location where) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(value));
  const std::uint64_t result = meet_warp({meeting, mask, bits, operand, static_cast<unsigned>(width)}, where);
  std::memcpy(&value, &result, sizeof(value));
  return value;
}

template <class T>
T reduce(Meeting meeting, unsigned mask, T value, Location where) {
  static_assert(std::is_integral_v<T> && sizeof(T) == 4);
  const std::uint64_t bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
  return static_cast<T>(meet_warp({meeting, mask, bits}, where));
}

}  // namespace lil::tests::simt

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32,
              lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  return lil::tests::simt::shuffle(lil::tests::simt::Meeting::kShuffleIndex, mask, value,
                                   static_cast<unsigned>(lane), width, where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = 32,
                 lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  return lil::tests::simt::shuffle(lil::tests::simt::Meeting::kShuffleUp, mask, value, distance, width,
                                   where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = 32,
                   lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  return lil::tests::simt::shuffle(lil::tests::simt::Meeting::kShuffleDown, mask, value, distance, width,
                                   where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32,
                  lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  return lil::tests::simt::shuffle(lil::tests::simt::Meeting::kShuffleXor, mask, value,
                                   static_cast<unsigned>(lanes), width, where);
}
inline unsigned __ballot_sync(unsigned mask, int predicate,
                              lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  return static_cast<unsigned>(lil::tests::simt::meet_warp(
      {lil::tests::simt::Meeting::kBallot, mask, static_cast<std::uint64_t>(predicate != 0)}, where));
}
inline int __any_sync(unsigned mask, int predicate,
                      lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  return static_cast<int>(lil::tests::simt::meet_warp(
      {lil::tests::simt::Meeting::kAny, mask, static_cast<std::uint64_t>(predicate != 0)}, where));
}
inline int __all_sync(unsigned mask, int predicate,
                      lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  return static_cast<int>(lil::tests::simt::meet_warp(
      {lil::tests::simt::Meeting::kAll, mask, static_cast<std::uint64_t>(predicate != 0)}, where));
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value,
                          lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  return static_cast<unsigned>(lil::tests::simt::shuffle(
      lil::tests::simt::Meeting::kMatchAny, mask,
      std::uint64_t{std::bit_cast<std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>>(value)},
      0, 32, where));
}
template <class T>
T __reduce_add_sync(unsigned mask, T value,
                    lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  return lil::tests::simt::reduce(lil::tests::simt::Meeting::kReduceAdd, mask, value, where);
}
template <class T>
T __reduce_min_sync(unsigned mask, T value,
                    lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  return lil::tests::simt::reduce(lil::tests::simt::Meeting::kReduceMin, mask, value, where);
}
template <class T>
T __reduce_max_sync(unsigned mask, T value,
                    lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  return lil::tests::simt::reduce(lil::tests::simt::Meeting::kReduceMax, mask, value, where);
}
inline unsigned __reduce_and_sync(unsigned mask, unsigned value,
                                  lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  return lil::tests::simt::reduce(lil::tests::simt::Meeting::kReduceAnd, mask, value, where);
}
inline unsigned __reduce_or_sync(unsigned mask, unsigned value,
                                 lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  return lil::tests::simt::reduce(lil::tests::simt::Meeting::kReduceOr, mask, value, where);
}
inline unsigned __reduce_xor_sync(unsigned mask, unsigned value,
                                  lil::tests::simt::Location where = lil::tests::simt::Location::here()) {
  return lil::tests::simt::reduce(lil::tests::simt::Meeting::kReduceXor, mask, value, where);
}

// ---- atomics on shared memory: atomicAdd(&sums[i], x)

template <class T>
T atomicAdd(lil::tests::simt::SharedAddress<T> at, std::type_identity_t<T> value) {
  return at.update([value](T before) { return static_cast<T>(before + value); });
}
template <class T>
T atomicSub(lil::tests::simt::SharedAddress<T> at, std::type_identity_t<T> value) {
  return at.update([value](T before) { return static_cast<T>(before - value); });
}
template <class T>
T atomicMax(lil::tests::simt::SharedAddress<T> at, std::type_identity_t<T> value) {
  return at.update([value](T before) { return before < value ? value : before; });
}
template <class T>
T atomicMin(lil::tests::simt::SharedAddress<T> at, std::type_identity_t<T> value) {
  return at.update([value](T before) { return value < before ? value : before; });
}
template <class T>
T atomicOr(lil::tests::simt::SharedAddress<T> at, std::type_identity_t<T> value) {
  return at.update([value](T before) { return static_cast<T>(before | value); });
}
template <class T>
T atomicAnd(lil::tests::simt::SharedAddress<T> at, std::type_identity_t<T> value) {
  return at.update([value](T before) { return static_cast<T>(before & value); });
}
template <class T>
T atomicXor(lil::tests::simt::SharedAddress<T> at, std::type_identity_t<T> value) {
  return at.update([value](T before) { return static_cast<T>(before ^ value); });
}
template <class T>
T atomicExch(lil::tests::simt::SharedAddress<T> at, std::type_identity_t<T> value) {
  return at.update([value](T) { return value; });
}
template <class T>
T atomicCAS(lil::tests::simt::SharedAddress<T> at, std::type_identity_t<T> compare,
            std::type_identity_t<T> value) {
  return at.update([compare, value](T before) { return before == compare ? value : before; });
}

// ---- arithmetic

inline float __fmaf_rn(float a, float b, float c) {
  return std::fma(a, b, c);
}
inline float __fadd_rn(float a, float b) {
  return a + b;
}
inline float __fsub_rn(float a, float b) {
  return a - b;
}
inline float __fmul_rn(float a, float b) {
  return a * b;
}
inline float __fdiv_rn(float a, float b) {
  return a / b;
}
inline float __frcp_rn(float a) {
  return 1.0F / a;
}
inline float __expf(float a) {
  return std::exp(a);
}
inline float __logf(float a) {
  return std::log(a);
}
inline float __fdividef(float a, float b) {
  return a / b;
}
inline float rsqrtf(float a) {
  return 1.0F / std::sqrt(a);
}

inline unsigned __float_as_uint(float value) {
  return std::bit_cast<unsigned>(value);
}
inline float __uint_as_float(unsigned bits) {
  return std::bit_cast<float>(bits);
}
inline int __float_as_int(float value) {
  return std::bit_cast<int>(value);
}
inline float __int_as_float(int bits) {
  return std::bit_cast<float>(bits);
}

inline int __popc(unsigned bits) {
  return std::popcount(bits);
}
inline int __popcll(unsigned long long bits) {
  return std::popcount(bits);
}
inline int __ffs(int bits) {
  return __builtin_ffs(bits);
}
inline int __clz(int bits) {
  return std::countl_zero(static_cast<unsigned>(bits));
}
inline unsigned __brev(unsigned bits) {
  unsigned reversed = 0;
  for (int i = 0; i < 32; ++i) reversed |= ((bits >> i) & 1U) << (31 - i);
  return reversed;
}

template <class T>
constexpr std::enable_if_t<std::is_integral_v<T>, T> min(T a, T b) {
  return b < a ? b : a;
}
template <class T>
constexpr std::enable_if_t<std::is_integral_v<T>, T> max(T a, T b) {
  return a < b ? b : a;
}

// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
