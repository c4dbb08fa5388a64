// linear for weights of bf16, in the order of blocks (kernels/linear_cpu.h).
//
// A strip is as many outputs as a vector has lanes. Its weights come block by block: turned over, so that a
// vector holds one input's weights of all outputs, or, with AMX, as a tile.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/linear_blocks_cpu.cpp"
// Left out: what gains nothing here, and vectors whose length the compiler does not know.
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_AVX3_DL | HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>
// The above re-include this file, once for each target.

#include <hwy/cache_control.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "kernels/amx_tiles.h"
#include "kernels/columns-inl.h"
#include "kernels/linear_cpu.h"

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using columns::Columns;
using columns::kLanes;
using columns::kWords;
using columns::load_columns;
using columns::WordVector;

using FloatTag = hn::Rebind<float, columns::WordTag>;
using FloatVector = hn::Vec<FloatTag>;
constexpr FloatTag kFloats;

constexpr std::int64_t kBlock = kLinearBlock;
constexpr std::int64_t kBlockBytes = kBlock * 2;

// The upper half of an fp32 is a bf16, and a word of weights is an even input's and, above it, an odd one's.
constexpr std::uint32_t kUpperHalf = 0xffff0000U;

// to[input][output] = one block of kLanes rows of weights, widened.
HWY_INLINE void turn_over(const std::byte* rows, std::int64_t stride, float* to) {
  const WordVector upper_half = hn::Set(kWords, kUpperHalf);
  for (std::int64_t byte = 0; byte < kBlockBytes; byte += 16) {
    const Columns pairs = load_columns(rows + byte, stride);
    HWY_UNROLL(4)
    for (int i = 0; i < 4; ++i, to += 2 * kLanes) {
      hn::Store(hn::BitCast(kFloats, hn::ShiftLeft<16>(pairs.at[i])), kFloats, to);
      hn::Store(hn::BitCast(kFloats, hn::And(pairs.at[i], upper_half)), kFloats, to + kLanes);
    }
  }
}

// sums[row][output] += one block.
template <int kRows>
void add_block(const float* HWY_RESTRICT weights, const float* HWY_RESTRICT x, float* HWY_RESTRICT sums) {
  FloatVector even[kRows];
  FloatVector odd[kRows];
  HWY_UNROLL(8)
  for (int row = 0; row < kRows; ++row) even[row] = odd[row] = hn::Zero(kFloats);
  for (std::int64_t input = 0; input < kBlock; input += 2) {
    const FloatVector even_weights = hn::Load(kFloats, weights + input * kLanes);
    const FloatVector odd_weights = hn::Load(kFloats, weights + (input + 1) * kLanes);
    HWY_UNROLL(8)
    for (int row = 0; row < kRows; ++row) {
      const float* pair = x + row * kBlock + input;
      even[row] = hn::MulAdd(even_weights, hn::Set(kFloats, pair[0]), even[row]);
      odd[row] = hn::MulAdd(odd_weights, hn::Set(kFloats, pair[1]), odd[row]);
    }
  }
  HWY_UNROLL(8)
  for (int row = 0; row < kRows; ++row) {
    float* sum = sums + row * kLanes;
    hn::Store(hn::Add(hn::Load(kFloats, sum), hn::Add(even[row], odd[row])), kFloats, sum);
  }
}

// Rows whose sums stay in registers together: with 32 registers 8, with 16 fewer.
constexpr int kRowsAtOnce = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON ? 8 : 6;
using AddBlock = void (*)(const float*, const float*, float*);
constexpr AddBlock kAddBlock[] = {nullptr,      add_block<1>, add_block<2>, add_block<3>, add_block<4>,
                                  add_block<5>, add_block<6>, add_block<7>, add_block<8>};

// packed_x[block][row][kLinearBlock].
void pack_blocks(const LinearArgs& args, float* packed_x) {
  for (std::int64_t input = 0; input < args.inputs; input += kLinearBlock) {
    const auto inputs = static_cast<std::size_t>(std::min(kLinearBlock, args.inputs - input));
    for (int row = 0; row < args.rows; ++row, packed_x += kLinearBlock) {
      if (inputs < kLinearBlock) std::memset(packed_x, 0, kLinearBlock * sizeof(float));
      std::memcpy(packed_x, args.x + row * args.x_stride + input, inputs * sizeof(float));
    }
  }
}

/// Sums of the kLanes outputs of a strip, with vectors.
class VectorSums {
 public:
  explicit VectorSums(const LinearJob& job) : job_(job) {}

  /// Adds the blocks from `first` on, whose weights are `rows`; fetches them, and then `next`, early (null:
  /// neither). Block 0 begins the sums.
  void add(const std::byte* rows, std::int64_t stride, std::int64_t first, std::int64_t blocks,
           const std::byte* next) {
    const int x_rows = job_.args->rows;
    if (first == 0) std::fill_n(sums_, x_rows * kLanes, 0.0F);
    for (std::int64_t block = 0; block < blocks; ++block) {
      const std::int64_t fetched = block + kAmxAhead;
      const std::byte* early =
          fetched < blocks ? rows + fetched * kBlockBytes : next + (fetched - blocks) * kBlockBytes;
      for (int row = 0; next != nullptr && row < kLanes; ++row) hwy::Prefetch(early + row * stride);
      turn_over(rows + block * kBlockBytes, stride, weights_);
      const float* x = job_.packed_x + (first + block) * x_rows * kBlock;
      for (int row = 0; row < x_rows; row += kRowsAtOnce) {
        kAddBlock[std::min(kRowsAtOnce, x_rows - row)](weights_, x + row * kBlock, sums_ + row * kLanes);
      }
    }
  }

  /// (rows, kLanes)
  const float* sums() const { return sums_; }

 private:
  const LinearJob& job_;
  alignas(64) float sums_[kLinearRows * kLanes];
  alignas(64) float weights_[kBlock * kLanes];
};

#if HWY_TARGET == HWY_AVX3

static_assert(kLanes == kAmxTile);

/// The same with AMX.
class TileSums {
 public:
  explicit TileSums(const LinearJob& job) : job_(job), tiles_(job.args->rows) {}

  void add(const std::byte* rows, std::int64_t stride, std::int64_t first, std::int64_t blocks,
           const std::byte* next) {
    const float* x = job_.packed_x + first * (kBlock / 2) * job_.args->rows;
    tiles_.add(rows, stride, blocks, x, next, first == 0, tile_);
  }

  const float* sums() {
    for (int row = 0; row < job_.args->rows; row += 4) {
      const Columns rows =
          load_columns(reinterpret_cast<const std::byte*>(tile_ + row), sizeof(float) * kLanes);
      HWY_UNROLL(4)
      for (int i = 0; i < 4; ++i) {
        hn::Store(hn::BitCast(kFloats, rows.at[i]), kFloats, sums_ + (row + i) * kLanes);
      }
    }
    return sums_;
  }

 private:
  const LinearJob& job_;
  AmxTiles tiles_;
  alignas(64) float tile_[kAmxTile * kLinearRows];
  alignas(64) float sums_[kLinearRows * kLanes];
};

// 32 inputs of a row as pairs of bf16. The lower halves of numbers that bf16 holds exactly are 0.
HWY_INLINE void pack_pairs(const float* x, float* pairs) {
  const WordVector low = columns::load_words(reinterpret_cast<const std::byte*>(x));
  const WordVector high = columns::load_words(reinterpret_cast<const std::byte*>(x + kLanes));
  const WordVector even = hn::ShiftRight<16>(hn::ConcatEven(kWords, high, low));
  const WordVector odd = hn::And(hn::ConcatOdd(kWords, high, low), hn::Set(kWords, kUpperHalf));
  hn::Store(hn::BitCast(kFloats, hn::Or(even, odd)), kFloats, pairs);
}

// packed_x[block][pair][row]. Each vector writes beyond its rows what the next one overwrites.
void pack_for_tiles(const LinearArgs& args, float* packed_x) {
  alignas(64) float rows[kAmxTile * kLanes] = {};
  alignas(64) float tail[kBlock] = {};
  for (std::int64_t input = 0; input < args.inputs; input += kBlock) {
    for (int row = 0; row < args.rows; ++row) {
      const float* x = args.x + row * args.x_stride + input;
      if (input + kBlock > args.inputs) {
        std::memcpy(tail, x, static_cast<std::size_t>(args.inputs - input) * sizeof(*x));
        x = tail;
      }
      pack_pairs(x, rows + row * kLanes);
    }
    for (std::int64_t pair = 0; pair < kLanes; pair += 4) {
      const Columns pairs =
          load_columns(reinterpret_cast<const std::byte*>(rows + pair), sizeof(*rows) * kLanes);
      HWY_UNROLL(4)
      for (int i = 0; i < 4; ++i, packed_x += args.rows) {
        hn::StoreU(hn::BitCast(kFloats, pairs.at[i]), kFloats, packed_x);
      }
    }
  }
}

#endif

// y of one strip.
HWY_INLINE void write_out(const LinearArgs& args, std::int64_t first, std::int64_t outputs,
                          const float* sums) {
  const float* bias = args.bias == nullptr ? nullptr : args.bias + first;
  for (int row = 0; row < args.rows; ++row, sums += kLanes) {
    float* y = args.y + row * args.y_stride + first;
    if (outputs == kLanes) {
      const FloatVector sum = hn::Load(kFloats, sums);
      hn::StoreU(bias == nullptr ? sum : hn::Add(sum, hn::LoadU(kFloats, bias)), kFloats, y);
    } else {
      for (int n = 0; n < outputs; ++n) y[n] = bias == nullptr ? sums[n] : sums[n] + bias[n];
    }
  }
}

// A block of fewer than kLanes outputs, or fewer than kBlock inputs, filled up with zeros.
struct PaddedBlock {
  PaddedBlock(const std::byte* rows, std::int64_t stride, std::int64_t outputs, std::int64_t row_bytes) {
    for (std::int64_t n = 0; n < outputs; ++n) {
      std::memcpy(bytes + n * kBlockBytes, rows + n * stride, static_cast<std::size_t>(row_bytes));
    }
  }
  alignas(64) std::byte bytes[kLanes * kBlockBytes] = {};
};

// `next`: the weights that come after those of this strip.
template <class Sums>
void run_strip(const LinearArgs& args, std::int64_t first, std::int64_t outputs, const std::byte* next,
               Sums& sums) {
  const std::int64_t stride = args.weight_stride * 2;
  const std::byte* rows = static_cast<const std::byte*>(args.weights) + first * stride;
  const std::int64_t whole = outputs == kLanes ? args.inputs / kBlock : 0;
  if (whole > 0) sums.add(rows, stride, 0, whole, next);
  for (std::int64_t block = whole; block * kBlock < args.inputs; ++block) {
    const std::int64_t inputs = std::min<std::int64_t>(kBlock, args.inputs - block * kBlock);
    const PaddedBlock padded(rows + block * kBlockBytes, stride, outputs, inputs * 2);
    sums.add(padded.bytes, kBlockBytes, block, 1, nullptr);
  }
  write_out(args, first, outputs, sums.sums());
}

template <class Sums>
void run_strips(const LinearJob& job, std::int64_t begin, std::int64_t end) {
  const LinearArgs& args = *job.args;
  const auto* weights = static_cast<const std::byte*>(args.weights);
  Sums sums(job);
  for (std::int64_t first = begin; first < end; first += kLanes) {
    // The last strip "fetches" what it has already.
    const std::int64_t next = first + kLanes < end ? first + kLanes : first;
    run_strip(args, first, std::min(kLanes, end - first), weights + next * args.weight_stride * 2, sums);
  }
}

void run_vectors(const LinearJob& job, std::int64_t begin, std::int64_t end) {
  run_strips<VectorSums>(job, begin, end);
}

#if HWY_TARGET == HWY_AVX3
void run_tiles(const LinearJob& job, std::int64_t begin, std::int64_t end) {
  run_strips<TileSums>(job, begin, end);
}
#endif

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace lil::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "kernels/target_table.h"

namespace lil::kernels::cpu {
namespace {
HWY_EXPORT(pack_blocks);
HWY_EXPORT(run_vectors);
}  // namespace

std::vector<LinearVariant> linear_blocks_variants() {
  std::vector<LinearVariant> variants =
      variants_of(HWY_TARGETS, HWY_DISPATCH_TABLE(pack_blocks), HWY_DISPATCH_TABLE(run_vectors));
#if HWY_TARGETS & HWY_AVX3
  if (amx_available() && (hwy::SupportedTargets() & HWY_AVX3) != 0) {
    variants.insert(variants.begin(), {"AMX", true, N_AVX3::pack_for_tiles, N_AVX3::run_tiles});
  }
#endif
  return variants;
}

}  // namespace lil::kernels::cpu

#endif  // HWY_ONCE
