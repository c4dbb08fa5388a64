#include <algorithm>
#include <cstddef>
#include <cstring>

#include "kernels/checks.h"
#include "kernels/launchers.h"
#include "kernels/thread_team.h"

namespace lil::kernels::cpu {
namespace {

// Bytes of rows that make a part, and what finding a row is worth as ThreadTeam::worth_sharing counts it.
constexpr std::int64_t kPartBytes = 65536;
constexpr std::int64_t kBytesOfFinding = 32;

/// A request's rows, by bytes from the beginning of `in` and `out`. Copies of what is asked for, since a
/// compiler must think that writing a row may change the arguments.
struct Rows {
  const std::byte* in = nullptr;
  std::byte* out = nullptr;
  const std::int32_t* index = nullptr;
  const std::int32_t* out_index = nullptr;
  std::int64_t row_bytes = 0;

  [[nodiscard]] const std::byte* from(std::int64_t place) const {
    return in + (index != nullptr ? index[place] : place) * row_bytes;
  }
  [[nodiscard]] std::byte* to(std::int64_t place) const {
    return out + (out_index != nullptr ? out_index[place] : place) * row_bytes;
  }
};

Rows rows_of(const CopyRowsArgs& args, std::int64_t request) {
  const std::int64_t first_of_set = request - request % args.requests_per_set;
  Rows rows{static_cast<const std::byte*>(args.in) + request * args.in_request_rows * args.row_bytes,
            static_cast<std::byte*>(args.out), nullptr, nullptr, args.row_bytes};
  if (args.index != nullptr) rows.index = args.index + first_of_set * args.index_stride;
  if (args.out_index != nullptr) {
    rows.out_index = args.out_index + request * args.out_index_stride;
  } else {
    rows.out += request * args.out_request_rows * args.row_bytes;
  }
  return rows;
}

/// kBytes: of a row, where they are known when compiling, else 0.
template <std::int64_t kBytes>
void copy_some(const Rows rows, std::int64_t first, std::int64_t end) {
  const auto bytes = static_cast<std::size_t>(kBytes != 0 ? kBytes : rows.row_bytes);
  for (std::int64_t place = first; place < end; ++place) {
    std::memcpy(rows.to(place), rows.from(place), bytes);
  }
}

void copy_places(const Rows& rows, std::int64_t first, std::int64_t end) {
  if (first >= end) return;
  if (rows.index == nullptr && rows.out_index == nullptr) {
    std::memcpy(rows.to(first), rows.from(first), static_cast<std::size_t>((end - first) * rows.row_bytes));
    return;
  }
  switch (rows.row_bytes) {
    case 4:
      return copy_some<4>(rows, first, end);
    case 64:
      return copy_some<64>(rows, first, end);
    case 128:
      return copy_some<128>(rows, first, end);
    case 256:
      return copy_some<256>(rows, first, end);
    default:
      return copy_some<0>(rows, first, end);
  }
}

}  // namespace

Status copy_rows(const CopyRowsArgs& args, Stream stream) {
  if (const Status status = check(args); status != Status::kOk || args.requests == 0) return status;
  std::int64_t rows = 0;
  std::int64_t longest = 0;
  for (std::int64_t request = 0; request < args.requests; ++request) {
    rows += args.counts[request];
    longest = std::max<std::int64_t>(longest, args.counts[request]);
  }
  const std::int64_t part_rows = kPartBytes / (args.row_bytes + kBytesOfFinding);
  const std::int64_t parts = (longest + part_rows - 1) / part_rows;  // of a request
  const Stream shared = ThreadTeam::worth_sharing(stream, rows * (2 * args.row_bytes + kBytesOfFinding));
  ThreadTeam::run_on(shared, args.requests * parts, [&](std::int64_t part) {
    const std::int64_t request = part / parts;
    const std::int64_t first = part % parts * part_rows;
    copy_places(rows_of(args, request), first,
                std::min<std::int64_t>(first + part_rows, args.counts[request]));
  });
  return Status::kOk;
}

}  // namespace lil::kernels::cpu
