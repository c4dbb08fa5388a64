#include "record/token_sets.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "kernels/compact.h"
#include "kernels/rotate.h"
#include "kernels/topk.h"

namespace lil::record {

TokenSetOptions token_set_options(const schemas::Arguments& arguments) {
  TokenSetOptions options;
  options.evict_after = arguments.text("evict") == "after";
  options.limit = arguments.integer("budget") + (options.evict_after ? 1 : 0);
  options.dense_first_step = arguments.text("first_step") == "dense";
  options.pin_prompt = arguments.text("pin_prompt") == "on";
  return options;
}

kernels::GroupReduce group_reduce(const std::string& name) {
  if (name == "mean") return kernels::GroupReduce::kMean;
  return name == "max" ? kernels::GroupReduce::kMax : kernels::GroupReduce::kSum;
}

TokenSetOptions::Keep TokenSetOptions::keep_of(std::int64_t prompt_tokens) const {
  const std::int64_t pinned = pin_prompt ? prompt_tokens : 0;
  Keep kept;
  kept.keep = std::max(limit - 1, pinned);
  kept.front = std::min(std::max(front, pinned), kept.keep);
  kept.back = std::min(recent - (evict_after ? 0 : 1), kept.keep - kept.front);
  return kept;
}

std::int64_t TokenSetPolicy::dense_layers(std::int64_t layers) const {
  return std::min(skip_layers_, layers);
}

std::int64_t TokenSetPolicy::rope_positions(std::int64_t tokens) const {
  return tokens * std::max<std::int64_t>(options_.place_stride, 1);
}

std::int64_t TokenSetPolicy::groups_needed(std::int64_t layers, std::int64_t prompt_tokens,
                                           std::int64_t total_tokens) const {
  const auto groups_of = [&](std::int64_t entries) {
    return kernels::pages_of(std::min(entries, total_tokens), page_tokens());
  };
  const std::int64_t lasting = groups_of(options_.most_held(prompt_tokens));
  if (!options_.dense_first_step) return layers * lasting;
  // The whole prompt at first; when it is cut, one layer after the other is held twice.
  return layers * std::max(lasting, groups_of(prompt_tokens + 1)) + lasting;
}

/// Rotated copies of keys, and scores.
std::int64_t TokenSetPolicy::extra_group_bytes(const KvShape& shape, std::int64_t /*group*/) const {
  const std::int64_t of_slot = (options_.by_place() ? shape.row_bytes() : 0) +
                               (options_.slot_scores ? std::int64_t{sizeof(float)} : 0);
  return shape.kv_heads * page_tokens() * of_slot;
}

TokenSets::TokenSets(const PolicyContext& context, const TokenSetOptions& options)
    : context_(context),
      options_(options),
      first_layer_(context.first_layer),
      layers_(context.layers - context.first_layer),
      width_(list_width(context, options)),
      lists_(*context.device, layers_, context.lanes, context.kv_heads * width_),
      lanes_(index(context.lanes)) {
  const std::size_t requests = index(context.lanes * context.kv_heads);
  Device& device = *context.device;
  for (auto* array : {&before_, &keep_, &front_, &back_, &after_, &counts_, &ones_, &zeros_, &next_slots_,
                      &kept_, &freed_counts_, &list_counts_}) {
    *array = DeviceArray<std::int32_t>(device, requests);
  }
  ones_.upload(std::vector<std::int32_t>(requests, 1));
  places_ = DeviceArray<std::int32_t>(device, requests * index(width_));
  freed_ = DeviceArray<std::int32_t>(device, requests * index(width_));
  place_scores_ = DeviceArray<float>(device, requests * index(width_));
  prompt_scores_ = DeviceArray<float>(device, index(context.kv_heads * context.max_tokens));
  prompt_places_ = DeviceArray<std::int32_t>(device, index(context.kv_heads * context.max_tokens));
  if (options.slot_scores) slot_scores_ = DeviceArray<float>(device, index(context.pool->slots()));
  if (options.by_place()) {
    rotated_keys_ = DeviceArray<std::byte>(device, index(context.pool->slots() * context.pool->row_bytes()));
    query_positions_ = DeviceArray<std::int32_t>(device, index(context.lanes));
  }
  zero_ = DeviceArray<float>(device, 1);
  std::vector<std::int32_t> numbers(index(context.max_tokens));
  std::iota(numbers.begin(), numbers.end(), 0);
  iota_ = DeviceArray<std::int32_t>(device, numbers.size());
  iota_.upload(numbers);
}

// --- How many entries there are.

std::int64_t TokenSets::list_width(const PolicyContext& context, const TokenSetOptions& options) {
  const bool bounded = !options.pin_prompt && !options.dense_first_step;
  const std::int64_t most =
      bounded ? std::min(options.limit + options.slack, context.max_tokens) : context.max_tokens;
  const std::int64_t page = context.pool->page_tokens();
  return (most + page - 1) / page * page;
}

std::int64_t TokenSets::groups_of(std::int64_t entries) const {
  return kernels::pages_of(entries, context_.pool->page_tokens());
}

// --- Sequences.

void TokenSets::open(std::int64_t lane, std::int64_t prompt_tokens) {
  lanes_[index(lane)] = {};
  lanes_[index(lane)].prompt_tokens = prompt_tokens;
  lanes_[index(lane)].groups.resize(index(layers_));
}

void TokenSets::grow(std::int64_t lane, std::int64_t layer, std::int64_t entries) {
  std::vector<std::int32_t>& groups = lanes_[index(lane)].groups[index(layer)];
  const auto had = static_cast<std::int64_t>(groups.size());
  const std::int64_t wanted = groups_of(entries);
  if (wanted <= had) return;
  context_.pool->take(wanted - had, groups);
  const std::int64_t page = context_.pool->page_tokens();
  const std::vector<std::int32_t> slots = slots_of(std::span(groups).subspan(index(had)));
  const auto own = index((wanted - had) * page);
  for (std::int64_t head = 0; head < context_.kv_heads; ++head) {
    lists_.upload(layer, lane, head * width_ + had * page, std::span(slots).subspan(index(head) * own, own));
  }
}

std::vector<std::int32_t> TokenSets::slots_of(std::span<const std::int32_t> groups) const {
  std::vector<std::int32_t> slots;
  const std::int64_t page = context_.pool->page_tokens();
  for (std::int64_t head = 0; head < context_.kv_heads; ++head) {
    for (const std::int32_t group : groups) {
      for (std::int64_t i = 0; i < page; ++i) {
        slots.push_back(static_cast<std::int32_t>((group * context_.kv_heads + head) * page + i));
      }
    }
  }
  return slots;
}

void TokenSets::take_prompt(std::int64_t lane, const PromptLayer& prompt) {
  const std::int64_t layer = governed(prompt.layer);
  Lane& own = lanes_[index(lane)];
  const TokenSetOptions::Keep keep = options_.keep_of(own.prompt_tokens);
  const bool cut = prompt.tokens > keep.keep && !options_.dense_first_step;
  own.held = cut ? keep.keep : prompt.tokens;
  grow(lane, layer, own.held);

  const PlaceScores scores = cut || options_.slot_scores ? prompt_scores(lane, prompt) : PlaceScores{};
  if (cut) choose_from_prompt(lane, prompt, scores);
  list_counts_.upload(
      std::vector<std::int32_t>(index(context_.kv_heads), static_cast<std::int32_t>(own.held)));
  PromptCopy copy;
  copy.places = cut ? prompt_places_.data() : nullptr;
  copy.places_stride = context_.max_tokens;
  copy.slots = lists_.row(layer, lane);
  copy.slots_stride = width_;
  copy.counts = list_counts_.data();
  copy.max_count = own.held;
  copy.raw = options_.by_place();
  copy_prompt(context_, prompt, copy, iota_.data());
  if (options_.slot_scores) start_scores(scores, copy);
}

void TokenSets::choose_from_prompt(std::int64_t lane, const PromptLayer& prompt, const PlaceScores& scores) {
  const TokenSetOptions::Keep keep = options_.keep_of(lanes_[index(lane)].prompt_tokens);
  const auto fill = [&](DeviceArray<std::int32_t>& array, std::int64_t value) {
    array.upload(std::vector<std::int32_t>(index(context_.kv_heads), static_cast<std::int32_t>(value)));
  };
  fill(before_, prompt.tokens);
  fill(keep_, keep.keep);
  fill(front_, keep.front);
  fill(back_, keep.back);
  kernels::TopkArgs args;
  args.rows = static_cast<std::int32_t>(context_.kv_heads);
  args.scores = scores.scores;
  args.scores_stride = scores.stride;
  args.counts = before_.data();
  args.max_count = prompt.tokens;
  args.keep = keep_.data();
  args.front = front_.data();
  args.back = back_.data();
  args.places = prompt_places_.data();
  args.places_stride = context_.max_tokens;
  args.kept = kept_.data();
  require_ok(context_.device->kernels().topk(args, context_.device->stream()), "topk");
}

void TokenSets::start_scores(const PlaceScores& scores, const PromptCopy& copy) {
  kernels::CopyRowsArgs args;
  args.requests = static_cast<std::int32_t>(context_.kv_heads);
  args.counts = copy.counts;
  args.max_count = copy.max_count;
  args.index = copy.places;
  args.index_stride = copy.places_stride;
  args.in = scores.scores;
  args.in_request_rows = scores.stride;
  args.out_index = copy.slots;
  args.out_index_stride = copy.slots_stride;
  args.out = slot_scores_.data();
  copy_numbers(args);
}

void TokenSets::close(std::int64_t lane) {
  for (const auto& groups : lanes_[index(lane)].groups) context_.pool->give_back(groups);
  lanes_[index(lane)] = {};
}

void TokenSets::swap_lanes(std::int64_t a, std::int64_t b) {
  std::swap(lanes_[index(a)], lanes_[index(b)]);
  lists_.swap_lanes(a, b);
}

void TokenSets::fork(std::int64_t from, std::int64_t to) {
  Lane& copy = lanes_[index(to)];
  copy = lanes_[index(from)];
  for (std::int64_t layer = 0; layer < layers_; ++layer) {
    const std::size_t groups = copy.groups[index(layer)].size();
    copy.groups[index(layer)].clear();
    context_.pool->take(static_cast<std::int64_t>(groups), copy.groups[index(layer)]);
    const std::vector<std::int32_t> slots = slots_of(copy.groups[index(layer)]);
    move_entries(from, layer, slots);
    set_lists(to, layer, slots);
  }
}

/// Copies the entries that the lane holds to these slots (kv_heads, as many as its groups have or more).
void TokenSets::move_entries(std::int64_t lane, std::int64_t layer, std::span<const std::int32_t> slots) {
  const std::int64_t entries = entries_in_list(lane);
  if (entries == 0) return;
  const auto stride = static_cast<std::int64_t>(slots.size()) / context_.kv_heads;
  DeviceArray<std::int32_t> targets(*context_.device, slots.size());
  targets.upload(slots);
  list_counts_.upload(
      std::vector<std::int32_t>(index(context_.kv_heads), static_cast<std::int32_t>(entries)));
  kernels::CopyRowsArgs args;
  args.requests = static_cast<std::int32_t>(context_.kv_heads);
  args.counts = list_counts_.data();
  args.max_count = entries;
  args.index = lists_.row(layer, lane);
  args.index_stride = width_;
  args.out_index = targets.data();
  args.out_index_stride = stride;
  const auto run = [&](void* rows, std::int64_t row_bytes) {
    args.in = rows;
    args.out = rows;
    args.row_bytes = row_bytes;
    require_ok(context_.device->kernels().copy_rows(args, context_.device->stream()), "copy_rows");
  };
  run(context_.pool->keys(), context_.pool->row_bytes());
  run(context_.pool->values(), context_.pool->row_bytes());
  run(context_.pool->slot_positions(), sizeof(std::int32_t));
  if (options_.slot_scores) run(slot_scores_.data(), sizeof(float));
}

void TokenSets::set_lists(std::int64_t lane, std::int64_t layer, std::span<const std::int32_t> slots) {
  const std::size_t own = slots.size() / index(context_.kv_heads);
  for (std::int64_t head = 0; head < context_.kv_heads; ++head) {
    lists_.upload(layer, lane, head * width_, slots.subspan(index(head) * own, own));
  }
}

/// Hands back what a whole prompt took, once it has been cut.
void TokenSets::shrink(std::int64_t lane, std::int64_t layer) {
  Lane& own = lanes_[index(lane)];
  std::vector<std::int32_t>& groups = own.groups[index(layer)];
  const std::int64_t wanted = groups_of(options_.most_held(own.prompt_tokens));
  if (static_cast<std::int64_t>(groups.size()) <= wanted) return;
  std::vector<std::int32_t> fresh;
  context_.pool->take(wanted, fresh);
  const std::vector<std::int32_t> slots = slots_of(fresh);
  move_entries(lane, layer, slots);
  set_lists(lane, layer, slots);
  context_.pool->give_back(groups);
  groups = std::move(fresh);
}

// --- Steps.

void TokenSets::begin_step(std::span<const std::int64_t> positions) {
  step_lanes_ = static_cast<std::int64_t>(positions.size());
  longest_ = 0;
  most_before_ = 0;
  any_drops_ = false;
  for (std::int64_t lane = 0; lane < step_lanes_; ++lane) {
    plan_lane(lanes_[index(lane)], positions[index(lane)]);
    const Lane& own = lanes_[index(lane)];
    longest_ = std::max(longest_, own.held);
    most_before_ = std::max(most_before_, own.before);
    any_drops_ = any_drops_ || own.drops;
    for (std::int64_t layer = 0; layer < layers_; ++layer) grow(lane, layer, own.held);
  }
  upload_step();
}

void TokenSets::plan_lane(Lane& lane, std::int64_t position) const {
  const TokenSetOptions::Keep keep = options_.keep_of(lane.prompt_tokens);
  lane.position = position;
  lane.before = lane.held;
  const bool spared = options_.dense_first_step && lane.steps == 0;
  const bool cuts_prompt = options_.dense_first_step && lane.steps == 1 && lane.prompt_tokens > keep.keep;
  lane.drops = !spared && lane.before > keep.keep + (cuts_prompt ? 0 : options_.slack);
  lane.held = (lane.drops ? keep.keep : lane.before) + 1;
  ++lane.steps;
}

void TokenSets::upload_step() {
  const auto fill = [&](DeviceArray<std::int32_t>& array, const auto& value_of) {
    host_.clear();
    for (std::int64_t lane = 0; lane < step_lanes_; ++lane) {
      host_.insert(host_.end(), index(context_.kv_heads),
                   static_cast<std::int32_t>(value_of(lanes_[index(lane)])));
    }
    array.upload(host_);
  };
  fill(after_, [](const Lane& lane) { return lane.held - 1; });
  fill(counts_, [](const Lane& lane) { return lane.held; });
  if (options_.by_place()) {
    host_.clear();
    for (std::int64_t lane = 0; lane < step_lanes_; ++lane) {
      const std::int64_t place = lanes_[index(lane)].held - 1;
      host_.push_back(static_cast<std::int32_t>(place * options_.place_stride));
    }
    query_positions_.upload(host_);
  }
  if (!any_drops_) return;
  fill(before_, [](const Lane& lane) { return lane.before; });
  fill(keep_, [](const Lane& lane) { return lane.held - 1; });
  fill(front_, [&](const Lane& lane) { return lane.drops ? options_.keep_of(lane.prompt_tokens).front : 0; });
  fill(back_, [&](const Lane& lane) { return lane.drops ? options_.keep_of(lane.prompt_tokens).back : 0; });
}

AppendPlan TokenSets::plan_append(std::int64_t layer) {
  if (any_drops_) drop(layer);
  find_next_slots(governed(layer));
  if (options_.slot_scores) zero_next_scores();
  AppendPlan plan;
  plan.slots = next_slots_.data();
  return plan;
}

void TokenSets::drop(std::int64_t layer) {
  const PlaceScores scores = drop_scores({layer, most_before_});
  kernels::TopkArgs best;
  best.rows = static_cast<std::int32_t>(requests());
  best.scores = scores.scores;
  best.scores_stride = scores.stride;
  best.counts = before_.data();
  best.max_count = most_before_;
  best.keep = keep_.data();
  best.front = front_.data();
  best.back = back_.data();
  best.places = places_.data();
  best.places_stride = width_;
  best.kept = kept_.data();
  require_ok(context_.device->kernels().topk(best, context_.device->stream()), "topk");

  context_.device->copy(list_counts_.data(), before_.data(), index(requests()) * sizeof(std::int32_t));
  kernels::CompactArgs stay;
  stay.requests = best.rows;
  stay.pages = lists_.layer(governed(layer));
  stay.pages_stride = width_;
  stay.counts = list_counts_.data();
  stay.max_count = most_before_;
  stay.places = places_.data();
  stay.places_stride = width_;
  stay.kept = kept_.data();
  stay.freed = freed_.data();
  stay.freed_stride = width_;
  stay.freed_counts = freed_counts_.data();
  stay.slot_positions = context_.pool->slot_positions();
  stay.append_freed = true;
  require_ok(context_.device->kernels().compact(stay, context_.device->stream()), "compact");
  for (std::int64_t lane = 0; lane < step_lanes_ && options_.dense_first_step; ++lane) {
    if (lanes_[index(lane)].drops) shrink(lane, governed(layer));
  }
}

void TokenSets::copy_numbers(kernels::CopyRowsArgs args) const {
  args.row_bytes = sizeof(std::int32_t);
  require_ok(context_.device->kernels().copy_rows(args, context_.device->stream()), "copy_rows");
}

/// The first of a list's free slots.
void TokenSets::find_next_slots(std::int64_t layer) {
  kernels::CopyRowsArgs args;
  args.requests = static_cast<std::int32_t>(requests());
  args.counts = ones_.data();
  args.max_count = 1;
  args.index = after_.data();
  args.index_stride = 1;
  args.in = lists_.layer(layer);
  args.in_request_rows = width_;
  args.out = next_slots_.data();
  args.out_request_rows = 1;
  copy_numbers(args);
}

void TokenSets::zero_next_scores() {
  kernels::CopyRowsArgs args;
  args.requests = static_cast<std::int32_t>(requests());
  args.counts = ones_.data();
  args.max_count = 1;
  args.in = zero_.data();
  args.out_index = next_slots_.data();
  args.out_index_stride = 1;
  args.out = slot_scores_.data();
  copy_numbers(args);
}

TokenSets::PlaceScores TokenSets::drop_scores(const DropRequest& request) {
  if (!options_.slot_scores) return {place_scores_.data(), width_};  // all 0: the lowest positions go
  return gather_scores(request, 1);
}

TokenSets::PlaceScores TokenSets::gather_scores(const DropRequest& request, std::int64_t requests_per_set) {
  kernels::CopyRowsArgs args;
  args.requests = static_cast<std::int32_t>(requests());
  args.requests_per_set = static_cast<std::int32_t>(requests_per_set);
  args.counts = before_.data();
  args.max_count = request.most_held;
  args.index = lists_.layer(governed(request.layer));
  args.index_stride = width_;
  args.in = slot_scores_.data();
  args.out = place_scores_.data();
  args.out_request_rows = width_;
  copy_numbers(args);
  return {place_scores_.data(), width_};
}

TokenSets::PlaceScores TokenSets::prompt_scores(std::int64_t /*lane*/, const PromptLayer& prompt) {
  if (prompt.scores == nullptr) return {prompt_scores_.data(), context_.max_tokens};  // all 0
  return {prompt.scores, prompt.capacity};
}

kernels::PageLists TokenSets::lists(std::int64_t layer) {
  return {lists_.layer(governed(layer)), width_, counts_.data(), longest_, 1};
}

void TokenSets::attend(std::int64_t layer, const void* /*queries*/, std::vector<AttentionPart>& parts) {
  AttentionPart part;
  part.lists = lists(layer);
  part.keys = context_.pool->keys();
  part.values = context_.pool->values();
  if (options_.by_place()) {
    rotate_by_place(layer);
    part.keys = rotated_keys_.data();
    part.query_positions = query_positions_.data();
  }
  parts.push_back(part);
}

void TokenSets::rotate_by_place(std::int64_t layer) {
  kernels::RotateArgs args;
  args.dtype = context_.dtype;
  args.requests = static_cast<std::int32_t>(requests());
  args.head_dim = static_cast<std::int32_t>(context_.head_dim);
  args.lists = lists(layer);
  args.in = context_.pool->keys();
  args.out = rotated_keys_.data();
  args.in_stride = context_.head_dim;
  args.out_stride = context_.head_dim;
  args.place_stride = static_cast<std::int32_t>(options_.place_stride);
  args.rope = context_.rope;
  args.rope_positions = static_cast<std::int32_t>(context_.rope_positions);
  require_ok(context_.device->kernels().rotate(args, context_.device->stream()), "rotate");
}

// --- What can be asked.

std::int64_t TokenSets::attended(std::int64_t lane) const {
  return lanes_[index(lane)].held;
}

std::vector<std::int32_t> TokenSets::held(std::int64_t lane, std::int64_t layer, std::int64_t kv_head) const {
  return context_.pool->positions_of(
      lists_.download(governed(layer), lane, kv_head * width_, entries_in_list(lane)));
}

std::vector<std::int32_t> TokenSets::seen(std::int64_t lane, std::int64_t layer, std::int64_t head) const {
  return held(lane, layer, head / context_.group());
}

std::vector<float> TokenSets::scores(std::int64_t lane, std::int64_t layer, std::int64_t kv_head) const {
  std::vector<float> scores;
  for (const std::int32_t slot :
       lists_.download(governed(layer), lane, kv_head * width_, entries_in_list(lane))) {
    scores.push_back(slot_scores_.download(index(slot), 1).front());
  }
  return scores;
}

}  // namespace lil::record
