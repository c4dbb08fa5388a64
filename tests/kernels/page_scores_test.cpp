#include <gtest/gtest.h>

#include <cmath>

#include "tests/kernels/list_cases.h"

namespace lil::tests {
namespace {

using kernels::DType;
using kernels::GroupReduce;
using kernels::pages_of;

struct Shape {
  DType dtype = DType::kFp32;
  std::int32_t group = 1;
  std::int32_t head_dim = 64;
  std::int32_t page_size = 16;
};

struct Mode {
  bool per_query_head = false;
  GroupReduce reduce = GroupReduce::kSum;
};

constexpr Mode kPerQueryHead{true, GroupReduce::kSum};

struct Request {
  std::int64_t tokens = 0;
  std::vector<float> queries;  ///< (group, head_dim)
  std::vector<float> lows;     ///< (pages, head_dim)
  std::vector<float> highs;
};

Request random_request(const Shape& shape, std::int64_t tokens, Random& random) {
  Request request{tokens, random.floats(std::int64_t{shape.group} * shape.head_dim), {}, {}};
  for (std::int64_t i = 0; i < pages_of(tokens, shape.page_size) * shape.head_dim; ++i) {
    const float a = random.normal();
    const float b = random.normal();
    request.lows.push_back(std::min(a, b));
    request.highs.push_back(std::max(a, b));
  }
  return request;
}

std::vector<Request> random_requests(const Shape& shape, const std::vector<std::int64_t>& tokens) {
  Random random(11);
  std::vector<Request> requests;
  for (const std::int64_t count : tokens) {
    requests.push_back(random_request(shape, count, random));
  }
  return requests;
}

/// (heads or 1, pages), by the definition.
std::vector<double> expected_scores(const Shape& shape, const Request& request, const Mode& mode) {
  const std::vector<double> queries = rounded(shape.dtype, request.queries);
  const std::vector<double> lows = rounded(shape.dtype, request.lows);
  const std::vector<double> highs = rounded(shape.dtype, request.highs);
  const std::int64_t pages = pages_of(request.tokens, shape.page_size);
  std::vector<double> by_head;
  for (std::int64_t head = 0; head < shape.group; ++head) {
    for (std::int64_t page = 0; page < pages; ++page) {
      double sum = 0;
      for (std::int64_t i = 0; i < shape.head_dim; ++i) {
        const double query = queries[head * shape.head_dim + i];
        sum += std::max(query * lows[page * shape.head_dim + i], query * highs[page * shape.head_dim + i]);
      }
      by_head.push_back(sum);
    }
  }
  if (mode.per_query_head) {
    return by_head;
  }
  std::vector<double> joint = part(by_head, 0, pages);
  for (std::int64_t i = pages; i < static_cast<std::int64_t>(by_head.size()); ++i) {
    double& score = joint[i % pages];
    score = mode.reduce == GroupReduce::kMax ? std::max(score, by_head[i]) : score + by_head[i];
  }
  for (double& score : joint) {
    score /= mode.reduce == GroupReduce::kMean ? shape.group : 1;
  }
  return joint;
}

class PageScores : public KernelTest {
 protected:
  /// For each request its scores, (heads or 1, pages); a test failure if anything else was written.
  std::vector<std::vector<float>> scores_of(const Shape& shape, const std::vector<Request>& requests,
                                            const Mode& mode, const Layout& layout = {}) {
    std::vector<std::int64_t> tokens;
    for (const Request& request : requests) {
      tokens.push_back(request.tokens);
    }
    const ListCases lists(device(), layout, shape.page_size, tokens);
    const std::int64_t head_stride = shape.head_dim + layout.padding;
    const std::int64_t request_stride = shape.group * head_stride + layout.padding;
    const auto count = static_cast<std::int64_t>(requests.size());
    std::vector<float> queries = poisoned(layout.offset + count * request_stride);
    std::vector<float> lows = poisoned(layout.offset + lists.pool_pages() * shape.head_dim);
    std::vector<float> highs = lows;
    for (std::size_t r = 0; r < requests.size(); ++r) {
      const std::int64_t first = layout.offset + static_cast<std::int64_t>(r) * request_stride;
      for (std::int64_t head = 0; head < shape.group; ++head) {
        std::copy_n(requests[r].queries.begin() + head * shape.head_dim, shape.head_dim,
                    queries.begin() + first + head * head_stride);
      }
      for (std::int64_t i = 0; i < pages_of(tokens[r], shape.page_size); ++i) {
        const std::int64_t at = layout.offset + lists.page(r, i) * shape.head_dim;
        std::copy_n(requests[r].lows.begin() + i * shape.head_dim, shape.head_dim, lows.begin() + at);
        std::copy_n(requests[r].highs.begin() + i * shape.head_dim, shape.head_dim, highs.begin() + at);
      }
    }
    const DeviceTensor device_queries(device(), "queries", shape.dtype, queries);
    const DeviceTensor device_lows(device(), "lows", shape.dtype, lows);
    const DeviceTensor device_highs(device(), "highs", shape.dtype, highs);
    const std::int64_t rows_per_request = mode.per_query_head ? shape.group : 1;
    const std::int64_t scores_stride = pages_of(lists.args().max_tokens, shape.page_size) + layout.padding;
    const DeviceArray<float> scores(device(), "scores", count * rows_per_request * scores_stride);

    const kernels::PageScoresArgs args{.dtype = shape.dtype,
                                       .requests = static_cast<std::int32_t>(count),
                                       .group = shape.group,
                                       .head_dim = shape.head_dim,
                                       .queries = device_queries.at(layout.offset),
                                       .query_request_stride = request_stride,
                                       .query_head_stride = head_stride,
                                       .lists = lists.args(),
                                       .lows = device_lows.at(layout.offset),
                                       .highs = device_highs.at(layout.offset),
                                       .per_query_head = mode.per_query_head,
                                       .reduce = mode.reduce,
                                       .scores = scores.data(),
                                       .scores_stride = scores_stride};
    run_and_repeat([&] { return backend().page_scores(args, stream()); });

    const std::vector<float> all = scores.read();
    std::vector<std::vector<float>> result(requests.size());
    std::int64_t wanted = 0;
    for (std::int64_t row = 0; row < count * rows_per_request; ++row) {
      const std::int64_t request = row / rows_per_request;
      const std::int64_t pages = pages_of(tokens[request], shape.page_size);
      const std::vector<float> own = part(all, row * scores_stride, pages);
      result[request].insert(result[request].end(), own.begin(), own.end());
      wanted += pages;
    }
    EXPECT_EQ(written(all), wanted);
    return result;
  }

  void expect_right(const Shape& shape, const std::vector<Request>& requests, const Mode& mode,
                    const Layout& layout = {}) {
    const auto scores = scores_of(shape, requests, mode, layout);
    for (std::size_t r = 0; r < requests.size(); ++r) {
      SCOPED_TRACE(testing::Message() << "request " << r);
      expect_close(tolerance_of(DType::kFp32), scores[r], expected_scores(shape, requests[r], mode));
    }
  }
};

LIL_ON_EVERY_DEVICE(PageScores);

TEST_P(PageScores, SmallEveryTypeHeadSizeGroup) {
  for (const DType dtype : kDTypes) {
    for (const std::int32_t head_dim : {64, 128, 80, 71}) {
      for (const std::int32_t group : kGroups) {
        SCOPED_TRACE(testing::Message() << name_of(dtype) << ", " << head_dim << ", group " << group);
        const Shape shape{dtype, group, head_dim, 16};
        expect_right(shape, random_requests(shape, {33, 0, 129}), kPerQueryHead);
      }
    }
  }
}

TEST_P(PageScores, SmallEveryReduction) {
  for (const std::int32_t group : {1, 3, 8, 11, 17}) {
    for (const GroupReduce reduce : {GroupReduce::kSum, GroupReduce::kMean, GroupReduce::kMax}) {
      SCOPED_TRACE(testing::Message() << "group " << group << ", reduction " << static_cast<int>(reduce));
      const Shape shape{DType::kFp32, group, 64, 16};
      expect_right(shape, random_requests(shape, {200, 16}), {false, reduce}, {5, 2, 0});
    }
  }
}

// No reduction may begin with a score of 0.
TEST_P(PageScores, SmallNegativeScores) {
  for (const DType dtype : kDTypes) {
    for (const std::int32_t group : {1, 3, 12}) {
      const Shape shape{dtype, group, 64, 16};
      std::vector<Request> requests = random_requests(shape, {33, 0, 160});
      for (Request& request : requests) {
        for (float& query : request.queries) {
          query = std::abs(query);
        }
        for (std::size_t i = 0; i < request.lows.size(); ++i) {
          request.lows[i] = -std::abs(request.lows[i]) - std::abs(request.highs[i]);
          request.highs[i] = -std::abs(request.highs[i]);
        }
      }
      for (const GroupReduce reduce : {GroupReduce::kSum, GroupReduce::kMean, GroupReduce::kMax}) {
        SCOPED_TRACE(testing::Message()
                     << name_of(dtype) << ", group " << group << ", reduction " << static_cast<int>(reduce));
        for (const double score : expected_scores(shape, requests.front(), {false, reduce})) {
          ASSERT_LT(score, 0);
        }
        expect_right(shape, requests, {false, reduce});
      }
    }
  }
}

TEST_P(PageScores, SmallWideAndNarrowHeads) {
  for (const DType dtype : kDTypes) {
    for (const std::int32_t head_dim : {1, 2, 7, 8, 9, 127, 129, 256, 257, 511, 512}) {
      SCOPED_TRACE(testing::Message() << name_of(dtype) << ", " << head_dim);
      const Shape shape{dtype, 2, head_dim, 4};
      expect_right(shape, random_requests(shape, {13}), kPerQueryHead, {6, 3, 0});
    }
  }
}

TEST_P(PageScores, Lengths) {
  for (const std::int64_t tokens : lengths_for(device())) {
    SCOPED_TRACE(testing::Message() << tokens << " tokens");
    const Shape shape{DType::kBf16, 4, 128, 16};
    expect_right(shape, random_requests(shape, {tokens}), {});
  }
}

TEST_P(PageScores, SmallWorkedExampleOfQuest) {
  const Shape shape{DType::kFp32, 1, 2, 2};
  const Request request{4, {1, -2}, {1, -1, 0, 0}, {2, 1, 1, 3}};
  EXPECT_EQ(scores_of(shape, {request}, {}).front(), (std::vector<float>{4, 1}));
}

TEST_P(PageScores, SmallSameBitsInAnyBatch) {
  for (const DType dtype : kDTypes) {
    for (const std::int32_t head_dim : {64, 80, 71, 200}) {
      SCOPED_TRACE(testing::Message() << name_of(dtype) << ", " << head_dim);
      const Shape shape{dtype, 3, head_dim, 16};
      expect_same_in_any_batch(random_requests(shape, {100, 0, 250, 16, 17}),
                               [&](const std::vector<Request>& requests, const Layout& layout) {
                                 return scores_of(shape, requests, {}, layout);
                               });
    }
  }
}

TEST_P(PageScores, SmallNoEntriesWriteNothing) {
  const Shape shape{DType::kFp16, 2, 64, 16};
  const auto scores = scores_of(shape, random_requests(shape, {0, 0}), {}, {1, 2, 0});
  EXPECT_EQ(scores, (std::vector<std::vector<float>>{{}, {}}));
}

}  // namespace
}  // namespace lil::tests
