#include "record/page_bounds.h"

namespace lil::record {

PageBounds::PageBounds(const PolicyContext& context) : context_(context) {
  const auto bytes = static_cast<std::size_t>(context.pool->pages() * context.pool->row_bytes());
  lows_ = DeviceArray<std::byte>(*context.device, bytes);
  highs_ = DeviceArray<std::byte>(*context.device, bytes);
}

void PageBounds::complete(AppendPlan& plan) {
  plan.bounds_page_size = context_.pool->page_tokens();
  plan.lows = lows_.data();
  plan.highs = highs_.data();
}

void PageBounds::find(std::int64_t requests, const kernels::PageLists& lists) {
  kernels::PageBoundsArgs args;
  args.dtype = context_.dtype;
  args.requests = static_cast<std::int32_t>(requests);
  args.head_dim = static_cast<std::int32_t>(context_.head_dim);
  args.lists = lists;
  args.keys = context_.pool->keys();
  args.key_slot_stride = context_.head_dim;
  args.lows = lows_.data();
  args.highs = highs_.data();
  require_ok(context_.device->kernels().page_bounds(args, context_.device->stream()), "page_bounds");
}

void PageBounds::score(std::int64_t lanes, const void* queries, const kernels::PageLists& lists,
                       const Scores& out) {
  kernels::PageScoresArgs args;
  args.dtype = context_.dtype;
  args.requests = static_cast<std::int32_t>(lanes * context_.kv_heads);
  args.group = static_cast<std::int32_t>(context_.group());
  args.head_dim = static_cast<std::int32_t>(context_.head_dim);
  args.queries = queries;
  args.query_request_stride = context_.group() * context_.head_dim;
  args.query_head_stride = context_.head_dim;
  args.lists = lists;
  args.lows = lows_.data();
  args.highs = highs_.data();
  args.per_query_head = out.per_query_head;
  args.reduce = out.reduce;
  args.scores = out.scores;
  args.scores_stride = out.stride;
  require_ok(context_.device->kernels().page_scores(args, context_.device->stream()), "page_scores");
}

void PageBounds::copy_group(std::int64_t from, std::int64_t to) {
  const std::int64_t bytes = context_.kv_heads * context_.pool->row_bytes();
  for (DeviceArray<std::byte>* bounds : {&lows_, &highs_}) {
    context_.device->copy(bounds->data() + to * bytes, bounds->data() + from * bytes,
                          static_cast<std::size_t>(bytes));
  }
}

}  // namespace lil::record
