#include "record/page_tables.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "kernels/copy_rows.h"

namespace lil::record {
namespace {

/// Pages taken at a time: so that a step seldom has tables to write.
constexpr std::int64_t kGrowthPages = 4;

std::int64_t groups_of(std::int64_t tokens, std::int64_t page_tokens) {
  const std::int64_t pages = kernels::pages_of(tokens, page_tokens);
  return (pages + kGrowthPages - 1) / kGrowthPages * kGrowthPages;
}

/// What is missing to whole pages.
std::int64_t gap_after(std::int64_t tokens, std::int64_t page_tokens) {
  return kernels::pages_of(tokens, page_tokens) * page_tokens - tokens;
}

}  // namespace

PageTables::PageTables(const PolicyContext& context, std::int64_t first_layer, std::int64_t end_layer,
                       std::int64_t front_tokens)
    : context_(context),
      first_layer_(first_layer),
      layers_(end_layer - first_layer),
      page_tokens_(context.pool->page_tokens()),
      front_tokens_(front_tokens),
      gap_(gap_after(front_tokens, page_tokens_)),
      stride_(groups_of(context.max_tokens + gap_, page_tokens_)),
      pages_(*context.device, layers_, context.lanes, context.kv_heads * stride_),
      lanes_(index(context.lanes)),
      counts_(*context.device, index(context.lanes * context.kv_heads)),
      slots_(*context.device, index(layers_ * context.lanes * context.kv_heads)),
      prompt_slots_(*context.device, index(context.kv_heads * context.max_tokens)),
      prompt_counts_(*context.device, index(context.kv_heads)),
      iota_(*context.device, index(context.max_tokens)) {
  std::vector<std::int32_t> numbers(index(context.max_tokens));
  std::iota(numbers.begin(), numbers.end(), 0);
  iota_.upload(numbers);
}

std::int64_t PageTables::groups_needed(std::int32_t page_tokens, std::int64_t layers,
                                       std::int64_t total_tokens, std::int64_t front_tokens) {
  return layers * groups_of(total_tokens + gap_after(front_tokens, page_tokens), page_tokens);
}

void PageTables::open(std::int64_t lane) {
  lanes_[index(lane)] = {};
  lanes_[index(lane)].groups.resize(index(layers_));
}

void PageTables::grow(std::int64_t lane, std::int64_t layer, std::int64_t tokens) {
  std::vector<std::int32_t>& groups = lanes_[index(lane)].groups[index(layer)];
  const auto had = static_cast<std::int64_t>(groups.size());
  const std::int64_t wanted = groups_of(place_of(tokens - 1) + 1, page_tokens_);
  if (wanted <= had) return;
  context_.pool->take(wanted - had, groups);
  for (std::int64_t head = 0; head < context_.kv_heads; ++head) {
    host_.clear();
    for (std::int64_t page = had; page < wanted; ++page) {
      host_.push_back(static_cast<std::int32_t>(groups[index(page)] * context_.kv_heads + head));
    }
    pages_.upload(layer, lane, head * stride_ + had, host_);
  }
}

void PageTables::take_prompt(std::int64_t lane, const PromptLayer& prompt, bool raw) {
  const std::int64_t layer = prompt.layer - first_layer_;
  grow(lane, layer, prompt.tokens);
  lanes_[index(lane)].tokens = prompt.tokens;
  prompt_slots_.upload(prompt_slots(lane, prompt.layer, prompt.tokens));
  const std::vector<std::int32_t> counts(index(context_.kv_heads), static_cast<std::int32_t>(prompt.tokens));
  prompt_counts_.upload(counts);
  PromptCopy copy;
  copy.slots = prompt_slots_.data();
  copy.slots_stride = prompt.tokens;
  copy.counts = prompt_counts_.data();
  copy.max_count = prompt.tokens;
  copy.raw = raw;
  copy_prompt(context_, prompt, copy, iota_.data());
}

std::vector<std::int32_t> PageTables::prompt_slots(std::int64_t lane, std::int64_t layer,
                                                   std::int64_t tokens) const {
  std::vector<std::int32_t> slots;
  slots.reserve(index(context_.kv_heads * tokens));
  for (std::int64_t head = 0; head < context_.kv_heads; ++head) {
    for (std::int64_t position = 0; position < tokens; ++position) {
      slots.push_back(slot(lane, layer, head, position));
    }
  }
  return slots;
}

void PageTables::close(std::int64_t lane) {
  for (const std::vector<std::int32_t>& groups : lanes_[index(lane)].groups) context_.pool->give_back(groups);
  lanes_[index(lane)] = {};
}

void PageTables::swap_lanes(std::int64_t a, std::int64_t b) {
  std::swap(lanes_[index(a)], lanes_[index(b)]);
  pages_.swap_lanes(a, b);
}

void PageTables::fork(std::int64_t from, std::int64_t to) {
  open(to);
  const std::int64_t tokens = lanes_[index(from)].tokens;
  lanes_[index(to)].tokens = tokens;
  for (std::int64_t layer = 0; layer < layers_; ++layer) {
    grow(to, layer, tokens);
    const std::vector<std::int32_t>& sources = lanes_[index(from)].groups[index(layer)];
    for (std::size_t i = 0; i < sources.size(); ++i) {
      context_.pool->copy_group(sources[i], lanes_[index(to)].groups[index(layer)][i]);
    }
  }
}

void PageTables::begin_step(std::span<const std::int64_t> positions) {
  if (layers_ == 0) return;
  step_lanes_ = static_cast<std::int64_t>(positions.size());
  longest_ = 0;
  host_counts_.clear();
  for (std::int64_t lane = 0; lane < step_lanes_; ++lane) {
    Lane& own = lanes_[index(lane)];
    assert(own.tokens == positions[index(lane)]);
    ++own.tokens;
    longest_ = std::max(longest_, own.tokens);
    host_counts_.insert(host_counts_.end(), index(context_.kv_heads), static_cast<std::int32_t>(own.tokens));
    for (std::int64_t layer = 0; layer < layers_; ++layer) grow(lane, layer, own.tokens);
  }
  counts_.upload(host_counts_);
  host_.clear();
  for (std::int64_t layer = 0; layer < layers_; ++layer) {
    for (std::int64_t lane = 0; lane < step_lanes_; ++lane) {
      const Lane& own = lanes_[index(lane)];
      for (std::int64_t head = 0; head < context_.kv_heads; ++head) {
        host_.push_back(slot(lane, layer + first_layer_, head, own.tokens - 1));
      }
    }
  }
  slots_.upload(host_);
}

std::int32_t PageTables::slot(std::int64_t lane, std::int64_t layer, std::int64_t kv_head,
                              std::int64_t position) const {
  const std::int64_t place = place_of(position);
  const std::int64_t group = groups(lane, layer)[index(place / page_tokens_)];
  return static_cast<std::int32_t>((group * context_.kv_heads + kv_head) * page_tokens_ +
                                   place % page_tokens_);
}

const std::int32_t* PageTables::slots(std::int64_t layer) const {
  return slots_.data() + (layer - first_layer_) * step_lanes_ * context_.kv_heads;
}

kernels::PageLists PageTables::lists(std::int64_t layer) {
  return {pages(layer), stride_, counts_.data(), longest_, static_cast<std::int32_t>(page_tokens_)};
}

std::vector<std::int32_t> moved_pages(std::span<const std::int32_t> pages, std::span<const std::int32_t> from,
                                      std::span<const std::int32_t> to, std::int64_t kv_heads) {
  std::vector<std::int32_t> moved;
  moved.reserve(pages.size());
  for (const std::int32_t page : pages) {
    const auto heads = static_cast<std::int32_t>(kv_heads);
    const auto found = std::find(from.begin(), from.end(), page / heads);
    assert(found != from.end());
    moved.push_back(to[static_cast<std::size_t>(found - from.begin())] * heads + page % heads);
  }
  return moved;
}

void copy_prompt(const PolicyContext& context, const PromptLayer& prompt, const PromptCopy& copy,
                 const std::int32_t* iota) {
  kernels::CopyRowsArgs args;
  args.requests = static_cast<std::int32_t>(context.kv_heads);
  args.row_bytes = context.pool->row_bytes();
  args.counts = copy.counts;
  args.max_count = copy.max_count;
  args.index = copy.places;
  args.index_stride = copy.places_stride;
  args.in_request_rows = prompt.capacity;
  args.out_index = copy.slots;
  args.out_index_stride = copy.slots_stride;
  const auto run = [&](const void* in, void* out) {
    args.in = in;
    args.out = out;
    require_ok(context.device->kernels().copy_rows(args, context.device->stream()), "copy_rows");
  };
  run(copy.raw ? prompt.raw_keys : prompt.keys, context.pool->keys());
  run(prompt.values, context.pool->values());
  args.row_bytes = sizeof(std::int32_t);
  args.in_request_rows = 0;
  run(iota, context.pool->slot_positions());
}

}  // namespace lil::record
