#include "record/sampler.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "kernels/backend.h"
#include "kernels/thread_team.h"
#include "record/device.h"
#include "schemas/error.h"

namespace lil::record {
namespace {

using kernels::Distribution;
using kernels::ThreadTeam;
using schemas::TokenId;

/// Worth of a logit, as ThreadTeam::worth_sharing counts it.
constexpr std::int64_t kBytesOfLogit = 32;

Distribution distribution_of(std::span<const float> logits) {
  Distribution distribution;
  kernels::DistributionArgs args;
  args.rows = 1;
  args.vocabulary = static_cast<std::int64_t>(logits.size());
  args.logits = logits.data();
  args.logits_stride = args.vocabulary;
  args.out = &distribution;
  require_ok(kernels::cpu_backend().distribution(args, nullptr), "distribution");
  return distribution;
}

class Greedy final : public Sampler {
 private:
  [[nodiscard]] TokenId pick(const Draw& /*draw*/, const Distribution& model,
                             Scratch& /*scratch*/) const override {
    return model.id;
  }
};

/// The smallest set of most likely tokens whose probability at `temperature` reaches `top_p` within a
/// millionth, drawn from in proportion [Holtzman 2020]; all tokens where top_p is 1.
class TopP final : public Sampler {
 public:
  TopP(double temperature, double top_p) : temperature_(temperature), top_p_(top_p) {}

 private:
  static constexpr double kReach = 1e-6;

  [[nodiscard]] TokenId pick(const Draw& draw, const Distribution& model, Scratch& scratch) const override {
    const double total = total_weight(draw.logits, model, scratch);
    const double all = weigh(draw.logits, model, least_weight(total, draw.logits.size()), scratch);
    std::make_heap(scratch.candidates.begin(), scratch.candidates.end());
    scratch.kept.clear();
    const double mass = top_p_ < 1 ? keep_most_likely(top_p_ * total - kReach * total, scratch) : all;
    const double target = uniform(draw.key) * mass;
    double below = 0;
    for (std::size_t i = 0; i < scratch.kept.size() || !scratch.candidates.empty(); ++i) {
      if (i == scratch.kept.size()) keep_next(scratch);
      below += scratch.kept[i].weight;
      if (target < below) return scratch.kept[i].id;
    }
    return scratch.kept.back().id;
  }

  /// Of all tokens at the temperature, relative to the most likely one.
  [[nodiscard]] double total_weight(std::span<const float> logits, const Distribution& model,
                                    Scratch& scratch) const {
    if (temperature_ == 1) return std::exp(model.log_sum);
    scratch.scaled.resize(logits.size());
    const auto inverse = static_cast<float>(1 / temperature_);
    std::transform(logits.begin(), logits.end(), scratch.scaled.begin(),
                   [&](float logit) { return (logit - model.greatest) * inverse; });
    return std::exp(distribution_of(scratch.scaled).log_sum);
  }

  /// Tokens of less weight than this make up less than 1 - top_p together, so the set is among the others.
  [[nodiscard]] double least_weight(double total, std::size_t tokens) const {
    return (1 - top_p_) * total / (2 * static_cast<double>(tokens));
  }

  /// Makes candidates of the tokens from `least` weight on; their weight together.
  double weigh(std::span<const float> logits, const Distribution& model, double least,
               Scratch& scratch) const {
    const double most = static_cast<double>(model.greatest);
    const auto least_logit = least > 0 ? static_cast<float>(most + temperature_ * std::log(least))
                                       : -std::numeric_limits<float>::infinity();
    scratch.candidates.clear();
    double sum = 0;
    for (std::size_t id = 0; id < logits.size(); ++id) {
      if (logits[id] < least_logit) continue;
      const double weight = std::exp((static_cast<double>(logits[id]) - most) / temperature_);
      scratch.candidates.push_back({weight, static_cast<TokenId>(id)});
      sum += weight;
    }
    return sum;
  }

  static void keep_next(Scratch& scratch) {
    std::pop_heap(scratch.candidates.begin(), scratch.candidates.end());
    scratch.kept.push_back(scratch.candidates.back());
    scratch.candidates.pop_back();
  }

  /// Keeps the most likely candidates until their weight reaches `wanted`, and drops the others; returns that
  /// weight.
  static double keep_most_likely(double wanted, Scratch& scratch) {
    double mass = 0;
    do {
      keep_next(scratch);
      mass += scratch.kept.back().weight;
    } while (mass < wanted && !scratch.candidates.empty());
    scratch.candidates.clear();
    return mass;
  }

  double temperature_;
  double top_p_;
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

std::optional<Choice> Sampler::choose_one(const Draw& draw, Scratch& scratch) const {
  assert(!draw.logits.empty());
  const Distribution model = distribution_of(draw.logits);
  if (!model.is_finite) return std::nullopt;
  Choice choice;
  choice.id = pick(draw, model, scratch);
  const float chosen = draw.logits[static_cast<std::size_t>(choice.id)] - model.greatest;
  choice.logprob = static_cast<float>(static_cast<double>(chosen) - model.log_sum);
  choice.entropy = static_cast<float>(model.entropy);
  return choice;
}

void Sampler::choose(std::span<const Draw> draws, std::span<std::optional<Choice>> choices,
                     kernels::Stream stream) {
  assert(choices.size() >= draws.size());
  if (draws.empty()) return;
  if (scratch_.size() < draws.size()) scratch_.resize(draws.size());
  const auto rows = static_cast<std::int64_t>(draws.size());
  const std::int64_t bytes = rows * static_cast<std::int64_t>(draws[0].logits.size()) * kBytesOfLogit;
  ThreadTeam::run_on(ThreadTeam::worth_sharing(stream, bytes), rows, [&](std::int64_t row) {
    const auto i = static_cast<std::size_t>(row);
    choices[i] = choose_one(draws[i], scratch_[i]);
  });
}

Choice Sampler::choose(std::span<const float> logits, const DrawKey& key) {
  const Draw draw{logits, key};
  std::optional<Choice> choice;
  choose({&draw, 1}, {&choice, 1}, nullptr);
  if (!choice) throw Error(ErrorCode::kInput, "the model's logits are not finite numbers");
  return *choice;
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
