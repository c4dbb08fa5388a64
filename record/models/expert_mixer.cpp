#include "record/models/expert_mixer.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace lil::record {
namespace {

constexpr std::int64_t kTile = kernels::kLinearRows;

std::size_t tile_of(std::int64_t width) {
  return static_cast<std::size_t>(kTile * width);
}

float rounded(DType dtype, float value) {
  round_to(dtype, {&value, 1});
  return value;
}

/// Turns scores into weights that sum to 1.
void softmax(std::span<float> scores) {
  const float most = *std::max_element(scores.begin(), scores.end());
  float sum = 0;
  for (float& score : scores) {
    score = std::exp(score - most);
    sum += score;
  }
  for (float& score : scores) score /= sum;
}

}  // namespace

MlpRunner::MlpRunner(const RowKernels& kernels, Device& device, std::int64_t widest)
    : kernels_(kernels), gate_(device, tile_of(widest)), up_(device, tile_of(widest)) {}

void MlpRunner::run(const GatedMlp& mlp, std::int64_t rows, const Rows& x, const Rows& y) {
  const Rows gate{gate_.data(), mlp.gate.matrix.rows};
  const Rows up{up_.data(), mlp.up.matrix.rows};
  kernels_.apply({{&mlp.gate, gate}, {&mlp.up, up}}, rows, x);
  kernels_.silu_times(rows, gate, up);
  kernels_.apply(mlp.down, rows, gate, y);
}

ExpertMixer::ExpertMixer(const RowKernels& kernels, Device& device, const ModelConfig& config)
    : kernels_(kernels),
      moe_(config.moe),
      mlp_(kernels, device, std::max(moe_.intermediate, moe_.shared_intermediate)),
      x_(device, tile_of(config.hidden)),
      out_(device, tile_of(config.hidden)),
      scores_(device, tile_of(moe_.experts)),
      order_(static_cast<std::size_t>(moe_.experts)) {}

void ExpertMixer::run(const Experts& experts, std::int64_t rows, const Rows& x, const Rows& y) {
  route(experts, rows, x);
  std::fill_n(y.data, rows * y.width, 0.0F);
  for (std::int64_t e = 0; e < moe_.experts; ++e) {
    find_picks(e, rows);
    if (!picks_.empty()) run_expert(experts.experts[static_cast<std::size_t>(e)], x, y);
  }
  for (std::int64_t first = 0; first < rows; first += kTile) {
    add_shared(experts, first, std::min(kTile, rows - first), x, y);
  }
}

void ExpertMixer::route(const Experts& experts, std::int64_t rows, const Rows& x) {
  const auto per_token = static_cast<std::size_t>(moe_.experts_per_token);
  choices_.resize(std::max(choices_.size(), static_cast<std::size_t>(rows) * per_token));
  const Rows scores{scores_.data(), moe_.experts};
  for (std::int64_t first = 0; first < rows; first += kTile) {
    const std::int64_t count = std::min(kTile, rows - first);
    kernels_.apply(experts.router, count, x.from(first), scores);
    kernels_.round(count, scores);
    for (std::int64_t row = 0; row < count; ++row) {
      choose({scores.at(row), static_cast<std::size_t>(moe_.experts)},
             std::span(choices_).subspan(static_cast<std::size_t>(first + row) * per_token, per_token));
    }
  }
}

void ExpertMixer::choose(std::span<float> scores, std::span<Choice> choices) {
  softmax(scores);
  std::iota(order_.begin(), order_.end(), 0);
  const auto count = static_cast<std::ptrdiff_t>(choices.size());
  const auto probability = [&](std::int64_t expert) { return scores[static_cast<std::size_t>(expert)]; };
  std::partial_sort(order_.begin(), order_.begin() + count, order_.end(),
                    [&](std::int64_t a, std::int64_t b) {
                      return probability(a) != probability(b) ? probability(a) > probability(b) : a < b;
                    });
  float sum = 0;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    choices[i] = {order_[i], probability(order_[i])};
    sum += choices[i].weight;
  }
  for (Choice& choice : choices) {
    if (moe_.normalise_weights) choice.weight /= sum;
    choice.weight = rounded(kernels_.dtype(), choice.weight);
  }
}

void ExpertMixer::find_picks(std::int64_t expert, std::int64_t rows) {
  picks_.clear();
  for (std::int64_t i = 0; i < rows * moe_.experts_per_token; ++i) {
    const Choice& choice = choices_[static_cast<std::size_t>(i)];
    if (choice.expert == expert) picks_.push_back({i / moe_.experts_per_token, choice.weight});
  }
}

void ExpertMixer::run_expert(const GatedMlp& expert, const Rows& x, const Rows& y) {
  const Rows tile{x_.data(), x.width};
  const Rows out{out_.data(), y.width};
  for (std::size_t first = 0; first < picks_.size(); first += kTile) {
    const auto own = std::span(picks_).subspan(first, std::min<std::size_t>(kTile, picks_.size() - first));
    const auto count = static_cast<std::int64_t>(own.size());
    for (std::int64_t i = 0; i < count; ++i) {
      std::copy_n(x.at(own[static_cast<std::size_t>(i)].row), x.width, tile.at(i));
    }
    mlp_.run(expert, count, tile, out);
    kernels_.round(count, out);
    for (std::int64_t i = 0; i < count; ++i) {
      const Pick& pick = own[static_cast<std::size_t>(i)];
      add_weighted(pick.weight, out.from(i), y.from(pick.row));
    }
  }
}

void ExpertMixer::add_shared(const Experts& experts, std::int64_t first, std::int64_t rows, const Rows& x,
                             const Rows& y) {
  const DType dtype = kernels_.dtype();
  const Rows gates{scores_.data(), 1};
  kernels_.apply(experts.shared_gate, rows, x.from(first), gates);
  const Rows out{out_.data(), y.width};
  mlp_.run(experts.shared, rows, x.from(first), out);
  kernels_.round(rows, out);
  for (std::int64_t row = 0; row < rows; ++row) {
    const float gate = rounded(dtype, 1.0F / (1.0F + std::exp(-rounded(dtype, *gates.at(row)))));
    add_weighted(gate, out.from(row), y.from(first + row));
  }
}

void ExpertMixer::add_weighted(float weight, const Rows& given, const Rows& sum) const {
  for (std::int64_t c = 0; c < sum.width; ++c) given.data[c] *= weight;
  kernels_.round(1, given);
  for (std::int64_t c = 0; c < sum.width; ++c) sum.data[c] += given.data[c];
  kernels_.round(1, sum);
}

}  // namespace lil::record
