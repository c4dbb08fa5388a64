#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "kernels/accumulate_scores.h"
#include "record/token_sets.h"
#include "schemas/error.h"

namespace lil::record {
namespace {

class H2oState final : public TokenSets {
 public:
  H2oState(const PolicyContext& context, const TokenSetOptions& options, kernels::GroupReduce reduce)
      : TokenSets(context, options), reduce_(reduce) {}

  void attend(std::int64_t layer, const void* queries, std::vector<AttentionPart>& parts) override {
    TokenSets::attend(layer, queries, parts);
    parts.back().wants_logits = true;
  }

  void observe(std::int64_t layer, std::span<const PartResult> parts) override {
    kernels::AccumulateScoresArgs args;
    args.requests = static_cast<std::int32_t>(requests());
    args.group = static_cast<std::int32_t>(context().group());
    args.lists = lists(layer);
    args.logits = parts.front().logits;
    args.logits_stride = parts.front().logits_stride;
    args.lse = parts.front().lse;
    args.reduce = reduce_;
    args.scores = slot_scores();
    require_ok(context().device->kernels().accumulate_scores(args, context().device->stream()),
               "accumulate_scores");
  }

 private:
  kernels::GroupReduce reduce_;
};

/// Heavy hitters, by the sum of softmax weights so far, and the latest tokens [Zhang 2023, H2O].
class H2oPolicy final : public TokenSetPolicy {
 public:
  H2oPolicy(const TokenSetOptions& options, std::int64_t skip_layers, const PromptNeeds& needs)
      : TokenSetPolicy(options, skip_layers), needs_(needs) {}

  [[nodiscard]] PromptNeeds prompt_needs() const override { return needs_; }
  [[nodiscard]] std::unique_ptr<PolicyState> start(const PolicyContext& context) const override {
    return std::make_unique<H2oState>(context, options(), needs_.reduce);
  }

 private:
  PromptNeeds needs_;
};

}  // namespace

std::unique_ptr<AttentionPolicy> make_h2o_policy(const schemas::Arguments& arguments) {
  const std::int64_t budget = arguments.integer("budget");
  const std::int64_t heavy = arguments.integer("heavy");
  const std::int64_t recent = arguments.integer("recent");
  if (heavy + recent != budget) {
    throw Error(ErrorCode::kUsage,
                fmt::format("attention policy 'h2o': heavy={} and recent={} make {}, not budget={}", heavy,
                            recent, heavy + recent, budget));
  }
  TokenSetOptions options = token_set_options(arguments);
  options.recent = std::max<std::int64_t>(recent, 1);
  options.slot_scores = true;
  if (arguments.text("pos") == "roll") options.place_stride = 1;
  PromptNeeds needs;
  needs.reduce = group_reduce(arguments.text("gqa"));
  if (arguments.text("score_init") == "prefill") needs.scores = PromptNeeds::Scores::kSum;
  return std::make_unique<H2oPolicy>(options, arguments.integer("skip_layers"), needs);
}

}  // namespace lil::record
