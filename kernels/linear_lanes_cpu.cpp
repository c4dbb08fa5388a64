// linear for weights of fp32 and fp16, in the order of 16 lanes (kernels/linear_cpu.h).
//
// A strip is as many outputs as a vector has lanes. It is cut into tiles: kOutputs outputs by as many inputs
// as leave x in the first-level cache. While one tile is multiplied with all rows of x, group by group, a
// later one is fetched.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/linear_lanes_cpu.cpp"
// Left out: what gains nothing here, and vectors whose length the compiler does not know.
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_AVX3_DL | HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>
// The above re-include this file, once for each target.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <type_traits>

#include "kernels/columns-inl.h"
#include "kernels/half_rows-inl.h"
#include "kernels/lanes-inl.h"
#include "kernels/linear_cpu.h"

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using lanes::FloatTag;
using lanes::FloatVector;
using lanes::kFloats;
using lanes::kVectors;
static_assert(kLinearLanes == lanes::kLanes);
constexpr std::int64_t kLanes = lanes::kVectorLanes;
constexpr std::int64_t kCacheLine = 64;
constexpr int kSecondLevel = 2;  ///< of caches, as __builtin_prefetch counts

// Outputs and rows of x whose sums stay in registers together.
#if HWY_TARGET == HWY_AVX3
constexpr int kOutputs = 4;
constexpr int kRows = 6;
#elif HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_NEON
constexpr int kOutputs = 2;
constexpr int kRows = 3;
#else
constexpr int kOutputs = 1;
constexpr int kRows = 3;
#endif

// Blocks of a tile: the most, and the most of x (blocks times rows).
constexpr std::int64_t kMostBlocks = 32;
constexpr std::int64_t kMostOfX = 96;

// Tiles between the one that is multiplied and the one that is fetched.
constexpr int kTilesAhead = 3;

constexpr std::int64_t kSumsOfRow = kLanes * kLinearLanes;

// Rows that are computed together, as evenly as kRows allows.
struct Groups {
  explicit Groups(int all_rows) : rows(all_rows), count((all_rows + kRows - 1) / kRows) {}
  int first(int group) const { return rows * group / count; }
  int rows;
  int count;
};

// Lines of the cache that one block of a tile's weights takes.
template <class T>
constexpr int kLinesOfBlock = kOutputs* static_cast<int>(kLinearBlock * sizeof(T) / kCacheLine);

// Of those, the lines that each group of rows fetches: with more than three groups the first three fetch all.
constexpr int share_of(int lines, int groups) {
  const int sharing = groups < 3 ? groups : 3;
  return (lines + sharing - 1) / sharing;
}

struct Tile {
  const float* weights[kOutputs];
  std::int64_t blocks = 0;
  bool is_first = false;  ///< of these outputs: their sums begin
};

// Where the lines are that a group of rows fetches, in the first block of a later tile.
struct Upcoming {
  const std::byte* lines[kLinesOfBlock<float>];
  std::int64_t block_bytes = 0;  ///< of one output
};

// sums[row][output][lane] += products of a tile with kSomeRows rows, x being (blocks, kSomeRows,
// kLinearBlock). With each block it fetches kLines lines, spread over the multiplications: a processor that
// is asked for many at a time waits.
template <int kSomeRows, int kLines>
void add_products(const Tile& tile, const float* x, const Upcoming& upcoming, float* sums) {
  FloatVector sum[kSomeRows][kOutputs][kVectors];
  HWY_UNROLL(6)
  for (int row = 0; row < kSomeRows; ++row) {
    HWY_UNROLL(4)
    for (int n = 0; n < kOutputs; ++n) {
      HWY_UNROLL(16)
      for (std::int64_t v = 0; v < kVectors; ++v) {
        const float* before = sums + row * kSumsOfRow + (n * kVectors + v) * kLanes;
        sum[row][n][v] = tile.is_first ? hn::Zero(kFloats) : hn::Load(kFloats, before);
      }
    }
  }
  constexpr int kSteps = static_cast<int>(kLinearBlock / kLanes) * kSomeRows;
  std::int64_t fetched = 0;
  for (std::int64_t block = 0; block < tile.blocks; ++block) {
    HWY_UNROLL(32)
    for (std::int64_t i = 0; i < kLinearBlock; i += kLanes) {
      const std::int64_t v = i / kLanes % kVectors;
      FloatVector weights[kOutputs];
      HWY_UNROLL(4)
      for (int n = 0; n < kOutputs; ++n) {
        weights[n] = hn::LoadU(kFloats, tile.weights[n] + block * kLinearBlock + i);
      }
      HWY_UNROLL(6)
      for (int row = 0; row < kSomeRows; ++row) {
        const int step = static_cast<int>(i / kLanes) * kSomeRows + row;
        HWY_UNROLL(8)
        for (int line = step * kLines / kSteps; line < (step + 1) * kLines / kSteps; ++line) {
          __builtin_prefetch(upcoming.lines[line] + fetched, 0, kSecondLevel);
        }
        const FloatVector some_x = hn::Load(kFloats, x + row * kLinearBlock + i);
        HWY_UNROLL(4)
        for (int n = 0; n < kOutputs; ++n) {
          sum[row][n][v] = hn::MulAdd(weights[n], some_x, sum[row][n][v]);
        }
      }
    }
    fetched += upcoming.block_bytes;
    x += kSomeRows * kLinearBlock;
  }
  HWY_UNROLL(6)
  for (int row = 0; row < kSomeRows; ++row) {
    HWY_UNROLL(4)
    for (int n = 0; n < kOutputs; ++n) {
      HWY_UNROLL(16)
      for (std::int64_t v = 0; v < kVectors; ++v) {
        hn::Store(sum[row][n][v], kFloats, sums + row * kSumsOfRow + (n * kVectors + v) * kLanes);
      }
    }
  }
}

using AddProducts = void (*)(const Tile&, const float*, const Upcoming&, float*);

template <int kLines>
constexpr AddProducts kAddProducts[] = {
    nullptr,
    add_products<1, kLines>,
    add_products<2, kLines>,
    add_products<3, kLines>,
#if HWY_TARGET == HWY_AVX3
    add_products<4, kLines>,
    add_products<5, kLines>,
    add_products<6, kLines>,
#endif
};
static_assert(std::size(kAddProducts<1>) == kRows + 1);

template <class T>
const AddProducts* add_products_of(int groups) {
  constexpr int kAll = kLinesOfBlock<T>;
  if (groups == 1) return kAddProducts<share_of(kAll, 1)>;
  if (groups == 2) return kAddProducts<share_of(kAll, 2)>;
  return kAddProducts<share_of(kAll, 3)>;
}

// packed_x[group][block][row of the group][kLinearBlock].
void pack_groups(const LinearArgs& args, float* packed_x) {
  const Groups groups(args.rows);
  for (int group = 0; group < groups.count; ++group) {
    for (std::int64_t input = 0; input < args.inputs; input += kLinearBlock) {
      const auto inputs = static_cast<std::size_t>(std::min(kLinearBlock, args.inputs - input));
      for (int row = groups.first(group); row < groups.first(group + 1); ++row) {
        if (inputs < kLinearBlock) std::memset(packed_x, 0, kLinearBlock * sizeof(float));
        std::memcpy(packed_x, args.x + row * args.x_stride + input, inputs * sizeof(float));
        packed_x += kLinearBlock;
      }
    }
  }
}

// The sums of 16 lanes of kLanes outputs: lane l takes lane l + 8, then l + 4, l + 2, l + 1.
#if HWY_TARGET == HWY_SCALAR

HWY_INLINE FloatVector fold(const float* sums) {
  return hn::Set(kFloats, lanes::fold(lanes::load(sums)));
}

#else

// Lanes 0 to 3 after the first two steps, of the outputs first, first + 4, …
HWY_INLINE columns::WordVector fold_quads(const float* sums, int first) {
  FloatVector quads[4];
  HWY_UNROLL(4)
  for (std::int64_t i = 0; i < 4; ++i) {
    const auto* at = reinterpret_cast<const std::byte*>(sums + 4 * i);
    quads[i] = hn::BitCast(kFloats, columns::load_quads(at, kLinearLanes * sizeof(float), first));
  }
  return hn::BitCast(columns::kWords, hn::Add(hn::Add(quads[0], quads[2]), hn::Add(quads[1], quads[3])));
}

HWY_INLINE FloatVector fold(const float* sums) {
  const columns::Columns turned =
      columns::turn_quads(fold_quads(sums, 0), fold_quads(sums, 1), fold_quads(sums, 2), fold_quads(sums, 3));
  FloatVector lane[4];
  HWY_UNROLL(4)
  for (int i = 0; i < 4; ++i) lane[i] = hn::BitCast(kFloats, turned.at[i]);
  return hn::Add(hn::Add(lane[0], lane[2]), hn::Add(lane[1], lane[3]));
}

#endif

template <class T>
class Strips {
 public:
  /// Strips of the outputs [begin, end).
  Strips(const LinearJob& job, std::int64_t begin, std::int64_t end)
      : job_(job),
        args_(*job.args),
        end_(end),
        whole_(args_.inputs / kLinearBlock),
        tile_blocks_(tile_blocks_of(whole_, args_.rows)),
        groups_(args_.rows),
        add_products_(add_products_of<T>(groups_.count)),
        lines_(share_of(kLinesOfBlock<T>, groups_.count)),
        fetched_{begin, begin, 0} {
    for (int i = 0; i < kTilesAhead; ++i) fetched_ = after(fetched_);
  }

  // y of the strip that begins at output `first`.
  void run(std::int64_t first) {
    const std::int64_t end = std::min(first + kLanes, end_);
    for (std::int64_t block = 0; block < whole_; block += tile_blocks_) {
      for (std::int64_t n = first; n < end; n += kOutputs) add_tile({first, n, block});
    }
    if (whole_ * kLinearBlock < args_.inputs) {
      for (std::int64_t n = first; n < end; n += kOutputs) add_tail({first, n, whole_});
    }
    for (int row = 0; row < args_.rows; ++row) write_row(row, first, static_cast<int>(end - first));
  }

 private:
  // The tile of the outputs from n on and the inputs from `block` on, in the strip that begins at `first`.
  struct Place {
    std::int64_t first;
    std::int64_t n;
    std::int64_t block;
  };

  // Tiles of the same size, but for rounding.
  static std::int64_t tile_blocks_of(std::int64_t blocks, std::int64_t rows) {
    const std::int64_t most = std::min(kMostBlocks, kMostOfX / rows);
    const std::int64_t tiles = std::max<std::int64_t>(1, (blocks + most - 1) / most);
    return std::max<std::int64_t>(1, (blocks + tiles - 1) / tiles);
  }

  // Where the next tile is, even beyond the last strip.
  Place after(Place place) const {
    place.n += kOutputs;
    if (place.n < std::min(place.first + kLanes, end_)) return place;
    place.n = place.first;
    place.block += tile_blocks_;
    if (place.block < whole_) return place;
    place.first += kLanes;
    return {place.first, place.first, 0};
  }

  // Beyond the last output, the last one, whose sums then go nowhere.
  const T* weights_of(std::int64_t n, std::int64_t block) const {
    return static_cast<const T*>(args_.weights) + std::min(n, end_ - 1) * args_.weight_stride +
           block * kLinearBlock;
  }

  float* sums_of(const Place& place) { return sums_ + (place.n - place.first) * kLinearLanes; }

  void add_tile(const Place& place) {
    const std::int64_t blocks = std::min(tile_blocks_, whole_ - place.block);
    Tile tile{{}, blocks, place.block == 0};
    for (int i = 0; i < kOutputs; ++i) {
      tile.weights[i] = as_floats(weights_of(place.n + i, place.block), i, blocks);
    }
    find_lines(fetched_.first < end_ ? fetched_ : place);
    add_rows(tile, place.block, sums_of(place));
    fetched_ = after(fetched_);
  }

  // The last, incomplete block, filled up with zeros.
  void add_tail(const Place& place) {
    Tile tile{{}, 1, whole_ == 0};
    for (int i = 0; i < kOutputs; ++i) {
      std::memset(wide_[i], 0, kLinearBlock * sizeof(float));
      half_rows::widen(weights_of(place.n + i, whole_), args_.inputs - whole_ * kLinearBlock, wide_[i]);
      tile.weights[i] = wide_[i];
    }
    find_lines({place.first, place.n, whole_});
    add_rows(tile, whole_, sums_of(place));
  }

  const float* as_floats(const float* weights, int /*i*/, std::int64_t /*blocks*/) { return weights; }
  const float* as_floats(const Fp16* weights, int i, std::int64_t blocks) {
    half_rows::widen(weights, blocks * kLinearBlock, wide_[i]);
    return wide_[i];
  }

  // The lines of the first block of the tile at `place`.
  void find_lines(const Place& place) {
    constexpr int kOfOutput = kLinesOfBlock<T> / kOutputs;
    for (int line = 0; line < kLinesOfBlock<T>; ++line) {
      const T* row = weights_of(place.n + line / kOfOutput, place.block);
      upcoming_[line] = reinterpret_cast<const std::byte*>(row) + line % kOfOutput * kCacheLine;
    }
  }

  void add_rows(const Tile& tile, std::int64_t block, float* sums) {
    const std::int64_t all_blocks = blocks_of(args_.inputs);
    Upcoming upcoming;
    upcoming.block_bytes = kLinearBlock * static_cast<std::int64_t>(sizeof(T));
    for (int group = 0; group < groups_.count; ++group) {
      const int row = groups_.first(group);
      const int rows = groups_.first(group + 1) - row;
      for (int i = 0; i < lines_; ++i) {
        upcoming.lines[i] = upcoming_[std::min(group * lines_ + i, kLinesOfBlock<T> - 1)];
      }
      add_products_[rows](tile, job_.packed_x + (row * all_blocks + block * rows) * kLinearBlock, upcoming,
                          sums + row * kSumsOfRow);
    }
  }

  void write_row(int row, std::int64_t first, int outputs) const {
    const FloatVector sum = fold(sums_ + row * kSumsOfRow);
    float* y = args_.y + row * args_.y_stride + first;
    const float* bias = args_.bias == nullptr ? nullptr : args_.bias + first;
    if (outputs == kLanes) {
      hn::StoreU(bias == nullptr ? sum : hn::Add(sum, hn::LoadU(kFloats, bias)), kFloats, y);
      return;
    }
    alignas(64) float some[kLanes];
    hn::Store(sum, kFloats, some);
    for (int n = 0; n < outputs; ++n) y[n] = bias == nullptr ? some[n] : some[n] + bias[n];
  }

  const LinearJob& job_;
  const LinearArgs& args_;
  std::int64_t end_;
  std::int64_t whole_;  ///< blocks
  std::int64_t tile_blocks_;
  Groups groups_;
  const AddProducts* add_products_;              ///< for a number of rows
  int lines_;                                    ///< that a group fetches with each block
  Place fetched_;                                ///< kTilesAhead after the tile under way
  const std::byte* upcoming_[kLinesOfBlock<T>];  ///< lines of the tile that is fetched
  alignas(64) float sums_[kLinearRows * kSumsOfRow];
  alignas(64) float wide_[kOutputs][std::is_same_v<T, float> ? kLinearBlock : kMostBlocks * kLinearBlock];
};

template <class T>
void run_strips(const LinearJob& job, std::int64_t begin, std::int64_t end) {
  Strips<T> strips(job, begin, end);
  for (std::int64_t first = begin; first < end; first += kLanes) strips.run(first);
}

void run_lanes(const LinearJob& job, std::int64_t begin, std::int64_t end) {
  if (job.args->dtype == DType::kFp32) {
    run_strips<float>(job, begin, end);
  } else {
    run_strips<Fp16>(job, begin, end);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace lil::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "kernels/target_table.h"

namespace lil::kernels::cpu {
namespace {
HWY_EXPORT(pack_groups);
HWY_EXPORT(run_lanes);
}  // namespace

std::vector<LinearVariant> linear_lanes_variants() {
  return variants_of(HWY_TARGETS, HWY_DISPATCH_TABLE(pack_groups), HWY_DISPATCH_TABLE(run_lanes));
}

}  // namespace lil::kernels::cpu

#endif  // HWY_ONCE
