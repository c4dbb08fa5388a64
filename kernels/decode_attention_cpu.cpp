// decode_attention for the CPU. A split of a list goes through two passes: logits, then their softmax and the
// weighted sum of values. Each pass reads along one array, so while one split's keys are multiplied the
// values of the split before it are summed, tile by tile: two streams from memory that never end, and
// arithmetic for the time that both take. Logits, weights and sums stay in the first-level cache.
//
// The order of every sum, the same for all vector targets that have fused multiply-add:
// - q . k: element i of a row belongs to lane i % 16 (bf16: i / 2 % 16) of 16 sums. A lane adds its products
//   in ascending order, fused. The 16 lanes are then folded in halves: lane l += lane l + 8, + 4, + 2, + 1.
// - sum of weights: entry j belongs to lane j % 16; lanes add in ascending order and are folded as above.
// - weighted sum of values: entries in ascending order, fused.
// Elements and entries that are not there count as +0, so that rows of any length take the same way.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/decode_attention_cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>
// The above re-include this file, once for each target.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "kernels/attention_lanes-inl.h"
#include "kernels/attention_split.h"
#include "kernels/exp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu {
namespace HWY_NAMESPACE {
namespace attention {

constexpr std::int64_t kMaxHeadDim = 512;

/// Vectors of sums that fit into registers, with some left over for what is added.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_NEON
constexpr std::int64_t kSums = 24;
#else
constexpr std::int64_t kSums = 12;
#endif

/// Rows of keys that are multiplied together: as many as fill a vector with four lanes each.
constexpr std::int64_t kRows = std::max<std::int64_t>(1, kVectorLanes / 4);

/// Query heads that go through the passes together.
constexpr std::int64_t kMaxHeads = std::max<std::int64_t>(1, kSums / (kVectors * kRows));

/// Entries that go through a pass before the other pass has its turn. Their rows stay in the first-level
/// cache.
constexpr std::int64_t kTileEntries = 32;

/// Bytes from the row in use to the one that is fetched into the second-level cache. Measured: with 2 to 3
/// KiB the time of computing hides best behind that of reading, from 4 KiB on (another page) less.
constexpr std::int64_t kAheadBytes = 3072;

/// Where the keys or the values of a split lie, and those that are read after them.
struct RowTable {
  static constexpr std::int64_t kMaxAhead = 64;

  const std::byte* rows[kSplitTokens + kMaxAhead];
  std::int64_t row_bytes = 0;
  std::int64_t ahead = 0;  ///< from the row in use to the one that is fetched
};

/// Some heads of a split on their way through the two passes. Rows of fp32 that stand for rows of elements
/// are in the order of units.
struct HeadPass {
  using Tile = void (*)(HeadPass&, std::int64_t first);

  alignas(64) float queries[kMaxHeads][kMaxHeadDim];
  alignas(64) float weights[kMaxHeads][kSplitTokens];  ///< logits first; of padding -inf, then 0
  alignas(64) float sums[kMaxHeads][kMaxHeadDim];
  Lanes total[kMaxHeads];  ///< of the weights
  RowTable keys;
  RowTable values;
  Tile multiply_tile = nullptr;  ///< of the first pass: entries from `first` on
  Tile sum_tile = nullptr;       ///< of the second
  const AttentionSplit* split = nullptr;
  std::int64_t first_head = 0;
  std::int64_t heads = 0;
  std::int64_t logits_stride = 0;
  std::int64_t head_dim = 0;
  std::int64_t units = 0;       ///< whole units of a row
  std::int64_t tail_bytes = 0;  ///< of the unit after them
  std::int64_t entries = 0;
  std::int64_t padded = 0;    ///< entries, up to the next multiple of 16: padding repeats the last one
  float greatest[kMaxHeads];  ///< logit
  float scale = 0;
};

HWY_INLINE void fetch_row_after(const RowTable& table, std::int64_t row) {
  const std::byte* data = table.rows[row + table.ahead];
  for (std::int64_t i = 0; i < table.row_bytes; i += 64) __builtin_prefetch(data + i, 0, 2);
}

// ------------------------------------------------------------------------------------------- first pass

/// Adds a part of a unit of kRows rows, times that of each query, to sums.
template <class Rows, std::int64_t kPart, std::int64_t kHeads>
HWY_INLINE void multiply_part(const HeadPass& pass, std::int64_t column, const std::byte* const* units,
                              std::int64_t offset, Lanes (&sum)[kHeads][kRows]) {
  Lanes keys[kRows];
  HWY_UNROLL(4)
  for (std::int64_t r = 0; r < kRows; ++r) keys[r] = Rows::template load_part<kPart>(units[r] + offset);
  HWY_UNROLL(8)
  for (std::int64_t h = 0; h < kHeads; ++h) {
    const Lanes query = load(pass.queries[h] + column + kPart * kLanes);
    HWY_UNROLL(4)
    for (std::int64_t r = 0; r < kRows; ++r) add_product(query, keys[r], sum[h][r]);
  }
}

template <class Rows, std::int64_t kHeads>
HWY_INLINE void multiply_unit(const HeadPass& pass, std::int64_t column, const std::byte* const* units,
                              std::int64_t offset, Lanes (&sum)[kHeads][kRows]) {
  multiply_part<Rows, 0, kHeads>(pass, column, units, offset, sum);
  if constexpr (Rows::kWidth == 2) multiply_part<Rows, 1, kHeads>(pass, column, units, offset, sum);
}

/// As multiply_unit, of the rows' tails.
template <class Rows, std::int64_t kHeads>
HWY_NOINLINE void multiply_tails(const HeadPass& pass, const std::byte* const* rows,
                                 Lanes (&sum)[kHeads][kRows]) {
  alignas(64) std::byte tails[kRows][kUnitBytes<Rows>] = {};
  const std::byte* tail_rows[kRows];
  for (std::int64_t r = 0; r < kRows; ++r) {
    std::memcpy(tails[r], rows[r] + pass.units * kUnitBytes<Rows>, static_cast<std::size_t>(pass.tail_bytes));
    tail_rows[r] = tails[r];
  }
  multiply_unit<Rows, kHeads>(pass, pass.units * kUnitElements<Rows>, tail_rows, 0, sum);
}

/// Folds the 16 lanes of each of kRows sums to four, which stand one row after another in `to`.
HWY_INLINE void fold_to_four(const Lanes (&sum)[kRows], float* to) {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
  const auto to_eight = [](const Lanes& a, const Lanes& b) HWY_ATTR {
    return hn::Add(hn::ConcatLowerLower(kFloats, b.at[0], a.at[0]),
                   hn::ConcatUpperUpper(kFloats, b.at[0], a.at[0]));
  };
  const FloatVector even = to_eight(sum[0], sum[2]);
  const FloatVector odd = to_eight(sum[1], sum[3]);
  hn::StoreU(hn::Add(hn::OddEvenBlocks(hn::SwapAdjacentBlocks(odd), even),
                     hn::OddEvenBlocks(odd, hn::SwapAdjacentBlocks(even))),
             kFloats, to);
#elif HWY_TARGET == HWY_AVX2
  const FloatVector a = hn::Add(sum[0].at[0], sum[0].at[1]);
  const FloatVector b = hn::Add(sum[1].at[0], sum[1].at[1]);
  hn::StoreU(hn::Add(hn::ConcatLowerLower(kFloats, b, a), hn::ConcatUpperUpper(kFloats, b, a)), kFloats, to);
#else
  static_assert(kRows == 1 && kVectors >= 4);
  constexpr std::int64_t kQuarter = kVectors / 4;
  for (std::int64_t i = 0; i < kQuarter; ++i) {
    const auto& at = sum[0].at;
    hn::StoreU(hn::Add(hn::Add(at[i], at[i + 2 * kQuarter]), hn::Add(at[i + kQuarter], at[i + 3 * kQuarter])),
               kFloats, to + i * kVectorLanes);
  }
#endif
}

/// Four lanes of the sums of kRows rows for kHeads queries.
template <class Rows, std::int64_t kHeads>
HWY_INLINE void multiply_rows(const HeadPass& pass, const std::byte* const* rows, float (*fours)[4][kLanes],
                              std::int64_t place) {
  Lanes sum[kHeads][kRows];
  HWY_UNROLL(8)
  for (std::int64_t h = 0; h < kHeads; ++h) {
    HWY_UNROLL(4)
    for (std::int64_t r = 0; r < kRows; ++r) sum[h][r] = broadcast(0);
  }
  for (std::int64_t u = 0; u < pass.units; ++u) {
    multiply_unit<Rows, kHeads>(pass, u * kUnitElements<Rows>, rows, u * kUnitBytes<Rows>, sum);
  }
  if (pass.tail_bytes != 0) multiply_tails<Rows, kHeads>(pass, rows, sum);
  HWY_UNROLL(8)
  for (std::int64_t h = 0; h < kHeads; ++h) fold_to_four(sum[h], fours[h][0] + place);
}

/// Folds four lanes to one: lane r of the result is that of row r, whose four lanes begin at
/// fours[r % 4][r / 4 * 4].
HWY_INLINE Lanes fold_fours(const float (*fours)[kLanes]) {
#if HWY_TARGET == HWY_SCALAR
  float folded[kLanes];
  for (std::int64_t r = 0; r < kLanes; ++r) {
    const float* four = fours[r % 4] + r / 4 * 4;
    folded[r] = (four[0] + four[2]) + (four[1] + four[3]);
  }
  return load(folded);
#else
  Lanes folded;
  HWY_UNROLL(4)
  for (std::int64_t i = 0; i < kVectors; ++i) {
    const auto part = [&](std::int64_t row)
                          HWY_ATTR { return hn::LoadU(kFloats, fours[row] + i * kVectorLanes); };
    const FloatVector a = part(0);
    const FloatVector b = part(1);
    const FloatVector c = part(2);
    const FloatVector d = part(3);
    const FloatVector ac = hn::Add(hn::InterleaveLower(a, c), hn::InterleaveUpper(kFloats, a, c));
    const FloatVector bd = hn::Add(hn::InterleaveLower(b, d), hn::InterleaveUpper(kFloats, b, d));
    folded.at[i] = hn::Add(hn::InterleaveLower(ac, bd), hn::InterleaveUpper(kFloats, ac, bd));
  }
  return folded;
#endif
}

/// Logits of `table`'s 16 rows from `first` on: fours[head][r % 4][r / 4 * 4] for row r on the way.
template <class Rows, std::int64_t kHeads>
HWY_INLINE void multiply_sixteen(const HeadPass& pass, std::int64_t first, float (*fours)[4][kLanes]) {
  for (std::int64_t i = 0; i < 4; ++i) {
    for (std::int64_t block = 0; block < 4; block += kRows) {
      const std::byte* rows[kRows];
      HWY_UNROLL(4)
      for (std::int64_t r = 0; r < kRows; ++r) {
        const std::int64_t row = first + i + 4 * (block + r);
        fetch_row_after(pass.keys, row);
        rows[r] = pass.keys.rows[row];
      }
      multiply_rows<Rows, kHeads>(pass, rows, fours, i * kLanes + block * 4);
    }
  }
}

/// weights[h][j] = scale * q[h] . k[j]
template <class Rows, std::int64_t kHeads>
void multiply_tile(HeadPass& pass, std::int64_t first) {
  alignas(64) float fours[kHeads][4][kLanes];
  const FloatVector scale = hn::Set(kFloats, pass.scale);
  const std::int64_t end = std::min(first + kTileEntries, pass.padded);
  for (; first < end; first += kLanes) {
    multiply_sixteen<Rows, kHeads>(pass, first, fours);
    for (std::int64_t h = 0; h < kHeads; ++h) {
      Lanes logits = fold_fours(fours[h]);
      for (FloatVector& vector : logits.at) vector = hn::Mul(vector, scale);
      store(logits, pass.weights[h] + first);
    }
  }
}

inline float max_of(const float* values, std::int64_t padded) {
  Lanes most = load(values);
  for (std::int64_t i = kLanes; i < padded; i += kLanes) {
    const Lanes next = load(values + i);
    for (std::int64_t v = 0; v < kVectors; ++v) most.at[v] = hn::Max(most.at[v], next.at[v]);
  }
  float lanes[kLanes];
  store(most, lanes);
  return *std::max_element(lanes, lanes + kLanes);
}

/// Once all logits are there.
void end_first_pass(HeadPass& pass) {
  for (std::int64_t h = 0; h < pass.heads; ++h) {
    float* logits = pass.weights[h];
    std::fill(logits + pass.entries, logits + pass.padded, -std::numeric_limits<float>::infinity());
    if (pass.split->logits != nullptr) {
      std::copy_n(logits, pass.entries, pass.split->logits + (pass.first_head + h) * pass.logits_stride);
    }
    pass.greatest[h] = max_of(logits, pass.padded);
    pass.total[h] = broadcast(0);
    std::fill_n(pass.sums[h], kMaxHeadDim, 0.0F);
  }
}

// ------------------------------------------------------------------------------------------- second pass

/// Weights of entries [first, end), not yet divided by their sum, in place of their logits. Adds them to the
/// 16 lanes of `total`.
HWY_INLINE void exponentiate(float* weights, std::int64_t first, std::int64_t end, float most, Lanes& total) {
  const FloatVector maximum = hn::Set(kFloats, most);
  for (std::int64_t j = first; j < end; j += kLanes) {
    Lanes lanes = load(weights + j);
    HWY_UNROLL(16)
    for (std::int64_t v = 0; v < kVectors; ++v) {
      lanes.at[v] = exp_of(hn::Sub(lanes.at[v], maximum));
      total.at[v] = hn::Add(total.at[v], lanes.at[v]);
    }
    store(lanes, weights + j);
  }
}

/// Adds kUnits units from `unit` on of `count` rows, weighted, to the sums of kHeads heads from kFirst on. A
/// tail unit is one of `tail_bytes` bytes.
template <class Rows, std::int64_t kFirst, std::int64_t kHeads, std::int64_t kUnits, bool kTail>
HWY_INLINE void add_values(HeadPass& pass, std::int64_t first, std::int64_t count, std::int64_t unit) {
  const bool fetch = kFirst == 0 && unit == 0;
  const std::int64_t column = unit * kUnitElements<Rows>;
  Unit<Rows> sum[kHeads][kUnits];
  HWY_UNROLL(8)
  for (std::int64_t h = 0; h < kHeads; ++h) {
    HWY_UNROLL(8)
    for (std::int64_t u = 0; u < kUnits; ++u) {
      sum[h][u] = load_sums<Rows>(pass.sums[kFirst + h] + column + u * kUnitElements<Rows>);
    }
  }
  for (std::int64_t j = first; j < first + count; ++j) {
    if (fetch) fetch_row_after(pass.values, j);
    const std::byte* row = pass.values.rows[j] + unit * kUnitBytes<Rows>;
    Unit<Rows> value[kUnits];
    HWY_UNROLL(8)
    for (std::int64_t u = 0; u < kUnits; ++u) {
      value[u] = kTail ? load_tail<Rows>(row, pass.tail_bytes) : load_unit<Rows>(row + u * kUnitBytes<Rows>);
    }
    HWY_UNROLL(8)
    for (std::int64_t h = 0; h < kHeads; ++h) {
      const Lanes weight = broadcast(pass.weights[kFirst + h][j]);
      HWY_UNROLL(8)
      for (std::int64_t u = 0; u < kUnits; ++u) {
        HWY_UNROLL(2)
        for (std::int64_t w = 0; w < Rows::kWidth; ++w) add_product(weight, value[u].at[w], sum[h][u].at[w]);
      }
    }
  }
  HWY_UNROLL(8)
  for (std::int64_t h = 0; h < kHeads; ++h) {
    HWY_UNROLL(8)
    for (std::int64_t u = 0; u < kUnits; ++u) {
      store_sums<Rows>(sum[h][u], pass.sums[kFirst + h] + column + u * kUnitElements<Rows>);
    }
  }
}

/// All columns of a tile of rows for the heads from kFirst on, as many columns and heads at a time as
/// registers hold.
template <class Rows, std::int64_t kFirst, std::int64_t kHeads>
void add_tile(HeadPass& pass, std::int64_t first, std::int64_t count) {
  constexpr std::int64_t kFitHeads = std::max<std::int64_t>(1, kSums / (kVectors * Rows::kWidth));
  constexpr std::int64_t kNow = std::min(kHeads - kFirst, kFitHeads);
  constexpr std::int64_t kFitUnits = kFitHeads / kNow;
  constexpr std::int64_t kUnits = kFitUnits >= 8 ? 8 : kFitUnits >= 4 ? 4 : kFitUnits >= 2 ? 2 : 1;
  std::int64_t unit = 0;
  for (; unit + kUnits <= pass.units; unit += kUnits) {
    add_values<Rows, kFirst, kNow, kUnits, false>(pass, first, count, unit);
  }
  if constexpr (kUnits >= 4) {
    for (; unit + kUnits / 2 <= pass.units; unit += kUnits / 2) {
      add_values<Rows, kFirst, kNow, kUnits / 2, false>(pass, first, count, unit);
    }
  }
  for (; unit < pass.units; ++unit) {
    add_values<Rows, kFirst, kNow, 1, false>(pass, first, count, unit);
  }
  if (pass.tail_bytes != 0) add_values<Rows, kFirst, kNow, 1, true>(pass, first, count, unit);
  if constexpr (kFirst + kNow < kHeads) add_tile<Rows, kFirst + kNow, kHeads>(pass, first, count);
}

/// sums[h] += weights[h][j] * v[j], once the weights are made of logits.
template <class Rows, std::int64_t kHeads>
void sum_tile(HeadPass& pass, std::int64_t first) {
  const std::int64_t end = std::min(first + kTileEntries, pass.padded);
  for (std::int64_t h = 0; h < kHeads; ++h) {
    exponentiate(pass.weights[h], first, end, pass.greatest[h], pass.total[h]);
  }
  add_tile<Rows, 0, kHeads>(pass, first, std::min(kTileEntries, pass.entries - first));
}

/// Elements in the order of a row, times `factor`.
template <class Rows>
void write_row(const float* sums, float factor, std::int64_t head_dim, float* out) {
  const Lanes factors = broadcast(factor);
  for (std::int64_t i = 0; i < head_dim; i += kUnitElements<Rows>) {
    Unit<Rows> unit = load_sums<Rows>(sums + i);
    for (Lanes& lanes : unit.at) {
      for (std::int64_t v = 0; v < kVectors; ++v) lanes.at[v] = hn::Mul(lanes.at[v], factors.at[v]);
    }
    const std::int64_t count = std::min(kUnitElements<Rows>, head_dim - i);
    if (count == kUnitElements<Rows>) {
      Rows::store_in_order(unit, out + i);
    } else {
      float elements[kUnitElements<Rows>];
      Rows::store_in_order(unit, elements);
      std::copy_n(elements, count, out + i);
    }
  }
}

template <class Rows>
void end_second_pass(const HeadPass& pass) {
  for (std::int64_t h = 0; h < pass.heads; ++h) {
    const float total = fold(pass.total[h]);
    const std::int64_t head = pass.first_head + h;
    pass.split->lse[head] = pass.greatest[h] + std::log(total);
    write_row<Rows>(pass.sums[h], 1 / total, pass.head_dim, pass.split->out + head * pass.head_dim);
  }
}

// ------------------------------------------------------------------------------------------- both passes

/// The code for `heads` heads, 1 to as many as kHeads has numbers.
template <class Rows, std::size_t... kHeads>
void choose_tiles(HeadPass& pass, std::int64_t heads, std::index_sequence<kHeads...> /*less_one*/) {
  static constexpr HeadPass::Tile kMultiply[] = {multiply_tile<Rows, kHeads + 1>...};
  static constexpr HeadPass::Tile kSum[] = {sum_tile<Rows, kHeads + 1>...};
  pass.multiply_tile = kMultiply[heads - 1];
  pass.sum_tile = kSum[heads - 1];
}

inline void find_rows(const std::byte* base, std::int64_t slot_bytes, const std::int64_t* slots,
                      std::int64_t count, const std::byte** rows) {
  for (std::int64_t i = 0; i < count; ++i) rows[i] = base + slots[i] * slot_bytes;
}

/// The rows of a split, and padding.
inline void fill_rows(const HeadPass& pass, const std::byte* base, std::int64_t slot_bytes, RowTable& table) {
  find_rows(base, slot_bytes, pass.split->slots.data(), pass.entries, table.rows);
  std::fill(table.rows + pass.entries, table.rows + pass.padded, table.rows[pass.entries - 1]);
}

/// Says which rows are read after those of `table`, `count` of them.
inline void continue_rows(const HeadPass& pass, const std::byte* const* after, std::int64_t count,
                          RowTable& table) {
  const std::byte** end = table.rows + pass.padded;
  const std::int64_t known = std::min(count, table.ahead);
  std::copy_n(after, known, end);
  std::fill(end + known, end + table.ahead, end[known - 1]);
}

template <class Rows>
void load_queries(HeadPass& pass) {
  for (std::int64_t h = 0; h < pass.heads; ++h) {
    const std::byte* query = pass.split->queries + (pass.first_head + h) * pass.split->query_head_bytes;
    for (std::int64_t u = 0; u < pass.units; ++u) {
      store_sums<Rows>(load_unit<Rows>(query + u * kUnitBytes<Rows>),
                       pass.queries[h] + u * kUnitElements<Rows>);
    }
    if (pass.tail_bytes != 0) {
      store_sums<Rows>(load_tail<Rows>(query + pass.units * kUnitBytes<Rows>, pass.tail_bytes),
                       pass.queries[h] + pass.units * kUnitElements<Rows>);
    }
  }
}

/// Gets heads of a split ready. `next` is the split whose keys are read after its own, or null.
template <class Rows>
void start(const DecodeAttentionArgs& args, const AttentionSplit& split, const AttentionSplit* next,
           std::int64_t first_head, std::int64_t heads, HeadPass& pass) {
  choose_tiles<Rows>(pass, heads, std::make_index_sequence<kMaxHeads>());
  pass.split = &split;
  pass.first_head = first_head;
  pass.heads = heads;
  pass.scale = args.scale;
  pass.logits_stride = args.logits_stride;
  pass.head_dim = args.head_dim;
  pass.units = args.head_dim / kUnitElements<Rows>;
  pass.tail_bytes = args.head_dim % kUnitElements<Rows> * Rows::kElementBytes;
  pass.entries = split.entries;
  pass.padded = (pass.entries + kLanes - 1) / kLanes * kLanes;
  for (RowTable* table : {&pass.keys, &pass.values}) {
    table->row_bytes = args.head_dim * Rows::kElementBytes;
    table->ahead = std::clamp<std::int64_t>(kAheadBytes / table->row_bytes, 1, RowTable::kMaxAhead);
  }
  fill_rows(pass, split.keys, split.key_slot_bytes, pass.keys);
  fill_rows(pass, split.values, split.value_slot_bytes, pass.values);
  if (next == nullptr) {
    continue_rows(pass, pass.values.rows, pass.padded, pass.keys);
  } else {
    const std::byte* keys[RowTable::kMaxAhead];
    const std::int64_t count = std::min(next->entries, RowTable::kMaxAhead);
    find_rows(next->keys, next->key_slot_bytes, next->slots.data(), count, keys);
    continue_rows(pass, keys, count, pass.keys);
  }
  load_queries<Rows>(pass);
}

/// Takes `later` through the first pass and `earlier` through the second, in turns. Either may be null.
template <class Rows>
void advance(HeadPass* later, HeadPass* earlier) {
  if (earlier != nullptr) {
    const HeadPass& after = later == nullptr ? *earlier : *later;
    continue_rows(*earlier, after.values.rows, after.padded, earlier->values);
  }
  for (std::int64_t first = 0; first < kSplitTokens; first += kTileEntries) {
    if (later != nullptr && first < later->entries) later->multiply_tile(*later, first);
    if (earlier != nullptr && first < earlier->entries) earlier->sum_tile(*earlier, first);
  }
  if (later != nullptr) end_first_pass(*later);
  if (earlier != nullptr) end_second_pass<Rows>(*earlier);
}

/// Heads of a split go in as few parts as possible, about equal; a second part finds K and V in the cache.
template <class Rows>
void attend(AttentionRun& run) {
  AttentionSplit splits[3];  // in the second pass, in the first, and to come
  HeadPass passes[2];
  HeadPass* earlier = nullptr;
  const std::int64_t group = run.args().group;
  bool more = run.next(splits[0]);
  for (std::size_t s = 0; more; s = (s + 1) % 3) {
    const AttentionSplit& split = splits[s];
    AttentionSplit& next = splits[(s + 1) % 3];
    more = run.next(next);
    for (std::int64_t first_head = 0; first_head < group;) {
      const std::int64_t parts = (group - first_head + kMaxHeads - 1) / kMaxHeads;
      const std::int64_t heads = (group - first_head) / parts;
      HeadPass* later = earlier == passes ? passes + 1 : passes;
      start<Rows>(run.args(), split, more ? &next : nullptr, first_head, heads, *later);
      advance<Rows>(later, earlier);
      earlier = later;
      first_head += heads;
    }
  }
  if (earlier != nullptr) advance<Rows>(nullptr, earlier);
}

}  // namespace attention

void attend_fp32(AttentionRun& run) {
  attention::attend<attention::Fp32Rows>(run);
}
void attend_fp16(AttentionRun& run) {
  attention::attend<attention::Fp16Rows>(run);
}
void attend_bf16(AttentionRun& run) {
  attention::attend<attention::Bf16Rows>(run);
}

}  // namespace HWY_NAMESPACE
}  // namespace lil::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "kernels/checks.h"
#include "kernels/launchers.h"
#include "kernels/list_access.h"
#include "kernels/thread_team.h"

namespace lil::kernels::cpu {

HWY_EXPORT(attend_fp32);
HWY_EXPORT(attend_fp16);
HWY_EXPORT(attend_bf16);

namespace {

void attend(AttentionRun run) {
  switch (run.args().dtype) {
    case DType::kFp32:
      return HWY_DYNAMIC_DISPATCH(attend_fp32)(run);
    case DType::kFp16:
      return HWY_DYNAMIC_DISPATCH(attend_fp16)(run);
    case DType::kBf16:
      return HWY_DYNAMIC_DISPATCH(attend_bf16)(run);
  }
}

/// Splits that a thread takes at a time: few enough for all threads to end at about the same time.
std::int64_t run_length(std::int64_t splits, std::int64_t threads) {
  constexpr std::int64_t kLongestRun = 16;
  constexpr std::int64_t kRunsPerThread = 8;
  return std::clamp<std::int64_t>(splits / (threads * kRunsPerThread), 1, kLongestRun);
}

}  // namespace

Status decode_attention(const DecodeAttentionArgs& args, Stream stream) {
  const Status status = check(args);
  if (status != Status::kOk) return status;
  const std::int64_t splits = args.requests * splits_of(args.lists.max_tokens);
  const std::int64_t length = run_length(splits, ThreadTeam::threads_of(stream));
  constexpr std::int64_t kWorth = 4;  // of a byte of keys and values, which come from memory
  const std::int64_t entries = entries_of(args.lists, args.requests);
  const std::int64_t bytes = 2 * entries * args.head_dim * bytes_of(args.dtype) * kWorth;
  const Stream shared = ThreadTeam::worth_sharing(stream, bytes);
  ThreadTeam::run_on(shared, (splits + length - 1) / length, [&](std::int64_t part) {
    attend(AttentionRun(args, part * length, std::min(splits, (part + 1) * length)));
  });
  return Status::kOk;
}

}  // namespace lil::kernels::cpu

#endif  // HWY_ONCE
