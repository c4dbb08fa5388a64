// One compilation for each kind of processor; the widest one is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/append_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/checks.h"
#include "kernels/half.h"
#include "kernels/launchers.h"
#include "kernels/rotate_row-inl.h"
#include "kernels/thread_team.h"

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu::HWY_NAMESPACE {
namespace {

/// Lets the bounds of the slot's page enclose its key.
template <class T>
void widen_bounds(const AppendArgs& args, std::int64_t slot, const T* key) {
  const std::int64_t page = slot / args.bounds_page_size;
  T* lows = static_cast<T*>(args.lows) + page * args.head_dim;
  T* highs = static_cast<T*>(args.highs) + page * args.head_dim;
  if (slot % args.bounds_page_size == 0) {
    std::copy_n(key, args.head_dim, lows);
    std::copy_n(key, args.head_dim, highs);
    return;
  }
  for (std::int64_t i = 0; i < args.head_dim; ++i) {
    lows[i] = to_float(key[i]) < to_float(lows[i]) ? key[i] : lows[i];
    highs[i] = to_float(key[i]) > to_float(highs[i]) ? key[i] : highs[i];
  }
}

template <class T>
void append_one(const AppendArgs& args, std::int64_t request) {
  const std::int64_t slot = args.slots[request];
  if (slot < 0) {
    return;
  }
  const T* key = static_cast<const T*>(args.keys) + request * args.key_stride;
  const T* value = static_cast<const T*>(args.values) + request * args.value_stride;
  T* key_out = static_cast<T*>(args.key_pool) + slot * args.key_slot_stride;
  T* value_out = static_cast<T*>(args.value_pool) + slot * args.value_slot_stride;
  if (args.rope != nullptr) {
    const float* table_row = args.rope + std::int64_t{args.positions[request]} * args.head_dim;
    rotate_row(key, key_out, table_row, args.head_dim / 2);
  } else {
    std::copy_n(key, args.head_dim, key_out);
  }
  std::copy_n(value, args.head_dim, value_out);
  if (args.slot_positions != nullptr) {
    args.slot_positions[slot] = args.positions[request];
  }
  if (args.bounds_page_size != 0) {
    widen_bounds(args, slot, key_out);
  }
}

void append_request(const AppendArgs& args, std::int64_t request) {
  for_dtype(args.dtype, [&](auto zero) { append_one<decltype(zero)>(args, request); });
}

}  // namespace
}  // namespace lil::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lil::kernels::cpu {
namespace {
HWY_EXPORT(append_request);
}  // namespace

Status append(const AppendArgs& args, Stream stream) {
  if (check(args) != Status::kOk) {
    return Status::kBadArguments;
  }
  const std::int64_t arrays =
      args.bounds_page_size == 0 ? 4 : 8;  // that each channel is read from or goes to
  const std::int64_t bytes = arrays * args.requests * args.head_dim * bytes_of(args.dtype);
  ThreadTeam::run_on(ThreadTeam::worth_sharing(stream, bytes), args.requests, [&](std::int64_t request) {
    HWY_DYNAMIC_DISPATCH(append_request)(args, request);
  });
  return Status::kOk;
}

}  // namespace lil::kernels::cpu
#endif
