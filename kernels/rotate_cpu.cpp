// One compilation for each kind of processor; the widest one is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/rotate_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/checks.h"
#include "kernels/half.h"
#include "kernels/launchers.h"
#include "kernels/list_access.h"
#include "kernels/rotate_row-inl.h"
#include "kernels/thread_team.h"

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void rotate_list(const RotateArgs& args, std::int64_t request) {
  const T* in = static_cast<const T*>(args.in);
  T* out = static_cast<T*>(args.out);
  for (std::int64_t place = 0; place < args.lists.tokens[request]; ++place) {
    const std::int64_t slot = slot_of(args.lists, request, place);
    const std::int64_t position =
        args.slot_positions != nullptr ? args.slot_positions[slot] : place * args.place_stride;
    rotate_row(in + slot * args.in_stride, out + slot * args.out_stride, args.rope + position * args.head_dim,
               args.head_dim / 2);
  }
}

void rotate_request(const RotateArgs& args, std::int64_t request) {
  for_dtype(args.dtype, [&](auto zero) { rotate_list<decltype(zero)>(args, request); });
}

}  // namespace
}  // namespace lil::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lil::kernels::cpu {
namespace {
HWY_EXPORT(rotate_request);
}  // namespace

Status rotate(const RotateArgs& args, Stream stream) {
  if (check(args) != Status::kOk) {
    return Status::kBadArguments;
  }
  const std::int64_t bytes = 2 * entries_of(args.lists, args.requests) * args.head_dim * bytes_of(args.dtype);
  ThreadTeam::run_on(ThreadTeam::worth_sharing(stream, bytes), args.requests, [&](std::int64_t request) {
    HWY_DYNAMIC_DISPATCH(rotate_request)(args, request);
  });
  return Status::kOk;
}

}  // namespace lil::kernels::cpu
#endif
