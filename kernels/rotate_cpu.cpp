#include "kernels/checks.h"
#include "kernels/half.h"
#include "kernels/launchers.h"
#include "kernels/list_access.h"
#include "kernels/rotate_row.h"
#include "kernels/thread_team.h"

namespace lil::kernels::cpu {
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

}  // namespace

Status rotate(const RotateArgs& args, Stream stream) {
  if (check(args) != Status::kOk) {
    return Status::kBadArguments;
  }
  for_dtype(args.dtype, [&](auto zero) {
    ThreadTeam::run_on(stream, args.requests,
                       [&](std::int64_t request) { rotate_list<decltype(zero)>(args, request); });
  });
  return Status::kOk;
}

}  // namespace lil::kernels::cpu
