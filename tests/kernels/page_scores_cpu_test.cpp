// Of the CPU's page_scores alone: its order of sums is that of 16 lanes on every vector target.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tests/kernels/harness.h"
#include "tests/kernels/targets.h"

namespace lil::tests {
namespace {

using kernels::DType;

class PageScoresTargets : public KernelTest {};
LIL_ON_CPU(PageScoresTargets);

/// The score of one page, fused, in 16 lanes that are then folded in halves.
float score_slowly(DType dtype, const float* query, const float* low, const float* high, std::int64_t count) {
  const auto exact = [&](float value) { return static_cast<float>(rounded(dtype, value)); };
  std::array<float, 16> lanes{};
  for (std::int64_t i = 0; i < count; ++i) {
    const float q = exact(query[i]);
    lanes[i % 16] = std::fma(q, exact(q < 0 ? low[i] : high[i]), lanes[i % 16]);
  }
  for (std::size_t half = 8; half > 0; half /= 2) {
    for (std::size_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  return lanes[0];
}

TEST_P(PageScoresTargets, TheFusedOnesAddInSixteenLanes) {
  constexpr std::int32_t kPages = 37;
  constexpr std::int32_t kGroup = 9;
  for (const DType dtype : kDTypes) {
    for (const std::int32_t head_dim : {64, 128, 80, 33}) {
      Random random(19);
      const std::vector<float> queries = random.floats(kGroup * head_dim);
      std::vector<float> lows = random.floats(kPages * head_dim);
      std::vector<float> highs = random.floats(kPages * head_dim);
      for (std::size_t i = 0; i < lows.size(); ++i) {
        if (highs[i] < lows[i]) std::swap(lows[i], highs[i]);
      }
      std::vector<float> expected;
      for (std::int64_t i = 0; i < kGroup * kPages; ++i) {
        const std::int64_t page = i % kPages * head_dim;
        expected.push_back(
            score_slowly(dtype, &queries[i / kPages * head_dim], &lows[page], &highs[page], head_dim));
      }
      const DeviceTensor device_queries(device(), "queries", dtype, queries);
      const DeviceTensor device_lows(device(), "lows", dtype, lows);
      const DeviceTensor device_highs(device(), "highs", dtype, highs);
      std::vector<std::int32_t> numbers(kPages);
      for (std::int32_t i = 0; i < kPages; ++i) numbers[i] = i;
      const DeviceArray<std::int32_t> pages(device(), "pages", numbers);
      const DeviceArray<std::int32_t> tokens(device(), "tokens", std::vector<std::int32_t>(1, kPages));
      for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        if (!is_fused(target)) continue;
        SCOPED_TRACE(testing::Message()
                     << name_of(dtype) << ", " << head_dim << ", " << hwy::TargetName(target));
        const OnlyTarget only(target);
        const DeviceArray<float> scores(device(), "scores", kGroup * kPages);
        run([&] {
          return backend().page_scores({.dtype = dtype,
                                        .requests = 1,
                                        .group = kGroup,
                                        .head_dim = head_dim,
                                        .queries = device_queries.data(),
                                        .query_request_stride = kGroup * head_dim,
                                        .query_head_stride = head_dim,
                                        .lists = {pages.data(), kPages, tokens.data(), kPages, 1},
                                        .lows = device_lows.data(),
                                        .highs = device_highs.data(),
                                        .per_query_head = true,
                                        .scores = scores.data(),
                                        .scores_stride = kPages},
                                       stream());
        });
        EXPECT_EQ(bits_of(scores.read()), bits_of(expected));
      }
    }
  }
}

}  // namespace
}  // namespace lil::tests
