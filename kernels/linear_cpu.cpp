#include "kernels/linear_cpu.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "kernels/checks.h"
#include "kernels/launchers.h"
#include "kernels/thread_team.h"

namespace lil::kernels::cpu {
namespace {

// Outputs that stay together: as many as the widest vectors take.
constexpr std::int64_t kStrip = 16;

// Weights worth a part of their own, and parts for each thread, so that one that is held up holds up no
// other.
constexpr std::int64_t kPartBytes = 65536;
constexpr std::int64_t kPartsOfThread = 4;

std::int64_t strips_of(const LinearArgs& args) {
  return (args.outputs + kStrip - 1) / kStrip;
}

std::int64_t bytes_of_weights(const LinearArgs& args) {
  return args.outputs * args.inputs * bytes_of(args.dtype);
}

// Parts of one of several matrices that are worked off together, `all_bytes` in all.
std::int64_t parts_of(const LinearArgs& args, std::int64_t all_bytes, int threads) {
  if (threads == 1) return 1;
  const std::int64_t bytes = bytes_of_weights(args);
  const std::int64_t share = (kPartsOfThread * threads * bytes + all_bytes - 1) / all_bytes;
  return std::max<std::int64_t>(1, std::min({strips_of(args), bytes / kPartBytes, share}));
}

Status check_together(std::span<const LinearArgs> all) {
  if (all.empty() || all.size() > kLinearTogether) return Status::kBadArguments;
  const LinearArgs& first = all.front();
  for (const LinearArgs& args : all) {
    if (const Status status = check(args); status != Status::kOk) return status;
    if (args.dtype != first.dtype || args.rows != first.rows || args.inputs != first.inputs ||
        args.x != first.x || args.x_stride != first.x_stride) {
      return Status::kBadArguments;
    }
  }
  return Status::kOk;
}

constexpr std::int64_t kLineFloats = 16;

struct alignas(64) CacheLine {
  float values[kLineFloats];
};

// Lines that a variant's `pack` may write: whole blocks, and one that its last vector may reach into.
std::size_t packed_lines_of(const LinearArgs& args) {
  return static_cast<std::size_t>(blocks_of(args.inputs) * kLinearBlock * args.rows / kLineFloats + 1);
}

}  // namespace

const std::vector<LinearVariant>& linear_variants(DType dtype) {
  static const std::vector<LinearVariant> lanes = linear_lanes_variants();
  static const std::vector<LinearVariant> blocks = linear_blocks_variants();
  return dtype == DType::kBf16 ? blocks : lanes;
}

Status linear_with(const LinearVariant& variant, std::span<const LinearArgs> all, Stream stream) {
  if (const Status status = check_together(all); status != Status::kOk) return status;
  // Grows in a thread's first calls only. The parts read it on other threads while this one is in `run_on`.
  thread_local std::vector<CacheLine> packed_x;
  packed_x.resize(std::max(packed_x.size(), packed_lines_of(all.front())));
  float* const packed = packed_x.front().values;
  variant.pack(all.front(), packed);
  std::int64_t all_bytes = 0;
  for (const LinearArgs& args : all) all_bytes += bytes_of_weights(args);
  std::array<std::int64_t, kLinearTogether> parts{};
  std::int64_t all_parts = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    parts[i] = parts_of(all[i], all_bytes, ThreadTeam::threads_of(stream));
    all_parts += parts[i];
  }
  ThreadTeam::run_on(stream, all_parts, [&](std::int64_t part) {
    std::size_t i = 0;
    for (; part >= parts[i]; ++i) part -= parts[i];
    const LinearJob job{&all[i], packed};
    const std::int64_t strips = strips_of(all[i]);
    variant.run(job, part * strips / parts[i] * kStrip,
                std::min(all[i].outputs, (part + 1) * strips / parts[i] * kStrip));
  });
  return Status::kOk;
}

Status linear_with(const LinearVariant& variant, const LinearArgs& args, Stream stream) {
  return linear_with(variant, std::span(&args, 1), stream);
}

Status linear(const LinearArgs& args, Stream stream) {
  return linear_together(&args, 1, stream);
}

Status linear_together(const LinearArgs* all, std::int64_t count, Stream stream) {
  if (count < 1) return Status::kBadArguments;
  return linear_with(linear_variants(all->dtype).front(), {all, static_cast<std::size_t>(count)}, stream);
}

}  // namespace lil::kernels::cpu
