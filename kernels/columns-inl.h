// Turning rows over into columns, for one of Highway's targets: included once by each target of a .cpp, as
// Highway has it.
#if defined(LIL_KERNELS_COLUMNS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef LIL_KERNELS_COLUMNS_INL_H
#undef LIL_KERNELS_COLUMNS_INL_H
#else
#define LIL_KERNELS_COLUMNS_INL_H
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu {
namespace HWY_NAMESPACE {
namespace columns {

namespace hn = hwy::HWY_NAMESPACE;

using WordTag = hn::CappedTag<std::uint32_t, 16>;
using WordVector = hn::Vec<WordTag>;
constexpr WordTag kWords;

/// Rows that are turned over together: the lanes of a vector.
constexpr auto kLanes = static_cast<std::int64_t>(hn::MaxLanes(WordTag()));

/// Four neighbouring words of kLanes rows: lane n of at[i] is word i of row n.
struct Columns {
  WordVector at[4];
};

HWY_INLINE WordVector load_words(const std::byte* from) {
  return hn::LoadU(kWords, reinterpret_cast<const std::uint32_t*>(from));
}

#if HWY_TARGET == HWY_SCALAR

HWY_INLINE Columns load_columns(const std::byte* rows, std::int64_t /*stride*/) {
  return {{load_words(rows), load_words(rows + 4), load_words(rows + 8), load_words(rows + 12)}};
}

#else

HWY_INLINE WordVector load_quad(const std::byte* from) {
  return hn::LoadDup128(kWords, reinterpret_cast<const std::uint32_t*>(from));
}

/// Four words of each of the rows first, first + 4, …, one row in each 128 bits.
HWY_INLINE WordVector load_quads(const std::byte* rows, std::int64_t stride, int first) {
  const std::byte* at = rows + first * stride;
  if constexpr (kLanes == 4) {
    return load_words(at);
  } else if constexpr (kLanes == 8) {
    return hn::OddEvenBlocks(load_quad(at + 4 * stride), load_quad(at));
  } else {
    const WordVector low = hn::OddEvenBlocks(load_quad(at + 4 * stride), load_quad(at));
    const WordVector high = hn::OddEvenBlocks(load_quad(at + 12 * stride), load_quad(at + 8 * stride));
    return hn::ConcatUpperLower(kWords, high, low);
  }
}

/// Columns of what load_quads gave for first = 0, 1, 2, 3.
HWY_INLINE Columns turn_quads(WordVector a, WordVector b, WordVector c, WordVector d) {
  const hn::RepartitionToWide<WordTag> pairs;
  const auto ab01 = hn::BitCast(pairs, hn::InterleaveLower(kWords, a, b));
  const auto ab23 = hn::BitCast(pairs, hn::InterleaveUpper(kWords, a, b));
  const auto cd01 = hn::BitCast(pairs, hn::InterleaveLower(kWords, c, d));
  const auto cd23 = hn::BitCast(pairs, hn::InterleaveUpper(kWords, c, d));
  return {{hn::BitCast(kWords, hn::InterleaveLower(pairs, ab01, cd01)),
           hn::BitCast(kWords, hn::InterleaveUpper(pairs, ab01, cd01)),
           hn::BitCast(kWords, hn::InterleaveLower(pairs, ab23, cd23)),
           hn::BitCast(kWords, hn::InterleaveUpper(pairs, ab23, cd23))}};
}

/// Rows begin at `rows` and every `stride` bytes after it, at any alignment.
HWY_INLINE Columns load_columns(const std::byte* rows, std::int64_t stride) {
  return turn_quads(load_quads(rows, stride, 0), load_quads(rows, stride, 1), load_quads(rows, stride, 2),
                    load_quads(rows, stride, 3));
}

#endif

}  // namespace columns
}  // namespace HWY_NAMESPACE
}  // namespace lil::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
