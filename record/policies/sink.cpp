#include <algorithm>
#include <memory>
#include <vector>

#include "record/lane_numbers.h"
#include "record/token_sets.h"

namespace lil::record {
namespace {

/// Sinks at the places that they have in the cache, with every key rotated once, at its position: of what
/// RoPE sees, only distances count. Those to the latest entries, which are neighbours, are the same either
/// way; to the sinks the query stands at its own place. So a lane that has dropped entries attends to two
/// parts, and one that has not attends to one, with full attention's bits.
class NearSinks final : public TokenSets {
 public:
  NearSinks(const PolicyContext& context, const TokenSetOptions& options)
      : TokenSets(context, options),
        front_(options.keep_of(0).front),
        front_entries_(*context.device, context.lanes, context.kv_heads),
        window_entries_(*context.device, context.lanes, context.kv_heads),
        places_(*context.device, context.lanes, 1),
        positions_(*context.device, context.lanes, 1) {}

  void begin_step(std::span<const std::int64_t> positions) override {
    TokenSets::begin_step(positions);
    const auto is_whole = [&](std::int64_t lane) { return entries_now(lane) == step_position(lane) + 1; };
    front_entries_.set(step_lanes(),
                       [&](std::int64_t lane) { return is_whole(lane) ? entries_now(lane) : front_; });
    window_entries_.set(step_lanes(),
                        [&](std::int64_t lane) { return is_whole(lane) ? 0 : entries_now(lane) - front_; });
    places_.set(step_lanes(), [&](std::int64_t lane) { return entries_now(lane) - 1; });
    positions_.set(step_lanes(), [&](std::int64_t lane) { return step_position(lane); });
  }

  void attend(std::int64_t layer, const void* /*queries*/, std::vector<AttentionPart>& parts) override {
    add_part(layer, 0, front_entries_, places_, parts);
    add_part(layer, front_, window_entries_, positions_, parts);
  }

 private:
  /// The entries from a place on.
  void add_part(std::int64_t layer, std::int64_t first, LaneNumbers& entries, LaneNumbers& query_positions,
                std::vector<AttentionPart>& parts) {
    if (entries.most() == 0) return;
    AttentionPart part;
    part.lists = lists(layer);
    part.lists.pages += first;
    part.lists.tokens = entries.data();
    part.lists.max_tokens = entries.most();
    part.keys = context().pool->keys();
    part.values = context().pool->values();
    part.query_positions = query_positions.data();
    parts.push_back(part);
  }

  std::int64_t front_;
  LaneNumbers front_entries_;
  LaneNumbers window_entries_;
  LaneNumbers places_;     ///< of the current token in the cache
  LaneNumbers positions_;  ///< and in the text
};

/// Attention sinks and a window [Xiao 2024, StreamingLLM]: nothing has a score, so the oldest go.
class SinkPolicy final : public TokenSetPolicy {
 public:
  SinkPolicy(const TokenSetOptions& options, std::int64_t skip_layers, bool near)
      : TokenSetPolicy(options, skip_layers), near_(near) {}

  [[nodiscard]] bool raw_queries() const override { return near_ || raw_keys(); }
  [[nodiscard]] std::unique_ptr<PolicyState> start(const PolicyContext& context) const override {
    if (near_) return std::make_unique<NearSinks>(context, options());
    return std::make_unique<TokenSets>(context, options());
  }

 private:
  bool near_;
};

}  // namespace

std::unique_ptr<AttentionPolicy> make_sink_policy(const schemas::Arguments& arguments) {
  TokenSetOptions options = token_set_options(arguments);
  options.front = arguments.integer("sinks");
  const std::string& pos = arguments.text("pos");
  // A pinned prompt moves as a whole, but each lane has its own.
  const bool near = pos == "cache" && !options.pin_prompt;
  if (pos != "orig" && !near) options.place_stride = pos == "doubled" ? 2 : 1;
  return std::make_unique<SinkPolicy>(options, arguments.integer("skip_layers"), near);
}

}  // namespace lil::record
