#include <gtest/gtest.h>

#include "tests/kernels/list_cases.h"

namespace lil::tests {
namespace {

using kernels::DType;

constexpr std::int32_t kPositions = 300;

struct Shape {
  DType dtype = DType::kFp32;
  std::int32_t head_dim = 64;
  bool has_rope = true;
  std::int32_t page_size = 16;  ///< of bounds; 0: none
};

/// A token, and the bounds of its page before it comes: none where it is the first.
struct Request {
  bool takes_part = true;
  std::int32_t place_in_page = 0;
  std::int32_t position = 0;
  std::vector<float> key;
  std::vector<float> value;
  std::vector<float> lows;
  std::vector<float> highs;
};

struct Outcome {
  std::int32_t position = -1;
  std::vector<double> key;
  std::vector<double> value;
  std::vector<double> lows;
  std::vector<double> highs;
  bool operator==(const Outcome&) const = default;
};

std::vector<Request> random_requests(const Shape& shape, std::int64_t count) {
  Random random(31);
  std::vector<Request> requests;
  for (std::int64_t i = 0; i < count; ++i) {
    Request request{i % 4 != 3,
                    static_cast<std::int32_t>(i % std::max(shape.page_size, 1)),
                    static_cast<std::int32_t>(random.index(kPositions)),
                    random.floats(shape.head_dim),
                    random.floats(shape.head_dim),
                    {},
                    {}};
    for (std::int64_t channel = 0; channel < shape.head_dim; ++channel) {
      const float low = random.uniform(-1, 0.2F);
      request.lows.push_back(low);
      request.highs.push_back(low + random.uniform(0, 1));
    }
    requests.push_back(request);
  }
  return requests;
}

class Append : public KernelTest {
 protected:
  /// What each request finds in its slot and its page; a test failure if anything else was written.
  std::vector<Outcome> outcomes_of(const Shape& shape, const std::vector<Request>& requests,
                                   const Layout& layout = {}) {
    // A page for each request, and some that are nobody's.
    const std::int64_t page_size = std::max(shape.page_size, 1);
    const auto count = static_cast<std::int64_t>(requests.size());
    const std::int64_t pages = count + 2;
    Random random(layout.seed);
    const std::vector<std::int32_t> page_of = random.permutation(pages);
    const std::int64_t stride = shape.head_dim + layout.padding;

    std::vector<float> keys = poisoned(layout.offset + count * stride);
    std::vector<float> values = keys;
    std::vector<float> lows = poisoned(layout.offset + pages * shape.head_dim);
    std::vector<float> highs = lows;
    std::vector<std::int32_t> positions;
    std::vector<std::int32_t> slots;
    for (std::int64_t r = 0; r < count; ++r) {
      const Request& request = requests[r];
      positions.push_back(request.takes_part ? request.position : kPoisonIndex);
      slots.push_back(request.takes_part
                          ? static_cast<std::int32_t>(page_of[r] * page_size + request.place_in_page)
                          : -1);
      if (!request.takes_part) {
        continue;  // its rows stay unwritten: nobody may read them
      }
      std::copy(request.key.begin(), request.key.end(), keys.begin() + layout.offset + r * stride);
      std::copy(request.value.begin(), request.value.end(), values.begin() + layout.offset + r * stride);
      if (request.place_in_page != 0) {
        const std::int64_t at = layout.offset + page_of[r] * shape.head_dim;
        std::copy(request.lows.begin(), request.lows.end(), lows.begin() + at);
        std::copy(request.highs.begin(), request.highs.end(), highs.begin() + at);
      }
    }
    const DeviceTensor device_keys(device(), "keys", shape.dtype, keys);
    const DeviceTensor device_values(device(), "values", shape.dtype, values);
    const DeviceTensor device_lows(device(), "lows", shape.dtype, lows);
    const DeviceTensor device_highs(device(), "highs", shape.dtype, highs);
    const DeviceArray<std::int32_t> device_positions(device(), "positions", positions);
    const DeviceArray<std::int32_t> device_slots(device(), "slots", slots);
    const DeviceArray<float> rope(device(), "rope", rope_table(kPositions, shape.head_dim));
    const std::int64_t elements = layout.offset + pages * page_size * stride;
    const DeviceTensor key_pool(device(), "key pool", shape.dtype, elements);
    const DeviceTensor value_pool(device(), "value pool", shape.dtype, elements);
    const DeviceArray<std::int32_t> slot_positions(device(), "slot positions", pages * page_size);

    const bool has_bounds = shape.page_size != 0;
    const kernels::AppendArgs args{.dtype = shape.dtype,
                                   .requests = static_cast<std::int32_t>(count),
                                   .head_dim = shape.head_dim,
                                   .keys = device_keys.at(layout.offset),
                                   .values = device_values.at(layout.offset),
                                   .key_stride = stride,
                                   .value_stride = stride,
                                   .rope = shape.has_rope ? rope.data() : nullptr,
                                   .rope_positions = shape.has_rope ? kPositions : 0,
                                   .positions = device_positions.data(),
                                   .slots = device_slots.data(),
                                   .key_pool = key_pool.at(layout.offset),
                                   .value_pool = value_pool.at(layout.offset),
                                   .key_slot_stride = stride,
                                   .value_slot_stride = stride,
                                   .slot_positions = slot_positions.data(),
                                   .bounds_page_size = shape.page_size,
                                   .lows = has_bounds ? device_lows.at(layout.offset) : nullptr,
                                   .highs = has_bounds ? device_highs.at(layout.offset) : nullptr};
    run_and_repeat([&] { return backend().append(args, stream()); });

    const std::vector<double> all_keys = key_pool.read();
    const std::vector<double> all_values = value_pool.read();
    const std::vector<double> all_lows = device_lows.read();
    const std::vector<double> all_highs = device_highs.read();
    const std::vector<std::int32_t> all_positions = slot_positions.read();
    std::vector<Outcome> outcomes(requests.size());
    std::int64_t taking_part = 0;
    for (std::int64_t r = 0; r < count; ++r) {
      if (!requests[r].takes_part) {
        continue;
      }
      ++taking_part;
      Outcome& outcome = outcomes[r];
      outcome.position = all_positions[slots[r]];
      outcome.key = part(all_keys, layout.offset + slots[r] * stride, shape.head_dim);
      outcome.value = part(all_values, layout.offset + slots[r] * stride, shape.head_dim);
      if (has_bounds) {
        outcome.lows = part(all_lows, layout.offset + page_of[r] * shape.head_dim, shape.head_dim);
        outcome.highs = part(all_highs, layout.offset + page_of[r] * shape.head_dim, shape.head_dim);
      }
    }
    EXPECT_EQ(written(all_keys), taking_part * shape.head_dim);
    EXPECT_EQ(written(all_values), taking_part * shape.head_dim);
    EXPECT_EQ(written(all_positions), taking_part);
    return outcomes;
  }

  void expect_right(const Shape& shape, std::int64_t count, const Layout& layout = {}) {
    const std::vector<Request> requests = random_requests(shape, count);
    const std::vector<Outcome> outcomes = outcomes_of(shape, requests, layout);
    const std::vector<float> table = rope_table(kPositions, shape.head_dim);
    for (std::size_t r = 0; r < requests.size(); ++r) {
      SCOPED_TRACE(testing::Message() << "request " << r);
      const Request& request = requests[r];
      const Outcome& outcome = outcomes[r];
      if (!request.takes_part) {
        continue;
      }
      EXPECT_EQ(outcome.position, request.position);
      EXPECT_EQ(outcome.value, rounded(shape.dtype, request.value));
      const std::vector<double> raw = rounded(shape.dtype, request.key);
      if (shape.has_rope) {
        expect_close(shape.dtype, outcome.key, turned(raw, table, request.position));
      } else {
        EXPECT_EQ(outcome.key, raw);
      }
      if (shape.page_size != 0) {
        expect_bounds(shape, request, outcome);
      }
    }
  }

  /// Bounds are of the keys that were stored, exactly.
  static void expect_bounds(const Shape& shape, const Request& request, const Outcome& outcome) {
    std::vector<double> lows = outcome.key;
    std::vector<double> highs = outcome.key;
    for (std::size_t i = 0; i < lows.size() && request.place_in_page != 0; ++i) {
      lows[i] = std::min(lows[i], rounded(shape.dtype, request.lows[i]));
      highs[i] = std::max(highs[i], rounded(shape.dtype, request.highs[i]));
    }
    EXPECT_EQ(outcome.lows, lows);
    EXPECT_EQ(outcome.highs, highs);
  }
};

LIL_ON_EVERY_DEVICE(Append);

TEST_P(Append, SmallEveryTypeHeadSize) {
  for (const DType dtype : kDTypes) {
    for (const std::int32_t head_dim : {64, 128, 80, 2, 250, 512}) {
      for (const Layout& layout : {Layout{1, 0, 0}, Layout{2, 8, 16}, Layout{3, 3, 1}}) {
        SCOPED_TRACE(testing::Message() << name_of(dtype) << ", " << head_dim << ", " << layout.padding);
        expect_right({dtype, head_dim, true, 16}, 9, layout);
      }
    }
  }
}

TEST_P(Append, SmallRawKeysOfAnySize) {
  for (const DType dtype : kDTypes) {
    for (const std::int32_t head_dim : {1, 71, 128}) {
      SCOPED_TRACE(testing::Message() << name_of(dtype) << ", " << head_dim);
      expect_right({dtype, head_dim, false, 16}, 6);
    }
  }
}

TEST_P(Append, SmallEveryPageSize) {
  for (const std::int32_t page_size : {0, 1, 2, 16, 33}) {
    SCOPED_TRACE(testing::Message() << "pages of " << page_size);
    expect_right({DType::kBf16, 64, true, page_size}, 35);
  }
}

TEST_P(Append, SmallNobodyTakesPart) {
  std::vector<Request> requests = random_requests({}, 3);
  for (Request& request : requests) {
    request.takes_part = false;
  }
  EXPECT_EQ(outcomes_of({}, requests), std::vector<Outcome>(3));
}

TEST_P(Append, SmallSameBitsInAnyBatch) {
  for (const DType dtype : kDTypes) {
    SCOPED_TRACE(name_of(dtype));
    const Shape shape{dtype, 80, true, 16};
    expect_same_in_any_batch(random_requests(shape, 7),
                             [&](const std::vector<Request>& requests, const Layout& layout) {
                               return outcomes_of(shape, requests, layout);
                             });
  }
}

// Token by token the bounds become what page_bounds finds in the pool at the end.
TEST_P(Append, SmallBoundsGrowToThoseOfThePages) {
  constexpr std::int32_t kHeadDim = 64;
  constexpr std::int32_t kPageSize = 4;
  constexpr std::int32_t kTokens = 11;
  constexpr std::int32_t kPages = 3;
  for (const DType dtype : kDTypes) {
    SCOPED_TRACE(name_of(dtype));
    Random random(5);
    const DeviceTensor keys(device(), "keys", dtype, random.floats(kTokens * kHeadDim));
    const DeviceArray<float> rope(device(), "rope", rope_table(kTokens, kHeadDim));
    const std::vector<std::int32_t> pages{2, 0, 1};
    const DeviceArray<std::int32_t> device_pages(device(), "pages", pages);
    const DeviceTensor key_pool(device(), "key pool", dtype, kPages * kPageSize * kHeadDim);
    const DeviceTensor value_pool(device(), "value pool", dtype, kPages * kPageSize * kHeadDim);
    const DeviceTensor lows(device(), "lows", dtype, kPages * kHeadDim);
    const DeviceTensor highs(device(), "highs", dtype, kPages * kHeadDim);
    for (std::int32_t token = 0; token < kTokens; ++token) {
      const DeviceArray<std::int32_t> position(device(), "position", just(token));
      const DeviceArray<std::int32_t> slot(device(), "slot",
                                           just(pages[token / kPageSize] * kPageSize + token % kPageSize));
      run([&] {
        return backend().append({.dtype = dtype,
                                 .requests = 1,
                                 .head_dim = kHeadDim,
                                 .keys = keys.at(token * kHeadDim),
                                 .values = keys.at(token * kHeadDim),
                                 .key_stride = kHeadDim,
                                 .value_stride = kHeadDim,
                                 .rope = rope.data(),
                                 .rope_positions = kTokens,
                                 .positions = position.data(),
                                 .slots = slot.data(),
                                 .key_pool = key_pool.data(),
                                 .value_pool = value_pool.data(),
                                 .key_slot_stride = kHeadDim,
                                 .value_slot_stride = kHeadDim,
                                 .bounds_page_size = kPageSize,
                                 .lows = lows.data(),
                                 .highs = highs.data()},
                                stream());
      });
    }
    const DeviceTensor lows_at_once(device(), "lows at once", dtype, kPages * kHeadDim);
    const DeviceTensor highs_at_once(device(), "highs at once", dtype, kPages * kHeadDim);
    const DeviceArray<std::int32_t> tokens(device(), "tokens", just(kTokens));
    run([&] {
      return backend().page_bounds({.dtype = dtype,
                                    .requests = 1,
                                    .head_dim = kHeadDim,
                                    .lists = {device_pages.data(), kPages, tokens.data(), kTokens, kPageSize},
                                    .keys = key_pool.data(),
                                    .key_slot_stride = kHeadDim,
                                    .lows = lows_at_once.data(),
                                    .highs = highs_at_once.data()},
                                   stream());
    });
    EXPECT_EQ(lows.read(), lows_at_once.read());
    EXPECT_EQ(highs.read(), highs_at_once.read());
  }
}

}  // namespace
}  // namespace lil::tests
