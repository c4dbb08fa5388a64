#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/page_lists.h"
#include "kernels/status.h"

namespace lil::kernels {

/// Entries of one split. A list is cut after every so many, whatever else is in the batch.
constexpr std::int64_t kSplitTokens = 256;

/// Splits of a list, and partial states of a request: at least one.
constexpr std::int64_t splits_of(std::int64_t tokens) {
  return tokens <= kSplitTokens ? 1 : (tokens + kSplitTokens - 1) / kSplitTokens;
}

/// One query token of each request attends to its list, split by split [Dao 2023, "Flash-Decoding"]:
///   s[h, j] = scale * q[h] . k[j];  lse[h] = ln sum_j exp(s[h, j]);  out[h] = sum_j exp(s[h, j] - lse[h])
///   v[j]
/// over the entries j of one split, for the `group` query heads that share the kv head: each byte of K and V
/// is read once for all of them (outside the fast paths, `cuda` reads it once for every 8). merge_states
/// joins the splits.
///
/// Sums are in fp32, in an order that depends on head_dim, dtype, group and the split's entries alone:
/// neither on other requests nor on their number, nor on strides or slots. A split without entries gets lse =
/// -inf and no `out`.
struct DecodeAttentionArgs {
  DType dtype = DType::kFp32;  ///< of queries, keys and values
  std::int32_t requests = 0;
  std::int32_t group = 0;         ///< query heads of a request: 1 or more; 1,2,3,4,6,7,8 have fast paths
  std::int32_t head_dim = 0;      ///< 1 to 512; 64 and 128 have fast paths where rows begin at 16 bytes
  float scale = 0;                ///< of q . k, as 1 / sqrt(head_dim)
  const void* queries = nullptr;  ///< (requests, group, head_dim), rotated
  std::int64_t query_request_stride = 0;
  std::int64_t query_head_stride = 0;
  const void* keys = nullptr;  ///< slot s at s * key_slot_stride elements, rotated
  const void* values = nullptr;
  std::int64_t key_slot_stride = 0;
  std::int64_t value_slot_stride = 0;
  PageLists lists;
  float* partial_out =
      nullptr;  ///< (requests, splits, group, head_dim), splits = splits_of(lists.max_tokens)
  float* partial_lse = nullptr;  ///< (requests, splits, group), natural logarithm
  float* logits = nullptr;       ///< (requests, group, logits_stride): s by place; null: not wanted
  std::int64_t logits_stride = 0;
};

}  // namespace lil::kernels
