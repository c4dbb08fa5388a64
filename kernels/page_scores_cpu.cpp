// One compilation for each kind of processor; the widest one is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/page_scores_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "kernels/checks.h"
#include "kernels/half.h"
#include "kernels/lanes-inl.h"
#include "kernels/launchers.h"
#include "kernels/list_access.h"
#include "kernels/thread_team.h"

HWY_BEFORE_NAMESPACE();
namespace lil::kernels::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t kMaxHeadDim = 512;
/// Heads that a pass over a page's bounds serves: what fits in registers.
constexpr std::int64_t kHeads = std::max<std::int64_t>(1, 8 / lanes::kVectors);
/// Pages whose bounds the passes for more heads find in the cache.
constexpr std::int64_t kPages = 32;

using lanes::FloatTag;
using lanes::kFloats;
using lanes::kLanes;
using lanes::kVectorLanes;
using lanes::Lanes;

HWY_INLINE Lanes load(const float* from) {
  return lanes::load(from);
}

/// Stored: Highway's type of the elements.
template <class Stored, class T>
HWY_INLINE Lanes load_halves(const T* from) {
  const hn::Rebind<Stored, FloatTag> narrow;
  Lanes result;
  HWY_UNROLL(16)
  for (std::int64_t v = 0; v < lanes::kVectors; ++v) {
    const auto* vector = reinterpret_cast<const Stored*>(from + v * kVectorLanes);
    result.at[v] = hn::PromoteTo(kFloats, hn::LoadU(narrow, vector));
  }
  return result;
}
HWY_INLINE Lanes load(const Bf16* from) {
  return load_halves<hwy::bfloat16_t>(from);
}
HWY_INLINE Lanes load(const Fp16* from) {
  return load_halves<hwy::float16_t>(from);
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

/// Takes 16 channels from `first` on into the sums. A query's sign says which bound gives the greater
/// product.
template <int kCount, class T>
HWY_INLINE void take_channels(const Queries& queries, std::int64_t first, const T* low, const T* high,
                              Lanes* sums) {
  const Lanes lows = load(low);
  const Lanes highs = load(high);
  HWY_UNROLL(8)
  for (int head = 0; head < kCount; ++head) {
    HWY_UNROLL(16)
    for (std::int64_t v = 0; v < lanes::kVectors; ++v) {
      const auto query = hn::Load(kFloats, &queries.at[head][first + v * kVectorLanes]);
      const auto bound = hn::IfThenElse(hn::Lt(query, hn::Zero(kFloats)), lows.at[v], highs.at[v]);
      sums[head].at[v] = hn::MulAdd(query, bound, sums[head].at[v]);
    }
  }
}

template <int kCount, class T>
void score_page(const Queries& queries, std::int64_t head_dim, const T* low, const T* high, float* scores) {
  Lanes sums[kCount];
  HWY_UNROLL(8)
  for (Lanes& sum : sums) sum = lanes::broadcast(0);
  std::int64_t i = 0;
  for (; i + kLanes <= head_dim; i += kLanes) take_channels<kCount>(queries, i, low + i, high + i, sums);
  if (i < head_dim) {
    T low_tail[kLanes] = {};
    T high_tail[kLanes] = {};
    std::copy(low + i, low + head_dim, low_tail);
    std::copy(high + i, high + head_dim, high_tail);
    take_channels<kCount>(queries, i, low_tail, high_tail, sums);
  }
  for (int head = 0; head < kCount; ++head) scores[head] = lanes::fold(sums[head]);
}

template <class T>
using ScorePage = void (*)(const Queries&, std::int64_t, const T*, const T*, float*);

/// By the number of heads, less one.
template <class T, std::size_t... kLess>
constexpr std::array<ScorePage<T>, kHeads> score_pages(std::index_sequence<kLess...> /*heads*/) {
  return {score_page<kLess + 1, T>...};
}
template <class T>
constexpr std::array<ScorePage<T>, kHeads> kScorePage =
    score_pages<T>(std::make_index_sequence<static_cast<std::size_t>(kHeads)>());

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
  if (const Status status = check(args); status != Status::kOk || args.requests == 0) {
    return status;
  }
  const std::int64_t pages = entries_of(args.lists, args.requests) / args.lists.page_size;
  const std::int64_t bytes = 2 * pages * args.head_dim * bytes_of(args.dtype);  // for each head
  ThreadTeam::run_on(ThreadTeam::worth_sharing(stream, bytes * args.group), args.requests,
                     [&](std::int64_t request) {
                       HWY_DYNAMIC_DISPATCH(score_request)
                       (args, request);
                     });
  return Status::kOk;
}

}  // namespace lil::kernels::cpu
#endif
