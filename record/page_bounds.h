#pragma once

#include <cstdint>

#include "record/attention_policy.h"

namespace lil::record {

/// Bounds of the keys in each page of a pool, and what queries make of them [Tang 2024, Quest]: policies that
/// look at whole pages score a page by u = sum_i max(q_i * high_i, q_i * low_i), which no q . k of its keys
/// exceeds. Used by one thread at a time.
class PageBounds {
 public:
  explicit PageBounds(const PolicyContext& context);

  /// Of the pages of a group.
  [[nodiscard]] static std::int64_t group_bytes(const KvShape& shape) {
    return 2 * shape.kv_heads * shape.row_bytes();
  }

  /// Lets append keep the bounds up.
  void complete(AppendPlan& plan);
  /// Finds the bounds of these pages, `requests` lists of them, anew.
  void find(std::int64_t requests, const kernels::PageLists& lists);
  /// Scores of every page of the lists, of `lanes` lanes with a list for each kv head: (lanes * kv_heads,
  /// stride) by place of the page, or with per_query_head (lanes * heads, stride). `queries` (lanes, heads,
  /// head_dim) are rotated as the keys are.
  struct Scores {
    bool per_query_head = false;
    kernels::GroupReduce reduce = kernels::GroupReduce::kSum;  ///< unless per_query_head
    float* scores = nullptr;
    std::int64_t stride = 0;
  };
  void score(std::int64_t lanes, const void* queries, const kernels::PageLists& lists, const Scores& out);
  /// As KvPool::copy_group.
  void copy_group(std::int64_t from, std::int64_t to);

 private:
  PolicyContext context_;
  DeviceArray<std::byte> lows_;   ///< (pages, head_dim)
  DeviceArray<std::byte> highs_;  ///< (pages, head_dim)
};

}  // namespace lil::record
