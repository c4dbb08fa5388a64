#pragma once

// The emulation's side of kernels/simt/device_access.cuh: the same names, with every access checked.

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>

#include "kernels/status.h"
#include "tests/support/simt/block.h"
#include "tests/support/simt/memory.h"
#include "tests/support/simt/shared_array.h"

namespace lil::kernels::simt {

inline constexpr const char* kBackendName = "emulated";

template <class T, int N>
struct alignas(N * sizeof(T)) Pack {
  T at[N];
};

template <std::size_t kBytes>
inline constexpr bool kMovesAtOnce = kBytes == 4 || kBytes == 8 || kBytes == 16;

template <class T>
class Global {
 public:
  using Value = std::remove_const_t<T>;

  explicit Global(T* data)
      : begin_(reinterpret_cast<std::uintptr_t>(data)), allocation_(tests::simt::find_allocation(data)) {}

  Value load(std::int64_t i, tests::simt::Location where = tests::simt::Location::here()) const {
    return read<Value>(i, where);
  }
  void store(std::int64_t i, Value value, tests::simt::Location where = tests::simt::Location::here()) const {
    write(i, value, where);
  }
  template <int N>
  Pack<Value, N> load_pack(std::int64_t i,
                           tests::simt::Location where = tests::simt::Location::here()) const {
    static_assert(kMovesAtOnce<N * sizeof(T)>);
    return read<Pack<Value, N>>(i, where);
  }
  template <int N>
  void store_pack(std::int64_t i, const Pack<Value, N>& pack,
                  tests::simt::Location where = tests::simt::Location::here()) const {
    static_assert(kMovesAtOnce<N * sizeof(T)>);
    write(i, pack, where);
  }

 private:
  // NOLINTBEGIN(performance-no-int-to-ptr): a pointer beyond its array must not even be computed
  std::uintptr_t address(std::int64_t i) const {
    return begin_ + static_cast<std::uintptr_t>(i) * sizeof(Value);
  }
  template <class Bits>
  Bits read(std::int64_t i, tests::simt::Location where) const {
    tests::simt::note_read<sizeof(Bits)>(allocation_, address(i), where);
    Bits bits;
    std::memcpy(&bits, reinterpret_cast<const void*>(address(i)), sizeof(bits));
    return bits;
  }
  template <class Bits>
  void write(std::int64_t i, const Bits& bits, tests::simt::Location where) const {
    static_assert(!std::is_const_v<T>, "this array is for reading");
    tests::simt::note_write<sizeof(Bits)>(allocation_, address(i), where);
    std::memcpy(reinterpret_cast<void*>(address(i)), &bits, sizeof(bits));
  }
  // NOLINTEND(performance-no-int-to-ptr)

  std::uintptr_t begin_;
  tests::simt::Allocation* allocation_;
};

/// A stream, with the place of the launch that it is given to.
struct LaunchStream {
  tests::simt::Location launched;
  LaunchStream(Stream /*stream*/, tests::simt::Location where = tests::simt::Location::here())
      : launched(where) {}
};

template <class... Parameters, class... Arguments>
Status launch(void (*kernel)(Parameters...), dim3 grid, unsigned threads, LaunchStream stream,
              Arguments... arguments) {
  static_assert((std::is_trivially_copyable_v<Parameters> && ...), "arguments are copied to the device");
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> parameters;
  };
  static_assert(sizeof(Call) <= 4096, "a kernel takes 4096 bytes of arguments");
  const Call call{kernel, std::tuple<Parameters...>(arguments...)};
  const tests::simt::Work work{[](const void* bound) {
                                 const Call& own = *static_cast<const Call*>(bound);
                                 std::apply(own.kernel, own.parameters);
                               },
                               &call};
  return tests::simt::run_grid(work, grid, threads, stream.launched) ? Status::kOk : Status::kLaunchFailed;
}

}  // namespace lil::kernels::simt

/// An array that the threads of a block share; its name stands for the thread's view of it.
#define LIL_SHARED(type, name, count)    \
  static const char name##_declared = 0; \
  ::lil::tests::simt::SharedArray<type, count> name(&name##_declared, #name)
