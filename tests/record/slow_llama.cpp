#include "tests/record/slow_llama.h"

#include <fmt/format.h>

#include <cmath>

namespace lil::tests {
namespace {

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

double dot(const SlowLlama::Vector& a, const SlowLlama::Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

SlowLlama::SlowLlama(const TinyModel& model)
    : model_(model),
      heads_(model.config.at("num_attention_heads").get<std::size_t>()),
      kv_heads_(model.config.at("num_key_value_heads").get<std::size_t>()),
      head_dim_(model.config.at("head_dim").get<std::size_t>()),
      history_(model.config.at("num_hidden_layers").get<std::size_t>()) {}

SlowLlama::Vector SlowLlama::linear(const std::string& name, const Vector& x) const {
  const TinyTensor& weight = tensor(name + ".weight");
  Vector y(index(weight.shape[0]));
  for (std::size_t row = 0; row < y.size(); ++row) {
    for (std::size_t c = 0; c < x.size(); ++c) {
      y[row] += static_cast<double>(weight.values[row * x.size() + c]) * x[c];
    }
  }
  return y;
}

SlowLlama::Vector SlowLlama::norm(const std::string& name, const Vector& x) const {
  const double mean = dot(x, x) / static_cast<double>(x.size());
  const double root = std::sqrt(mean + model_.config.at("rms_norm_eps").get<double>());
  Vector y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] / root * static_cast<double>(tensor(name).values[i]);
  return y;
}

SlowLlama::Vector SlowLlama::rotated(const Vector& x, std::int64_t head, std::int64_t position) const {
  const std::size_t half = head_dim_ / 2;
  const std::size_t first = index(head) * head_dim_;
  const double theta = model_.config.at("rope_theta").get<double>();
  Vector y(head_dim_);
  for (std::size_t i = 0; i < half; ++i) {
    const double angle =
        static_cast<double>(position) * std::pow(theta, -static_cast<double>(i) / static_cast<double>(half));
    y[i] = x[first + i] * std::cos(angle) - x[first + i + half] * std::sin(angle);
    y[i + half] = x[first + i + half] * std::cos(angle) + x[first + i] * std::sin(angle);
  }
  return y;
}

SlowLlama::Vector SlowLlama::query(std::int64_t layer, std::int64_t token, std::int64_t head) const {
  return rotated(history_[index(layer)].queries[index(token)], head, token);
}

SlowLlama::Vector SlowLlama::key(std::int64_t layer, std::int64_t token, std::int64_t kv_head) const {
  return rotated(history_[index(layer)].keys[index(token)], kv_head, token);
}

SlowLlama::Vector SlowLlama::weights_of(const History& history, std::int64_t head,
                                        const AttentionView& view) const {
  const Vector query = rotated(history.queries.back(), head, view.query_position);
  Vector weights;
  double sum = 0;
  for (std::size_t j = 0; j < view.tokens.size(); ++j) {
    const Vector key = rotated(history.keys[index(view.tokens[j])], head / group(), view.key_positions[j]);
    weights.push_back(std::exp(dot(query, key) / std::sqrt(static_cast<double>(head_dim_))));
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

SlowLlama::Vector SlowLlama::attention(std::int64_t layer, const std::vector<AttentionView>& views,
                                       const Observe& observe) const {
  const History& history = history_[index(layer)];
  Vector mixed(heads_ * head_dim_);
  std::vector<Vector> weights;
  for (std::size_t head = 0; head < heads_; ++head) {
    const AttentionView& view = views[head];
    weights.push_back(weights_of(history, static_cast<std::int64_t>(head), view));
    const std::size_t kv_head = head / (heads_ / kv_heads_);
    for (std::size_t j = 0; j < view.tokens.size(); ++j) {
      const Vector& value = history.values[index(view.tokens[j])];
      for (std::size_t i = 0; i < head_dim_; ++i) {
        mixed[head * head_dim_ + i] += weights.back()[j] * value[kv_head * head_dim_ + i];
      }
    }
  }
  if (observe) observe(layer, weights);
  return mixed;
}

SlowLlama::Vector SlowLlama::read(schemas::TokenId id, const ChooseViews& choose, const Observe& observe) {
  const auto hidden = model_.config.at("hidden_size").get<std::size_t>();
  const auto& embedding = tensor("model.embed_tokens.weight").values;
  const auto row = embedding.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(id) * hidden);
  Vector stream(row, row + static_cast<std::ptrdiff_t>(hidden));
  const auto add = [&](const Vector& branch) {
    for (std::size_t i = 0; i < hidden; ++i) stream[i] += branch[i];
  };
  ++tokens_;
  for (std::int64_t layer = 0; layer < layers(); ++layer) {
    const std::string prefix = fmt::format("model.layers.{}.", layer);
    const Vector normed = norm(prefix + "input_layernorm.weight", stream);
    History& history = history_[index(layer)];
    history.queries.push_back(linear(prefix + "self_attn.q_proj", normed));
    history.keys.push_back(linear(prefix + "self_attn.k_proj", normed));
    history.values.push_back(linear(prefix + "self_attn.v_proj", normed));
    add(linear(prefix + "self_attn.o_proj", attention(layer, choose(layer), observe)));
    const Vector second = norm(prefix + "post_attention_layernorm.weight", stream);
    Vector gate = linear(prefix + "mlp.gate_proj", second);
    const Vector up = linear(prefix + "mlp.up_proj", second);
    for (std::size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
    add(linear(prefix + "mlp.down_proj", gate));
  }
  return linear("model.embed_tokens", norm("model.norm.weight", stream));
}

}  // namespace lil::tests
