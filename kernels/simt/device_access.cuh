#pragma once

// How the kernels reach memory and are launched, on a GPU. The emulation of tests/support/simt has a header
// of the same name, with checks; which one a kernel sees is a matter of the include path.

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/status.h"

namespace lil::kernels::simt {

inline constexpr const char* kBackendName = "cuda";

/// N values that travel in one access of N * sizeof(T) bytes: 4, 8 or 16.
template <class T, int N>
struct alignas(N * sizeof(T)) Pack {
  T at[N];
};

/// The words that the hardware moves at once.
template <int kBytes>
struct WordOf;
template <>
struct WordOf<4> {
  using Type = unsigned int;
};
template <>
struct WordOf<8> {
  using Type = uint2;
};
template <>
struct WordOf<16> {
  using Type = uint4;
};

/// Global memory, in elements from `data`. Kernels touch it through this alone: the emulation checks bounds
/// and counts bytes here.
template <class T>
class Global {
 public:
  using Value = std::remove_const_t<T>;

  __device__ explicit Global(T* data) : data_(data) {}

  __device__ Value load(std::int64_t i) const { return data_[i]; }
  __device__ void store(std::int64_t i, Value value) const { data_[i] = value; }

  /// data[i .. i+N), from an address that is a multiple of the pack's size.
  template <int N>
  __device__ Pack<Value, N> load_pack(std::int64_t i) const {
    using Word = typename WordOf<N * sizeof(T)>::Type;
    const Word word = *reinterpret_cast<const Word*>(data_ + i);
    Pack<Value, N> pack;
    memcpy(&pack, &word, sizeof(pack));
    return pack;
  }
  template <int N>
  __device__ void store_pack(std::int64_t i, const Pack<Value, N>& pack) const {
    using Word = typename WordOf<N * sizeof(T)>::Type;
    Word word;
    memcpy(&word, &pack, sizeof(pack));
    *reinterpret_cast<Word*>(data_ + i) = word;
  }

 private:
  T* data_;
};

/// Runs `kernel` over `grid` blocks of `threads` threads.
template <class... Parameters, class... Arguments>
Status launch(void (*kernel)(Parameters...), dim3 grid, unsigned threads, Stream stream,
              Arguments... arguments) {
  kernel<<<grid, threads, 0, static_cast<cudaStream_t>(stream)>>>(arguments...);
  return cudaGetLastError() == cudaSuccess ? Status::kOk : Status::kLaunchFailed;
}

}  // namespace lil::kernels::simt

/// An array that the threads of a block share: LIL_SHARED(float, sums, 32);
#define LIL_SHARED(type, name, count) __shared__ type name[count]
