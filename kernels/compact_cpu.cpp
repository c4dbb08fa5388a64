#include <algorithm>
#include <numeric>

#include "kernels/checks.h"
#include "kernels/launchers.h"
#include "kernels/thread_team.h"

namespace lil::kernels::cpu {
namespace {

/// Worth of a page's number, as ThreadTeam::worth_sharing counts it.
constexpr std::int64_t kBytesOfPage = 64;

void compact_list(const CompactArgs& args, std::int64_t request) {
  std::int32_t* pages = args.pages + request * args.pages_stride;
  const std::int32_t* places = args.places + request * args.places_stride;
  std::int32_t* freed = args.freed + request * args.freed_stride;
  const std::int32_t count = args.counts[request];
  std::int32_t kept = 0;
  for (std::int32_t place = 0; place < count; ++place) {
    const std::int32_t page = pages[place];
    if (kept < args.kept[request] && places[kept] == place) {
      pages[kept] = page;
      ++kept;
      continue;
    }
    freed[place - kept] = page;
    if (args.slot_positions != nullptr) {
      std::fill_n(args.slot_positions + std::int64_t{page} * args.page_size, args.page_size, -1);
    }
  }
  if (args.append_freed) std::copy_n(freed, count - kept, pages + kept);
  args.counts[request] = kept;
  args.freed_counts[request] = count - kept;
}

}  // namespace

Status compact(const CompactArgs& args, Stream stream) {
  if (check(args) != Status::kOk) {
    return Status::kBadArguments;
  }
  const auto pages = std::accumulate(args.counts, args.counts + args.requests, std::int64_t{0});
  ThreadTeam::run_on(ThreadTeam::worth_sharing(stream, pages * kBytesOfPage), args.requests,
                     [&](std::int64_t request) { compact_list(args, request); });
  return Status::kOk;
}

}  // namespace lil::kernels::cpu
