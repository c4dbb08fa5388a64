// One compilation for each kind of processor; the widest one is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/page_scores_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "kernels/checks.h"
#include "kernels/half.h"
#include "kernels/launchers.h"
#include "kernels/thread_team.h"

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t kMaxHeadDim = 512;
/// Heads that a pass over a page's bounds serves: what fits in registers.
constexpr std::int64_t kHeads = 8;
/// Pages whose bounds the passes for more heads find in the cache.
constexpr std::int64_t kPages = 32;

using Wide = hn::CappedTag<float, 16>;
const Wide d;

hn::Vec<Wide> load(const float* from) {
  return hn::LoadU(d, from);
}
hn::Vec<Wide> load(const Bf16* from) {
  const hn::Rebind<hwy::bfloat16_t, Wide> narrow;
  return hn::PromoteTo(d, hn::LoadU(narrow, reinterpret_cast<const hwy::bfloat16_t*>(from)));
}
hn::Vec<Wide> load(const Fp16* from) {
  const hn::Rebind<hwy::float16_t, Wide> narrow;
  return hn::PromoteTo(d, hn::LoadU(narrow, reinterpret_cast<const hwy::float16_t*>(from)));
}

/// Queries of up to kHeads heads in fp32, with zeros after head_dim.
struct Queries {
  HWY_ALIGN float at[kHeads][kMaxHeadDim];
};

template <class T>
void load_queries(const T* rows, std::int64_t row_stride, std::int64_t heads, std::int64_t head_dim,
                  Queries& queries) {
  for (std::int64_t head = 0; head < heads; ++head) {
    std::fill_n(queries.at[head], kMaxHeadDim, 0.0F);
    std::transform(rows + head * row_stride, rows + head * row_stride + head_dim, queries.at[head],
                   [](T x) { return to_float(x); });
  }
}

/// Takes the channels from `first` into the sums. A query's sign says which bound gives the greater product.
template <int kCount, class T>
void take_channels(const Queries& queries, std::int64_t first, const T* low, const T* high,
                   hn::Vec<Wide>* sums) {
  const auto lows = load(low);
  const auto highs = load(high);
  for (int head = 0; head < kCount; ++head) {
    const auto query = hn::Load(d, &queries.at[head][first]);
    sums[head] = hn::MulAdd(query, hn::IfThenElse(hn::Lt(query, hn::Zero(d)), lows, highs), sums[head]);
  }
}

template <int kCount, class T>
void score_page(const Queries& queries, std::int64_t head_dim, const T* low, const T* high, float* scores) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  hn::Vec<Wide> sums[kCount];
  for (auto& sum : sums) {
    sum = hn::Zero(d);
  }
  std::int64_t i = 0;
  for (; i + lanes <= head_dim; i += lanes) {
    take_channels<kCount>(queries, i, low + i, high + i, sums);
  }
  if (i < head_dim) {
    T low_tail[16] = {};
    T high_tail[16] = {};
    std::copy(low + i, low + head_dim, low_tail);
    std::copy(high + i, high + head_dim, high_tail);
    take_channels<kCount>(queries, i, low_tail, high_tail, sums);
  }
  for (int head = 0; head < kCount; ++head) {
    scores[head] = hn::GetLane(hn::SumOfLanes(d, sums[head]));
  }
}

template <class T>
using ScorePage = void (*)(const Queries&, std::int64_t, const T*, const T*, float*);

/// By the number of heads, less one.
template <class T>
constexpr ScorePage<T> kScorePage[kHeads] = {score_page<1, T>, score_page<2, T>, score_page<3, T>,
                                             score_page<4, T>, score_page<5, T>, score_page<6, T>,
                                             score_page<7, T>, score_page<8, T>};

/// Puts the score of a head at its place, or joins it to those of the heads before.
void put_score(const PageScoresArgs& args, std::int64_t request, std::int64_t head, std::int64_t page_place,
               float score) {
  if (args.per_query_head) {
    args.scores[(request * args.group + head) * args.scores_stride + page_place] = score;
    return;
  }
  float& joint = args.scores[request * args.scores_stride + page_place];
  if (head == 0) {
    joint = score;
  } else {
    joint = args.reduce == GroupReduce::kMax ? std::max(joint, score) : joint + score;
  }
  if (head == args.group - 1 && args.reduce == GroupReduce::kMean) {
    joint /= static_cast<float>(args.group);
  }
}

template <class T>
void score_list(const PageScoresArgs& args, std::int64_t request) {
  const PageLists& lists = args.lists;
  const std::int32_t* list = lists.pages + request * lists.stride;
  const std::int64_t pages = pages_of(lists.tokens[request], lists.page_size);
  const T* rows = static_cast<const T*>(args.queries) + request * args.query_request_stride;
  Queries queries;
  for (std::int64_t first = 0; first < pages; first += kPages) {
    for (std::int64_t head = 0; head < args.group; head += kHeads) {
      const std::int64_t heads = std::min(kHeads, args.group - head);
      load_queries(rows + head * args.query_head_stride, args.query_head_stride, heads, args.head_dim,
                   queries);
      for (std::int64_t i = first; i < std::min(first + kPages, pages); ++i) {
        const T* low = static_cast<const T*>(args.lows) + std::int64_t{list[i]} * args.head_dim;
        const T* high = static_cast<const T*>(args.highs) + std::int64_t{list[i]} * args.head_dim;
        float scores[kHeads];
        kScorePage<T>[heads - 1](queries, args.head_dim, low, high, scores);
        for (std::int64_t h = 0; h < heads; ++h) {
          put_score(args, request, head + h, i, scores[h]);
        }
      }
    }
  }
}

void score_request(const PageScoresArgs& args, std::int64_t request) {
  for_dtype(args.dtype, [&](auto zero) { score_list<decltype(zero)>(args, request); });
}

}  // namespace lil::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lil::kernels::cpu {
HWY_EXPORT(score_request);

Status page_scores(const PageScoresArgs& args, Stream stream) {
  if (check(args) != Status::kOk) {
    return Status::kBadArguments;
  }
  ThreadTeam::run_on(stream, args.requests, [&](std::int64_t request) {
    HWY_DYNAMIC_DISPATCH(score_request)(args, request);
  });
  return Status::kOk;
}

}  // namespace lil::kernels::cpu
#endif
