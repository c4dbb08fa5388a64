#include "record/sampler.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "schemas/error.h"

namespace lil::record {
namespace {

using schemas::TokenId;

std::size_t most_likely(std::span<const float> logits) {
  return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

class Greedy final : public Sampler {
 private:
  TokenId pick(std::span<const float> logits, const DrawKey& /*key*/) override {
    return static_cast<TokenId>(most_likely(logits));
  }
};

/// The smallest set of most likely tokens whose probability at `temperature` reaches `top_p`, drawn from in
/// proportion [Holtzman 2020]; among equals the lower id comes first.
class TopP final : public Sampler {
 public:
  TopP(double temperature, double top_p) : temperature_(temperature), top_p_(top_p) {}

 private:
  struct Candidate {
    double weight;
    TokenId id;

    bool operator<(const Candidate& other) const {
      return weight != other.weight ? weight < other.weight : id > other.id;
    }
  };

  TokenId pick(std::span<const float> logits, const DrawKey& key) override {
    const double total = weigh(logits);
    const double mass = keep_most_likely(top_p_ * total);
    const double target = uniform(key) * mass;
    double below = 0;
    for (const Candidate& candidate : kept_) {
      below += candidate.weight;
      if (target < below) return candidate.id;
    }
    return kept_.back().id;
  }

  double weigh(std::span<const float> logits) {
    const double most = static_cast<double>(logits[most_likely(logits)]);
    candidates_.clear();
    double total = 0;
    for (std::size_t id = 0; id < logits.size(); ++id) {
      const double weight = std::exp((static_cast<double>(logits[id]) - most) / temperature_);
      candidates_.push_back({weight, static_cast<TokenId>(id)});
      total += weight;
    }
    return total;
  }

  /// Moves the most likely candidates to kept_ until their weight reaches `wanted`; returns that weight.
  double keep_most_likely(double wanted) {
    kept_.clear();
    std::make_heap(candidates_.begin(), candidates_.end());
    double mass = 0;
    do {
      std::pop_heap(candidates_.begin(), candidates_.end());
      kept_.push_back(candidates_.back());
      mass += candidates_.back().weight;
      candidates_.pop_back();
    } while (mass < wanted && !candidates_.empty());
    return mass;
  }

  double temperature_;
  double top_p_;
  std::vector<Candidate> candidates_;
  std::vector<Candidate> kept_;
};

std::unique_ptr<Sampler> make_greedy(const schemas::Arguments& /*arguments*/) {
  return std::make_unique<Greedy>();
}

std::unique_ptr<Sampler> make_top_p(const schemas::Arguments& arguments) {
  return std::make_unique<TopP>(arguments.real("temperature"), arguments.real("top_p"));
}

std::vector<SamplerRow> rows() {
  using schemas::Parameter;
  return {
      {"greedy", make_greedy, "the most likely token; the lowest id among equals", {}},
      {"sample",
       make_top_p,
       "draws from the most likely tokens",
       {{"temperature", Parameter::Type::kReal, "0.6", 0.01, 100, {}, "divides the logits"},
        {"top_p", Parameter::Type::kReal, "0.95", 0, 1, {}, "least probability of the tokens drawn from"}}},
  };
}

}  // namespace

Choice Sampler::choose(std::span<const float> logits, const DrawKey& key) {
  assert(!logits.empty());
  const float most = logits[most_likely(logits)];
  double sum = 0;
  double weighted = 0;
  for (const float logit : logits) {
    const float shifted = logit - most;
    const float weight = std::exp(shifted);
    sum += static_cast<double>(weight);
    if (weight != 0) weighted += static_cast<double>(weight) * static_cast<double>(shifted);
  }
  if (!std::isfinite(sum)) throw Error(ErrorCode::kInput, "the model's logits are not finite numbers");
  const double log_sum = std::log(sum);
  Choice choice;
  choice.id = pick(logits, key);
  const float chosen = logits[static_cast<std::size_t>(choice.id)] - most;
  choice.logprob = static_cast<float>(static_cast<double>(chosen) - log_sum);
  choice.entropy = static_cast<float>(log_sum - weighted / sum);
  return choice;
}

std::span<const SamplerRow> sampler_rows() {
  static const std::vector<SamplerRow> all_rows = rows();
  return all_rows;
}

ResolvedSampler make_sampler(const std::string& text) {
  const auto [row, arguments] = schemas::resolve_row("sampler", sampler_rows(), text);
  return {arguments.to_string(), row->make(arguments)};
}

}  // namespace lil::record
