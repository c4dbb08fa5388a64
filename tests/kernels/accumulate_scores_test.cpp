#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "tests/kernels/list_cases.h"

namespace lil::tests {
namespace {

using kernels::GroupReduce;

struct Shape {
  std::int32_t group = 1;
  std::int32_t requests_per_set = 1;
  std::int32_t page_size = 1;
  GroupReduce reduce = GroupReduce::kSum;
  bool adds = true;
  bool per_query_head = false;
};

/// A set: its requests have the same tokens.
struct Set {
  std::int64_t tokens = 0;
  std::vector<float> logits;  ///< (heads of all requests, tokens)
  std::vector<float> lse;     ///< (heads of all requests)
  std::vector<float> scores;  ///< (score_heads_of, tokens) before
};

std::int64_t heads_of(const Shape& shape) {
  return std::int64_t{shape.group} * shape.requests_per_set;
}

std::int64_t score_heads_of(const Shape& shape) {
  return shape.per_query_head ? shape.group : 1;
}

Set random_set(const Shape& shape, std::int64_t tokens, float logit_size, Random& random) {
  Set set{tokens, random.floats(heads_of(shape) * tokens), {}, {}};
  for (float& logit : set.logits) {
    logit *= logit_size;
  }
  for (std::int64_t head = 0; head < heads_of(shape) && tokens > 0; ++head) {
    const std::vector<float> row = part(set.logits, head * tokens, tokens);
    const double greatest = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const double logit : row) {
      sum += std::exp(logit - greatest);
    }
    set.lse.push_back(static_cast<float>(greatest + std::log(sum)));
  }
  set.lse.resize(heads_of(shape), -std::numeric_limits<float>::infinity());
  for (std::int64_t i = 0; i < score_heads_of(shape) * tokens; ++i) {
    set.scores.push_back(random.uniform(0, 2));
  }
  return set;
}

std::vector<Set> random_sets(const Shape& shape, const std::vector<std::int64_t>& tokens,
                             float logit_size = 3) {
  Random random(73);
  std::vector<Set> sets;
  for (const std::int64_t count : tokens) {
    sets.push_back(random_set(shape, count, logit_size, random));
  }
  return sets;
}

std::vector<double> expected_scores(const Shape& shape, const Set& set) {
  std::vector<double> scores;
  const auto weight_of = [&](std::int64_t head, std::int64_t place) {
    return std::exp(double{set.logits[head * set.tokens + place]} - set.lse[head]);
  };
  for (std::int64_t i = 0; i < shape.group * set.tokens && shape.per_query_head; ++i) {
    scores.push_back((shape.adds ? set.scores[i] : 0.0) + weight_of(i / set.tokens, i % set.tokens));
  }
  for (std::int64_t place = 0; place < set.tokens && !shape.per_query_head; ++place) {
    double joint = 0;
    for (std::int64_t head = 0; head < heads_of(shape); ++head) {
      const double weight = weight_of(head, place);
      joint = shape.reduce == GroupReduce::kMax ? std::max(joint, weight) : joint + weight;
    }
    joint /= shape.reduce == GroupReduce::kMean ? static_cast<double>(heads_of(shape)) : 1.0;
    scores.push_back((shape.adds ? set.scores[place] : 0.0) + joint);
  }
  return scores;
}

class AccumulateScores : public KernelTest {
 protected:
  /// Scores of each set by head, if heads have their own, and place; a test failure if anything else was
  /// written.
  std::vector<std::vector<float>> scores_of(const Shape& shape, const std::vector<Set>& sets,
                                            const Layout& layout = {}) {
    std::vector<std::int64_t> tokens;
    std::int64_t all_tokens = 0;
    for (const Set& set : sets) {
      tokens.insert(tokens.end(), shape.requests_per_set, set.tokens);
      all_tokens += score_heads_of(shape) * set.tokens;
    }
    const ListCases lists(device(), layout, shape.page_size, tokens);
    const std::int64_t stride = lists.args().max_tokens + layout.padding;
    const std::int64_t heads = heads_of(shape);
    std::vector<float> logits = poisoned(static_cast<std::int64_t>(sets.size()) * heads * stride);
    std::vector<float> lse;
    const std::int64_t score_head_stride = lists.pool_slots() + layout.padding;
    std::vector<float> before = poisoned(score_heads_of(shape) * score_head_stride);
    const auto score_at = [&](std::size_t s, std::int64_t i) {
      return i / sets[s].tokens * score_head_stride +
             lists.slot(s * shape.requests_per_set, i % sets[s].tokens);
    };
    const auto scores_in = [&](std::size_t s) { return score_heads_of(shape) * sets[s].tokens; };
    for (std::size_t s = 0; s < sets.size(); ++s) {
      for (std::int64_t head = 0; head < heads; ++head) {
        std::copy_n(sets[s].logits.begin() + head * sets[s].tokens, sets[s].tokens,
                    logits.begin() + (static_cast<std::int64_t>(s) * heads + head) * stride);
      }
      lse.insert(lse.end(), sets[s].lse.begin(), sets[s].lse.end());
      for (std::int64_t i = 0; i < scores_in(s) && shape.adds; ++i) {
        before[score_at(s, i)] = sets[s].scores[i];
      }
    }
    const DeviceArray<float> device_logits(device(), "logits", logits);
    const DeviceArray<float> device_lse(device(), "lse", lse);
    const DeviceArray<float> scores(device(), "scores", before);
    const kernels::AccumulateScoresArgs args{.requests = static_cast<std::int32_t>(tokens.size()),
                                             .group = shape.group,
                                             .requests_per_set = shape.requests_per_set,
                                             .lists = lists.args(),
                                             .logits = device_logits.data(),
                                             .logits_stride = stride,
                                             .lse = device_lse.data(),
                                             .reduce = shape.reduce,
                                             .add = shape.adds,
                                             .scores = scores.data(),
                                             .per_query_head = shape.per_query_head,
                                             .score_head_stride = score_head_stride};
    run_and_repeat([&] { return backend().accumulate_scores(args, stream()); });

    const std::vector<float> all = scores.read();
    EXPECT_EQ(written(all), all_tokens);
    std::vector<std::vector<float>> result(sets.size());
    for (std::size_t s = 0; s < sets.size(); ++s) {
      for (std::int64_t i = 0; i < scores_in(s); ++i) {
        result[s].push_back(all[score_at(s, i)]);
      }
    }
    return result;
  }

  void expect_right(const Shape& shape, const std::vector<Set>& sets, const Layout& layout = {}) {
    const auto scores = scores_of(shape, sets, layout);
    for (std::size_t s = 0; s < sets.size(); ++s) {
      SCOPED_TRACE(testing::Message() << "set " << s);
      expect_close(tolerance_of(kernels::DType::kFp32), scores[s], expected_scores(shape, sets[s]));
    }
  }
};

LIL_ON_EVERY_DEVICE(AccumulateScores);

TEST_P(AccumulateScores, SmallEveryGroupReductionAndSet) {
  for (const std::int32_t group : kGroups) {
    for (const GroupReduce reduce : {GroupReduce::kSum, GroupReduce::kMean, GroupReduce::kMax}) {
      for (const std::int32_t requests_per_set : {1, 3}) {
        SCOPED_TRACE(testing::Message()
                     << group << ", " << static_cast<int>(reduce) << ", " << requests_per_set);
        const Shape shape{group, requests_per_set, 1, reduce, true};
        expect_right(shape, random_sets(shape, {65, 0, 17}));
      }
    }
  }
}

TEST_P(AccumulateScores, SmallPagesStridesAndOverwriting) {
  for (const std::int32_t page_size : {1, 2, 16}) {
    for (const bool adds : {false, true}) {
      for (const GroupReduce reduce : {GroupReduce::kSum, GroupReduce::kMean, GroupReduce::kMax}) {
        SCOPED_TRACE(testing::Message() << "pages of " << page_size << ", adds " << adds << ", reduction "
                                        << static_cast<int>(reduce));
        const Shape shape{2, 2, page_size, reduce, adds};
        expect_right(shape, random_sets(shape, {127, 1, 0, 129}), {3, 5, 0});
      }
    }
  }
}

TEST_P(AccumulateScores, SmallEachHeadForItself) {
  for (const std::int32_t group : kGroups) {
    for (const bool adds : {false, true}) {
      SCOPED_TRACE(testing::Message() << group << " heads, adds " << adds);
      const Shape shape{group, 1, 16, GroupReduce::kMean, adds, true};
      expect_right(shape, random_sets(shape, {65, 0, 17, 129}), {3, 5, 0});
    }
  }
}

TEST_P(AccumulateScores, Lengths) {
  for (const std::int64_t tokens : lengths_for(device())) {
    SCOPED_TRACE(testing::Message() << tokens << " tokens");
    const Shape shape{4, 1, 16};
    expect_right(shape, random_sets(shape, {tokens}));
  }
}

TEST_P(AccumulateScores, SmallHugeLogits) {
  const Shape shape{3, 1, 1};
  expect_right(shape, random_sets(shape, {129}, 1e4));
  Set peak{3, {1e4, -1e4, 0}, {1e4}, {0, 0, 0}};
  EXPECT_EQ(scores_of({}, {peak}).front(), (std::vector<float>{1, 0, 0}));
}

// A step gives its list a weight of one for each head.
TEST_P(AccumulateScores, SmallWeightsOfAStepSumToTheHeads) {
  for (const std::int32_t group : kGroups) {
    const Shape shape{group, 1, 1, GroupReduce::kSum, false};
    for (const std::vector<float>& scores : scores_of(shape, random_sets(shape, {1, 16, 257}, 5))) {
      EXPECT_NEAR(std::accumulate(scores.begin(), scores.end(), 0.0), group, 2e-5 * group);
    }
  }
}

TEST_P(AccumulateScores, SmallSameBitsInAnyBatch) {
  for (const GroupReduce reduce : {GroupReduce::kSum, GroupReduce::kMean, GroupReduce::kMax}) {
    const Shape shape{3, 2, 16, reduce};
    expect_same_in_any_batch(
        random_sets(shape, {100, 0, 33, 250, 1}),
        [&](const std::vector<Set>& sets, const Layout& layout) { return scores_of(shape, sets, layout); });
  }
  const Shape shape{3, 1, 16, GroupReduce::kSum, true, true};
  expect_same_in_any_batch(
      random_sets(shape, {100, 0, 33, 250, 1}),
      [&](const std::vector<Set>& sets, const Layout& layout) { return scores_of(shape, sets, layout); });
}

/// A cache of one head with a page of one slot for each token.
struct Cache {
  static constexpr std::int64_t kTokens = 8;
  DeviceArray<std::int32_t> pages;
  DeviceArray<std::int32_t> counts;
  DeviceArray<float> scores;
  std::int32_t next_token;

  Cache(TestDevice& device, const std::vector<std::int32_t>& prompt)
      : pages(device, "pages", kTokens),
        counts(device, "counts", just(static_cast<std::int32_t>(prompt.size()))),
        scores(device, "scores", std::vector<float>(kTokens, 0.0F)),
        next_token(static_cast<std::int32_t>(prompt.size())) {
    pages.write(prompt);
  }
  std::vector<std::int32_t> tokens() const { return part(pages.read(), 0, counts.read()[0]); }
};

/// The steps of H2O by accumulate_scores, topk and compact, with weights that are given.
class H2o : public KernelTest {
 protected:
  void attend(Cache& cache, const std::vector<float>& weights) {
    std::vector<float> logits;
    for (const float weight : weights) {
      logits.push_back(std::log(weight));
    }
    const auto count = static_cast<std::int64_t>(weights.size());
    cache.pages.write({cache.next_token++}, count - 1);
    cache.counts.write({static_cast<std::int32_t>(count)});
    const DeviceArray<float> device_logits(device(), "logits", logits);
    const DeviceArray<float> lse(device(), "lse", std::vector<float>{0});
    run([&] {
      return backend().accumulate_scores(
          {.requests = 1,
           .group = 1,
           .lists = {cache.pages.data(), Cache::kTokens, cache.counts.data(), count, 1},
           .logits = device_logits.data(),
           .logits_stride = count,
           .lse = lse.data(),
           .scores = cache.scores.data()},
          stream());
    });
  }

  /// The token that leaves when all but one stay, the last `recent` among them.
  std::int32_t evict(Cache& cache, std::int32_t recent) {
    const std::vector<std::int32_t> tokens = cache.tokens();
    const std::vector<float> by_slot = cache.scores.read();
    const auto count = static_cast<std::int32_t>(tokens.size());
    std::vector<float> by_place;
    for (const std::int32_t token : tokens) {
      by_place.push_back(by_slot.at(token));
    }
    const DeviceArray<float> scores(device(), "scores by place", by_place);
    const DeviceArray<std::int32_t> keep(device(), "keep", just(count - 1));
    const DeviceArray<std::int32_t> back(device(), "back", just(recent));
    const DeviceArray<std::int32_t> places(device(), "places", count - 1);
    const DeviceArray<std::int32_t> kept(device(), "kept", 1);
    const DeviceArray<std::int32_t> freed(device(), "freed", 1);
    const DeviceArray<std::int32_t> freed_counts(device(), "freed counts", 1);
    const kernels::TopkArgs topk{.rows = 1,
                                 .scores = scores.data(),
                                 .scores_stride = count,
                                 .counts = cache.counts.data(),
                                 .max_count = count,
                                 .keep = keep.data(),
                                 .back = back.data(),
                                 .places = places.data(),
                                 .places_stride = count - 1,
                                 .kept = kept.data()};
    const kernels::CompactArgs compact{.requests = 1,
                                       .pages = cache.pages.data(),
                                       .pages_stride = Cache::kTokens,
                                       .counts = cache.counts.data(),
                                       .max_count = Cache::kTokens,
                                       .places = places.data(),
                                       .places_stride = count - 1,
                                       .kept = kept.data(),
                                       .freed = freed.data(),
                                       .freed_stride = 1,
                                       .freed_counts = freed_counts.data()};
    run([&] { return backend().topk(topk, stream()); });
    run([&] { return backend().compact(compact, stream()); });
    EXPECT_EQ(freed_counts.read()[0], 1);
    return freed.read()[0];
  }
};

LIL_ON_EVERY_DEVICE(H2o);

TEST_P(H2o, SmallWorkedExample) {
  Cache cache(device(), {0, 1, 2});
  attend(cache, {.4F, .1F, .2F, .3F});
  EXPECT_EQ(cache.tokens(), (std::vector<std::int32_t>{0, 1, 2, 3}));
  attend(cache, {.3F, .05F, .25F, .2F, .2F});
  expect_close(Tolerance{1e-6, 1e-6}, part(cache.scores.read(), 0, 5), {.7, .15, .45, .5, .2});
  EXPECT_EQ(evict(cache, 2), 1);
  EXPECT_EQ(cache.tokens(), (std::vector<std::int32_t>{0, 2, 3, 4}));
  attend(cache, {.1F, .1F, .5F, .2F, .1F});
  EXPECT_EQ(evict(cache, 2), 2);
  EXPECT_EQ(cache.tokens(), (std::vector<std::int32_t>{0, 3, 4, 5}));
}

}  // namespace
}  // namespace lil::tests
