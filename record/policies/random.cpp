#include "record/random.h"

#include <memory>
#include <vector>

#include "record/token_sets.h"

namespace lil::record {
namespace {

/// What the numbers of a drop depend on, and all they depend on.
struct Drop {
  std::uint32_t layer = 0;
  std::uint32_t kv_head = 0;
  std::uint32_t position = 0;  ///< of the token that it makes room for
};

class RandomState final : public TokenSets {
 public:
  RandomState(const PolicyContext& context, const TokenSetOptions& options, std::uint64_t seed)
      : TokenSets(context, options), seed_(seed) {}

 protected:
  PlaceScores drop_scores(const DropRequest& request) override {
    for (std::int64_t lane = 0; lane < step_lanes(); ++lane) {
      if (!drops(lane)) continue;
      draw(request.layer, step_position(lane), entries_before(lane),
           place_scores() + lane * context().kv_heads * width(), width());
    }
    return {place_scores(), width()};
  }

  PlaceScores prompt_scores(std::int64_t /*lane*/, const PromptLayer& prompt) override {
    draw(prompt.layer, prompt.tokens, prompt.tokens, prompt_scratch(), context().max_tokens);
    return {prompt_scratch(), context().max_tokens};
  }

 private:
  void draw(std::int64_t layer, std::int64_t position, std::int64_t count, float* to, std::int64_t stride) {
    for (std::int64_t head = 0; head < context().kv_heads; ++head) {
      fill({static_cast<std::uint32_t>(layer), static_cast<std::uint32_t>(head),
            static_cast<std::uint32_t>(position)},
           index(count));
      context().device->upload(to + head * stride, scores_.data(), scores_.size() * sizeof(float));
    }
  }

  /// Numbers in [0, 1) for the places of a drop, four from each call of the generator.
  void fill(const Drop& drop, std::size_t count) {
    scores_.clear();
    for (std::uint32_t block = 0; scores_.size() < count; ++block) {
      const auto words =
          philox4x32({block, drop.position, drop.layer, drop.kv_head},
                     {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
      for (std::size_t i = 0; i < words.size() && scores_.size() < count; ++i) {
        scores_.push_back(static_cast<float>(words[i] >> 8) * 0x1.0p-24F);
      }
    }
  }

  std::uint64_t seed_;
  std::vector<float> scores_;
};

/// The control: each drop picks evenly among all that may go, anew.
class RandomPolicy final : public TokenSetPolicy {
 public:
  RandomPolicy(const TokenSetOptions& options, std::int64_t skip_layers, std::uint64_t seed)
      : TokenSetPolicy(options, skip_layers), seed_(seed) {}

  [[nodiscard]] std::unique_ptr<PolicyState> start(const PolicyContext& context) const override {
    return std::make_unique<RandomState>(context, options(), seed_);
  }

 private:
  std::uint64_t seed_;
};

}  // namespace

std::unique_ptr<AttentionPolicy> make_random_policy(const schemas::Arguments& arguments) {
  return std::make_unique<RandomPolicy>(token_set_options(arguments), arguments.integer("skip_layers"),
                                        static_cast<std::uint64_t>(arguments.integer("seed")));
}

}  // namespace lil::record
