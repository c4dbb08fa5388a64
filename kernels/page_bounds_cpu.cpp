#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>

#include "kernels/checks.h"
#include "kernels/half.h"
#include "kernels/launchers.h"
#include "kernels/list_access.h"
#include "kernels/thread_team.h"

namespace lil::kernels::cpu {
namespace {

constexpr std::int64_t kMaxHeadDim = 512;

/// Integers in the order of the floats whose bits they share, but for the order of negative ones, which is
/// turned round. Its own inverse.
template <class Integer>
Integer reorder(Integer bits) {
  constexpr Integer kAllButSign = std::numeric_limits<Integer>::max();
  const auto sign_mask = static_cast<Integer>(bits >> (8 * sizeof(Integer) - 1));
  return static_cast<Integer>(bits ^ (sign_mask & kAllButSign));
}

// By the member: a loop over a bit_cast of a struct does not become one over vectors.
std::int32_t bits_of(float value) {
  return std::bit_cast<std::int32_t>(value);
}
std::int16_t bits_of(Bf16 value) {
  return static_cast<std::int16_t>(value.bits);
}
std::int16_t bits_of(Fp16 value) {
  return static_cast<std::int16_t>(value.bits);
}

/// Compares integers of the type's own width, so that 16-bit types need no conversion.
template <class T>
void bound_page(const T* keys, std::int64_t key_stride, std::int64_t entries, std::int64_t head_dim, T* lows,
                T* highs) {
  using Integer = decltype(bits_of(T{}));
  std::array<Integer, kMaxHeadDim> least;
  std::array<Integer, kMaxHeadDim> greatest;
  std::fill_n(least.begin(), head_dim, std::numeric_limits<Integer>::max());
  std::fill_n(greatest.begin(), head_dim, std::numeric_limits<Integer>::min());
  for (std::int64_t entry = 0; entry < entries; ++entry) {
    const T* key = keys + entry * key_stride;
    for (std::int64_t i = 0; i < head_dim; ++i) {
      const Integer value = reorder(bits_of(key[i]));
      least[i] = value < least[i] ? value : least[i];
      greatest[i] = value > greatest[i] ? value : greatest[i];
    }
  }
  for (std::int64_t i = 0; i < head_dim; ++i) {
    lows[i] = std::bit_cast<T>(reorder(least[i]));
    highs[i] = std::bit_cast<T>(reorder(greatest[i]));
  }
}

template <class T>
void bound_list(const PageBoundsArgs& args, std::int64_t request) {
  const PageLists& lists = args.lists;
  const std::int64_t tokens = lists.tokens[request];
  for (std::int64_t i = 0; i < pages_of(tokens, lists.page_size); ++i) {
    const std::int64_t page = lists.pages[request * lists.stride + i];
    const std::int64_t entries = std::min<std::int64_t>(lists.page_size, tokens - i * lists.page_size);
    bound_page(static_cast<const T*>(args.keys) + page * lists.page_size * args.key_slot_stride,
               args.key_slot_stride, entries, args.head_dim,
               static_cast<T*>(args.lows) + page * args.head_dim,
               static_cast<T*>(args.highs) + page * args.head_dim);
  }
}

}  // namespace

Status page_bounds(const PageBoundsArgs& args, Stream stream) {
  if (check(args) != Status::kOk) {
    return Status::kBadArguments;
  }
  const std::int64_t bytes = entries_of(args.lists, args.requests) * args.head_dim * bytes_of(args.dtype);
  for_dtype(args.dtype, [&](auto zero) {
    ThreadTeam::run_on(ThreadTeam::worth_sharing(stream, bytes), args.requests,
                       [&](std::int64_t request) { bound_list<decltype(zero)>(args, request); });
  });
  return Status::kOk;
}

}  // namespace lil::kernels::cpu
