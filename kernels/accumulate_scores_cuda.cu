#include <device_access.cuh>

#include "kernels/checks.h"
#include "kernels/launchers.h"
#include "kernels/rows.cuh"

namespace lil::kernels::cuda {
namespace {

constexpr unsigned kThreads = 128;

__device__ void put_score(const AccumulateScoresArgs& args, std::int64_t i, float score) {
  const simt::Global<float> scores(args.scores);
  scores.store(i, args.add ? scores.load(i) + score : score);
}

/// A thread for each place of a set's list.
__global__ void accumulate_scores_kernel(AccumulateScoresArgs args) {
  const std::int64_t request = static_cast<std::int64_t>(blockIdx.x) * args.requests_per_set;
  const std::int64_t first_head = request * args.group;  // the set's rows of logits follow one another
  const std::int64_t heads = static_cast<std::int64_t>(args.requests_per_set) * args.group;
  const std::int32_t tokens = tokens_of(args.lists, request);
  const simt::Global<const float> logits(args.logits);
  const simt::Global<const float> lse(args.lse);

  for (std::int64_t place = static_cast<std::int64_t>(blockIdx.y) * kThreads + threadIdx.x; place < tokens;
       place += static_cast<std::int64_t>(gridDim.y) * kThreads) {
    const std::int64_t slot = slot_of(args.lists, request, static_cast<std::int32_t>(place));
    float joint = 0;
    for (std::int64_t head = 0; head < heads; ++head) {
      const float weight =
          expf(logits.load((first_head + head) * args.logits_stride + place) - lse.load(first_head + head));
      if (args.per_query_head) {
        put_score(args, head * args.score_head_stride + slot, weight);
      } else {
        joint = args.reduce == GroupReduce::kMax ? fmaxf(joint, weight) : joint + weight;
      }
    }
    if (!args.per_query_head) {
      put_score(args, slot, args.reduce == GroupReduce::kMean ? joint / static_cast<float>(heads) : joint);
    }
  }
}

}  // namespace

Status accumulate_scores(const AccumulateScoresArgs& args, Stream stream) {
  if (check(args) != Status::kOk) {
    return Status::kBadArguments;
  }
  if (args.requests == 0 || args.lists.max_tokens == 0) {
    return Status::kOk;
  }
  const std::int32_t sets = args.requests / args.requests_per_set;
  return simt::launch(accumulate_scores_kernel, grid_of(sets, args.lists.max_tokens, kThreads), kThreads,
                      stream, args);
}

}  // namespace lil::kernels::cuda
