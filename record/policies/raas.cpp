#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include "kernels/compact.h"
#include "kernels/copy_rows.h"
#include "kernels/topk.h"
#include "record/lane_numbers.h"
#include "record/lane_table.h"
#include "record/page_bounds.h"
#include "record/page_tables.h"
#include "record/token_sets.h"
#include "schemas/error.h"

namespace lil::record {
namespace {

struct RaasOptions {
  std::int64_t budget = 0;
  std::int64_t page = 0;
  std::optional<double> alpha;  ///< none: the better half of the pages is touched
  kernels::GroupReduce reduce = kernels::GroupReduce::kSum;
  bool pin_prompt = true;
  std::int64_t skip_layers = 0;

  [[nodiscard]] std::int64_t pinned_pages(std::int64_t prompt_tokens) const {
    return pin_prompt ? kernels::pages_of(prompt_tokens, page) : 0;
  }
  /// Pages to drop of `entries` so that one more is within the budget: full ones, none of them pinned.
  [[nodiscard]] std::int64_t pages_to_drop(std::int64_t entries, std::int64_t prompt_tokens) const {
    const std::int64_t over = entries + 1 - budget;
    if (over <= 0) return 0;
    const std::int64_t free = entries / page - pinned_pages(prompt_tokens);
    return std::clamp<std::int64_t>(kernels::pages_of(over, page), 0, std::max<std::int64_t>(free, 0));
  }
  /// Pages of a list that are in use at once.
  [[nodiscard]] std::int64_t most_pages(std::int64_t prompt_tokens) const {
    return std::max(kernels::pages_of(budget, page), pinned_pages(prompt_tokens) + 1);
  }
};

class RaasState final : public PolicyState {
 public:
  RaasState(const PolicyContext& context, const RaasOptions& options);

  void open(std::int64_t lane, std::int64_t prompt_tokens) override;
  void take_prompt(std::int64_t lane, const PromptLayer& prompt) override;
  void close(std::int64_t lane) override;
  void swap_lanes(std::int64_t a, std::int64_t b) override;
  void fork(std::int64_t from, std::int64_t to) override;
  void begin_step(std::span<const std::int64_t> positions) override;
  [[nodiscard]] AppendPlan plan_append(std::int64_t layer) override;
  void attend(std::int64_t layer, const void* queries, std::vector<AttentionPart>& parts) override;
  [[nodiscard]] std::int64_t attended(std::int64_t lane) const override { return lanes_[index(lane)].held; }
  [[nodiscard]] std::vector<std::int32_t> held(std::int64_t lane, std::int64_t layer,
                                               std::int64_t kv_head) const override;
  [[nodiscard]] std::vector<std::int32_t> seen(std::int64_t lane, std::int64_t layer,
                                               std::int64_t head) const override {
    return held(lane, layer, head / context_.group());
  }

 private:
  struct Lane {
    std::int64_t prompt_tokens = 0;
    std::int64_t before = 0;                        ///< entries when the step began
    std::int64_t held = 0;                          ///< entries, with the step's
    std::int64_t dropped = 0;                       ///< pages that the step drops
    std::vector<std::vector<std::int32_t>> groups;  ///< by governed layer
  };
  /// Places in the lists of a step.
  struct Places {
    const std::int32_t* places = nullptr;  ///< (requests, width)
    const std::int32_t* counts = nullptr;  ///< (requests)
    std::int64_t most = 0;
  };

  void grow(std::int64_t lane, std::int64_t layer, std::int64_t entries);
  void copy_prompt_pages(std::int64_t lane, const PromptLayer& prompt, std::int64_t first);
  void plan_step(std::span<const std::int64_t> positions);
  void drop(std::int64_t layer);
  void choose_pages_to_keep(std::int64_t layer);
  void find_next_slots(std::int64_t layer);
  [[nodiscard]] Places better_half();
  [[nodiscard]] Places shares_over_alpha();
  void touch(std::int64_t layer, const Places& touched);
  void stamp(const Places& pages);
  /// Copies numbers of the step's requests, by the lists of `in`.
  void gather(const std::int32_t* counts, std::int64_t most, const std::int32_t* places,
              std::int64_t places_stride, const void* in, std::int64_t in_stride, void* out,
              std::int64_t out_stride);
  void copy_rows(const kernels::CopyRowsArgs& args) const;
  [[nodiscard]] kernels::PageLists lists(std::int64_t layer);
  [[nodiscard]] std::int64_t pages_of(std::int64_t entries) const {
    return kernels::pages_of(entries, options_.page);
  }
  [[nodiscard]] std::int64_t requests() const { return step_lanes_ * context_.kv_heads; }
  [[nodiscard]] std::int64_t governed(std::int64_t layer) const { return layer - context_.first_layer; }
  [[nodiscard]] static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

  PolicyContext context_;
  RaasOptions options_;
  std::int64_t layers_;
  std::int64_t width_;  ///< of a list
  LaneTable<std::int32_t>
      lists_;  ///< (layers, lanes, kv_heads * width): pages in use by position, then free ones
  PageBounds bounds_;
  DeviceArray<float> stamps_;             ///< (pages of the pool) the latest step that touched the page
  DeviceArray<std::int32_t> page_slots_;  ///< (pages of the pool, page) their slots
  std::vector<Lane> lanes_;
  std::int64_t step_lanes_ = 0;
  // Of the step, for each kv head of each lane:
  LaneNumbers pages_before_;
  LaneNumbers pages_kept_;
  LaneNumbers pinned_;
  LaneNumbers unfinished_;  ///< 1 where the current token joins a page that is there
  LaneNumbers last_place_;  ///< of the current token's page
  LaneNumbers fill_;        ///< of that page before the current token
  LaneNumbers counts_;      ///< entries, the current one included
  LaneNumbers pages_;       ///< of these
  LaneNumbers half_;        ///< of the pages
  LaneNumbers ones_;
  DeviceArray<float> now_;  ///< the step's stamp
  // Scratch, (lanes, kv_heads) or (lanes, kv_heads, width):
  DeviceArray<float> scores_;
  DeviceArray<std::int32_t> places_;
  DeviceArray<std::int32_t> kept_;
  DeviceArray<std::int32_t> freed_;
  DeviceArray<std::int32_t> freed_counts_;
  DeviceArray<std::int32_t> list_counts_;
  DeviceArray<std::int32_t> touched_;
  DeviceArray<std::int32_t> last_pages_;
  DeviceArray<std::int32_t> last_slots_;  ///< (lanes, kv_heads, page)
  DeviceArray<std::int32_t> next_slots_;
  DeviceArray<std::int32_t> zeros_;          ///< (width)
  DeviceArray<std::int32_t> iota_;           ///< (max_tokens)
  DeviceArray<std::int32_t> prompt_slots_;   ///< (kv_heads, tokens)
  DeviceArray<std::int32_t> prompt_counts_;  ///< (kv_heads)
};

RaasState::RaasState(const PolicyContext& context, const RaasOptions& options)
    : context_(context),
      options_(options),
      layers_(context.layers - context.first_layer),
      width_(kernels::pages_of(
          options.pin_prompt ? context.max_tokens : std::min(options.budget, context.max_tokens),
          options.page)),
      lists_(*context.device, layers_, context.lanes, context.kv_heads * width_),
      bounds_(context),
      stamps_(*context.device, index(context.pool->pages())),
      page_slots_(*context.device, index(context.pool->slots())),
      lanes_(index(context.lanes)) {
  Device& device = *context.device;
  for (LaneNumbers* numbers : {&pages_before_, &pages_kept_, &pinned_, &unfinished_, &last_place_, &fill_,
                               &counts_, &pages_, &half_, &ones_}) {
    *numbers = LaneNumbers(device, context.lanes, context.kv_heads);
  }
  const std::size_t requests = index(context.lanes * context.kv_heads);
  for (auto* array : {&kept_, &freed_counts_, &list_counts_, &last_pages_, &next_slots_}) {
    *array = DeviceArray<std::int32_t>(device, requests);
  }
  for (auto* array : {&places_, &freed_, &touched_}) {
    *array = DeviceArray<std::int32_t>(device, requests * index(width_));
  }
  now_ = DeviceArray<float>(device, requests);
  scores_ = DeviceArray<float>(device, requests * index(width_));
  last_slots_ = DeviceArray<std::int32_t>(device, requests * index(options.page));
  zeros_ = DeviceArray<std::int32_t>(device, index(width_));
  prompt_slots_ = DeviceArray<std::int32_t>(device, index(context.kv_heads * context.max_tokens));
  prompt_counts_ = DeviceArray<std::int32_t>(device, index(context.kv_heads));
  std::vector<std::int32_t> numbers(std::max(page_slots_.size(), index(context.max_tokens)));
  std::iota(numbers.begin(), numbers.end(), 0);
  page_slots_.upload(std::span(numbers).first(page_slots_.size()));
  iota_ = DeviceArray<std::int32_t>(device, index(context.max_tokens));
  iota_.upload(std::span(numbers).first(iota_.size()));
}

// --- Sequences.

void RaasState::open(std::int64_t lane, std::int64_t prompt_tokens) {
  lanes_[index(lane)] = {};
  lanes_[index(lane)].prompt_tokens = prompt_tokens;
  lanes_[index(lane)].groups.resize(index(layers_));
}

void RaasState::grow(std::int64_t lane, std::int64_t layer, std::int64_t entries) {
  std::vector<std::int32_t>& groups = lanes_[index(lane)].groups[index(layer)];
  const auto had = static_cast<std::int64_t>(groups.size());
  const std::int64_t wanted = pages_of(entries);
  if (wanted <= had) return;
  context_.pool->take(wanted - had, groups);
  for (std::int64_t head = 0; head < context_.kv_heads; ++head) {
    std::vector<std::int32_t> pages;
    for (std::int64_t i = had; i < wanted; ++i) {
      pages.push_back(static_cast<std::int32_t>(groups[index(i)] * context_.kv_heads + head));
    }
    lists_.upload(layer, lane, head * width_ + had, pages);
  }
}

void RaasState::take_prompt(std::int64_t lane, const PromptLayer& prompt) {
  Lane& own = lanes_[index(lane)];
  // All pages of a prompt are equally old, so those that the first step drops are the first ones.
  const std::int64_t first = prompt.tokens > options_.budget
                                 ? options_.pages_to_drop(prompt.tokens, own.prompt_tokens) * options_.page
                                 : 0;
  own.held = prompt.tokens - first;
  grow(lane, governed(prompt.layer), own.held);
  copy_prompt_pages(lane, prompt, first);
  bounds_.find(context_.kv_heads, {lists_.row(governed(prompt.layer), lane), width_, prompt_counts_.data(),
                                   own.held, context_.pool->page_tokens()});

  prompt_counts_.upload(
      std::vector<std::int32_t>(index(context_.kv_heads), static_cast<std::int32_t>(pages_of(own.held))));
  kernels::CopyRowsArgs age;
  age.requests = static_cast<std::int32_t>(context_.kv_heads);
  age.row_bytes = sizeof(float);
  age.counts = prompt_counts_.data();
  age.max_count = pages_of(own.held);
  age.in = zeros_.data();  // 0 as a number of either type
  age.out_index = lists_.row(governed(prompt.layer), lane);
  age.out_index_stride = width_;
  age.out = stamps_.data();
  copy_rows(age);
}

/// The tokens from `first` on.
void RaasState::copy_prompt_pages(std::int64_t lane, const PromptLayer& prompt, std::int64_t first) {
  const Lane& own = lanes_[index(lane)];
  const std::vector<std::int32_t>& groups = own.groups[index(governed(prompt.layer))];
  std::vector<std::int32_t> slots;
  for (std::int64_t head = 0; head < context_.kv_heads; ++head) {
    for (std::int64_t place = 0; place < own.held; ++place) {
      const std::int64_t page = groups[index(place / options_.page)] * context_.kv_heads + head;
      slots.push_back(static_cast<std::int32_t>(page * options_.page + place % options_.page));
    }
  }
  prompt_slots_.upload(slots);
  prompt_counts_.upload(
      std::vector<std::int32_t>(index(context_.kv_heads), static_cast<std::int32_t>(own.held)));
  PromptCopy copy;
  copy.places = iota_.data() + first;
  copy.slots = prompt_slots_.data();
  copy.slots_stride = own.held;
  copy.counts = prompt_counts_.data();
  copy.max_count = own.held;
  copy_prompt(context_, prompt, copy, iota_.data());
}

void RaasState::close(std::int64_t lane) {
  for (const auto& groups : lanes_[index(lane)].groups) context_.pool->give_back(groups);
  lanes_[index(lane)] = {};
}

void RaasState::swap_lanes(std::int64_t a, std::int64_t b) {
  std::swap(lanes_[index(a)], lanes_[index(b)]);
  lists_.swap_lanes(a, b);
}

void RaasState::fork(std::int64_t from, std::int64_t to) {
  Lane& copy = lanes_[index(to)];
  copy = lanes_[index(from)];
  for (std::int64_t layer = 0; layer < layers_; ++layer) {
    std::vector<std::int32_t>& groups = copy.groups[index(layer)];
    const std::vector<std::int32_t> sources = std::exchange(groups, {});
    context_.pool->take(static_cast<std::int64_t>(sources.size()), groups);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      context_.pool->copy_group(sources[i], groups[i]);
      bounds_.copy_group(sources[i], groups[i]);
      context_.device->copy(stamps_.data() + groups[i] * context_.kv_heads,
                            stamps_.data() + sources[i] * context_.kv_heads,
                            index(context_.kv_heads) * sizeof(float));
    }
    for (std::int64_t head = 0; head < context_.kv_heads; ++head) {
      const auto pages =
          lists_.download(layer, from, head * width_, static_cast<std::int64_t>(sources.size()));
      lists_.upload(layer, to, head * width_, moved_pages(pages, sources, groups, context_.kv_heads));
    }
  }
}

// --- Steps.

void RaasState::begin_step(std::span<const std::int64_t> positions) {
  step_lanes_ = static_cast<std::int64_t>(positions.size());
  for (std::int64_t lane = 0; lane < step_lanes_; ++lane) {
    Lane& own = lanes_[index(lane)];
    own.before = own.held;
    own.dropped = options_.pages_to_drop(own.before, own.prompt_tokens);
    own.held = own.before - own.dropped * options_.page + 1;
    for (std::int64_t layer = 0; layer < layers_; ++layer) grow(lane, layer, own.held);
  }
  plan_step(positions);
}

void RaasState::plan_step(std::span<const std::int64_t> positions) {
  const auto set = [&](LaneNumbers& numbers, const auto& number_of) {
    numbers.set(step_lanes_, [&](std::int64_t lane) { return number_of(lanes_[index(lane)]); });
  };
  set(pages_before_, [&](const Lane& lane) { return pages_of(lane.before); });
  set(pages_kept_, [&](const Lane& lane) { return pages_of(lane.before) - lane.dropped; });
  set(pinned_, [&](const Lane& lane) { return options_.pinned_pages(lane.prompt_tokens); });
  set(unfinished_, [&](const Lane& lane) { return lane.before % options_.page == 0 ? 0 : 1; });
  set(last_place_, [&](const Lane& lane) { return pages_of(lane.held) - 1; });
  set(fill_, [&](const Lane& lane) { return (lane.held - 1) % options_.page; });
  set(counts_, [&](const Lane& lane) { return lane.held; });
  set(pages_, [&](const Lane& lane) { return pages_of(lane.held); });
  set(half_, [&](const Lane& lane) { return (pages_of(lane.held) + 1) / 2; });
  set(ones_, [&](const Lane& /*lane*/) { return 1; });
  std::vector<float> now;
  for (const std::int64_t position : positions) {
    now.insert(now.end(), index(context_.kv_heads), static_cast<float>(position));
  }
  now_.upload(now);
}

AppendPlan RaasState::plan_append(std::int64_t layer) {
  const auto end = lanes_.begin() + step_lanes_;
  if (std::any_of(lanes_.begin(), end, [](const Lane& lane) { return lane.dropped > 0; })) drop(layer);
  find_next_slots(layer);
  AppendPlan plan;
  plan.slots = next_slots_.data();
  bounds_.complete(plan);
  return plan;
}

void RaasState::drop(std::int64_t layer) {
  choose_pages_to_keep(layer);
  context_.device->copy(list_counts_.data(), pages_before_.data(), index(requests()) * sizeof(std::int32_t));
  kernels::CompactArgs stay;
  stay.requests = static_cast<std::int32_t>(requests());
  stay.pages = lists_.layer(governed(layer));
  stay.pages_stride = width_;
  stay.counts = list_counts_.data();
  stay.max_count = pages_before_.most();
  stay.places = places_.data();
  stay.places_stride = width_;
  stay.kept = kept_.data();
  stay.freed = freed_.data();
  stay.freed_stride = width_;
  stay.freed_counts = freed_counts_.data();
  stay.slot_positions = context_.pool->slot_positions();
  stay.page_size = context_.pool->page_tokens();
  stay.append_freed = true;
  require_ok(context_.device->kernels().compact(stay, context_.device->stream()), "compact");
}

/// Those with the latest stamps; of equal ones the later page.
void RaasState::choose_pages_to_keep(std::int64_t layer) {
  gather(pages_before_.data(), pages_before_.most(), lists_.layer(governed(layer)), width_, stamps_.data(), 0,
         scores_.data(), width_);
  kernels::TopkArgs latest;
  latest.rows = static_cast<std::int32_t>(requests());
  latest.scores = scores_.data();
  latest.scores_stride = width_;
  latest.counts = pages_before_.data();
  latest.max_count = pages_before_.most();
  latest.keep = pages_kept_.data();
  latest.front = pinned_.data();
  latest.back = unfinished_.data();
  latest.places = places_.data();
  latest.places_stride = width_;
  latest.kept = kept_.data();
  require_ok(context_.device->kernels().topk(latest, context_.device->stream()), "topk");
}

/// The current token's page, and in it the first free slot.
void RaasState::find_next_slots(std::int64_t layer) {
  gather(ones_.data(), 1, last_place_.data(), 1, lists_.layer(governed(layer)), width_, last_pages_.data(),
         1);
  kernels::CopyRowsArgs slots;
  slots.requests = static_cast<std::int32_t>(requests());
  slots.row_bytes = options_.page * static_cast<std::int64_t>(sizeof(std::int32_t));
  slots.counts = ones_.data();
  slots.max_count = 1;
  slots.index = last_pages_.data();
  slots.index_stride = 1;
  slots.in = page_slots_.data();
  slots.out = last_slots_.data();
  slots.out_request_rows = 1;
  copy_rows(slots);
  gather(ones_.data(), 1, fill_.data(), 1, last_slots_.data(), options_.page, next_slots_.data(), 1);
}

void RaasState::gather(const std::int32_t* counts, std::int64_t most, const std::int32_t* places,
                       std::int64_t places_stride, const void* in, std::int64_t in_stride, void* out,
                       std::int64_t out_stride) {
  kernels::CopyRowsArgs args;
  args.requests = static_cast<std::int32_t>(requests());
  args.row_bytes = sizeof(std::int32_t);
  args.counts = counts;
  args.max_count = most;
  args.index = places;
  args.index_stride = places_stride;
  args.in = in;
  args.in_request_rows = in_stride;
  args.out = out;
  args.out_request_rows = out_stride;
  copy_rows(args);
}

void RaasState::copy_rows(const kernels::CopyRowsArgs& args) const {
  require_ok(context_.device->kernels().copy_rows(args, context_.device->stream()), "copy_rows");
}

kernels::PageLists RaasState::lists(std::int64_t layer) {
  return {lists_.layer(governed(layer)), width_, counts_.data(), counts_.most(),
          context_.pool->page_tokens()};
}

void RaasState::attend(std::int64_t layer, const void* queries, std::vector<AttentionPart>& parts) {
  AttentionPart part;
  part.lists = lists(layer);
  part.keys = context_.pool->keys();
  part.values = context_.pool->values();
  parts.push_back(part);
  PageBounds::Scores out;
  out.reduce = options_.reduce;
  out.scores = scores_.data();
  out.stride = width_;
  bounds_.score(step_lanes_, queries, part.lists, out);
  touch(layer, options_.alpha ? shares_over_alpha() : better_half());
}

/// Half of an odd number of pages is rounded up.
RaasState::Places RaasState::better_half() {
  kernels::TopkArgs best;
  best.rows = static_cast<std::int32_t>(requests());
  best.scores = scores_.data();
  best.scores_stride = width_;
  best.counts = pages_.data();
  best.max_count = pages_.most();
  best.keep = half_.data();
  best.places = places_.data();
  best.places_stride = width_;
  best.kept = kept_.data();
  require_ok(context_.device->kernels().topk(best, context_.device->stream()), "topk");
  return {places_.data(), kept_.data(), half_.most()};
}

/// On the host: no kernel compares with a threshold.
RaasState::Places RaasState::shares_over_alpha() {
  const std::vector<float> scores = scores_.download(0, index(requests() * width_));
  const double scale = 1 / std::sqrt(static_cast<double>(context_.head_dim));
  std::vector<std::int32_t> places(scores.size());
  std::vector<std::int32_t> counts(index(requests()));
  for (std::int64_t request = 0; request < requests(); ++request) {
    const std::int64_t pages = pages_of(lanes_[index(request / context_.kv_heads)].held);
    const auto own = std::span(scores).subspan(index(request * width_), index(pages));
    const double most = *std::max_element(own.begin(), own.end());
    double sum = 0;
    for (const float score : own) sum += std::exp((static_cast<double>(score) - most) * scale);
    std::int32_t& count = counts[index(request)];
    for (std::int64_t page = 0; page < pages; ++page) {
      const double share = std::exp((static_cast<double>(own[index(page)]) - most) * scale) / sum;
      if (share <= *options_.alpha) continue;
      places[index(request * width_ + count)] = static_cast<std::int32_t>(page);
      ++count;
    }
  }
  places_.upload(places);
  kept_.upload(counts);
  return {places_.data(), kept_.data(), pages_.most()};
}

void RaasState::touch(std::int64_t layer, const Places& touched) {
  gather(touched.counts, touched.most, touched.places, width_, lists_.layer(governed(layer)), width_,
         touched_.data(), width_);
  stamp({touched_.data(), touched.counts, touched.most});
  stamp({last_pages_.data(), ones_.data(), 1});
}

/// `pages`: (requests, width), or of one page (requests).
void RaasState::stamp(const Places& pages) {
  kernels::CopyRowsArgs args;
  args.requests = static_cast<std::int32_t>(requests());
  args.row_bytes = sizeof(float);
  args.counts = pages.counts;
  args.max_count = pages.most;
  args.index = zeros_.data();
  args.in = now_.data();
  args.in_request_rows = 1;
  args.out_index = pages.places;
  args.out_index_stride = pages.places == last_pages_.data() ? 1 : width_;
  args.out = stamps_.data();
  copy_rows(args);
}

std::vector<std::int32_t> RaasState::held(std::int64_t lane, std::int64_t layer, std::int64_t kv_head) const {
  const Lane& own = lanes_[index(lane)];
  return context_.pool->positions_in(
      lists_.download(governed(layer), lane, kv_head * width_, pages_of(own.held)), own.held);
}

/// Pages by when they were last of use [Hu 2025, RaaS]: in each step the better half of a kv head's pages by
/// Quest's bound, or those whose share in the softmax of these bounds (over sqrt(head_dim)) is above alpha,
/// get the step as their timestamp; where one more token would be over the budget, the pages with the oldest
/// timestamps go, of equal ones the oldest pages. The page of the current token always counts as touched, so
/// that none is older than its latest token; the pages of a prompt begin equally old, as in the public code.
/// There the half is one of the budget, not of the pages at hand, and every query head drops for itself.
class RaasPolicy final : public AttentionPolicy {
 public:
  explicit RaasPolicy(const RaasOptions& options) : options_(options) {}

  [[nodiscard]] std::int64_t dense_layers(std::int64_t layers) const override {
    return std::min(options_.skip_layers, layers);
  }
  [[nodiscard]] std::int32_t page_tokens() const override { return static_cast<std::int32_t>(options_.page); }
  [[nodiscard]] std::int64_t groups_needed(std::int64_t layers, std::int64_t prompt_tokens,
                                           std::int64_t total_tokens) const override {
    return layers *
           std::min(kernels::pages_of(total_tokens, options_.page), options_.most_pages(prompt_tokens));
  }
  /// Bounds of pages, their timestamps, and the pages as lists of slots.
  [[nodiscard]] std::int64_t extra_group_bytes(const KvShape& shape, std::int64_t /*group*/) const override {
    constexpr std::int64_t kNumber = 4;
    return PageBounds::group_bytes(shape) + shape.kv_heads * (page_tokens() + 1) * kNumber;
  }
  [[nodiscard]] std::unique_ptr<PolicyState> start(const PolicyContext& context) const override {
    return std::make_unique<RaasState>(context, options_);
  }

 private:
  RaasOptions options_;
};

}  // namespace

std::unique_ptr<AttentionPolicy> make_raas_policy(const schemas::Arguments& arguments) {
  RaasOptions options;
  options.budget = arguments.integer("budget");
  options.page = arguments.integer("page");
  if (arguments.text("touch") == "alpha") options.alpha = arguments.real("alpha");
  options.reduce = group_reduce(arguments.text("gqa"));
  options.pin_prompt = arguments.text("pin_prompt") == "on";
  options.skip_layers = arguments.integer("skip_layers");
  if (options.page > options.budget) {
    throw Error(ErrorCode::kUsage,
                fmt::format("attention policy 'raas': a page of {} tokens is over budget={}", options.page,
                            options.budget));
  }
  return std::make_unique<RaasPolicy>(options);
}

}  // namespace lil::record
