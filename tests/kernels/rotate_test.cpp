#include <gtest/gtest.h>

#include "tests/kernels/list_cases.h"

namespace lil::tests {
namespace {

using kernels::DType;

struct Shape {
  DType dtype = DType::kFp32;
  std::int32_t head_dim = 64;
  std::int32_t page_size = 16;
  std::int32_t place_stride = 1;
  bool by_slot_positions = false;
  bool in_place = false;
};

struct Request {
  std::vector<float> rows;              ///< (tokens, head_dim)
  std::vector<std::int32_t> positions;  ///< of the tokens, for by_slot_positions
};

std::int64_t tokens_of(const Shape& shape, const Request& request) {
  return static_cast<std::int64_t>(request.rows.size()) / shape.head_dim;
}

std::int64_t position_of(const Shape& shape, const Request& request, std::int64_t place) {
  return shape.by_slot_positions ? request.positions[place] : place * shape.place_stride;
}

std::vector<Request> random_requests(const Shape& shape, const std::vector<std::int64_t>& tokens) {
  Random random(13);
  std::vector<Request> requests;
  for (const std::int64_t count : tokens) {
    Request request{random.floats(count * shape.head_dim), {}};
    for (std::int64_t i = 0; i < count; ++i) {
      request.positions.push_back(static_cast<std::int32_t>(random.index(count)));
    }
    requests.push_back(request);
  }
  return requests;
}

class Rotate : public KernelTest {
 protected:
  /// (tokens, head_dim) of each request; a test failure if anything else was written.
  std::vector<std::vector<double>> rows_of(const Shape& shape, const std::vector<Request>& requests,
                                           const Layout& layout = {}) {
    std::vector<std::int64_t> tokens;
    std::int64_t all_tokens = 0;
    for (const Request& request : requests) {
      tokens.push_back(tokens_of(shape, request));
      all_tokens += tokens.back();
    }
    const ListCases lists(device(), layout, shape.page_size, tokens);
    const std::int64_t stride = shape.head_dim + layout.padding;
    std::vector<float> pool = poisoned(layout.offset + lists.pool_slots() * stride);
    std::vector<std::int32_t> positions = poisoned_indices(lists.pool_slots());
    for (std::size_t r = 0; r < requests.size(); ++r) {
      for (std::int64_t place = 0; place < tokens[r]; ++place) {
        std::copy_n(requests[r].rows.begin() + place * shape.head_dim, shape.head_dim,
                    pool.begin() + layout.offset + lists.slot(r, place) * stride);
        positions[lists.slot(r, place)] = requests[r].positions[place];
      }
    }
    const DeviceTensor in(device(), "in", shape.dtype, pool);
    const DeviceTensor elsewhere(device(), "out", shape.dtype, static_cast<std::int64_t>(pool.size()));
    const DeviceTensor& out = shape.in_place ? in : elsewhere;
    const DeviceArray<std::int32_t> slot_positions(device(), "slot positions", positions);
    const auto table_positions =
        static_cast<std::int32_t>(lists.args().max_tokens * std::max(shape.place_stride, 1) + 1);
    const DeviceArray<float> rope(device(), "rope", rope_table(table_positions, shape.head_dim));
    const kernels::RotateArgs args{
        .dtype = shape.dtype,
        .requests = static_cast<std::int32_t>(requests.size()),
        .head_dim = shape.head_dim,
        .lists = lists.args(),
        .in = in.at(layout.offset),
        .out = out.at(layout.offset),
        .in_stride = stride,
        .out_stride = stride,
        .slot_positions = shape.by_slot_positions ? slot_positions.data() : nullptr,
        .place_stride = shape.place_stride,
        .rope = rope.data(),
        .rope_positions = table_positions};
    run_and_repeat([&] { return backend().rotate(args, stream()); });

    const std::vector<double> all = out.read();
    EXPECT_EQ(written(all), all_tokens * shape.head_dim);
    std::vector<std::vector<double>> result(requests.size());
    for (std::size_t r = 0; r < requests.size(); ++r) {
      for (std::int64_t place = 0; place < tokens[r]; ++place) {
        const auto row = part(all, layout.offset + lists.slot(r, place) * stride, shape.head_dim);
        result[r].insert(result[r].end(), row.begin(), row.end());
      }
    }
    return result;
  }

  void expect_right(const Shape& shape, const std::vector<std::int64_t>& tokens, const Layout& layout = {}) {
    const std::vector<Request> requests = random_requests(shape, tokens);
    const auto rows = rows_of(shape, requests, layout);
    const std::int64_t longest = *std::max_element(tokens.begin(), tokens.end());
    const std::vector<float> table =
        rope_table(longest * std::max(shape.place_stride, 1) + 1, shape.head_dim);
    for (std::size_t r = 0; r < requests.size(); ++r) {
      SCOPED_TRACE(testing::Message() << "request " << r);
      const std::vector<double> raw = rounded(shape.dtype, requests[r].rows);
      std::vector<double> expected;
      for (std::int64_t place = 0; place < tokens[r]; ++place) {
        const auto row = turned(part(raw, place * shape.head_dim, shape.head_dim), table,
                                position_of(shape, requests[r], place));
        expected.insert(expected.end(), row.begin(), row.end());
      }
      expect_close(shape.dtype, rows[r], expected);
    }
  }
};

LIL_ON_EVERY_DEVICE(Rotate);

TEST_P(Rotate, SmallEveryTypeHeadSize) {
  for (const DType dtype : kDTypes) {
    for (const std::int32_t head_dim : {64, 128, 80, 2, 250, 512}) {
      for (const Layout& layout : {Layout{1, 0, 0}, Layout{2, 8, 16}, Layout{3, 3, 1}}) {
        SCOPED_TRACE(testing::Message() << name_of(dtype) << ", " << head_dim << ", " << layout.padding);
        expect_right({dtype, head_dim, 16}, {17, 0, 5}, layout);
      }
    }
  }
}

TEST_P(Rotate, SmallEveryWayToAPosition) {
  for (const std::int32_t page_size : {1, 16}) {
    for (const bool by_slot_positions : {false, true}) {
      for (const std::int32_t place_stride : {0, 1, 2}) {
        SCOPED_TRACE(testing::Message() << page_size << by_slot_positions << place_stride);
        expect_right({DType::kFp32, 64, page_size, place_stride, by_slot_positions}, {129, 1});
      }
    }
  }
}

TEST_P(Rotate, SmallInPlaceGivesTheSameBits) {
  for (const DType dtype : kDTypes) {
    for (const std::int32_t head_dim : {128, 70}) {
      SCOPED_TRACE(testing::Message() << name_of(dtype) << ", " << head_dim);
      Shape shape{dtype, head_dim, 16};
      const std::vector<Request> requests = random_requests(shape, {33, 127});
      const auto elsewhere = rows_of(shape, requests);
      shape.in_place = true;
      EXPECT_EQ(rows_of(shape, requests), elsewhere);
    }
  }
}

TEST_P(Rotate, Lengths) {
  for (const std::int64_t tokens : lengths_for(device())) {
    if (tokens <= 4097) {  // the table of more positions takes longer than the kernel
      SCOPED_TRACE(testing::Message() << tokens << " tokens");
      expect_right({DType::kBf16, 64, 1}, {tokens});
    }
  }
}

// S = 2, B = 5: of the tokens 0 to 7 are kept 0, 1, 5, 6, 7, at positions 0 to 4.
TEST_P(Rotate, SmallWorkedExampleOfSink) {
  constexpr std::int32_t kHeadDim = 64;
  Random random(17);
  const std::vector<float> raw = random.floats(8 * kHeadDim);
  const std::vector<std::int32_t> kept{0, 1, 5, 6, 7};
  const DeviceTensor in(device(), "in", DType::kFp32, raw);
  const DeviceTensor out(device(), "out", DType::kFp32, 8 * kHeadDim);
  const DeviceArray<std::int32_t> pages(device(), "pages", kept);
  const DeviceArray<std::int32_t> tokens(device(), "tokens", just(5));
  const std::vector<float> table = rope_table(5, kHeadDim);
  const DeviceArray<float> rope(device(), "rope", table);
  run([&] {
    return backend().rotate({.dtype = DType::kFp32,
                             .requests = 1,
                             .head_dim = kHeadDim,
                             .lists = {pages.data(), 5, tokens.data(), 5, 1},
                             .in = in.data(),
                             .out = out.data(),
                             .in_stride = kHeadDim,
                             .out_stride = kHeadDim,
                             .rope = rope.data(),
                             .rope_positions = 5},
                            stream());
  });
  const std::vector<double> rows = out.read();
  EXPECT_EQ(written(rows), 5 * kHeadDim);
  for (std::int64_t place = 0; place < 5; ++place) {
    const std::int64_t first = kept[place] * kHeadDim;
    expect_close(DType::kFp32, part(rows, first, kHeadDim),
                 turned(part(rounded(DType::kFp32, raw), first, kHeadDim), table, place));
  }
}

TEST_P(Rotate, SmallSameBitsInAnyBatch) {
  for (const DType dtype : kDTypes) {
    SCOPED_TRACE(name_of(dtype));
    const Shape shape{dtype, 80, 16, 1, true};
    expect_same_in_any_batch(random_requests(shape, {20, 0, 50, 1, 16}),
                             [&](const std::vector<Request>& requests, const Layout& layout) {
                               return rows_of(shape, requests, layout);
                             });
  }
}

// A key turned on its way into the pool has the bits of one that was stored raw and turned later.
TEST_P(Rotate, SmallSameBitsAsAppend) {
  constexpr std::int32_t kHeadDim = 128;
  constexpr std::int32_t kPosition = 37;
  for (const DType dtype : kDTypes) {
    SCOPED_TRACE(name_of(dtype));
    Random random(19);
    const DeviceTensor raw(device(), "raw", dtype, random.floats(kHeadDim));
    const DeviceTensor later(device(), "later", dtype, kHeadDim);
    const DeviceTensor at_once(device(), "at once", dtype, kHeadDim);
    const DeviceTensor value(device(), "value", dtype, kHeadDim);
    const DeviceArray<float> rope(device(), "rope", rope_table(kPosition + 1, kHeadDim));
    const DeviceArray<std::int32_t> zero(device(), "zero", just(0));
    const DeviceArray<std::int32_t> one(device(), "one", just(1));
    const DeviceArray<std::int32_t> position(device(), "position", just(kPosition));
    run([&] {
      return backend().rotate({.dtype = dtype,
                               .requests = 1,
                               .head_dim = kHeadDim,
                               .lists = {zero.data(), 1, one.data(), 1, 1},
                               .in = raw.data(),
                               .out = later.data(),
                               .in_stride = kHeadDim,
                               .out_stride = kHeadDim,
                               .slot_positions = position.data(),
                               .rope = rope.data(),
                               .rope_positions = kPosition + 1},
                              stream());
    });
    run([&] {
      return backend().append({.dtype = dtype,
                               .requests = 1,
                               .head_dim = kHeadDim,
                               .keys = raw.data(),
                               .values = raw.data(),
                               .key_stride = kHeadDim,
                               .value_stride = kHeadDim,
                               .rope = rope.data(),
                               .rope_positions = kPosition + 1,
                               .positions = position.data(),
                               .slots = zero.data(),
                               .key_pool = at_once.data(),
                               .value_pool = value.data(),
                               .key_slot_stride = kHeadDim,
                               .value_slot_stride = kHeadDim},
                              stream());
    });
    EXPECT_EQ(at_once.bits(), later.bits());
  }
}

}  // namespace
}  // namespace lil::tests
