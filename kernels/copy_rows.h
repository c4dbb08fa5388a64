#pragma once

#include <cstdint>

#include "kernels/status.h"

namespace lil::kernels {

/// The widest row that copy_rows moves: 512 channels of fp32.
constexpr std::int64_t kCopyRowBytes = 2048;

/// Copies rows of bytes that lists name: out[o(r, j)] = in[i(r, j)] for each request r and each place
/// j < counts[r] of it, where
///   i(r, j) = r * in_request_rows + (index != null ? index[set(r) * index_stride + j] : j)
///   o(r, j) = out_index != null ? out_index[r * out_index_stride + j] : r * out_request_rows + j
/// and set(r) = r - r % requests_per_set, the first of the requests that share a list of rows (TOVA: the kv
/// heads of a layer share the scores of the first). Row i of `in` begins i * row_bytes bytes after it, and so
/// for `out`.
///
/// A row of `in` may be named often, a row of `out` once in a call; the two areas don't overlap.
struct CopyRowsArgs {
  std::int32_t requests = 0;
  std::int32_t requests_per_set = 1;     ///< divides `requests`
  std::int64_t row_bytes = 0;            ///< 4 to kCopyRowBytes, a multiple of 4
  const std::int32_t* counts = nullptr;  ///< (requests)
  std::int64_t max_count = 0;            ///< no count is greater; the shape of the launch, never of a result
  const std::int32_t* index = nullptr;   ///< (requests, index_stride) of rows; null: row j
  std::int64_t index_stride = 0;         ///< at least max_count, or 0: one list for all requests
  const void* in = nullptr;              ///< aligned to 4
  std::int64_t in_request_rows = 0;  ///< rows from one request's part of `in` to the next; 0: all share it
  const std::int32_t* out_index = nullptr;  ///< (requests, out_index_stride) of rows; null: see above
  std::int64_t out_index_stride = 0;        ///< at least max_count, or 0 where one request alone has rows
  void* out = nullptr;                      ///< aligned to 4
  std::int64_t out_request_rows = 0;  ///< rows from one request's part of `out` to the next; not used with
                                      ///< `out_index`
};

}  // namespace lil::kernels
