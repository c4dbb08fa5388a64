#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/group_reduce.h"
#include "kernels/page_lists.h"
#include "kernels/status.h"

namespace lil::kernels {

/// Quest's upper bound of q . k over a page [Tang 2024]:
///   u[h, p] = sum_i max(q[h, i] * highs[p, i], q[h, i] * lows[p, i]), without scale, in fp32,
/// in an order that depends on head_dim, dtype and group alone; on a CPU 16 lanes, then halves. Each bound is
/// read once for the whole group.
struct PageScoresArgs {
  DType dtype = DType::kFp32;  ///< of queries and bounds
  std::int32_t requests = 0;
  std::int32_t group = 0;
  std::int32_t head_dim = 0;      ///< 1 to 512
  const void* queries = nullptr;  ///< (requests, group, head_dim), rotated as the keys were
  std::int64_t query_request_stride = 0;
  std::int64_t query_head_stride = 0;
  PageLists lists;
  const void* lows = nullptr;   ///< (pages, head_dim)
  const void* highs = nullptr;  ///< (pages, head_dim)
  bool per_query_head = false;  ///< true: one score per query head, `reduce` is not used
  GroupReduce reduce = GroupReduce::kSum;
  float* scores =
      nullptr;  ///< (requests, scores_stride), or (requests, group, scores_stride): by page of the list
  std::int64_t scores_stride = 0;
};

}  // namespace lil::kernels
