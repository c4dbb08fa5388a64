#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/copy_rows.h"
#include "record/attention_policy.h"
#include "record/lane_table.h"
#include "record/page_tables.h"

namespace lil::record {

/// What policies that drop single tokens have in common.
struct TokenSetOptions {
  std::int64_t limit = 0;   ///< entries attended to right after a drop, the current one included; 1 or more
  std::int64_t slack = 0;   ///< so many more may be held before the next drop
  std::int64_t front = 0;   ///< first entries that are never dropped, as far as the limit allows
  std::int64_t recent = 1;  ///< latest entries that are never dropped, the current one included; likewise
  bool pin_prompt = false;  ///< the prompt is never dropped, be it beyond the limit
  bool dense_first_step = false;  ///< the first decoded token still attends to the whole prompt
  bool slot_scores = false;       ///< each slot has a score, which starts at the prompt's, or 0
  bool evict_after = false;       ///< the drop belongs to the step before: `recent` is counted from its token
  /// 0: keys stand at their positions. Else they lie raw in the pool, and in each step the key at place i of
  /// n is rotated to i * place_stride, the query to (n - 1) * place_stride.
  std::int64_t place_stride = 0;

  [[nodiscard]] bool by_place() const { return place_stride != 0; }
  /// Which entries stay in a drop: so many, among them the first and the last ones.
  struct Keep {
    std::int64_t keep = 0;
    std::int64_t front = 0;
    std::int64_t back = 0;
  };
  [[nodiscard]] Keep keep_of(std::int64_t prompt_tokens) const;
  /// The current entry included; a dense first step aside.
  [[nodiscard]] std::int64_t most_held(std::int64_t prompt_tokens) const {
    return keep_of(prompt_tokens).keep + 1 + slack;
  }
};

/// From the parameters `budget`, `evict`, `first_step` and `pin_prompt`, which all such policies have.
[[nodiscard]] TokenSetOptions token_set_options(const schemas::Arguments& arguments);
/// `sum`, `mean` or `max`.
[[nodiscard]] kernels::GroupReduce group_reduce(const std::string& name);

/// What all policies of token sets answer alike.
class TokenSetPolicy : public AttentionPolicy {
 public:
  TokenSetPolicy(const TokenSetOptions& options, std::int64_t skip_layers)
      : options_(options), skip_layers_(skip_layers) {}

  [[nodiscard]] std::int64_t dense_layers(std::int64_t layers) const override;
  [[nodiscard]] bool raw_keys() const override { return options_.by_place(); }
  [[nodiscard]] std::int64_t rope_positions(std::int64_t tokens) const override;
  [[nodiscard]] std::int64_t groups_needed(std::int64_t layers, std::int64_t prompt_tokens,
                                           std::int64_t total_tokens) const override;
  [[nodiscard]] std::int64_t extra_group_bytes(const KvShape& shape, std::int64_t group) const override;

 protected:
  [[nodiscard]] const TokenSetOptions& options() const { return options_; }

 private:
  TokenSetOptions options_;
  std::int64_t skip_layers_;
};

/// A set of tokens for each kv head of each governed layer: after a drop the `limit` - 1 with the highest
/// scores, besides those that never go, make room for the current token [as H2O, Zhang 2023]. Of equal scores
/// the lowest position goes. Slots of dropped tokens are used again; a prompt's entries that are dropped at
/// once never reach the pool.
///
/// A policy says what the scores are. The number of entries is the same for all heads and governed layers of
/// a lane.
class TokenSets : public PolicyState {
 public:
  TokenSets(const PolicyContext& context, const TokenSetOptions& options);

  void open(std::int64_t lane, std::int64_t prompt_tokens) override;
  void take_prompt(std::int64_t lane, const PromptLayer& prompt) override;
  void close(std::int64_t lane) override;
  void swap_lanes(std::int64_t a, std::int64_t b) override;
  void fork(std::int64_t from, std::int64_t to) override;
  void begin_step(std::span<const std::int64_t> positions) override;
  [[nodiscard]] AppendPlan plan_append(std::int64_t layer) override;
  void attend(std::int64_t layer, const void* queries, std::vector<AttentionPart>& parts) override;
  [[nodiscard]] std::int64_t attended(std::int64_t lane) const override;
  [[nodiscard]] std::vector<std::int32_t> held(std::int64_t lane, std::int64_t layer,
                                               std::int64_t kv_head) const override;
  [[nodiscard]] std::vector<std::int32_t> seen(std::int64_t lane, std::int64_t layer,
                                               std::int64_t head) const override;
  /// Scores of the entries held, by position, where options().slot_scores.
  [[nodiscard]] std::vector<float> scores(std::int64_t lane, std::int64_t layer, std::int64_t kv_head) const;

 protected:
  /// Scores by place, for the entries in hand.
  struct PlaceScores {
    const float* scores = nullptr;  ///< (requests, stride) in the device's memory, requests lane by lane
    std::int64_t stride = 0;
  };
  /// What a drop asks for, in the step's lanes: the entries held before the current one.
  struct DropRequest {
    std::int64_t layer = 0;
    std::int64_t most_held = 0;  ///< over lanes
  };

  /// Of the entries that each of the step's lanes holds; those of lanes that drop nothing are not looked at.
  /// From the scores of slots, unless the policy has another idea.
  virtual PlaceScores drop_scores(const DropRequest& request);
  /// (kv_heads, stride) of a prompt over the limit, by position. Its PromptLayer::scores unless the policy
  /// has another idea.
  virtual PlaceScores prompt_scores(std::int64_t lane, const PromptLayer& prompt);
  /// Slots' scores by place, where options().slot_scores; all kv heads of a set share those of its first.
  [[nodiscard]] PlaceScores gather_scores(const DropRequest& request, std::int64_t requests_per_set);
  /// One request for each kv head of the step's lanes, the current entries included: what a step attends to.
  [[nodiscard]] kernels::PageLists lists(std::int64_t layer);

  [[nodiscard]] const PolicyContext& context() const { return context_; }
  [[nodiscard]] const TokenSetOptions& options() const { return options_; }
  [[nodiscard]] std::int64_t step_lanes() const { return step_lanes_; }
  [[nodiscard]] std::int64_t requests() const { return step_lanes_ * context_.kv_heads; }
  [[nodiscard]] std::int64_t step_position(std::int64_t lane) const { return lanes_[index(lane)].position; }
  /// Entries of a lane in this step: before the current one and after a drop if there is one.
  [[nodiscard]] std::int64_t entries_before(std::int64_t lane) const { return lanes_[index(lane)].before; }
  [[nodiscard]] std::int64_t entries_now(std::int64_t lane) const { return lanes_[index(lane)].held; }
  [[nodiscard]] bool drops(std::int64_t lane) const { return lanes_[index(lane)].drops; }
  [[nodiscard]] std::int64_t prompt_tokens(std::int64_t lane) const {
    return lanes_[index(lane)].prompt_tokens;
  }
  /// (kv_heads, width()) slots of a lane's entries in order of position.
  [[nodiscard]] const std::int32_t* lane_slots(std::int64_t lane, std::int64_t layer) {
    return lists_.row(governed(layer), lane);
  }
  /// (slots of the pool), where options().slot_scores.
  [[nodiscard]] float* slot_scores() { return slot_scores_.data(); }
  [[nodiscard]] static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
  [[nodiscard]] std::int64_t governed(std::int64_t layer) const { return layer - first_layer_; }
  [[nodiscard]] std::int64_t governed_layers() const { return layers_; }
  /// Scratch for scores by place: (lanes * kv_heads, width()).
  [[nodiscard]] float* place_scores() { return place_scores_.data(); }
  /// Most entries that a lane may hold for a kv head, and more.
  [[nodiscard]] std::int64_t width() const { return width_; }
  /// Scratch for scores of a prompt: (kv_heads, context().max_tokens).
  [[nodiscard]] float* prompt_scratch() { return prompt_scores_.data(); }

 private:
  struct Lane {
    std::int64_t prompt_tokens = 0;
    std::int64_t position = 0;  ///< of the step's token
    std::int64_t before = 0;    ///< entries when the step began
    std::int64_t held = 0;      ///< entries, with the step's
    bool drops = false;
    std::int64_t steps = 0;
    std::vector<std::vector<std::int32_t>> groups;  ///< by governed layer, in the order of their slots
  };
  [[nodiscard]] static std::int64_t list_width(const PolicyContext& context, const TokenSetOptions& options);
  [[nodiscard]] std::int64_t groups_of(std::int64_t entries) const;
  void grow(std::int64_t lane, std::int64_t layer, std::int64_t entries);
  void shrink(std::int64_t lane, std::int64_t layer);
  void plan_lane(Lane& lane, std::int64_t position) const;
  void upload_step();
  void drop(std::int64_t layer);
  void choose_from_prompt(std::int64_t lane, const PromptLayer& prompt, const PlaceScores& scores);
  void start_scores(const PlaceScores& scores, const PromptCopy& copy);
  void rotate_by_place(std::int64_t layer);
  void find_next_slots(std::int64_t layer);
  void zero_next_scores();
  void copy_numbers(kernels::CopyRowsArgs args) const;
  void move_entries(std::int64_t lane, std::int64_t layer, std::span<const std::int32_t> slots);
  void set_lists(std::int64_t lane, std::int64_t layer, std::span<const std::int32_t> slots);
  [[nodiscard]] std::vector<std::int32_t> slots_of(std::span<const std::int32_t> groups) const;
  /// Within a step, before its drop: what was there when it began. Else what is there.
  [[nodiscard]] std::int64_t entries_in_list(std::int64_t lane) const { return lanes_[index(lane)].held; }

  PolicyContext context_;
  TokenSetOptions options_;
  std::int64_t first_layer_;
  std::int64_t layers_;
  std::int64_t width_;  ///< of a list: slots that a lane may have for one kv head
  LaneTable<std::int32_t>
      lists_;  ///< (layers, lanes, kv_heads * width): slots in use by position, then free ones
  std::vector<Lane> lanes_;
  std::int64_t step_lanes_ = 0;
  std::int64_t longest_ = 0;
  std::int64_t most_before_ = 0;
  bool any_drops_ = false;
  // (lanes, kv_heads) of the step:
  DeviceArray<std::int32_t> before_;
  DeviceArray<std::int32_t> keep_;
  DeviceArray<std::int32_t> front_;
  DeviceArray<std::int32_t> back_;
  DeviceArray<std::int32_t> after_;   ///< entries that stay: the place of the current one
  DeviceArray<std::int32_t> counts_;  ///< with the current one
  DeviceArray<std::int32_t> ones_;
  DeviceArray<std::int32_t> zeros_;
  DeviceArray<std::int32_t> next_slots_;
  // Scratch of a drop: (lanes, kv_heads, width)
  DeviceArray<std::int32_t> places_;
  DeviceArray<std::int32_t> kept_;
  DeviceArray<std::int32_t> freed_;
  DeviceArray<std::int32_t> freed_counts_;
  DeviceArray<std::int32_t> list_counts_;
  DeviceArray<float> place_scores_;
  DeviceArray<float> prompt_scores_;
  DeviceArray<std::int32_t> prompt_places_;
  DeviceArray<float> slot_scores_;
  DeviceArray<float> zero_;  ///< a single 0
  DeviceArray<std::int32_t> iota_;
  // Where keys stand by place:
  DeviceArray<std::byte> rotated_keys_;  ///< (slots of the pool, head_dim)
  DeviceArray<std::int32_t> query_positions_;
  std::vector<std::int32_t> host_;
};

}  // namespace lil::record
