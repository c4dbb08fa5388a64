#pragma once

#include <cstdint>

#include "kernels/group_reduce.h"
#include "kernels/page_lists.h"
#include "kernels/status.h"

namespace lil::kernels {

/// Softmax weights of this step, summed into the scores of their slots (H2O, TOVA, InfLLM):
///   a[j] = reduce over the heads of a set of exp(logits[h, j] - lse[h]);  scores[slot(j)] = a[j], or +=
///   a[j].
/// A set is `requests_per_set` consecutive requests with the same number of entries, whose entries at a place
/// are the same token (TOVA: the kv heads of a layer); the slots are those of its first request. Sets share
/// no slot. requests_per_set = 1 for one score per kv head. With per_query_head nothing is reduced: each head
/// of the group has scores of its own (InfLLM), scores[h * score_head_stride + slot(j)].
struct AccumulateScoresArgs {
  std::int32_t requests = 0;
  std::int32_t group = 0;
  std::int32_t requests_per_set = 1;  ///< divides `requests`
  PageLists lists;
  const float* logits = nullptr;  ///< (requests, group, logits_stride), as decode_attention writes them
  std::int64_t logits_stride = 0;
  const float* lse = nullptr;  ///< (requests, group), as merge_states writes it
  GroupReduce reduce = GroupReduce::kSum;
  bool add = true;                     ///< false: the scores are overwritten
  float* scores = nullptr;             ///< (slots), or (group, slots)
  bool per_query_head = false;         ///< true: `reduce` is not used, requests_per_set is 1
  std::int64_t score_head_stride = 0;  ///< with per_query_head: scores from one head of the group to the next
};

}  // namespace lil::kernels
