#include <gtest/gtest.h>

#include "tests/kernels/attention_runner.h"

namespace lil::tests {
namespace {

using kernels::DType;

class DecodeAttention : public KernelTest {
 protected:
  std::vector<AttentionResult> results_of(const AttentionShape& shape,
                                          const std::vector<AttentionRequest>& requests,
                                          const Layout& layout = {}, const AttentionOptions& options = {}) {
    const AttentionCall call(device(), shape, requests, layout, options);
    run_and_repeat([&] { return backend().decode_attention(call.args(), stream()); });
    return call.results();
  }

  std::vector<std::vector<std::uint32_t>> bits_of_all(const AttentionShape& shape,
                                                      const std::vector<AttentionRequest>& requests,
                                                      const Layout& layout = {},
                                                      const AttentionOptions& options = {}) {
    std::vector<std::vector<std::uint32_t>> bits;
    for (const AttentionResult& result : results_of(shape, requests, layout, options)) {
      bits.push_back(bits_of(result));
    }
    return bits;
  }

  void expect_right(const AttentionShape& shape, const std::vector<AttentionRequest>& requests,
                    const Layout& layout = {}) {
    SCOPED_TRACE(testing::Message() << name_of(shape.dtype) << ", head size " << shape.head_dim << ", group "
                                    << shape.group << ", page size " << shape.page_size);
    const std::vector<AttentionResult> results = results_of(shape, requests, layout);
    for (std::size_t r = 0; r < requests.size(); ++r) {
      SCOPED_TRACE(testing::Message() << "request " << r << " of " << requests[r].tokens << " tokens");
      expect_exact(shape, requests[r], results[r]);
    }
  }

  void try_lengths(const AttentionShape& shape, const std::vector<std::int64_t>& tokens,
                   const Layout& layout = {}) {
    expect_right(shape, random_requests(shape, tokens), layout);
  }

  /// A whole split and one entry more, part of a fast path's round, rounds and one entry more: a round has 16
  /// to 128 entries.
  void try_every_shape(DType dtype) {
    for (const std::int32_t head_dim : kHeadDims) {
      for (const std::int32_t group : kGroups) {
        try_lengths({dtype, head_dim, group, 16}, {257, 0, 17, 129});
      }
    }
  }
};

LIL_ON_EVERY_DEVICE(DecodeAttention);

TEST_P(DecodeAttention, SmallEveryShapeInFp32) {
  try_every_shape(DType::kFp32);
}

TEST_P(DecodeAttention, SmallEveryShapeInFp16) {
  try_every_shape(DType::kFp16);
}

TEST_P(DecodeAttention, SmallEveryShapeInBf16) {
  try_every_shape(DType::kBf16);
}

// Rows that are no multiple of a vector, whole rows in one vector, the widest head, more heads than go
// together.
TEST_P(DecodeAttention, SmallOddShapes) {
  for (const DType dtype : kDTypes) {
    try_lengths({dtype, 72, 3, 1}, {5, 18});
    try_lengths({dtype, 1, 2, 5}, {3, 33});
    try_lengths({dtype, 33, 9, 2}, {7});
    try_lengths({dtype, 512, 1, 16}, {4});
    try_lengths({dtype, 64, 17, 4}, {9});
  }
}

TEST_P(DecodeAttention, SmallEveryPageSize) {
  const std::vector<AttentionRequest> requests = random_requests({}, {31, 1, 16});
  const auto expected = bits_of_all({.page_size = 1}, requests);
  for (const std::int32_t page_size : {2, 7, 16, 300}) {
    SCOPED_TRACE(page_size);
    EXPECT_EQ(bits_of_all({.page_size = page_size}, requests), expected);
  }
}

TEST_P(DecodeAttention, RaggedLengths) {
  std::vector<std::int64_t> tokens = kSmallLengths;
  tokens.insert(tokens.begin() + 2, 0);
  tokens.push_back(0);
  try_lengths({DType::kFp32, 128, 2, 16}, tokens);
  try_lengths({DType::kBf16, 64, 3, 1}, tokens);
  try_lengths({DType::kFp16, 80, 1, 7}, tokens, Layout{5, 3, 1});
}

TEST_P(DecodeAttention, WholeSplits) {
  try_lengths({DType::kBf16, 64, 1, 16}, {255, 256, 512, 513});
}

TEST_P(DecodeAttention, LongLists) {
  const std::int64_t longest = device().longest_list();
  try_lengths({DType::kBf16, 64, 1, 16}, {std::min<std::int64_t>(longest, 4097), 3});
  if (longest < 32768) {
    return;
  }
  try_lengths({DType::kFp32, 128, 4, 16}, {4097, 0, 300});
  try_lengths({DType::kFp16, 80, 7, 1}, {4097});
  try_lengths({DType::kBf16, 128, 2, 16}, {32768});
  try_lengths({DType::kFp32, 64, 1, 1}, {32768, 1});
}

// A request alone, in another order, with another max_tokens, in other strides, at addresses that are no
// multiple of 16 bytes, in pages of other numbers.
TEST_P(DecodeAttention, SmallNothingOfTheBatchShows) {
  for (const AttentionShape& shape : {AttentionShape{DType::kFp32, 64, 3, 4},
                                      {DType::kFp16, 128, 4, 16},
                                      {DType::kBf16, 64, 6, 1},
                                      {DType::kBf16, 80, 5, 3}}) {
    SCOPED_TRACE(testing::Message() << name_of(shape.dtype) << ", group " << shape.group);
    expect_same_in_any_batch(random_requests(shape, {17, 1, 0, 33, 4}),
                             [&](const std::vector<AttentionRequest>& requests, const Layout& layout) {
                               return bits_of_all(shape, requests, layout);
                             });
  }
}

// Rows that don't begin at 16 bytes take the general path: the same bits, past two rounds of the fast one.
TEST_P(DecodeAttention, SmallFastAndGeneralPathsAgree) {
  for (const AttentionShape& shape : {AttentionShape{DType::kFp32, 128, 4, 16},
                                      {DType::kBf16, 64, 6, 1},
                                      {DType::kFp16, 128, 7, 16},
                                      {DType::kFp32, 64, 8, 3}}) {
    SCOPED_TRACE(testing::Message() << name_of(shape.dtype) << ", group " << shape.group);
    const std::vector<AttentionRequest> requests = random_requests(shape, {256, 135});
    EXPECT_EQ(bits_of_all(shape, requests, Layout{3, 3, 1}), bits_of_all(shape, requests));
  }
}

TEST_P(DecodeAttention, NothingOfTheBatchShowsAcrossSplits) {
  const AttentionShape shape{DType::kBf16, 64, 2, 16};
  expect_same_in_any_batch(random_requests(shape, {300, 0, 257}),
                           [&](const std::vector<AttentionRequest>& requests, const Layout& layout) {
                             return bits_of_all(shape, requests, layout);
                           });
}

TEST_P(DecodeAttention, SmallMoreTokensAnnouncedThanThereAre) {
  const AttentionShape shape{DType::kFp32, 64, 2, 16};
  const std::vector<AttentionRequest> requests = random_requests(shape, {20, 0, 3});
  EXPECT_EQ(bits_of_all(shape, requests, {}, {.more_tokens = 1000}), bits_of_all(shape, requests));
}

TEST_P(DecodeAttention, SmallOnlyEmptyLists) {
  const AttentionShape shape{DType::kBf16, 64, 3, 16};
  const auto results = results_of(shape, random_requests(shape, {0, 0}));
  EXPECT_EQ(results[0].splits, 0);
  EXPECT_EQ(results[1].splits, 0);
}

TEST_P(DecodeAttention, SmallWithoutLogits) {
  const AttentionShape shape{DType::kFp16, 64, 3, 16};
  const std::vector<AttentionRequest> requests = random_requests(shape, {20, 33});
  const auto with = results_of(shape, requests);
  const auto without = results_of(shape, requests, {}, {.logits = false});
  for (std::size_t r = 0; r < requests.size(); ++r) {
    EXPECT_EQ(bits_of(without[r].out), bits_of(with[r].out));
    EXPECT_EQ(bits_of(without[r].lse), bits_of(with[r].lse));
  }
}

// Logits of 10000 + 0, 1, 2, 3 with other signs before them: 100 * 100 and small numbers are exact in each
// type.
TEST_P(DecodeAttention, SmallHugeLogits) {
  for (const DType dtype : kDTypes) {
    for (const std::vector<float>& signs : {std::vector<float>{1}, {-1}, {1, -1, -1}, {-1, -1, 1}}) {
      const AttentionShape shape{dtype, 64, 2, 16, 1};
      std::vector<AttentionRequest> requests = random_requests(shape, {35});
      AttentionRequest& request = requests[0];
      std::fill(request.queries.begin(), request.queries.end(), 0.0F);
      request.queries[0] = 100;
      request.queries[1] = 1;
      request.queries[64] = 100;
      request.queries[66] = 1;
      for (std::int64_t j = 0; j < request.tokens; ++j) {
        request.keys[j * 64] = 100 * signs[j % signs.size()];
        request.keys[j * 64 + 1] = static_cast<float>(j % 4);
        request.keys[j * 64 + 2] = static_cast<float>(j % 3);
      }
      expect_right(shape, requests);
    }
  }
}

// Every weight is the same: 1/n.
TEST_P(DecodeAttention, SmallEqualKeys) {
  for (const DType dtype : kDTypes) {
    const AttentionShape shape{dtype, 64, 3, 16};
    std::vector<AttentionRequest> requests = random_requests(shape, {129, 16});
    for (AttentionRequest& request : requests) {
      for (std::int64_t j = 1; j < request.tokens; ++j) {
        std::copy_n(request.keys.begin(), 64, request.keys.begin() + j * 64);
      }
    }
    expect_right(shape, requests);
    for (const AttentionResult& result : results_of(shape, requests)) {
      const std::size_t tokens = result.logits.size() / 3;
      for (std::size_t i = 0; i < result.logits.size(); ++i) {
        EXPECT_EQ(result.logits[i], result.logits[i / tokens * tokens]) << i;
      }
    }
  }
}

// What a list does not name is poison in all of these tests; here it was an entry before.
TEST_P(DecodeAttention, SmallEvictedSlotsAreNotRead) {
  const AttentionShape shape{DType::kBf16, 64, 2, 1};
  const AttentionRequest before = random_requests(shape, {40})[0];
  AttentionCall call(device(), shape, {before});
  AttentionRequest after{20, before.queries, {}, {}};
  std::vector<std::int32_t> pages;
  for (std::int64_t place = 0; place < before.tokens; place += 2) {
    pages.push_back(static_cast<std::int32_t>(call.slot(0, place)));
    for (const auto rows : {&AttentionRequest::keys, &AttentionRequest::values}) {
      const std::vector<float> row = part(before.*rows, place * 64, 64);
      (after.*rows).insert((after.*rows).end(), row.begin(), row.end());
    }
    call.evict(call.slot(0, place + 1));
  }
  const DeviceArray<std::int32_t> device_pages(device(), "pages", pages);
  const DeviceArray<std::int32_t> tokens(device(), "tokens", just(20));
  const DeviceArray<float> out(device(), "out", 128);
  const DeviceArray<float> lse(device(), "lse", 2);
  kernels::DecodeAttentionArgs args = call.args();
  args.lists = {device_pages.data(), 20, tokens.data(), 20, 1};
  args.partial_out = out.data();
  args.partial_lse = lse.data();
  args.logits = nullptr;
  run_and_repeat([&] { return backend().decode_attention(args, stream()); });
  const AttentionResult expected = results_of(shape, {after})[0];
  EXPECT_EQ(bits_of(out.read()), bits_of(expected.out));
  EXPECT_EQ(bits_of(lse.read()), bits_of(expected.lse));
}

TEST_P(DecodeAttention, SmallSplitsJoinToTheWholeList) {
  constexpr std::int64_t kOut = 192;  // of 3 heads
  for (const DType dtype : kDTypes) {
    SCOPED_TRACE(name_of(dtype));
    const AttentionShape shape{dtype, 64, 3, 16};
    const std::vector<AttentionRequest> requests = random_requests(shape, {300, 0, 40});
    const AttentionCall call(device(), shape, requests);
    const DeviceTensor out(device(), "out", dtype, 3 * kOut);
    const DeviceArray<float> lse(device(), "lse", 9);
    const kernels::MergeStatesArgs merge{.dtype = dtype,
                                         .requests = 3,
                                         .group = 3,
                                         .head_dim = 64,
                                         .states = kernels::splits_of(300),
                                         .partial_out = call.args().partial_out,
                                         .partial_lse = call.args().partial_lse,
                                         .out = out.data(),
                                         .out_request_stride = kOut,
                                         .out_head_stride = 64,
                                         .lse = lse.data()};
    run_and_repeat([&] {
      const kernels::Status status = backend().decode_attention(call.args(), stream());
      return status == kernels::Status::kOk ? backend().merge_states(merge, stream()) : status;
    });
    for (std::int64_t r = 0; r < 3; ++r) {
      const ExactAttention exact = exact_attention(shape, requests[r], 0, requests[r].tokens);
      expect_close(dtype, part(out.read(), r * kOut, kOut), exact.out);
      expect_close(kLseTolerance, part(lse.read(), r * 3, 3), exact.lse);
    }
  }
}

TEST_P(DecodeAttention, SmallNoRequests) {
  run([&] { return backend().decode_attention({}, stream()); });
}

TEST_P(DecodeAttention, SmallRefusesWhatItsHeaderDoesNotAllow) {
  const AttentionCall call(device(), {}, random_requests({}, {3}));
  kernels::DecodeAttentionArgs args = call.args();
  args.group = 0;
  EXPECT_EQ(backend().decode_attention(args, stream()), kernels::Status::kBadArguments);
}

}  // namespace
}  // namespace lil::tests
