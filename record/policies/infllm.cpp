#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <numeric>

#include "kernels/accumulate_scores.h"
#include "kernels/copy_rows.h"
#include "kernels/merge_states.h"
#include "kernels/rotate.h"
#include "kernels/topk.h"
#include "record/block_means.h"
#include "record/context_split.h"
#include "record/lane_numbers.h"
#include "record/page_tables.h"
#include "schemas/error.h"

namespace lil::record {
namespace {

/// Every entry is kept, with its raw key, in pages of a block: the first tokens have pages of their own, so
/// that a block is a page and what fills no block yet is the beginning of one. The window's keys are rotated
/// in a copy, once, at their positions: R(i) q . R(j) k depends on i - j alone, so this is what rotation
/// relative to the window gives.
class InfllmState final : public PolicyState {
 public:
  InfllmState(const PolicyContext& context, const ContextSizes& sizes, std::int64_t repr);

  void open(std::int64_t lane, std::int64_t prompt_tokens) override;
  void take_prompt(std::int64_t lane, const PromptLayer& prompt) override;
  void close(std::int64_t lane) override;
  void swap_lanes(std::int64_t a, std::int64_t b) override;
  void fork(std::int64_t from, std::int64_t to) override;
  void begin_step(std::span<const std::int64_t> positions) override;
  [[nodiscard]] AppendPlan plan_append(std::int64_t layer) override;
  void attend(std::int64_t layer, const void* queries, std::vector<AttentionPart>& parts) override;
  void observe(std::int64_t layer, std::span<const PartResult> parts) override;
  [[nodiscard]] std::int64_t attended(std::int64_t lane) const override;
  [[nodiscard]] std::vector<std::int32_t> held(std::int64_t lane, std::int64_t layer,
                                               std::int64_t kv_head) const override;
  [[nodiscard]] std::vector<std::int32_t> seen(std::int64_t lane, std::int64_t layer,
                                               std::int64_t head) const override;

 private:
  [[nodiscard]] ContextSplit split(std::int64_t lane) const { return {sizes_, tables_.tokens(lane)}; }
  /// By the latest step.
  [[nodiscard]] std::int64_t listed_far_pages(std::int64_t lane) const {
    if (in_prompt_[index(lane)]) return 0;
    return kernels::pages_of(split(lane).far(sizes_), context_.pool->page_tokens());
  }
  void start_scores(const PromptLayer& prompt, const std::int32_t* slots);
  void start_window(std::int64_t lane, const PromptLayer& prompt);
  void list_window(std::int64_t lane, std::int64_t layer);
  void add_to_window(std::int64_t layer);
  void rotate_new_keys(std::int64_t layer);
  void zero_new_scores(std::int64_t layer);
  void choose_blocks(std::int64_t layer, const void* queries);
  void score_blocks(std::int64_t layer, const void* queries);
  [[nodiscard]] const void* rotate_far_queries(const void* queries);
  void copy_rows(const kernels::CopyRowsArgs& args) const;
  [[nodiscard]] kernels::PageLists window_lists(std::int64_t layer) {
    return {window_.layer(governed(layer)), width_, local_counts_.data(), local_counts_.most(), 1};
  }
  [[nodiscard]] std::int64_t requests() const { return step_lanes_ * context_.kv_heads; }
  [[nodiscard]] std::int64_t governed(std::int64_t layer) const { return layer - context_.first_layer; }
  [[nodiscard]] std::int64_t row_bytes() const { return context_.pool->row_bytes(); }
  /// Pages in a list before those of blocks.
  [[nodiscard]] std::int64_t init_pages() const {
    return kernels::pages_of(sizes_.init, context_.pool->page_tokens());
  }
  [[nodiscard]] std::int64_t most_far_pages() const { return sizes_.topk + 1; }
  [[nodiscard]] static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

  PolicyContext context_;
  ContextSizes sizes_;
  PageTables tables_;
  BlockMeans means_;
  std::int64_t width_;  ///< slots of a window
  LaneTable<std::int32_t>
      window_;                   ///< (layers, lanes, kv_heads * width): that of position p at place p % width
  LaneTable<std::int32_t> far_;  ///< (layers, lanes, kv_heads * most_far_pages): blocks chosen, remainder
  DeviceArray<std::byte> rotated_keys_;  ///< (slots of the pool, head_dim): the window's
  DeviceArray<float> scores_;            ///< (group, slots of the pool): weight received within the window
  std::vector<bool> in_prompt_;          ///< by lane: no step yet
  std::int64_t step_lanes_ = 0;
  bool any_left_ = false;    ///< some lane has more than its window
  bool any_choice_ = false;  ///< some lane has more blocks than it attends to
  // Of the step, for each kv head of each lane:
  LaneNumbers local_counts_;
  LaneNumbers init_counts_;
  LaneNumbers far_counts_;
  LaneNumbers far_pages_;
  LaneNumbers blocks_;
  LaneNumbers ones_;
  DeviceArray<std::int32_t> window_rows_;  ///< where the current entry belongs in all windows of a layer
  // For each lane:
  LaneNumbers positions_;
  LaneNumbers far_position_;  ///< of the queries for what has left the window
  LaneNumbers candidates_;    ///< blocks and remainder
  LaneNumbers keep_;
  LaneNumbers last_;
  LaneNumbers lane_numbers_;  ///< 0, 1, …
  LaneNumbers heads_;
  LaneNumbers head_positions_;  ///< far_position_ for each query head
  std::int64_t score_width_;    ///< blocks of the longest context, and the remainder
  DeviceArray<std::byte> far_queries_;
  DeviceArray<float> head_scores_;   ///< (lanes, heads, score_width)
  DeviceArray<float> head_lse_;      ///< zeros
  DeviceArray<float> block_scores_;  ///< (lanes, score_width)
  DeviceArray<std::int32_t>
      places_;  ///< (lanes, kv_heads * most_far_pages): of each lane the first part is used
  DeviceArray<std::int32_t> kept_;
  DeviceArray<float> zero_;  ///< a single 0
  DeviceArray<std::int32_t> prompt_slots_;
  DeviceArray<std::int32_t> prompt_counts_;
  DeviceArray<std::int32_t> prompt_positions_;
};

/// merge_states and rows of scores are in pieces of this many blocks.
constexpr std::int64_t kScoreTile = 64;

InfllmState::InfllmState(const PolicyContext& context, const ContextSizes& sizes, std::int64_t repr)
    : context_(context),
      sizes_(sizes),
      tables_(context, context.first_layer, context.layers, sizes.init),
      means_(context, repr),
      width_(std::min(sizes.local, context.max_tokens)),
      window_(*context.device, context.layers - context.first_layer, context.lanes,
              context.kv_heads * width_),
      far_(*context.device, context.layers - context.first_layer, context.lanes,
           context.kv_heads * most_far_pages()),
      rotated_keys_(*context.device, index(context.pool->slots() * context.pool->row_bytes())),
      scores_(*context.device, index(context.group() * context.pool->slots())),
      in_prompt_(index(context.lanes)),
      window_rows_(*context.device, index(context.lanes * context.kv_heads)),
      positions_(*context.device, context.lanes, 1),
      far_position_(*context.device, context.lanes, 1),
      candidates_(*context.device, context.lanes, 1),
      keep_(*context.device, context.lanes, 1),
      last_(*context.device, context.lanes, 1),
      lane_numbers_(*context.device, context.lanes, 1),
      heads_(*context.device, context.lanes, 1),
      head_positions_(*context.device, context.lanes, context.heads),
      score_width_((tables_.stride() + kScoreTile) / kScoreTile * kScoreTile),
      far_queries_(*context.device, index(context.lanes * context.heads * context.pool->row_bytes())),
      head_scores_(*context.device, index(context.lanes * context.heads * score_width_)),
      head_lse_(*context.device, index(context.lanes * context.heads * (score_width_ / kScoreTile))),
      block_scores_(*context.device, index(context.lanes * score_width_)),
      places_(*context.device, index(context.lanes * context.kv_heads * most_far_pages())),
      kept_(*context.device, index(context.lanes)),
      zero_(*context.device, 1),
      prompt_slots_(*context.device, index(context.kv_heads * context.max_tokens)),
      prompt_counts_(*context.device, index(context.kv_heads)),
      prompt_positions_(*context.device, index(width_)) {
  for (LaneNumbers* numbers : {&local_counts_, &init_counts_, &far_counts_, &far_pages_, &blocks_, &ones_}) {
    *numbers = LaneNumbers(*context.device, context.lanes, context.kv_heads);
  }
}

// --- Sequences.

void InfllmState::open(std::int64_t lane, std::int64_t /*prompt_tokens*/) {
  tables_.open(lane);
  in_prompt_[index(lane)] = true;
}

void InfllmState::take_prompt(std::int64_t lane, const PromptLayer& prompt) {
  tables_.take_prompt(lane, prompt, true);
  const std::vector<std::int32_t> slots = tables_.prompt_slots(lane, prompt.layer, prompt.tokens);
  prompt_slots_.upload(slots);
  start_scores(prompt, prompt_slots_.data());
  list_window(lane, prompt.layer);
  start_window(lane, prompt);
  const ContextSplit parts = split(lane);
  std::vector<BlockMeans::Block> blocks;
  for (std::int64_t block = 0; block < parts.blocks + (parts.block_completes ? 1 : 0); ++block) {
    blocks.push_back({lane, init_pages() + block});
  }
  means_.find(prompt.layer, blocks, tables_, scores_.data());
}

void InfllmState::start_scores(const PromptLayer& prompt, const std::int32_t* slots) {
  prompt_counts_.upload(
      std::vector<std::int32_t>(index(context_.kv_heads), static_cast<std::int32_t>(prompt.tokens)));
  for (std::int64_t head = 0; head < context_.group(); ++head) {
    kernels::CopyRowsArgs args;
    args.requests = static_cast<std::int32_t>(context_.kv_heads);
    args.row_bytes = sizeof(float);
    args.counts = prompt_counts_.data();
    args.max_count = prompt.tokens;
    args.in = prompt.scores + head * context_.kv_heads * prompt.capacity;
    args.in_request_rows = prompt.capacity;
    args.out_index = slots;
    args.out_index_stride = prompt.tokens;
    args.out = scores_.data() + head * context_.pool->slots();
    copy_rows(args);
  }
}

/// The rotated keys of the window.
void InfllmState::start_window(std::int64_t lane, const PromptLayer& prompt) {
  const std::int64_t local = split(lane).local;
  std::vector<std::int32_t> positions(index(local));
  for (std::int64_t position = prompt.tokens - local; position < prompt.tokens; ++position) {
    positions[index(position % width_)] = static_cast<std::int32_t>(position);
  }
  prompt_positions_.upload(positions);
  prompt_counts_.upload(
      std::vector<std::int32_t>(index(context_.kv_heads), static_cast<std::int32_t>(local)));
  kernels::CopyRowsArgs args;
  args.requests = static_cast<std::int32_t>(context_.kv_heads);
  args.row_bytes = row_bytes();
  args.counts = prompt_counts_.data();
  args.max_count = local;
  args.index = prompt_positions_.data();  // one list for all heads
  args.in = prompt.keys;
  args.in_request_rows = prompt.capacity;
  args.out_index = window_.row(governed(prompt.layer), lane);
  args.out_index_stride = width_;
  args.out = rotated_keys_.data();
  copy_rows(args);
}

void InfllmState::list_window(std::int64_t lane, std::int64_t layer) {
  const std::int64_t tokens = tables_.tokens(lane);
  const std::int64_t local = split(lane).local;
  std::vector<std::int32_t> slots(index(local));
  for (std::int64_t head = 0; head < context_.kv_heads; ++head) {
    for (std::int64_t position = tokens - local; position < tokens; ++position) {
      slots[index(position % width_)] = tables_.slot(lane, layer, head, position);
    }
    window_.upload(governed(layer), lane, head * width_, slots);
  }
}

void InfllmState::close(std::int64_t lane) {
  tables_.close(lane);
}

void InfllmState::swap_lanes(std::int64_t a, std::int64_t b) {
  tables_.swap_lanes(a, b);
  window_.swap_lanes(a, b);
  far_.swap_lanes(a, b);
  std::vector<bool>::swap(in_prompt_[index(a)], in_prompt_[index(b)]);
}

void InfllmState::fork(std::int64_t from, std::int64_t to) {
  tables_.fork(from, to);
  in_prompt_[index(to)] = in_prompt_[index(from)];
  const std::int64_t far_pages = listed_far_pages(from);
  const std::int64_t slots = context_.kv_heads * context_.pool->page_tokens();
  const auto copy = [&](void* values, std::int64_t to_first, std::int64_t from_first, std::int64_t bytes) {
    auto* all = static_cast<std::byte*>(values);
    context_.device->copy(all + to_first * bytes, all + from_first * bytes, index(slots * bytes));
  };
  for (std::int64_t layer = context_.first_layer; layer < context_.layers; ++layer) {
    const auto sources = tables_.groups(from, layer);
    const auto copies = tables_.groups(to, layer);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      means_.copy_group(sources[i], copies[i]);
      copy(rotated_keys_.data(), copies[i] * slots, sources[i] * slots, row_bytes());
      for (std::int64_t head = 0; head < context_.group(); ++head) {
        const std::int64_t first = head * context_.pool->slots();
        copy(scores_.data(), first + copies[i] * slots, first + sources[i] * slots, sizeof(float));
      }
    }
    list_window(to, layer);
    for (std::int64_t head = 0; head < context_.kv_heads; ++head) {
      const std::int64_t first = head * most_far_pages();
      far_.upload(governed(layer), to, first,
                  moved_pages(far_.download(governed(layer), from, first, far_pages), sources, copies,
                              context_.kv_heads));
    }
  }
}

// --- Steps.

void InfllmState::begin_step(std::span<const std::int64_t> positions) {
  tables_.begin_step(positions);
  step_lanes_ = static_cast<std::int64_t>(positions.size());
  any_left_ = false;
  any_choice_ = false;
  std::vector<std::int32_t> rows;
  for (std::int64_t lane = 0; lane < step_lanes_; ++lane) {
    const ContextSplit parts = split(lane);
    in_prompt_[index(lane)] = false;
    any_left_ = any_left_ || parts.init + parts.far(sizes_) > 0;
    any_choice_ = any_choice_ || parts.blocks > sizes_.topk;
    for (std::int64_t head = 0; head < context_.kv_heads; ++head) {
      const std::int64_t first = (lane * context_.kv_heads + head) * width_;
      rows.push_back(static_cast<std::int32_t>(first + positions[index(lane)] % width_));
    }
  }
  window_rows_.upload(rows);
  local_counts_.set(step_lanes_, [&](auto lane) { return split(lane).local; });
  ones_.set(step_lanes_, [&](auto /*lane*/) { return 1; });
  positions_.set(step_lanes_, [&](auto lane) { return positions[index(lane)]; });
  if (!any_left_) return;
  const auto has_remainder = [&](std::int64_t lane) { return split(lane).remainder > 0 ? 1 : 0; };
  init_counts_.set(step_lanes_, [&](auto lane) { return split(lane).init; });
  far_counts_.set(step_lanes_, [&](auto lane) { return split(lane).far(sizes_); });
  far_pages_.set(step_lanes_, [&](auto lane) { return split(lane).chosen(sizes_) + has_remainder(lane); });
  blocks_.set(step_lanes_, [&](auto lane) { return split(lane).blocks; });
  far_position_.set(step_lanes_, [&](auto /*lane*/) { return sizes_.local - 1; });
  candidates_.set(step_lanes_, [&](auto lane) { return split(lane).blocks + has_remainder(lane); });
  keep_.set(step_lanes_, [&](auto lane) { return split(lane).chosen(sizes_) + has_remainder(lane); });
  last_.set(step_lanes_, [&](auto lane) { return has_remainder(lane); });
  lane_numbers_.set(step_lanes_, [&](auto lane) { return lane; });
  heads_.set(step_lanes_, [&](auto /*lane*/) { return context_.heads; });
  head_positions_.set(step_lanes_, [&](auto /*lane*/) { return sizes_.local - 1; });
}

AppendPlan InfllmState::plan_append(std::int64_t layer) {
  AppendPlan plan;
  plan.slots = tables_.slots(layer);
  return plan;
}

void InfllmState::attend(std::int64_t layer, const void* queries, std::vector<AttentionPart>& parts) {
  add_to_window(layer);
  rotate_new_keys(layer);
  zero_new_scores(layer);
  AttentionPart window;
  window.lists = window_lists(layer);
  window.keys = rotated_keys_.data();
  window.values = context_.pool->values();
  window.query_positions = positions_.data();
  window.wants_logits = true;
  parts.push_back(window);
  if (!any_left_) return;

  AttentionPart far;
  far.keys = context_.pool->keys();
  far.values = context_.pool->values();
  far.query_positions = far_position_.data();
  far.lists = {tables_.pages(layer), tables_.stride(), init_counts_.data(), init_counts_.most(),
               context_.pool->page_tokens()};
  parts.push_back(far);
  if (sizes_.block == 0) return;
  choose_blocks(layer, queries);
  far.lists = {far_.layer(governed(layer)), most_far_pages(), far_counts_.data(), far_counts_.most(),
               context_.pool->page_tokens()};
  parts.push_back(far);
}

void InfllmState::add_to_window(std::int64_t layer) {
  kernels::CopyRowsArgs args;
  args.requests = static_cast<std::int32_t>(requests());
  args.row_bytes = sizeof(std::int32_t);
  args.counts = ones_.data();
  args.max_count = 1;
  args.in = tables_.slots(layer);
  args.in_request_rows = 1;
  args.out_index = window_rows_.data();
  args.out_index_stride = 1;
  args.out = window_.layer(governed(layer));
  copy_rows(args);
}

void InfllmState::rotate_new_keys(std::int64_t layer) {
  kernels::RotateArgs args;
  args.dtype = context_.dtype;
  args.requests = static_cast<std::int32_t>(requests());
  args.head_dim = static_cast<std::int32_t>(context_.head_dim);
  args.lists = {tables_.slots(layer), 1, ones_.data(), 1, 1};
  args.in = context_.pool->keys();
  args.out = rotated_keys_.data();
  args.in_stride = context_.head_dim;
  args.out_stride = context_.head_dim;
  args.slot_positions = context_.pool->slot_positions();
  args.rope = context_.rope;
  args.rope_positions = static_cast<std::int32_t>(context_.rope_positions);
  require_ok(context_.device->kernels().rotate(args, context_.device->stream()), "rotate");
}

void InfllmState::zero_new_scores(std::int64_t layer) {
  for (std::int64_t head = 0; head < context_.group(); ++head) {
    kernels::CopyRowsArgs args;
    args.requests = static_cast<std::int32_t>(requests());
    args.row_bytes = sizeof(float);
    args.counts = ones_.data();
    args.max_count = 1;
    args.in = zero_.data();
    args.out_index = tables_.slots(layer);
    args.out_index_stride = 1;
    args.out = scores_.data() + head * context_.pool->slots();
    copy_rows(args);
  }
}

/// Lists the pages of the best blocks, and the last page, which holds the remainder.
void InfllmState::choose_blocks(std::int64_t layer, const void* queries) {
  if (any_choice_ && sizes_.topk > 0) score_blocks(layer, queries);
  kernels::TopkArgs best;
  best.rows = static_cast<std::int32_t>(step_lanes_);
  best.scores = block_scores_.data();
  best.scores_stride = score_width_;
  best.counts = candidates_.data();
  best.max_count = candidates_.most();
  best.keep = keep_.data();
  best.back = last_.data();
  best.places = places_.data();
  best.places_stride = context_.kv_heads * most_far_pages();
  best.kept = kept_.data();
  require_ok(context_.device->kernels().topk(best, context_.device->stream()), "topk");

  kernels::CopyRowsArgs pages;
  pages.requests = static_cast<std::int32_t>(requests());
  pages.requests_per_set = static_cast<std::int32_t>(context_.kv_heads);
  pages.row_bytes = sizeof(std::int32_t);
  pages.counts = far_pages_.data();
  pages.max_count = far_pages_.most();
  pages.index = places_.data();
  pages.index_stride = most_far_pages();
  pages.in = tables_.pages(layer) + init_pages();
  pages.in_request_rows = tables_.stride();
  pages.out = far_.layer(governed(layer));
  pages.out_request_rows = most_far_pages();
  copy_rows(pages);
}

/// The mean over all heads orders blocks as the sum does; states of the same weight merge to their mean.
void InfllmState::score_blocks(std::int64_t layer, const void* queries) {
  means_.score(step_lanes_, rotate_far_queries(queries),
               {tables_.pages(layer) + init_pages(), tables_.stride(), blocks_.data(), blocks_.most(), 1},
               head_scores_.data(), score_width_);
  kernels::MergeStatesArgs args;
  args.requests = static_cast<std::int32_t>(step_lanes_);
  args.group = static_cast<std::int32_t>(score_width_ / kScoreTile);
  args.head_dim = static_cast<std::int32_t>(kScoreTile);
  args.states = context_.heads;
  args.partial_out = head_scores_.data();
  args.partial_lse = head_lse_.data();
  args.out = block_scores_.data();
  args.out_request_stride = score_width_;
  args.out_head_stride = kScoreTile;
  require_ok(context_.device->kernels().merge_states(args, context_.device->stream()), "merge_states");
}

const void* InfllmState::rotate_far_queries(const void* queries) {
  kernels::RotateArgs args;
  args.dtype = context_.dtype;
  args.requests = static_cast<std::int32_t>(step_lanes_);
  args.head_dim = static_cast<std::int32_t>(context_.head_dim);
  args.lists = {lane_numbers_.data(), 1, heads_.data(), context_.heads,
                static_cast<std::int32_t>(context_.heads)};
  args.in = queries;
  args.out = far_queries_.data();
  args.in_stride = context_.head_dim;
  args.out_stride = context_.head_dim;
  args.slot_positions = head_positions_.data();
  args.rope = context_.rope;
  args.rope_positions = static_cast<std::int32_t>(context_.rope_positions);
  require_ok(context_.device->kernels().rotate(args, context_.device->stream()), "rotate");
  return far_queries_.data();
}

void InfllmState::copy_rows(const kernels::CopyRowsArgs& args) const {
  require_ok(context_.device->kernels().copy_rows(args, context_.device->stream()), "copy_rows");
}

void InfllmState::observe(std::int64_t layer, std::span<const PartResult> parts) {
  kernels::AccumulateScoresArgs args;
  args.requests = static_cast<std::int32_t>(requests());
  args.group = static_cast<std::int32_t>(context_.group());
  args.lists = window_lists(layer);
  args.logits = parts.front().logits;
  args.logits_stride = parts.front().logits_stride;
  args.lse = parts.front().lse;
  args.per_query_head = true;
  args.score_head_stride = context_.pool->slots();
  args.scores = scores_.data();
  require_ok(context_.device->kernels().accumulate_scores(args, context_.device->stream()),
             "accumulate_scores");

  std::vector<BlockMeans::Block> complete;
  for (std::int64_t lane = 0; lane < step_lanes_; ++lane) {
    const ContextSplit own = split(lane);
    if (own.block_completes) complete.push_back({lane, init_pages() + own.blocks});
  }
  means_.find(layer, complete, tables_, scores_.data());
}

// --- What can be asked.

std::int64_t InfllmState::attended(std::int64_t lane) const {
  const ContextSplit own = split(lane);
  return own.init + own.far(sizes_) + own.local;
}

std::vector<std::int32_t> InfllmState::held(std::int64_t lane, std::int64_t /*layer*/,
                                            std::int64_t /*kv_head*/) const {
  std::vector<std::int32_t> positions(index(tables_.tokens(lane)));
  std::iota(positions.begin(), positions.end(), 0);
  return positions;
}

std::vector<std::int32_t> InfllmState::seen(std::int64_t lane, std::int64_t layer, std::int64_t head) const {
  const ContextSplit own = split(lane);
  const std::int64_t page_tokens = context_.pool->page_tokens();
  if (in_prompt_[index(lane)]) return held(lane, layer, head / context_.group());
  std::vector<std::int32_t> slots;
  for (const std::int32_t page : far_.download(
           governed(layer), lane, head / context_.group() * most_far_pages(), listed_far_pages(lane))) {
    for (std::int64_t i = 0; i < page_tokens; ++i) {
      slots.push_back(static_cast<std::int32_t>(page * page_tokens + i));
    }
  }
  slots.resize(index(own.far(sizes_)));
  std::vector<std::int32_t> positions(index(own.init));
  std::iota(positions.begin(), positions.end(), 0);
  const std::vector<std::int32_t> far = context_.pool->positions_of(slots);
  positions.insert(positions.end(), far.begin(), far.end());
  for (std::int64_t back = own.local; back > 0; --back) {
    positions.push_back(static_cast<std::int32_t>(tables_.tokens(lane) - back));
  }
  return positions;
}

/// Blocks by representative keys [Xiao 2024, InfLLM], see ContextSplit and BlockMeans. The first tokens, the
/// blocks and the remainder all stand at distance local - 1 of the query; blocks are chosen for each token,
/// one set for a layer, by the inner products of that query with their representatives, summed over heads.
/// Weights count under the softmax over everything attended to. As in the public code, a block forms after
/// the attention of a token, so up to a block of tokens between window and blocks is attended to. There a
/// prompt is read in chunks with this attention; here it is read with full attention and split afterwards.
class InfllmPolicy final : public AttentionPolicy {
 public:
  InfllmPolicy(const ContextSizes& sizes, std::int64_t repr, std::int64_t skip_layers)
      : sizes_(sizes), repr_(repr), skip_layers_(skip_layers) {}

  [[nodiscard]] std::int64_t dense_layers(std::int64_t layers) const override {
    return std::min(skip_layers_, layers);
  }
  [[nodiscard]] std::int32_t page_tokens() const override {
    return static_cast<std::int32_t>(std::max<std::int64_t>(sizes_.block, 1));
  }
  [[nodiscard]] bool raw_keys() const override { return true; }
  [[nodiscard]] PromptNeeds prompt_needs() const override {
    PromptNeeds needs;
    needs.scores = PromptNeeds::Scores::kWindowed;
    needs.per_query_head = true;
    needs.window = sizes_.local;
    return needs;
  }
  [[nodiscard]] std::int64_t groups_needed(std::int64_t layers, std::int64_t /*prompt_tokens*/,
                                           std::int64_t total_tokens) const override {
    return PageTables::groups_needed(page_tokens(), layers, total_tokens, sizes_.init);
  }
  /// Rotated keys of the window, weights received, means of blocks.
  [[nodiscard]] std::int64_t extra_group_bytes(const KvShape& shape, std::int64_t group) const override {
    const std::int64_t of_slot = shape.row_bytes() + group * std::int64_t{sizeof(float)};
    return shape.kv_heads * (page_tokens() * of_slot + group * shape.row_bytes());
  }
  [[nodiscard]] std::unique_ptr<PolicyState> start(const PolicyContext& context) const override {
    return std::make_unique<InfllmState>(context, sizes_, repr_);
  }

 private:
  ContextSizes sizes_;
  std::int64_t repr_;
  std::int64_t skip_layers_;
};

}  // namespace

std::unique_ptr<AttentionPolicy> make_infllm_policy(const schemas::Arguments& arguments) {
  ContextSizes sizes;
  sizes.init = arguments.integer("n_init");
  sizes.local = arguments.integer("n_local");
  sizes.block = arguments.integer("block");
  sizes.topk = arguments.integer("topk");
  const std::int64_t budget = arguments.integer("budget");
  if (sizes.most() > budget) {
    throw Error(
        ErrorCode::kUsage,
        fmt::format("attention policy 'infllm': n_init={}, n_local={}, topk={} blocks of {} and as much "
                    "for tokens between blocks and window make {}, over budget={}",
                    sizes.init, sizes.local, sizes.topk, sizes.block, sizes.most(), budget));
  }
  return std::make_unique<InfllmPolicy>(sizes, arguments.integer("repr"), arguments.integer("skip_layers"));
}

}  // namespace lil::record
