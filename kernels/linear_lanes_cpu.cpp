// linear for weights of fp32 and fp16, in the order of 16 lanes (kernels/linear_cpu.h).
//
// A strip is as many outputs as a vector has lanes. It is cut into tiles: kOutputs outputs by as many inputs
// as leave x in the first-level cache. While one tile is multiplied with all rows of x, the next one is
// fetched.
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
constexpr std::int64_t kMostOfX = 128;

// Tiles between the one that is multiplied and the one that is fetched.
constexpr int kTilesAhead = 2;

constexpr std::int64_t kSumsOfRow = kLanes * kLinearLanes;

// Weights of a tile that will be needed later.
struct Upcoming {
  const std::byte* at = nullptr;
  std::int64_t stride = 0;       ///< bytes
  std::int64_t block_bytes = 0;  ///< of one output: one line of the cache or two
  int outputs = 0;

  static constexpr int kSecondLevel = 2;  ///< of caches, as __builtin_prefetch counts

  // One block of each output.
  HWY_INLINE void fetch() {
    const std::byte* row = at;
    for (int n = 0; n < outputs; ++n, row += stride) {
      __builtin_prefetch(row, 0, kSecondLevel);
      __builtin_prefetch(row + block_bytes - kCacheLine, 0, kSecondLevel);
    }
    at += block_bytes;
  }
};

struct Tile {
  const float* weights[kOutputs];
  std::int64_t blocks = 0;
  const float* x = nullptr;  ///< (blocks, rows, kLinearBlock)
  int rows = 0;
  bool is_first = false;  ///< of these outputs: their sums begin
};

// sums[row][output][lane] += products of a tile with some rows from `first` on.
template <int kSomeRows>
void add_products(const Tile& tile, int first, Upcoming upcoming, float* sums) {
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
  const float* x = tile.x + first * kLinearBlock;
  for (std::int64_t block = 0; block < tile.blocks; ++block) {
    upcoming.fetch();
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
        const FloatVector some_x = hn::Load(kFloats, x + row * kLinearBlock + i);
        HWY_UNROLL(4)
        for (int n = 0; n < kOutputs; ++n) {
          sum[row][n][v] = hn::MulAdd(weights[n], some_x, sum[row][n][v]);
        }
      }
    }
    x += tile.rows * kLinearBlock;
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

using AddProducts = void (*)(const Tile&, int, Upcoming, float*);
constexpr AddProducts kAddProducts[] = {
    nullptr,         add_products<1>, add_products<2>, add_products<3>,
#if HWY_TARGET == HWY_AVX3
    add_products<4>, add_products<5>, add_products<6>,
#endif
};
static_assert(std::size(kAddProducts) == kRows + 1);

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
    Tile tile{{}, blocks, x_of(place.block), args_.rows, place.block == 0};
    for (int i = 0; i < kOutputs; ++i) {
      tile.weights[i] = as_floats(weights_of(place.n + i, place.block), i, blocks);
    }
    add_rows(tile, upcoming(), sums_of(place));
    fetched_ = after(fetched_);
  }

  // The last, incomplete block, filled up with zeros.
  void add_tail(const Place& place) {
    Tile tile{{}, 1, x_of(whole_), args_.rows, whole_ == 0};
    for (int i = 0; i < kOutputs; ++i) {
      std::memset(wide_[i], 0, kLinearBlock * sizeof(float));
      half_rows::widen(weights_of(place.n + i, whole_), args_.inputs - whole_ * kLinearBlock, wide_[i]);
      tile.weights[i] = wide_[i];
    }
    add_rows(tile, Upcoming{}, sums_of(place));
  }

  const float* x_of(std::int64_t block) const { return job_.packed_x + block * kLinearBlock * args_.rows; }

  const float* as_floats(const float* weights, int /*i*/, std::int64_t /*blocks*/) { return weights; }
  const float* as_floats(const Fp16* weights, int i, std::int64_t blocks) {
    half_rows::widen(weights, blocks * kLinearBlock, wide_[i]);
    return wide_[i];
  }

  Upcoming upcoming() const {
    if (fetched_.first >= end_) return {};
    constexpr std::int64_t kSize = sizeof(T);
    return {reinterpret_cast<const std::byte*>(weights_of(fetched_.n, fetched_.block)),
            args_.weight_stride * kSize, kLinearBlock * kSize, kOutputs};
  }

  // Each group of rows fetches its share of what is needed later, so that few loads wait at a time.
  void add_rows(const Tile& tile, const Upcoming& upcoming, float* sums) {
    const int groups = (args_.rows + kRows - 1) / kRows;
    for (int group = 0; group < groups; ++group) {
      const int row = args_.rows * group / groups;
      const int rows = args_.rows * (group + 1) / groups - row;
      const int before = upcoming.outputs * group / groups;
      Upcoming share = upcoming;
      share.at += before * upcoming.stride;
      share.outputs = upcoming.outputs * (group + 1) / groups - before;
      kAddProducts[rows](tile, row, share, sums + row * kSumsOfRow);
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
  Place fetched_;  ///< kTilesAhead after the tile under way
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
HWY_EXPORT(run_lanes);
}  // namespace

std::vector<LinearVariant> linear_lanes_variants() {
  return variants_of(HWY_TARGETS, HWY_DISPATCH_TABLE(run_lanes));
}

}  // namespace lil::kernels::cpu

#endif  // HWY_ONCE
