#include "record/block_means.h"

#include <algorithm>

#include "kernels/copy_rows.h"
#include "kernels/decode_attention.h"
#include "kernels/merge_states.h"
#include "kernels/page_scores.h"
#include "kernels/topk.h"

namespace lil::record {

BlockMeans::BlockMeans(const PolicyContext& context, std::int64_t repr)
    : context_(context),
      block_(context.pool->page_tokens()),
      repr_(std::min(repr, block_)),
      means_(*context.device, index(context.group() * context.pool->pages() * context.pool->row_bytes())) {}

template <class T>
void BlockMeans::ensure(DeviceArray<T>& array, std::int64_t wanted) const {
  if (array.size() < index(wanted)) array = DeviceArray<T>(*context_.device, index(wanted));
}

void BlockMeans::find(std::int64_t layer, std::span<const Block> blocks, const PageTables& tables,
                      const float* scores) {
  if (blocks.empty()) return;
  list(layer, blocks, tables);
  choose(scores);
  average();
}

void BlockMeans::list(std::int64_t layer, std::span<const Block> blocks, const PageTables& tables) {
  host_rows_.clear();
  host_slots_.clear();
  for (const Block& block : blocks) {
    const std::int64_t group = tables.groups(block.lane, layer)[index(block.page)];
    for (std::int64_t head = 0; head < context_.heads; ++head) {
      const std::int64_t page = group * context_.kv_heads + head / context_.group();
      const std::int64_t of_group = head % context_.group();
      host_rows_.push_back(static_cast<std::int32_t>(of_group * context_.pool->pages() + page));
      for (std::int64_t i = 0; i < block_; ++i) {
        host_slots_.push_back(static_cast<std::int32_t>(page * block_ + i));
      }
    }
  }
  rows_ = static_cast<std::int64_t>(host_rows_.size());
  if (mean_rows_.size() < index(rows_)) {
    const std::int64_t row_bytes = context_.pool->row_bytes();
    for (auto* array : {&mean_rows_, &kept_, &blocks_full_, &reprs_, &ones_}) ensure(*array, rows_);
    ensure(slots_, rows_ * block_);
    ensure(token_scores_, rows_ * block_);
    ensure(places_, rows_ * repr_);
    ensure(best_slots_, rows_ * repr_);
    ensure(no_queries_, rows_ * row_bytes);
    ensure(partial_out_, rows_ * context_.head_dim);
    ensure(partial_lse_, rows_);
    ensure(fresh_, rows_ * row_bytes);
    blocks_full_.upload(std::vector<std::int32_t>(index(rows_), static_cast<std::int32_t>(block_)));
    reprs_.upload(std::vector<std::int32_t>(index(rows_), static_cast<std::int32_t>(repr_)));
    ones_.upload(std::vector<std::int32_t>(index(rows_), 1));
  }
  mean_rows_.upload(host_rows_);
  slots_.upload(host_slots_);
}

/// The best tokens of each row.
void BlockMeans::choose(const float* scores) {
  kernels::CopyRowsArgs own;
  own.requests = static_cast<std::int32_t>(rows_);
  own.row_bytes = block_ * static_cast<std::int64_t>(sizeof(float));
  own.counts = ones_.data();
  own.max_count = 1;
  own.index = mean_rows_.data();
  own.index_stride = 1;
  own.in = scores;
  own.out = token_scores_.data();
  own.out_request_rows = 1;
  copy_rows(own);

  kernels::TopkArgs best;
  best.rows = static_cast<std::int32_t>(rows_);
  best.scores = token_scores_.data();
  best.scores_stride = block_;
  best.counts = blocks_full_.data();
  best.max_count = block_;
  best.keep = reprs_.data();
  best.places = places_.data();
  best.places_stride = repr_;
  best.kept = kept_.data();
  require_ok(context_.device->kernels().topk(best, context_.device->stream()), "topk");

  kernels::CopyRowsArgs slots;
  slots.requests = best.rows;
  slots.row_bytes = sizeof(std::int32_t);
  slots.counts = reprs_.data();
  slots.max_count = repr_;
  slots.index = places_.data();
  slots.index_stride = repr_;
  slots.in = slots_.data();
  slots.in_request_rows = block_;
  slots.out = best_slots_.data();
  slots.out_request_rows = repr_;
  copy_rows(slots);
}

/// A query of zeros gives all entries the same weight, so attention to keys in the place of values is their
/// mean.
void BlockMeans::average() {
  kernels::DecodeAttentionArgs args;
  args.dtype = context_.dtype;
  args.requests = static_cast<std::int32_t>(rows_);
  args.group = 1;
  args.head_dim = static_cast<std::int32_t>(context_.head_dim);
  args.scale = 1;
  args.queries = no_queries_.data();
  args.query_request_stride = context_.head_dim;
  args.query_head_stride = context_.head_dim;
  args.keys = context_.pool->keys();
  args.values = context_.pool->keys();
  args.key_slot_stride = context_.head_dim;
  args.value_slot_stride = context_.head_dim;
  args.lists = {best_slots_.data(), repr_, reprs_.data(), repr_, 1};
  args.partial_out = partial_out_.data();
  args.partial_lse = partial_lse_.data();
  require_ok(context_.device->kernels().decode_attention(args, context_.device->stream()),
             "decode_attention");

  kernels::MergeStatesArgs rounded;
  rounded.dtype = context_.dtype;
  rounded.requests = args.requests;
  rounded.group = 1;
  rounded.head_dim = args.head_dim;
  rounded.states = 1;
  rounded.partial_out = partial_out_.data();
  rounded.partial_lse = partial_lse_.data();
  rounded.out = fresh_.data();
  rounded.out_request_stride = context_.head_dim;
  rounded.out_head_stride = context_.head_dim;
  require_ok(context_.device->kernels().merge_states(rounded, context_.device->stream()), "merge_states");

  kernels::CopyRowsArgs store;
  store.requests = args.requests;
  store.row_bytes = context_.pool->row_bytes();
  store.counts = ones_.data();
  store.max_count = 1;
  store.in = fresh_.data();
  store.in_request_rows = 1;
  store.out_index = mean_rows_.data();
  store.out_index_stride = 1;
  store.out = means_.data();
  copy_rows(store);
}

void BlockMeans::copy_rows(const kernels::CopyRowsArgs& args) const {
  require_ok(context_.device->kernels().copy_rows(args, context_.device->stream()), "copy_rows");
}

void BlockMeans::score(std::int64_t lanes, const void* queries, const kernels::PageLists& lists,
                       float* scores, std::int64_t stride) {
  const std::int64_t row_bytes = context_.pool->row_bytes();
  for (std::int64_t head = 0; head < context_.group(); ++head) {
    kernels::PageScoresArgs args;
    args.dtype = context_.dtype;
    args.requests = static_cast<std::int32_t>(lanes * context_.kv_heads);
    args.group = 1;
    args.head_dim = static_cast<std::int32_t>(context_.head_dim);
    args.queries = static_cast<const std::byte*>(queries) + head * row_bytes;
    args.query_request_stride = context_.group() * context_.head_dim;
    args.query_head_stride = context_.head_dim;
    args.lists = lists;
    args.lows = means_.data() + head * context_.pool->pages() * row_bytes;
    args.highs = args.lows;  // so that the bound is the product
    args.scores = scores + head * stride;
    args.scores_stride = context_.group() * stride;
    require_ok(context_.device->kernels().page_scores(args, context_.device->stream()), "page_scores");
  }
}

void BlockMeans::copy_group(std::int64_t from, std::int64_t to) {
  const std::int64_t row_bytes = context_.pool->row_bytes();
  for (std::int64_t head = 0; head < context_.group(); ++head) {
    std::byte* means = means_.data() + head * context_.pool->pages() * row_bytes;
    context_.device->copy(means + to * context_.kv_heads * row_bytes,
                          means + from * context_.kv_heads * row_bytes, index(context_.kv_heads * row_bytes));
  }
}

}  // namespace lil::record
