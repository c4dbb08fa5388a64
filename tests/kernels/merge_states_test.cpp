#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/kernels/attention_oracle.h"
#include "tests/kernels/list_cases.h"

namespace lil::tests {
namespace {

using kernels::DType;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Shape {
  DType dtype = DType::kFp32;
  std::int32_t head_dim = 64;
  std::int32_t group = 1;
};

/// The states of a request. Heads that a state has nothing of have lse = -inf there, and poison for `out`.
struct States {
  std::int64_t count = 0;
  std::vector<float> out;  ///< (count, group, head_dim)
  std::vector<float> lse;  ///< (count, group)
};

struct Merged {
  std::vector<double> out;  ///< (group, head_dim)
  std::vector<float> lse;   ///< (group)
};

bool operator==(const Merged& a, const Merged& b) {
  return a.out == b.out && bits_of(a.lse) == bits_of(b.lse);
}

void add_state(const Shape& shape, const std::vector<float>& lse, Random& random, States& states) {
  ++states.count;
  states.lse.insert(states.lse.end(), lse.begin(), lse.end());
  for (const float head_lse : lse) {
    const std::vector<float> row =
        head_lse == -kInfinity ? poisoned(shape.head_dim) : random.floats(shape.head_dim);
    states.out.insert(states.out.end(), row.begin(), row.end());
  }
}

States random_states(const Shape& shape, std::int64_t count, Random& random) {
  States states;
  for (std::int64_t i = 0; i < count; ++i) {
    std::vector<float> lse = random.floats(shape.group);
    for (float& head_lse : lse) {
      head_lse = random.index(4) == 0 ? -kInfinity : 3 * head_lse;
    }
    add_state(shape, lse, random, states);
  }
  return states;
}

/// The states whose every head has something of `states`, with `empty` further ones that have nothing.
States with_empty(const Shape& shape, const States& states, const std::vector<std::int64_t>& empty) {
  Random random(1);
  const std::vector<float> nothing(static_cast<std::size_t>(shape.group), -kInfinity);
  States spread;
  for (std::int64_t i = 0; i <= states.count; ++i) {
    for (const std::int64_t before : empty) {
      if (before == i) {
        add_state(shape, nothing, random, spread);
      }
    }
    if (i < states.count) {
      const std::vector<float> lse = part(states.lse, i * shape.group, shape.group);
      const std::int64_t size = std::int64_t{shape.group} * shape.head_dim;
      const std::vector<float> out = part(states.out, i * size, size);
      spread.lse.insert(spread.lse.end(), lse.begin(), lse.end());
      spread.out.insert(spread.out.end(), out.begin(), out.end());
      ++spread.count;
    }
  }
  return spread;
}

/// One head in fp64.
void expect_head(const Shape& shape, const States& states, std::int64_t head, const Merged& merged) {
  double most = -kInfinity;
  for (std::int64_t i = 0; i < states.count; ++i) {
    most = std::max<double>(most, states.lse[i * shape.group + head]);
  }
  double total = 0;
  std::vector<double> out(static_cast<std::size_t>(shape.head_dim));
  for (std::int64_t i = 0; i < states.count && most > -kInfinity; ++i) {
    const std::int64_t row = i * shape.group + head;
    if (states.lse[row] == -kInfinity) {
      continue;
    }
    const double weight = std::exp(states.lse[row] - most);
    total += weight;
    for (std::int64_t channel = 0; channel < shape.head_dim; ++channel) {
      out[channel] += weight * states.out[row * shape.head_dim + channel];
    }
  }
  for (double& channel : out) {
    channel /= total > 0 ? total : 1;
  }
  expect_close(shape.dtype, part(merged.out, head * shape.head_dim, shape.head_dim), out);
  expect_close(kLseTolerance, part(merged.lse, head, 1), std::vector<double>(1, most + std::log(total)));
}

class MergeStates : public KernelTest {
 protected:
  /// Requests with fewer states than others get empty ones after them.
  std::vector<Merged> merge(const Shape& shape, const std::vector<States>& requests,
                            const Layout& layout = {}) {
    std::int64_t states = 1;
    for (const States& request : requests) {
      states = std::max(states, request.count);
    }
    const auto count = static_cast<std::int64_t>(requests.size());
    std::vector<float> host_out = poisoned(count * states * shape.group * shape.head_dim);
    std::vector<float> host_lse(static_cast<std::size_t>(count * states * shape.group), -kInfinity);
    for (std::int64_t r = 0; r < count; ++r) {
      std::copy(requests[r].out.begin(), requests[r].out.end(),
                host_out.begin() + r * states * shape.group * shape.head_dim);
      std::copy(requests[r].lse.begin(), requests[r].lse.end(), host_lse.begin() + r * states * shape.group);
    }
    const std::int64_t row_stride = shape.head_dim + layout.padding;
    const std::int64_t request_stride = shape.group * row_stride + layout.padding;
    const DeviceArray<float> partial_out(device(), "partial_out", host_out);
    const DeviceArray<float> partial_lse(device(), "partial_lse", host_lse);
    const DeviceTensor out(device(), "out", shape.dtype, layout.offset + count * request_stride);
    const DeviceArray<float> lse(device(), "lse", count * shape.group);
    const kernels::MergeStatesArgs args{.dtype = shape.dtype,
                                        .requests = static_cast<std::int32_t>(count),
                                        .group = shape.group,
                                        .head_dim = shape.head_dim,
                                        .states = states,
                                        .partial_out = partial_out.data(),
                                        .partial_lse = partial_lse.data(),
                                        .out = out.at(layout.offset),
                                        .out_request_stride = request_stride,
                                        .out_head_stride = row_stride,
                                        .lse = lse.data()};
    run_and_repeat([&] { return backend().merge_states(args, stream()); });

    const std::vector<double> all = out.read();
    EXPECT_EQ(written(all), count * shape.group * shape.head_dim);
    std::vector<Merged> merged;
    for (std::int64_t r = 0; r < count; ++r) {
      Merged request{{}, part(lse.read(), r * shape.group, shape.group)};
      for (std::int64_t head = 0; head < shape.group; ++head) {
        const auto row = part(all, layout.offset + r * request_stride + head * row_stride, shape.head_dim);
        request.out.insert(request.out.end(), row.begin(), row.end());
      }
      merged.push_back(request);
    }
    return merged;
  }

  void expect_right(const Shape& shape, const std::vector<States>& requests, const Layout& layout = {}) {
    const std::vector<Merged> merged = merge(shape, requests, layout);
    for (std::size_t r = 0; r < requests.size(); ++r) {
      for (std::int64_t head = 0; head < shape.group; ++head) {
        SCOPED_TRACE(testing::Message() << "request " << r << ", head " << head);
        expect_head(shape, requests[r], head, merged[r]);
      }
    }
  }
};

LIL_ON_EVERY_DEVICE(MergeStates);

TEST_P(MergeStates, SmallEveryShape) {
  Random random(21);
  for (const DType dtype : kDTypes) {
    for (const std::int32_t head_dim : kHeadDims) {
      for (const std::int32_t group : kGroups) {
        SCOPED_TRACE(testing::Message()
                     << name_of(dtype) << ", head size " << head_dim << ", group " << group);
        const Shape shape{dtype, head_dim, group};
        expect_right(shape, {random_states(shape, 3, random), random_states(shape, 1, random)},
                     Layout{1, 5, 3});
      }
    }
  }
}

TEST_P(MergeStates, SmallOddShapes) {
  Random random(22);
  for (const Shape& shape : {Shape{DType::kFp32, 1, 2}, {DType::kBf16, 33, 9}, {DType::kFp16, 512, 1}}) {
    expect_right(shape, {random_states(shape, 4, random)});
  }
}

// Around the sizes of the groups in which a kernel may take them; 129 states are 32 k tokens.
TEST_P(MergeStates, ManyStates) {
  Random random(23);
  const Shape shape{DType::kFp32, 64, 3};
  std::vector<States> requests;
  for (const std::int64_t count : {7, 8, 9, 31, 32, 33, 129}) {
    requests.push_back(random_states(shape, count, random));
  }
  expect_right(shape, requests);
}

TEST_P(MergeStates, SmallEmptyStatesChangeNoBit) {
  for (const DType dtype : kDTypes) {
    Random random(24);
    const Shape shape{dtype, 80, 2};
    States states;
    for (int i = 0; i < 5; ++i) {
      add_state(shape, random.floats(2), random, states);
    }
    const Merged expected = merge(shape, {states})[0];
    for (const std::vector<std::int64_t>& empty :
         {std::vector<std::int64_t>{0}, {5}, {2}, {0, 1, 2, 3, 4, 5}, {0, 0, 0, 3, 3, 5, 5, 5, 5, 5, 5, 5}}) {
      EXPECT_TRUE(merge(shape, {with_empty(shape, states, empty)})[0] == expected);
    }
  }
}

TEST_P(MergeStates, SmallAllEmpty) {
  for (const DType dtype : kDTypes) {
    const Shape shape{dtype, 64, 2};
    for (const std::int64_t states : {1, 3}) {
      const std::vector<std::int64_t> empty(static_cast<std::size_t>(states), 0);
      const Merged merged = merge(shape, {with_empty(shape, {}, empty)})[0];
      EXPECT_EQ(merged.out, std::vector<double>(128, 0.0));
      EXPECT_EQ(merged.lse, std::vector<float>(2, -kInfinity));
    }
  }
}

TEST_P(MergeStates, SmallOneStateIsTheResult) {
  Random random(25);
  const Shape shape{DType::kFp32, 128, 4};
  States states;
  add_state(shape, {-1e4F, 0, 3, 1e4F}, random, states);
  const Merged merged = merge(shape, {states})[0];
  expect_close(DType::kFp32, merged.out, {states.out.begin(), states.out.end()});
  expect_close(kLseTolerance, merged.lse, {states.lse.begin(), states.lse.end()});
}

TEST_P(MergeStates, SmallHugeDifferences) {
  Random random(26);
  const Shape shape{DType::kFp32, 64, 3};
  States states;
  for (const std::vector<float>& lse : {std::vector<float>{-1e4F, 1e4F, -80},
                                        {1e4F, 0, 0},
                                        {0, 1e4F, -100},
                                        {9999, 9998, 20},
                                        {-kInfinity, -1e30F, -88}}) {
    add_state(shape, lse, random, states);
  }
  expect_right(shape, {states});
}

TEST_P(MergeStates, SmallNothingOfTheBatchShows) {
  for (const DType dtype : kDTypes) {
    const Shape shape{dtype, 64, 3};
    Random random(27);
    std::vector<States> requests;
    for (const std::int64_t count : {3, 1, 4}) {
      requests.push_back(random_states(shape, count, random));
    }
    const auto merged = [&](const std::vector<States>& of, const Layout& layout) {
      return merge(shape, of, layout);
    };
    const std::vector<Merged> together = merged(requests, {});
    const std::vector<std::size_t> order = {2, 0, 1};
    EXPECT_TRUE(merged(reordered(requests, order), {2, 8, 16}) == reordered(together, order));
    EXPECT_TRUE(merged(reordered(requests, order), {2, 3, 1}) == reordered(together, order));
    for (std::size_t r = 0; r < requests.size(); ++r) {
      EXPECT_TRUE(merged({requests[r]}, {2, 1, 1})[0] == together[r]) << r;
    }
  }
}

TEST_P(MergeStates, SmallWithoutLse) {
  const DeviceArray<float> partial_out(device(), "partial_out", {1, 2, 3});
  const DeviceArray<float> partial_lse(device(), "partial_lse", std::vector<float>(1, 0.5F));
  const DeviceTensor out(device(), "out", DType::kFp32, 3);
  const kernels::MergeStatesArgs args{.requests = 1,
                                      .group = 1,
                                      .head_dim = 3,
                                      .states = 1,
                                      .partial_out = partial_out.data(),
                                      .partial_lse = partial_lse.data(),
                                      .out = out.data(),
                                      .out_request_stride = 3,
                                      .out_head_stride = 3};
  run_and_repeat([&] { return backend().merge_states(args, stream()); });
  expect_close(DType::kFp32, out.read(), {1, 2, 3});
}

TEST_P(MergeStates, SmallNoRequests) {
  run([&] { return backend().merge_states({}, stream()); });
}

TEST_P(MergeStates, SmallRefusesWhatItsHeaderDoesNotAllow) {
  EXPECT_EQ(backend().merge_states({.requests = 1}, stream()), kernels::Status::kBadArguments);
}

}  // namespace
}  // namespace lil::tests
