#include <memory>

#include "kernels/accumulate_scores.h"
#include "record/token_sets.h"

namespace lil::record {
namespace {

/// A slot's score is the weight that the latest query gave its token, the mean over all heads of the layer.
/// The heads of a layer hold the same tokens; their scores stand at the slots of kv head 0.
class TovaState final : public TokenSets {
 public:
  using TokenSets::TokenSets;

  void attend(std::int64_t layer, const void* queries, std::vector<AttentionPart>& parts) override {
    TokenSets::attend(layer, queries, parts);
    parts.back().wants_logits = true;
  }

  void observe(std::int64_t layer, std::span<const PartResult> parts) override {
    kernels::AccumulateScoresArgs args;
    args.requests = static_cast<std::int32_t>(requests());
    args.group = static_cast<std::int32_t>(context().group());
    args.requests_per_set = static_cast<std::int32_t>(context().kv_heads);
    args.lists = lists(layer);
    args.logits = parts.front().logits;
    args.logits_stride = parts.front().logits_stride;
    args.lse = parts.front().lse;
    args.reduce = kernels::GroupReduce::kMean;
    args.add = false;
    args.scores = slot_scores();
    require_ok(context().device->kernels().accumulate_scores(args, context().device->stream()),
               "accumulate_scores");
  }

 protected:
  PlaceScores drop_scores(const DropRequest& request) override {
    return gather_scores(request, context().kv_heads);
  }

  /// The scores of kv head 0, for all of them.
  PlaceScores prompt_scores(std::int64_t /*lane*/, const PromptLayer& prompt) override {
    for (std::int64_t head = 0; head < context().kv_heads; ++head) {
      context().device->copy(prompt_scratch() + head * context().max_tokens, prompt.scores,
                             index(prompt.tokens) * sizeof(float));
    }
    return {prompt_scratch(), context().max_tokens};
  }
};

/// The tokens that the latest query attended to most [Oren 2024, TOVA]: the one with the smallest weight
/// goes, the mean over all heads of the layer, for every head of the layer. The first drop goes by the
/// prompt's last query. As its public code, but that the current token always stays.
class TovaPolicy final : public TokenSetPolicy {
 public:
  using TokenSetPolicy::TokenSetPolicy;

  [[nodiscard]] PromptNeeds prompt_needs() const override {
    PromptNeeds needs;
    needs.scores = PromptNeeds::Scores::kLast;
    needs.reduce = kernels::GroupReduce::kMean;
    needs.across_heads = true;
    return needs;
  }
  [[nodiscard]] std::unique_ptr<PolicyState> start(const PolicyContext& context) const override {
    return std::make_unique<TovaState>(context, options());
  }
};

}  // namespace

std::unique_ptr<AttentionPolicy> make_tova_policy(const schemas::Arguments& arguments) {
  TokenSetOptions options = token_set_options(arguments);
  options.slot_scores = true;
  return std::make_unique<TovaPolicy>(options, arguments.integer("skip_layers"));
}

}  // namespace lil::record
