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
void take_weights(const float* logits, float lse, bool is_first, bool takes_max, float* weights) {
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

/// Places of a set's list that go together, and what is found for them.
struct Chunk {
  HWY_ALIGN float logits[kChunk] = {};
  HWY_ALIGN float weights[kChunk];
  std::int64_t first = 0;
  std::int64_t places = 0;
};

/// Takes a head of the set into the weights.
void take_head(const AccumulateScoresArgs& args, std::int64_t head, bool is_first, Chunk& chunk) {
  const float* row = args.logits + head * args.logits_stride + chunk.first;
  std::memcpy(chunk.logits, row, chunk.places * sizeof(float));
  take_weights(chunk.logits, args.lse[head], is_first, args.reduce == GroupReduce::kMax, chunk.weights);
}

void put_scores(const AccumulateScoresArgs& args, std::int64_t request, const Chunk& chunk, float divisor,
                float* scores) {
  for (std::int64_t j = 0; j < chunk.places; ++j) {
    float& score = scores[slot_of(args.lists, request, chunk.first + j)];
    score = (args.add ? score : 0.0F) + chunk.weights[j] / divisor;
  }
}

void accumulate_set(const AccumulateScoresArgs& args, std::int64_t set) {
  const std::int64_t request = set * args.requests_per_set;
  const std::int64_t first_head = request * args.group;  // the set's rows of logits follow one another
  const std::int64_t heads = std::int64_t{args.requests_per_set} * args.group;
  const std::int64_t tokens = args.lists.tokens[request];
  const float divisor = args.reduce == GroupReduce::kMean ? static_cast<float>(heads) : 1.0F;
  Chunk chunk;
  for (; chunk.first < tokens; chunk.first += kChunk) {
    chunk.places = std::min(kChunk, tokens - chunk.first);
    for (std::int64_t head = 0; head < heads; ++head) {
      take_head(args, first_head + head, head == 0 || args.per_query_head, chunk);
      if (args.per_query_head) {
        put_scores(args, request, chunk, 1, args.scores + head * args.score_head_stride);
      }
    }
    if (!args.per_query_head) put_scores(args, request, chunk, divisor, args.scores);
  }
}

}  // namespace lil::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lil::kernels::cpu {
HWY_EXPORT(accumulate_set);

namespace {
/// Worth of a weight, as ThreadTeam::worth_sharing counts it.
constexpr std::int64_t kBytesOfWeight = 64;
}  // namespace

Status accumulate_scores(const AccumulateScoresArgs& args, Stream stream) {
  if (check(args) != Status::kOk) {
    return Status::kBadArguments;
  }
  const std::int64_t weights = entries_of(args.lists, args.requests) * args.group;
  ThreadTeam::run_on(ThreadTeam::worth_sharing(stream, weights * kBytesOfWeight),
                     args.requests / args.requests_per_set, [&](std::int64_t set) {
                       HWY_DYNAMIC_DISPATCH(accumulate_set)(args, set);
                     });
  return Status::kOk;
}

}  // namespace lil::kernels::cpu
#endif
