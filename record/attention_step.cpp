#include "record/attention_step.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

#include "kernels/copy_rows.h"
#include "kernels/decode_attention.h"
#include "kernels/merge_states.h"
#include "kernels/rotate.h"

namespace lil::record {
namespace {

std::size_t size(std::int64_t count) {
  return static_cast<std::size_t>(count);
}

std::int32_t narrow_count(std::int64_t count) {
  return static_cast<std::int32_t>(count);
}

}  // namespace

AttentionStep::AttentionStep(const PolicyContext& context)
    : context_(context), zeros_(*context.device, size(context.heads)) {}

template <class T>
void AttentionStep::ensure(DeviceArray<T>& array, std::int64_t wanted) const {
  if (array.size() >= size(wanted)) return;
  array = DeviceArray<T>(*context_.device, size(wanted + wanted / 4));
}

void AttentionStep::ensure_rows(std::int64_t rows) {
  if (rows <= rows_) return;
  Device& device = *context_.device;
  std::vector<std::int32_t> numbers(size(rows));
  std::iota(numbers.begin(), numbers.end(), 0);
  iota_ = DeviceArray<std::int32_t>(device, size(rows));
  iota_.upload(numbers);
  head_counts_ = DeviceArray<std::int32_t>(device, size(rows));
  head_counts_.upload(std::vector<std::int32_t>(size(rows), narrow_count(context_.heads)));
  ones_ = DeviceArray<std::int32_t>(device, size(rows * context_.heads));
  ones_.upload(std::vector<std::int32_t>(ones_.size(), 1));
  head_positions_ = DeviceArray<std::int32_t>(device, size(rows * context_.heads));
  rows_ = rows;
}

void AttentionStep::rotate_queries(std::int64_t rows, void* queries, const std::int32_t* positions) {
  rotate(rows, queries, queries, positions);
}

void AttentionStep::rotate(std::int64_t rows, const void* in, void* out, const std::int32_t* positions) {
  ensure_rows(rows);
  kernels::CopyRowsArgs spread;  // a row's position to each of its heads
  spread.requests = narrow_count(rows);
  spread.row_bytes = sizeof(std::int32_t);
  spread.counts = head_counts_.data();
  spread.max_count = context_.heads;
  spread.index = zeros_.data();
  spread.in = positions;
  spread.in_request_rows = 1;
  spread.out = head_positions_.data();
  spread.out_request_rows = context_.heads;
  require_ok(context_.device->kernels().copy_rows(spread, context_.device->stream()), "copy_rows");

  kernels::RotateArgs args;
  args.dtype = context_.dtype;
  args.requests = narrow_count(rows);
  args.head_dim = narrow_count(context_.head_dim);
  args.lists = {iota_.data(), 1, head_counts_.data(), context_.heads, narrow_count(context_.heads)};
  args.in = in;
  args.out = out;
  args.in_stride = context_.head_dim;
  args.out_stride = context_.head_dim;
  args.slot_positions = head_positions_.data();
  args.rope = context_.rope;
  args.rope_positions = narrow_count(context_.rope_positions);
  require_ok(context_.device->kernels().rotate(args, context_.device->stream()), "rotate");
}

std::int64_t AttentionStep::requests_of(std::int64_t rows, const AttentionPart& part) const {
  return rows * (part.per_query_head ? context_.heads : context_.kv_heads);
}

std::int64_t AttentionStep::group_of(const AttentionPart& part) const {
  return part.per_query_head ? 1 : context_.group();
}

std::span<const PartResult> AttentionStep::attend(std::int64_t rows, const void* queries,
                                                  std::span<const AttentionPart> parts, void* mixed) {
  assert(!parts.empty());
  scratch_.resize(std::max(scratch_.size(), parts.size()));
  results_.clear();
  const bool alone = parts.size() == 1;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    results_.push_back(attend_part(rows, queries, parts[p], scratch_[p], alone ? mixed : nullptr));
  }
  if (!alone) merge_parts(rows, parts, mixed);
  return results_;
}

PartResult AttentionStep::attend_part(std::int64_t rows, const void* queries, const AttentionPart& part,
                                      Scratch& scratch, void* mixed) {
  const std::int64_t requests = requests_of(rows, part);
  const std::int64_t group = group_of(part);
  const std::int64_t splits = kernels::splits_of(part.lists.max_tokens);
  ensure(scratch.partial_out, requests * splits * group * context_.head_dim);
  ensure(scratch.partial_lse, requests * splits * group);
  ensure(scratch.lse, requests * group);
  if (part.wants_logits) ensure(scratch.logits, requests * group * part.lists.max_tokens);
  if (part.query_positions != nullptr) {
    ensure(scratch.queries, rows * context_.heads * context_.head_dim * kernels::bytes_of(context_.dtype));
    rotate(rows, queries, scratch.queries.data(), part.query_positions);
  }
  kernels::DecodeAttentionArgs args;
  args.dtype = context_.dtype;
  args.requests = narrow_count(requests);
  args.group = narrow_count(group);
  args.head_dim = narrow_count(context_.head_dim);
  args.scale = 1.0F / std::sqrt(static_cast<float>(context_.head_dim));
  args.queries = part.query_positions != nullptr ? scratch.queries.data() : queries;
  args.query_request_stride = group * context_.head_dim;
  args.query_head_stride = context_.head_dim;
  args.keys = part.keys;
  args.values = part.values;
  args.key_slot_stride = context_.head_dim;
  args.value_slot_stride = context_.head_dim;
  args.lists = part.lists;
  args.partial_out = scratch.partial_out.data();
  args.partial_lse = scratch.partial_lse.data();
  args.logits = part.wants_logits ? scratch.logits.data() : nullptr;
  args.logits_stride = part.lists.max_tokens;
  require_ok(context_.device->kernels().decode_attention(args, context_.device->stream()),
             "decode_attention");
  if (mixed != nullptr) merge_splits(rows, part, scratch, mixed);
  return {args.logits, args.logits_stride, scratch.lse.data()};
}

void AttentionStep::merge_splits(std::int64_t rows, const AttentionPart& part, Scratch& scratch,
                                 void* mixed) {
  kernels::MergeStatesArgs args;
  args.dtype = context_.dtype;
  args.requests = narrow_count(requests_of(rows, part));
  args.group = narrow_count(group_of(part));
  args.head_dim = narrow_count(context_.head_dim);
  args.states = kernels::splits_of(part.lists.max_tokens);
  args.partial_out = scratch.partial_out.data();
  args.partial_lse = scratch.partial_lse.data();
  args.out = mixed;
  args.out_request_stride = group_of(part) * context_.head_dim;
  args.out_head_stride = context_.head_dim;
  args.lse = scratch.lse.data();
  require_ok(context_.device->kernels().merge_states(args, context_.device->stream()), "merge_states");
}

/// Each part's splits to one state in fp32, then the states of the parts; by query head, in which all kinds
/// of parts agree.
void AttentionStep::merge_parts(std::int64_t rows, std::span<const AttentionPart> parts, void* mixed) {
  const auto count = static_cast<std::int64_t>(parts.size());
  const std::int64_t all_heads = rows * context_.heads;
  ensure(part_out_, all_heads * count * context_.head_dim);
  ensure(part_lse_, all_heads * count);
  ensure(whole_lse_, all_heads);
  ensure_rows(rows);
  for (std::int64_t p = 0; p < count; ++p) {
    Scratch& scratch = scratch_[size(p)];
    kernels::MergeStatesArgs args;
    args.requests = narrow_count(requests_of(rows, parts[size(p)]));
    args.group = narrow_count(group_of(parts[size(p)]));
    args.head_dim = narrow_count(context_.head_dim);
    args.states = kernels::splits_of(parts[size(p)].lists.max_tokens);
    args.partial_out = scratch.partial_out.data();
    args.partial_lse = scratch.partial_lse.data();
    args.out = part_out_.data() + p * context_.head_dim;
    args.out_request_stride = args.group * count * context_.head_dim;
    args.out_head_stride = count * context_.head_dim;
    args.lse = scratch.lse.data();
    require_ok(context_.device->kernels().merge_states(args, context_.device->stream()), "merge_states");
    kernels::CopyRowsArgs gather;
    gather.requests = narrow_count(all_heads);
    gather.row_bytes = sizeof(float);
    gather.counts = ones_.data();
    gather.max_count = 1;
    gather.in = scratch.lse.data();
    gather.in_request_rows = 1;
    gather.out = part_lse_.data() + p;
    gather.out_request_rows = count;
    require_ok(context_.device->kernels().copy_rows(gather, context_.device->stream()), "copy_rows");
  }
  join_parts(all_heads, count, mixed);
}

void AttentionStep::join_parts(std::int64_t all_heads, std::int64_t parts, void* mixed) {
  kernels::MergeStatesArgs args;
  args.dtype = context_.dtype;
  args.requests = narrow_count(all_heads);
  args.group = 1;
  args.head_dim = narrow_count(context_.head_dim);
  args.states = parts;
  args.partial_out = part_out_.data();
  args.partial_lse = part_lse_.data();
  args.out = mixed;
  args.out_request_stride = context_.head_dim;
  args.out_head_stride = context_.head_dim;
  args.lse = whole_lse_.data();
  require_ok(context_.device->kernels().merge_states(args, context_.device->stream()), "merge_states");
  for (PartResult& result : results_) result.lse = whole_lse_.data();
}

}  // namespace lil::record
