#include "kernels/checks.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/kernels/harness.h"

namespace lil::tests {
namespace {

using kernels::DType;
using kernels::GroupReduce;
using kernels::PageLists;
using kernels::Status;

// Addresses that are not null; nothing reads them.
std::array<std::int32_t, 4> integers;
std::array<float, 4> floats;
std::array<float, 4> other_floats;

PageLists good_lists() {
  return {integers.data(), 8, integers.data(), 100, 16};
}

kernels::AppendArgs good_append() {
  return {.requests = 1,
          .head_dim = 8,
          .keys = floats.data(),
          .values = floats.data(),
          .key_stride = 8,
          .value_stride = 8,
          .rope = floats.data(),
          .rope_positions = 1,
          .positions = integers.data(),
          .slots = integers.data(),
          .key_pool = floats.data(),
          .value_pool = floats.data(),
          .key_slot_stride = 8,
          .value_slot_stride = 8,
          .slot_positions = integers.data(),
          .bounds_page_size = 1,
          .lows = floats.data(),
          .highs = floats.data()};
}

kernels::RotateArgs good_rotate() {
  return {.requests = 1,
          .head_dim = 8,
          .lists = good_lists(),
          .in = floats.data(),
          .out = floats.data(),
          .in_stride = 8,
          .out_stride = 8,
          .rope = floats.data(),
          .rope_positions = 1};
}

kernels::DecodeAttentionArgs good_decode_attention() {
  return {.requests = 1,
          .group = 1,
          .head_dim = 8,
          .scale = 1,
          .queries = floats.data(),
          .query_request_stride = 8,
          .query_head_stride = 8,
          .keys = floats.data(),
          .values = floats.data(),
          .key_slot_stride = 8,
          .value_slot_stride = 8,
          .lists = good_lists(),
          .partial_out = floats.data(),
          .partial_lse = floats.data(),
          .logits = floats.data(),
          .logits_stride = 100};
}

kernels::MergeStatesArgs good_merge_states() {
  return {.requests = 1,
          .group = 1,
          .head_dim = 8,
          .states = 1,
          .partial_out = floats.data(),
          .partial_lse = floats.data(),
          .out = floats.data(),
          .out_request_stride = 8,
          .out_head_stride = 8};
}

kernels::AccumulateScoresArgs good_accumulate_scores() {
  return {.requests = 4,
          .group = 1,
          .requests_per_set = 2,
          .lists = good_lists(),
          .logits = floats.data(),
          .logits_stride = 100,
          .lse = floats.data(),
          .scores = floats.data()};
}

kernels::PageBoundsArgs good_page_bounds() {
  return {.requests = 1,
          .head_dim = 8,
          .lists = good_lists(),
          .keys = floats.data(),
          .key_slot_stride = 8,
          .lows = floats.data(),
          .highs = floats.data()};
}

kernels::PageScoresArgs good_page_scores() {
  return {.requests = 1,
          .group = 1,
          .head_dim = 8,
          .queries = floats.data(),
          .query_request_stride = 8,
          .query_head_stride = 8,
          .lists = good_lists(),
          .lows = floats.data(),
          .highs = floats.data(),
          .scores = floats.data(),
          .scores_stride = 7};
}

kernels::TopkArgs good_topk() {
  return {.rows = 1,
          .scores = floats.data(),
          .scores_stride = 4,
          .counts = integers.data(),
          .max_count = 4,
          .keep = integers.data(),
          .places = integers.data(),
          .places_stride = 4,
          .kept = integers.data()};
}

kernels::CompactArgs good_compact() {
  return {.requests = 1,
          .pages = integers.data(),
          .pages_stride = 4,
          .counts = integers.data(),
          .max_count = 4,
          .places = integers.data(),
          .places_stride = 4,
          .kept = integers.data(),
          .freed = integers.data(),
          .freed_stride = 4,
          .freed_counts = integers.data()};
}

kernels::CopyRowsArgs good_copy_rows() {
  return {.requests = 4,
          .requests_per_set = 2,
          .row_bytes = 2048,
          .counts = integers.data(),
          .max_count = 4,
          .index = integers.data(),
          .index_stride = 4,
          .in = floats.data(),
          .out_index = integers.data(),
          .out_index_stride = 4,
          .out = other_floats.data()};
}

kernels::RmsNormArgs good_rms_norm() {
  return {.rows = 1,
          .columns = 4,
          .stream = floats.data(),
          .stream_stride = 4,
          .branch = floats.data(),
          .branch_stride = 4,
          .weight = floats.data(),
          .epsilon = 1e-5F,
          .y = floats.data(),
          .y_stride = 4};
}

kernels::SiluTimesArgs good_silu_times() {
  return {
      .rows = 1, .columns = 4, .gate = floats.data(), .gate_stride = 4, .up = floats.data(), .up_stride = 4};
}

kernels::CastRowsArgs good_cast_rows() {
  return {.dtype = DType::kBf16,
          .out_dtype = DType::kBf16,
          .rows = 1,
          .columns = 4,
          .in = floats.data(),
          .in_stride = 4,
          .out = other_floats.data(),
          .out_stride = 4};
}

kernels::DistributionArgs good_distribution() {
  static kernels::Distribution out;
  return {.rows = 1, .vocabulary = 4, .logits = floats.data(), .logits_stride = 4, .out = &out};
}

kernels::LinearArgs good_linear() {
  return {.rows = 1,
          .inputs = 4,
          .outputs = 4,
          .weights = floats.data(),
          .weight_stride = 4,
          .x = floats.data(),
          .x_stride = 4,
          .y = floats.data(),
          .y_stride = 4};
}

/// `good` must pass, and each change to it alone decides by `expected`.
template <class Args>
void expect_each(Status expected, const Args& good,
                 const std::vector<std::pair<std::string, std::function<void(Args&)>>>& changes) {
  EXPECT_EQ(kernels::check(good), Status::kOk);
  for (const auto& [what, change] : changes) {
    Args args = good;
    change(args);
    EXPECT_EQ(kernels::check(args), expected) << what;
  }
}

/// A change of one member, named by itself.
#define SET(member, value)                                        \
  {                                                               \
#member " = " #value, [](auto& args) { args.member = value; } \
  }
#define NO_DTYPE SET(dtype, static_cast<DType>(3))

/// What every kernel with lists refuses.
template <class Args>
void expect_lists_checked(const Args& good) {
  expect_each<Args>(Status::kBadArguments, good,
                    {SET(lists.pages, nullptr), SET(lists.tokens, nullptr), SET(lists.stride, 6),
                     SET(lists.max_tokens, -1), SET(lists.page_size, 0), SET(lists.page_size, -16)});
  expect_each<Args>(Status::kOk, good, {SET(lists.stride, 7), {"no entries", [](Args& args) {
                                                                 args.lists.max_tokens = 0;
                                                                 args.lists.pages = nullptr;
                                                                 args.lists.stride = 0;
                                                               }}});
}

TEST(Checks, Append) {
  expect_each<kernels::AppendArgs>(
      Status::kBadArguments, good_append(),
      {SET(requests, -1), SET(head_dim, 0), SET(head_dim, 7), SET(head_dim, 514), NO_DTYPE,
       SET(keys, nullptr), SET(values, nullptr), SET(key_stride, 7), SET(value_stride, 7),
       SET(rope_positions, 0), SET(positions, nullptr), SET(slots, nullptr), SET(key_pool, nullptr),
       SET(value_pool, nullptr), SET(key_slot_stride, 7), SET(value_slot_stride, -8),
       SET(bounds_page_size, -1), SET(lows, nullptr), SET(highs, nullptr)});
  kernels::AppendArgs raw = good_append();
  raw.rope = nullptr;
  raw.rope_positions = 0;
  raw.bounds_page_size = 0;
  raw.lows = nullptr;
  raw.highs = nullptr;
  expect_each<kernels::AppendArgs>(Status::kBadArguments, raw, {SET(positions, nullptr)});
  raw.slot_positions = nullptr;
  expect_each<kernels::AppendArgs>(Status::kOk, raw, {SET(head_dim, 7), SET(positions, nullptr)});
}

TEST(Checks, Rotate) {
  expect_lists_checked(good_rotate());
  expect_each<kernels::RotateArgs>(
      Status::kBadArguments, good_rotate(),
      {SET(requests, -1), SET(head_dim, 0), SET(head_dim, 7), SET(head_dim, 514), NO_DTYPE, SET(in, nullptr),
       SET(out, nullptr), SET(in_stride, 7), SET(out_stride, 7), SET(out_stride, 9), SET(place_stride, -1),
       SET(rope, nullptr), SET(rope_positions, 0)});
  kernels::RotateArgs elsewhere = good_rotate();
  elsewhere.out = other_floats.data();
  expect_each<kernels::RotateArgs>(Status::kOk, elsewhere,
                                   {SET(out_stride, 9), SET(place_stride, 0), SET(place_stride, 2)});
}

TEST(Checks, DecodeAttention) {
  expect_lists_checked(good_decode_attention());
  expect_each<kernels::DecodeAttentionArgs>(
      Status::kBadArguments, good_decode_attention(),
      {SET(requests, -1), SET(group, 0), SET(head_dim, 0), SET(head_dim, 513), NO_DTYPE,
       SET(queries, nullptr), SET(query_request_stride, 7), SET(query_head_stride, 7), SET(keys, nullptr),
       SET(values, nullptr), SET(key_slot_stride, 7), SET(value_slot_stride, 7), SET(partial_out, nullptr),
       SET(partial_lse, nullptr), SET(logits_stride, 99)});
  expect_each<kernels::DecodeAttentionArgs>(Status::kOk, good_decode_attention(),
                                            {{"no logits", [](auto& args) {
                                                args.logits = nullptr;
                                                args.logits_stride = 0;
                                              }}});
}

TEST(Checks, MergeStates) {
  expect_each<kernels::MergeStatesArgs>(
      Status::kBadArguments, good_merge_states(),
      {SET(requests, -1), SET(group, 0), SET(head_dim, 0), SET(head_dim, 513), NO_DTYPE, SET(states, 0),
       SET(partial_out, nullptr), SET(partial_lse, nullptr), SET(out, nullptr), SET(out_request_stride, 7),
       SET(out_head_stride, 7)});
}

TEST(Checks, AccumulateScores) {
  expect_lists_checked(good_accumulate_scores());
  expect_each<kernels::AccumulateScoresArgs>(
      Status::kBadArguments, good_accumulate_scores(),
      {SET(requests, -2), SET(requests, 3), SET(group, 0), SET(requests_per_set, 0),
       SET(requests_per_set, -2), SET(logits, nullptr), SET(logits_stride, 99), SET(lse, nullptr),
       SET(scores, nullptr), SET(reduce, static_cast<GroupReduce>(3)), SET(per_query_head, true)});
  kernels::AccumulateScoresArgs each = good_accumulate_scores();
  each.per_query_head = true;
  each.requests_per_set = 1;
  each.score_head_stride = 1;
  expect_each<kernels::AccumulateScoresArgs>(Status::kBadArguments, each,
                                             {SET(requests_per_set, 2), SET(score_head_stride, 0)});
}

TEST(Checks, PageBounds) {
  expect_lists_checked(good_page_bounds());
  expect_each<kernels::PageBoundsArgs>(
      Status::kBadArguments, good_page_bounds(),
      {SET(requests, -1), SET(head_dim, 0), SET(head_dim, 513), NO_DTYPE, SET(keys, nullptr),
       SET(key_slot_stride, 7), SET(lows, nullptr), SET(highs, nullptr)});
}

TEST(Checks, PageScores) {
  expect_lists_checked(good_page_scores());
  expect_each<kernels::PageScoresArgs>(
      Status::kBadArguments, good_page_scores(),
      {SET(requests, -1), SET(group, 0), SET(head_dim, 0), SET(head_dim, 513), NO_DTYPE,
       SET(queries, nullptr), SET(query_request_stride, 7), SET(query_head_stride, 7), SET(lows, nullptr),
       SET(highs, nullptr), SET(scores, nullptr), SET(scores_stride, 6),
       SET(reduce, static_cast<GroupReduce>(-1))});
}

TEST(Checks, Topk) {
  expect_each<kernels::TopkArgs>(
      Status::kBadArguments, good_topk(),
      {SET(rows, -1), SET(scores, nullptr), SET(scores_stride, 3), SET(counts, nullptr), SET(max_count, -1),
       SET(keep, nullptr), SET(places, nullptr), SET(places_stride, -1), SET(kept, nullptr)});
  expect_each<kernels::TopkArgs>(Status::kOk, good_topk(), {{"nothing to choose from", [](auto& args) {
                                                               args.max_count = 0;
                                                               args.scores = nullptr;
                                                               args.places = nullptr;
                                                             }}});
}

TEST(Checks, Compact) {
  expect_each<kernels::CompactArgs>(
      Status::kBadArguments, good_compact(),
      {SET(requests, -1), SET(pages, nullptr), SET(pages_stride, 3), SET(counts, nullptr), SET(max_count, -1),
       SET(places, nullptr), SET(places_stride, -1), SET(kept, nullptr), SET(freed, nullptr),
       SET(freed_stride, -1), SET(freed_counts, nullptr), SET(page_size, 0)});
  kernels::CompactArgs appends = good_compact();
  appends.append_freed = true;
  expect_each<kernels::CompactArgs>(Status::kBadArguments, appends,
                                    {SET(freed, nullptr), SET(kept, nullptr), SET(freed_counts, nullptr)});
}

TEST(Checks, CopyRows) {
  expect_each<kernels::CopyRowsArgs>(
      Status::kBadArguments, good_copy_rows(),
      {SET(requests, -4),
       SET(requests, 3),
       SET(requests_per_set, 0),
       SET(requests_per_set, -2),
       SET(row_bytes, 0),
       SET(row_bytes, -4),
       SET(row_bytes, 6),
       SET(row_bytes, 2052),
       SET(counts, nullptr),
       SET(max_count, -1),
       SET(index_stride, 3),
       SET(index_stride, -4),
       SET(in, nullptr),
       SET(in_request_rows, -1),
       SET(out_index_stride, 3),
       SET(out, nullptr),
       SET(out_request_rows, -1),
       {"an odd address", [](auto& args) { args.in = reinterpret_cast<const char*>(floats.data()) + 2; }},
       {"an odd address", [](auto& args) { args.out = reinterpret_cast<char*>(floats.data()) + 1; }}});
  expect_each<kernels::CopyRowsArgs>(Status::kOk, good_copy_rows(),
                                     {SET(row_bytes, 4),
                                      SET(index, nullptr),
                                      SET(out_index, nullptr),
                                      SET(index_stride, 0),
                                      SET(out_index_stride, 0),
                                      {"no rows", [](auto& args) {
                                         args.max_count = 0;
                                         args.in = nullptr;
                                         args.out = nullptr;
                                       }}});
}

TEST(Checks, RmsNorm) {
  expect_each<kernels::RmsNormArgs>(
      Status::kBadArguments, good_rms_norm(),
      {SET(rows, -1), SET(columns, 0), NO_DTYPE, SET(stream, nullptr), SET(stream_stride, 3),
       SET(branch_stride, 3), SET(weight, nullptr), SET(epsilon, -1.0F), SET(y, nullptr), SET(y_stride, 3)});
  expect_each<kernels::RmsNormArgs>(Status::kOk, good_rms_norm(),
                                    {SET(rows, 0), SET(epsilon, 0.0F), {"no branch", [](auto& args) {
                                                                          args.branch = nullptr;
                                                                          args.branch_stride = 0;
                                                                        }}});
}

TEST(Checks, SiluTimes) {
  expect_each<kernels::SiluTimesArgs>(Status::kBadArguments, good_silu_times(),
                                      {SET(rows, -1), SET(columns, 0), NO_DTYPE, SET(gate, nullptr),
                                       SET(gate_stride, 3), SET(up, nullptr), SET(up_stride, 3)});
}

TEST(Checks, CastRows) {
  expect_each<kernels::CastRowsArgs>(
      Status::kBadArguments, good_cast_rows(),
      {SET(rows, -1), SET(columns, 0), NO_DTYPE, SET(in_dtype, DType::kFp16), SET(out_dtype, DType::kFp16),
       SET(in, nullptr), SET(in_stride, 3), SET(out, nullptr), SET(out_stride, 3),
       SET(out, floats.data())});  // in place, but of another type
  kernels::CastRowsArgs in_place = good_cast_rows();
  in_place.out = floats.data();
  in_place.out_dtype = DType::kFp32;
  expect_each<kernels::CastRowsArgs>(Status::kBadArguments, in_place, {SET(out_stride, 5)});
}

TEST(Checks, Distribution) {
  expect_each<kernels::DistributionArgs>(
      Status::kBadArguments, good_distribution(),
      {SET(rows, -1), SET(vocabulary, 0), SET(vocabulary, std::int64_t{1} << 31), SET(logits, nullptr),
       SET(logits_stride, 3), SET(out, nullptr)});
}

TEST(Checks, Linear) {
  expect_each<kernels::LinearArgs>(
      Status::kBadArguments, good_linear(),
      {SET(rows, 0), SET(rows, 17), SET(inputs, 0), SET(outputs, 0), NO_DTYPE, SET(weights, nullptr),
       SET(weight_stride, 3), SET(x, nullptr), SET(x_stride, 3), SET(y, nullptr), SET(y_stride, 3)});
  expect_each<kernels::LinearArgs>(Status::kOk, good_linear(), {SET(rows, 16), SET(bias, floats.data())});
}

class Launchers : public KernelTest {};
LIL_ON_EVERY_DEVICE(Launchers);

// Null pointers and all: with no requests there is nothing to look at.
TEST_P(Launchers, SmallDoNothingWithoutRequests) {
  run([&] { return backend().append({}, stream()); });
  run([&] { return backend().rotate({}, stream()); });
  run([&] { return backend().decode_attention({}, stream()); });
  run([&] { return backend().merge_states({}, stream()); });
  run([&] { return backend().accumulate_scores({}, stream()); });
  run([&] { return backend().page_bounds({}, stream()); });
  run([&] { return backend().page_scores({}, stream()); });
  run([&] { return backend().topk({}, stream()); });
  run([&] { return backend().compact({}, stream()); });
  run([&] { return backend().copy_rows({}, stream()); });
  if (backend().linear == nullptr) return;
  run([&] { return backend().rms_norm({}, stream()); });
  run([&] { return backend().silu_times({}, stream()); });
  run([&] { return backend().cast_rows({}, stream()); });
  run([&] { return backend().distribution({}, stream()); });
}

/// One request and nothing else.
template <class Args>
Args one_request() {
  Args args;
  args.requests = 1;
  return args;
}

TEST_P(Launchers, SmallRefuseWhatTheChecksRefuse) {
  EXPECT_EQ(backend().append(one_request<kernels::AppendArgs>(), stream()), Status::kBadArguments);
  EXPECT_EQ(backend().rotate(one_request<kernels::RotateArgs>(), stream()), Status::kBadArguments);
  EXPECT_EQ(backend().decode_attention(one_request<kernels::DecodeAttentionArgs>(), stream()),
            Status::kBadArguments);
  EXPECT_EQ(backend().merge_states(one_request<kernels::MergeStatesArgs>(), stream()), Status::kBadArguments);
  EXPECT_EQ(backend().accumulate_scores(one_request<kernels::AccumulateScoresArgs>(), stream()),
            Status::kBadArguments);
  EXPECT_EQ(backend().page_bounds(one_request<kernels::PageBoundsArgs>(), stream()), Status::kBadArguments);
  EXPECT_EQ(backend().page_scores(one_request<kernels::PageScoresArgs>(), stream()), Status::kBadArguments);
  EXPECT_EQ(backend().topk({.rows = 1}, stream()), Status::kBadArguments);
  EXPECT_EQ(backend().compact(one_request<kernels::CompactArgs>(), stream()), Status::kBadArguments);
  EXPECT_EQ(backend().copy_rows(one_request<kernels::CopyRowsArgs>(), stream()), Status::kBadArguments);
  if (backend().linear == nullptr) return;
  EXPECT_EQ(backend().linear({.rows = 1}, stream()), Status::kBadArguments);
  EXPECT_EQ(backend().rms_norm({.rows = 1}, stream()), Status::kBadArguments);
  EXPECT_EQ(backend().silu_times({.rows = 1}, stream()), Status::kBadArguments);
  EXPECT_EQ(backend().cast_rows({.rows = 1}, stream()), Status::kBadArguments);
  EXPECT_EQ(backend().distribution({.rows = 1}, stream()), Status::kBadArguments);
}

}  // namespace
}  // namespace lil::tests
