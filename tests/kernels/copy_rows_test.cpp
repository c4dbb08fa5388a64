#include <gtest/gtest.h>

#include <numeric>

#include "tests/kernels/list_cases.h"

namespace lil::tests {
namespace {

using Indices = std::vector<std::int32_t>;

struct Shape {
  std::int64_t row_words = 1;  ///< of 4 bytes
  std::int32_t requests_per_set = 1;
  bool has_index = true;
  bool has_out_index = false;
  bool shares_in = false;  ///< all requests read the same rows
  Layout layout;           ///< `offset`: words before both areas
};

/// A request's rows of its part of `in`, by place, where they are named; of shared ones else.
struct Request {
  std::int32_t count = 0;
  Indices index;      ///< (count) rows of its part of `in`
  Indices out_index;  ///< (count) rows of `out`, of which no request names one of another
};

constexpr std::int64_t kPartRows = 40;  ///< of each request's part of `in`

/// Requests whose rows come from anywhere in their parts and, with an index, go anywhere.
std::vector<Request> random_requests(const std::vector<std::int64_t>& counts, std::int32_t requests_per_set) {
  Random random(83);
  std::int64_t all = 0;
  for (const std::int64_t count : counts) all += count;
  const Indices order = random.permutation(all + 3);
  auto next = order.begin();
  std::vector<Request> requests;
  for (std::size_t r = 0; r < counts.size(); ++r) {
    Request request{static_cast<std::int32_t>(counts[r]), {}, {next, next + counts[r]}};
    next += counts[r];
    for (std::int64_t j = 0; j < counts[r]; ++j) {
      request.index.push_back(static_cast<std::int32_t>(random.index(kPartRows)));
    }
    const std::size_t first_of_set = r - r % static_cast<std::size_t>(requests_per_set);
    if (first_of_set != r) request.index = requests[first_of_set].index;
    requests.push_back(request);
  }
  return requests;
}

class CopyRows : public KernelTest {
 protected:
  void expect_right(const Shape& shape, const std::vector<Request>& requests) {
    const auto count = static_cast<std::int64_t>(requests.size());
    const std::int64_t words = shape.row_words;
    std::int64_t longest = 0;
    std::int64_t all = 0;
    for (const Request& request : requests) {
      longest = std::max<std::int64_t>(longest, request.count);
      all += request.count;
    }
    const std::int64_t part = shape.has_index ? kPartRows : longest;
    const std::int64_t in_request_rows = shape.shares_in ? 0 : part;
    const std::int64_t in_rows = part * (shape.shares_in ? 1 : count);
    const std::int64_t out_request_rows = longest + shape.layout.padding;
    const std::int64_t out_rows = shape.has_out_index ? all + 3 : out_request_rows * count;
    const std::int64_t index_stride = longest + shape.layout.padding;

    Indices in(shape.layout.offset + in_rows * words);
    std::iota(in.begin(), in.end(), 1000);
    Indices expected = poisoned_indices(shape.layout.offset + out_rows * words);
    Indices counts;
    Indices index = poisoned_indices(count * index_stride);
    Indices out_index = poisoned_indices(count * index_stride);
    for (std::int64_t r = 0; r < count; ++r) {
      const Request& request = requests[r];
      counts.push_back(request.count);
      if (r % shape.requests_per_set == 0) {
        std::copy(request.index.begin(), request.index.end(), index.begin() + r * index_stride);
      }
      std::copy(request.out_index.begin(), request.out_index.end(), out_index.begin() + r * index_stride);
      for (std::int64_t j = 0; j < request.count; ++j) {
        const std::int64_t from = r * in_request_rows + (shape.has_index ? request.index[j] : j);
        const std::int64_t to = shape.has_out_index ? request.out_index[j] : r * out_request_rows + j;
        std::copy_n(in.begin() + shape.layout.offset + from * words, words,
                    expected.begin() + shape.layout.offset + to * words);
      }
    }

    const DeviceArray<std::int32_t> device_in(device(), "in", in);
    const DeviceArray<std::int32_t> device_out(device(), "out", static_cast<std::int64_t>(expected.size()));
    const DeviceArray<std::int32_t> device_counts(device(), "counts", counts);
    const DeviceArray<std::int32_t> device_index(device(), "index", index);
    const DeviceArray<std::int32_t> device_out_index(device(), "out index", out_index);
    const kernels::CopyRowsArgs args{.requests = static_cast<std::int32_t>(count),
                                     .requests_per_set = shape.requests_per_set,
                                     .row_bytes = 4 * words,
                                     .counts = device_counts.data(),
                                     .max_count = longest,
                                     .index = shape.has_index ? device_index.data() : nullptr,
                                     .index_stride = index_stride,
                                     .in = device_in.data() + shape.layout.offset,
                                     .in_request_rows = in_request_rows,
                                     .out_index = shape.has_out_index ? device_out_index.data() : nullptr,
                                     .out_index_stride = index_stride,
                                     .out = device_out.data() + shape.layout.offset,
                                     .out_request_rows = out_request_rows};
    run_and_repeat([&] { return backend().copy_rows(args, stream()); });
    EXPECT_EQ(device_out.read(), expected);
  }
};

LIL_ON_EVERY_DEVICE(CopyRows);

// From a number to the widest row, at 16 bytes and not.
TEST_P(CopyRows, SmallEveryWidth) {
  for (const std::int64_t words : {1, 2, 3, 4, 5, 16, 20, 31, 32, 64, 512}) {
    for (const std::int64_t offset : {0, 1, 4}) {
      SCOPED_TRACE(testing::Message() << words << " words, from word " << offset);
      const Shape shape{words, 1, true, false, false, {1, 2, offset}};
      expect_right(shape, random_requests({5, 0, 33, 1}, 1));
    }
  }
}

TEST_P(CopyRows, SmallEveryKindOfList) {
  for (const std::int64_t words : {1, 32}) {
    for (const bool has_index : {false, true}) {
      for (const bool has_out_index : {false, true}) {
        for (const bool shares_in : {false, true}) {
          SCOPED_TRACE(testing::Message() << words << has_index << has_out_index << shares_in);
          expect_right({words, 1, has_index, has_out_index, shares_in, {1, 3, 0}},
                       random_requests({17, 0, 40, 3}, 1));
        }
      }
    }
  }
}

// Lists of requests that are not first in their set are poison.
TEST_P(CopyRows, SmallSetsShareTheListOfTheirFirst) {
  for (const std::int64_t words : {1, 16}) {
    for (const bool has_out_index : {false, true}) {
      expect_right({words, 3, true, has_out_index, false, {1, 1, 0}}, random_requests({9, 9, 9, 0, 0, 0}, 3));
    }
  }
}

TEST_P(CopyRows, Lengths) {
  for (const std::int64_t count : lengths_for(device())) {
    SCOPED_TRACE(testing::Message() << count << " rows");
    expect_right({1, 1, true, true, false, {}}, random_requests({count, 1}, 1));
    expect_right({4, 1, false, true, false, {}}, random_requests({count, 1}, 1));
  }
}

// One row of zeros for all, at the slots of two requests: what a pool is cleared with.
TEST_P(CopyRows, SmallOneListAndOneRowForAll) {
  const DeviceArray<std::int32_t> zeros(device(), "zeros", Indices(8, 0));
  const DeviceArray<std::int32_t> out(device(), "out", Indices(6 * 8, 7));
  const DeviceArray<std::int32_t> counts(device(), "counts", Indices{2, 1});
  const DeviceArray<std::int32_t> index(device(), "index", Indices{0, 0});
  const DeviceArray<std::int32_t> out_index(device(), "out index", Indices{5, 1, 3, kPoisonIndex});
  run_and_repeat([&] {
    return backend().copy_rows({.requests = 2,
                                .row_bytes = 32,
                                .counts = counts.data(),
                                .max_count = 2,
                                .index = index.data(),
                                .index_stride = 0,
                                .in = zeros.data(),
                                .out_index = out_index.data(),
                                .out_index_stride = 2,
                                .out = out.data()},
                               stream());
  });
  Indices expected(6 * 8, 7);
  for (const std::int64_t row : {5, 1, 3}) std::fill_n(expected.begin() + row * 8, 8, 0);
  EXPECT_EQ(out.read(), expected);
}

}  // namespace
}  // namespace lil::tests
