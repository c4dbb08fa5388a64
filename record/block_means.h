#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "record/attention_policy.h"
#include "record/page_tables.h"

namespace lil::record {

/// Representative keys of blocks: for each query head, the mean of the raw keys of those of its tokens that
/// the head's queries have given the most attention [Xiao 2024, InfLLM]. Blocks are pages of the pool. Used
/// by one thread at a time.
class BlockMeans {
 public:
  /// `repr` tokens, or the whole block where it has fewer.
  BlockMeans(const PolicyContext& context, std::int64_t repr);

  /// A block of a sequence.
  struct Block {
    std::int64_t lane = 0;
    std::int64_t page = 0;  ///< its place in the lists of the lane
  };
  /// Finds the means of these blocks of a layer. `scores`: (group, slots of the pool); of equal ones the
  /// later token counts.
  void find(std::int64_t layer, std::span<const Block> blocks, const PageTables& tables, const float* scores);
  /// For all query heads the inner products with the means of blocks: scores (lanes, heads, stride). `lists`
  /// has pages as entries, a list for each kv head of each lane; `queries` (lanes, heads, head_dim).
  void score(std::int64_t lanes, const void* queries, const kernels::PageLists& lists, float* scores,
             std::int64_t stride);
  /// As KvPool::copy_group.
  void copy_group(std::int64_t from, std::int64_t to);

 private:
  void list(std::int64_t layer, std::span<const Block> blocks, const PageTables& tables);
  void choose(const float* scores);
  void average();
  void copy_rows(const kernels::CopyRowsArgs& args) const;
  [[nodiscard]] static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
  template <class T>
  void ensure(DeviceArray<T>& array, std::int64_t size) const;

  PolicyContext context_;
  std::int64_t block_;
  std::int64_t repr_;
  DeviceArray<std::byte> means_;  ///< (group, pages of the pool, head_dim)
  // Of the blocks in hand, a row for each of their query heads:
  std::int64_t rows_ = 0;
  DeviceArray<std::int32_t> mean_rows_;   ///< in means_, and in the scores by blocks
  DeviceArray<std::int32_t> slots_;       ///< (rows, block) of the block's tokens
  DeviceArray<float> token_scores_;       ///< (rows, block)
  DeviceArray<std::int32_t> places_;      ///< (rows, repr)
  DeviceArray<std::int32_t> best_slots_;  ///< (rows, repr)
  DeviceArray<std::int32_t> kept_;
  DeviceArray<std::int32_t> blocks_full_;  ///< block, for each row
  DeviceArray<std::int32_t> reprs_;        ///< repr, for each row
  DeviceArray<std::int32_t> ones_;
  DeviceArray<std::byte> no_queries_;  ///< zeros: (rows, head_dim)
  DeviceArray<float> partial_out_;     ///< (rows, head_dim)
  DeviceArray<float> partial_lse_;
  DeviceArray<std::byte> fresh_;  ///< (rows, head_dim)
  std::vector<std::int32_t> host_rows_;
  std::vector<std::int32_t> host_slots_;
};

}  // namespace lil::record
