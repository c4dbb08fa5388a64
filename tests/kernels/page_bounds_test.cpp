#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "tests/kernels/list_cases.h"

namespace lil::tests {
namespace {

using kernels::DType;
using kernels::pages_of;

struct Shape {
  DType dtype = DType::kFp32;
  std::int32_t head_dim = 64;
  std::int32_t page_size = 16;
};

/// Keys of a request, (tokens, head_dim).
using Keys = std::vector<float>;

struct Bounds {
  std::vector<double> lows;  ///< (pages, head_dim)
  std::vector<double> highs;
  bool operator==(const Bounds&) const = default;
};

std::int64_t tokens_of(const Shape& shape, const Keys& keys) {
  return static_cast<std::int64_t>(keys.size()) / shape.head_dim;
}

Bounds expected_bounds(const Shape& shape, const Keys& keys) {
  const std::vector<double> values = rounded(shape.dtype, keys);
  const std::int64_t tokens = tokens_of(shape, keys);
  Bounds bounds;
  for (std::int64_t first = 0; first < tokens; first += shape.page_size) {
    for (std::int64_t i = 0; i < shape.head_dim; ++i) {
      double low = values[first * shape.head_dim + i];
      double high = low;
      for (std::int64_t j = first; j < std::min(first + shape.page_size, tokens); ++j) {
        low = std::min(low, values[j * shape.head_dim + i]);
        high = std::max(high, values[j * shape.head_dim + i]);
      }
      bounds.lows.push_back(low);
      bounds.highs.push_back(high);
    }
  }
  return bounds;
}

class PageBounds : public KernelTest {
 protected:
  std::vector<Bounds> bounds_of(const Shape& shape, const std::vector<Keys>& requests,
                                const Layout& layout = {}) {
    std::vector<std::int64_t> tokens;
    for (const Keys& keys : requests) {
      tokens.push_back(tokens_of(shape, keys));
    }
    const ListCases lists(device(), layout, shape.page_size, tokens);
    const std::int64_t stride = shape.head_dim + layout.padding;
    std::vector<float> pool = poisoned(layout.offset + lists.pool_slots() * stride);
    for (std::size_t r = 0; r < requests.size(); ++r) {
      for (std::int64_t place = 0; place < tokens[r]; ++place) {
        std::copy_n(requests[r].begin() + place * shape.head_dim, shape.head_dim,
                    pool.begin() + layout.offset + lists.slot(r, place) * stride);
      }
    }
    const DeviceTensor keys(device(), "keys", shape.dtype, pool);
    const std::int64_t elements = layout.offset + lists.pool_pages() * shape.head_dim;
    const DeviceTensor lows(device(), "lows", shape.dtype, elements);
    const DeviceTensor highs(device(), "highs", shape.dtype, elements);
    const kernels::PageBoundsArgs args{.dtype = shape.dtype,
                                       .requests = static_cast<std::int32_t>(requests.size()),
                                       .head_dim = shape.head_dim,
                                       .lists = lists.args(),
                                       .keys = keys.at(layout.offset),
                                       .key_slot_stride = stride,
                                       .lows = lows.at(layout.offset),
                                       .highs = highs.at(layout.offset)};
    run_and_repeat([&] { return backend().page_bounds(args, stream()); });

    const std::vector<double> all_lows = lows.read();
    const std::vector<double> all_highs = highs.read();
    std::vector<Bounds> result(requests.size());
    std::int64_t wanted = 0;
    for (std::size_t r = 0; r < requests.size(); ++r) {
      for (std::int64_t i = 0; i < pages_of(tokens[r], shape.page_size); ++i) {
        const std::int64_t at = layout.offset + lists.page(r, i) * shape.head_dim;
        for (std::int64_t channel = at; channel < at + shape.head_dim; ++channel) {
          result[r].lows.push_back(all_lows[channel]);
          result[r].highs.push_back(all_highs[channel]);
        }
        wanted += shape.head_dim;
      }
    }
    EXPECT_EQ(written(all_lows), wanted);
    EXPECT_EQ(written(all_highs), wanted);
    return result;
  }

  void expect_right(const Shape& shape, const std::vector<std::int64_t>& tokens, const Layout& layout = {}) {
    Random random(3);
    std::vector<Keys> requests;
    std::vector<Bounds> expected;
    for (const std::int64_t count : tokens) {
      requests.push_back(random.floats(count * shape.head_dim));
      expected.push_back(expected_bounds(shape, requests.back()));
    }
    EXPECT_TRUE(bounds_of(shape, requests, layout) == expected);
  }
};

LIL_ON_EVERY_DEVICE(PageBounds);

TEST_P(PageBounds, SmallEveryTypeHeadSize) {
  for (const DType dtype : kDTypes) {
    for (const std::int32_t head_dim : {64, 128, 80, 71, 1, 512, 511}) {
      for (const Layout& layout : {Layout{1, 0, 0}, Layout{2, 8, 16}, Layout{3, 3, 1}}) {
        SCOPED_TRACE(testing::Message() << name_of(dtype) << ", " << head_dim << ", " << layout.padding);
        expect_right({dtype, head_dim, 16}, {33, 0, 16, 1}, layout);
      }
    }
  }
}

TEST_P(PageBounds, SmallEveryPageSize) {
  for (const std::int32_t page_size : {1, 2, 15, 64, 300}) {
    SCOPED_TRACE(testing::Message() << "pages of " << page_size);
    expect_right({DType::kBf16, 64, page_size}, {129, 15, 0, 64});
  }
}

TEST_P(PageBounds, Lengths) {
  for (const std::int64_t tokens : lengths_for(device())) {
    SCOPED_TRACE(testing::Message() << tokens << " tokens");
    expect_right({DType::kFp16, 64, 16}, {tokens});
  }
}

TEST_P(PageBounds, SmallExtremeValues) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const DType dtype : kDTypes) {
    SCOPED_TRACE(name_of(dtype));
    const Shape shape{dtype, 4, 4};
    const Keys keys{0,    -1, 3e-7F,  infinity,  //
                    -0.F, -2, -3e-7F, -infinity, 0, -3, 1e-6F, 60000};
    EXPECT_EQ(bounds_of(shape, {keys}).front(), expected_bounds(shape, keys));
  }
}

TEST_P(PageBounds, SmallWorkedExampleOfQuest) {
  const auto bounds = bounds_of({DType::kFp32, 2, 2}, {{1, 1, 2, -1, 0, 3, 1, 0}});
  EXPECT_EQ(bounds.front(), (Bounds{{1, -1, 0, 0}, {2, 1, 1, 3}}));
}

// u(page) >= q . k for every key of the page, and equal where pages have one slot.
TEST_P(PageBounds, SmallScoresDominateEveryKey) {
  constexpr std::int32_t kHeadDim = 64;
  constexpr std::int32_t kTokens = 70;
  for (const DType dtype : kDTypes) {
    for (const std::int32_t page_size : {1, 16}) {
      SCOPED_TRACE(testing::Message() << name_of(dtype) << ", pages of " << page_size);
      Random random(23);
      const std::int64_t pages = pages_of(kTokens, page_size);
      const std::vector<float> keys = random.floats(kTokens * kHeadDim);
      const std::vector<float> query = random.floats(kHeadDim);
      std::vector<float> pool = keys;
      pool.resize(pages * page_size * kHeadDim, kPoison);
      const DeviceTensor device_keys(device(), "keys", dtype, pool);
      const DeviceTensor device_query(device(), "query", dtype, query);
      const DeviceTensor lows(device(), "lows", dtype, pages * kHeadDim);
      const DeviceTensor highs(device(), "highs", dtype, pages * kHeadDim);
      std::vector<std::int32_t> list(pages);
      std::iota(list.begin(), list.end(), 0);
      const DeviceArray<std::int32_t> device_list(device(), "pages", list);
      const DeviceArray<std::int32_t> tokens(device(), "tokens", just(kTokens));
      const DeviceArray<float> scores(device(), "scores", pages);
      const kernels::PageLists lists{device_list.data(), pages, tokens.data(), kTokens, page_size};
      run([&] {
        return backend().page_bounds({.dtype = dtype,
                                      .requests = 1,
                                      .head_dim = kHeadDim,
                                      .lists = lists,
                                      .keys = device_keys.data(),
                                      .key_slot_stride = kHeadDim,
                                      .lows = lows.data(),
                                      .highs = highs.data()},
                                     stream());
      });
      run([&] {
        return backend().page_scores({.dtype = dtype,
                                      .requests = 1,
                                      .group = 1,
                                      .head_dim = kHeadDim,
                                      .queries = device_query.data(),
                                      .query_request_stride = kHeadDim,
                                      .query_head_stride = kHeadDim,
                                      .lists = lists,
                                      .lows = lows.data(),
                                      .highs = highs.data(),
                                      .scores = scores.data(),
                                      .scores_stride = pages},
                                     stream());
      });
      const std::vector<float> bounds = scores.read();
      const std::vector<double> q = rounded(dtype, query);
      const std::vector<double> k = rounded(dtype, keys);
      for (std::int64_t token = 0; token < kTokens; ++token) {
        const double product = std::inner_product(q.begin(), q.end(), k.begin() + token * kHeadDim, 0.0);
        const double bound = bounds[token / page_size];
        EXPECT_GE(bound, product - 2e-5) << "token " << token;
        if (page_size == 1) {
          EXPECT_NEAR(bound, product, 2e-5) << "token " << token;
        }
      }
    }
  }
}

TEST_P(PageBounds, SmallSameInAnyBatch) {
  const Shape shape{DType::kBf16, 64, 16};
  Random random(9);
  std::vector<Keys> requests;
  for (const std::int64_t tokens : {40, 0, 100, 16, 1}) {
    requests.push_back(random.floats(tokens * shape.head_dim));
  }
  expect_same_in_any_batch(requests, [&](const std::vector<Keys>& batch, const Layout& layout) {
    return bounds_of(shape, batch, layout);
  });
}

}  // namespace
}  // namespace lil::tests
