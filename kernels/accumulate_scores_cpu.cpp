// One compilation for each kind of processor; the widest one is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/accumulate_scores_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After highway.h, which they need.
#include <hwy/contrib/math/math-inl.h>

#include <algorithm>
#include <cstring>

#include "kernels/checks.h"
#include "kernels/launchers.h"
#include "kernels/list_access.h"
#include "kernels/thread_team.h"

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Places whose weights are found at a time.
constexpr std::int64_t kChunk = 64;

/// weights[j] = exp(logits[j] - lse), summed or maximised into what is there but for the first head. All of
/// kChunk, so that a place's weight has the same bits wherever the list ends.
void take_head(const float* logits, float lse, bool is_first, bool takes_max, float* weights) {
  const hn::CappedTag<float, kChunk> d;
  const auto shift = hn::Set(d, lse);
  for (std::size_t j = 0; j < kChunk; j += hn::Lanes(d)) {
    auto weight = hn::Exp(d, hn::Sub(hn::Load(d, logits + j), shift));
    if (!is_first) {
      const auto so_far = hn::Load(d, weights + j);
      weight = takes_max ? hn::Max(so_far, weight) : hn::Add(so_far, weight);
    }
    hn::Store(weight, d, weights + j);
  }
}

void accumulate_set(const AccumulateScoresArgs& args, std::int64_t set) {
  const std::int64_t request = set * args.requests_per_set;
  const std::int64_t first_head = request * args.group;  // the set's rows of logits follow one another
  const std::int64_t heads = std::int64_t{args.requests_per_set} * args.group;
  const std::int64_t tokens = args.lists.tokens[request];
  const float divisor = args.reduce == GroupReduce::kMean ? static_cast<float>(heads) : 1.0F;
  HWY_ALIGN float logits[kChunk] = {};
  HWY_ALIGN float weights[kChunk];
  for (std::int64_t first = 0; first < tokens; first += kChunk) {
    const std::int64_t chunk = std::min(kChunk, tokens - first);
    for (std::int64_t head = 0; head < heads; ++head) {
      const float* row = args.logits + (first_head + head) * args.logits_stride + first;
      std::memcpy(logits, row, chunk * sizeof(float));
      take_head(logits, args.lse[first_head + head], head == 0, args.reduce == GroupReduce::kMax, weights);
    }
    for (std::int64_t j = 0; j < chunk; ++j) {
      float& score = args.scores[slot_of(args.lists, request, first + j)];
      score = (args.add ? score : 0.0F) + weights[j] / divisor;
    }
  }
}

}  // namespace lil::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lil::kernels::cpu {
HWY_EXPORT(accumulate_set);

Status accumulate_scores(const AccumulateScoresArgs& args, Stream stream) {
  if (check(args) != Status::kOk) {
    return Status::kBadArguments;
  }
  ThreadTeam::run_on(stream, args.requests / args.requests_per_set, [&](std::int64_t set) {
    HWY_DYNAMIC_DISPATCH(accumulate_set)(args, set);
  });
  return Status::kOk;
}

}  // namespace lil::kernels::cpu
#endif
