#include <algorithm>
#include <memory>
#include <numeric>

#include "record/attention_policy.h"

namespace lil::record {
namespace {

struct SinkSettings {
  std::int64_t limit = 0;  ///< entries attended to, the current token's included
  std::int64_t sinks = 0;
  std::int64_t skip_layers = 0;
  bool dense_first_step = false;
  bool pin_prompt = false;
  KeyPlacement placement;
};

class SinkState final : public SequencePolicy {
 public:
  SinkState(const SinkSettings& settings, const SequenceShape& shape)
      : settings_(settings), prompt_tokens_(shape.prompt_tokens) {}

  // Keeps the first entries (sinks, pinned prompt) and the last ones. The current token comes before the
  // sinks where the budget has no room for both; a pinned prompt stays even beyond the budget.
  void evict(std::int64_t layer, std::int64_t /*kv_head*/, std::span<const std::int32_t> positions,
             std::vector<std::int32_t>& places) override {
    const auto held = static_cast<std::int64_t>(positions.size());
    const std::int64_t keep = settings_.limit - 1;
    if (layer < settings_.skip_layers || held <= keep) return;
    const bool first_step = positions.back() == prompt_tokens_ - 1;
    if (first_step && settings_.dense_first_step) return;
    std::int64_t first = std::min(settings_.sinks, keep);
    if (settings_.pin_prompt) first = std::max(first, prompt_tokens_);
    const std::int64_t last = std::max<std::int64_t>(keep - first, 0);
    if (held <= first + last) return;
    places.resize(static_cast<std::size_t>(held - first - last));
    std::iota(places.begin(), places.end(), static_cast<std::int32_t>(first));
  }

 private:
  SinkSettings settings_;
  std::int64_t prompt_tokens_;
};

/// Attention sinks and a window [Xiao 2024, StreamingLLM].
class SinkPolicy final : public AttentionPolicy {
 public:
  explicit SinkPolicy(const SinkSettings& settings) : settings_(settings) {}

  [[nodiscard]] KeyPlacement placement(std::int64_t layer) const override {
    return layer < settings_.skip_layers ? KeyPlacement{} : settings_.placement;
  }
  [[nodiscard]] std::unique_ptr<SequencePolicy> start(const SequenceShape& shape) const override {
    return std::make_unique<SinkState>(settings_, shape);
  }

 private:
  SinkSettings settings_;
};

}  // namespace

std::unique_ptr<AttentionPolicy> make_sink_policy(const schemas::Arguments& arguments) {
  SinkSettings settings;
  settings.limit = arguments.integer("budget") + (arguments.text("evict") == "after" ? 1 : 0);
  settings.sinks = arguments.integer("sinks");
  settings.skip_layers = arguments.integer("skip_layers");
  settings.dense_first_step = arguments.text("first_step") == "dense";
  settings.pin_prompt = arguments.text("pin_prompt") == "on";
  const std::string& pos = arguments.text("pos");
  settings.placement = {pos != "orig", pos == "doubled" ? 2 : 1};
  return std::make_unique<SinkPolicy>(settings);
}

}  // namespace lil::record
