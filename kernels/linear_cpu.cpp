#include "kernels/linear_cpu.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
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

std::int64_t parts_of(const LinearArgs& args, std::int64_t strips, int threads) {
  if (threads == 1) return 1;
  const std::int64_t bytes = args.outputs * args.inputs * bytes_of(args.dtype);
  return std::max<std::int64_t>(1, std::min({strips, bytes / kPartBytes, kPartsOfThread * threads}));
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

void pack_blocks(const LinearArgs& args, float* packed_x) {
  for (std::int64_t input = 0; input < args.inputs; input += kLinearBlock) {
    const auto inputs = static_cast<std::size_t>(std::min(kLinearBlock, args.inputs - input));
    for (int row = 0; row < args.rows; ++row, packed_x += kLinearBlock) {
      if (inputs < kLinearBlock) std::memset(packed_x, 0, kLinearBlock * sizeof(float));
      std::memcpy(packed_x, args.x + row * args.x_stride + input, inputs * sizeof(float));
    }
  }
}

Status linear_with(const LinearVariant& variant, const LinearArgs& args, Stream stream) {
  if (const Status status = check(args); status != Status::kOk) return status;
  // Grows in a thread's first calls only. The parts read it on other threads while this one is in `run_on`.
  thread_local std::vector<CacheLine> packed_x;
  packed_x.resize(std::max(packed_x.size(), packed_lines_of(args)));
  variant.pack(args, packed_x.front().values);
  const LinearJob job{&args, packed_x.front().values};
  const std::int64_t strips = (args.outputs + kStrip - 1) / kStrip;
  const std::int64_t parts = parts_of(args, strips, ThreadTeam::threads_of(stream));
  ThreadTeam::run_on(stream, parts, [&](std::int64_t part) {
    variant.run(job, part * strips / parts * kStrip,
                std::min(args.outputs, (part + 1) * strips / parts * kStrip));
  });
  return Status::kOk;
}

Status linear(const LinearArgs& args, Stream stream) {
  return linear_with(linear_variants(args.dtype).front(), args, stream);
}

}  // namespace lil::kernels::cpu
