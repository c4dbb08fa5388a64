#include "tests/record/reference_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lil::tests {
namespace {

constexpr double kPi = 3.14159265358979323846;

double frequency(const nlohmann::json& config, std::size_t pair) {
  const double d = config.at("head_dim").get<double>();
  const double plain = std::pow(config.at("rope_theta").get<double>(), -2.0 * static_cast<double>(pair) / d);
  if (!config.contains("rope_scaling")) return plain;
  const auto& scaling = config.at("rope_scaling");
  const double wavelength = 2 * kPi / plain;
  const double turns = scaling.at("original_max_position_embeddings").get<double>() / wavelength;
  const double low = scaling.at("low_freq_factor").get<double>();
  const double high = scaling.at("high_freq_factor").get<double>();
  const double keep = std::clamp((turns - low) / (high - low), 0.0, 1.0);
  return keep * plain + (1 - keep) * plain / scaling.at("factor").get<double>();
}

}  // namespace

AttentionView dense_view(std::int64_t t) {
  AttentionView view;
  for (std::int64_t j = 0; j <= t; ++j) view.tokens.push_back(j);
  view.key_positions = view.tokens;
  view.query_position = t;
  return view;
}

ReferenceModel::ReferenceModel(const TinyModel& model)
    : model_(model), head_dim_(model.config.at("head_dim").get<std::size_t>()) {
  for (std::size_t pair = 0; pair < head_dim_ / 2; ++pair)
    frequencies_.push_back(frequency(model.config, pair));
}

ReferenceModel::Vector ReferenceModel::linear(const std::string& name, const Vector& x) const {
  const TinyTensor& weight = tensor(name + ".weight");
  Vector y(static_cast<std::size_t>(weight.shape[0]));
  for (std::size_t r = 0; r < y.size(); ++r) {
    for (std::size_t c = 0; c < x.size(); ++c)
      y[r] += static_cast<double>(weight.values[r * x.size() + c]) * x[c];
  }
  const auto bias = model_.tensors.find(name + ".bias");
  for (std::size_t r = 0; r < y.size() && bias != model_.tensors.end(); ++r) {
    y[r] += static_cast<double>(bias->second.values[r]);
  }
  return y;
}

ReferenceModel::Vector ReferenceModel::norm(const std::string& name, const Vector& x) const {
  double squares = 0;
  for (const double value : x) squares += value * value;
  const double root =
      std::sqrt(squares / static_cast<double>(x.size()) + model_.config.at("rms_norm_eps").get<double>());
  Vector y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] / root * static_cast<double>(tensor(name).values[i]);
  return y;
}

ReferenceModel::Vector ReferenceModel::rotated(const Vector& x, std::size_t head,
                                               std::int64_t position) const {
  const std::size_t d = head_dim_;
  Vector y(d);
  for (std::size_t i = 0; i < d / 2; ++i) {
    const double angle = static_cast<double>(position) * frequencies_[i];
    const double low = x[head * d + i];
    const double high = x[head * d + i + d / 2];
    y[i] = low * std::cos(angle) - high * std::sin(angle);
    y[i + d / 2] = high * std::cos(angle) + low * std::sin(angle);
  }
  return y;
}

std::vector<ReferenceModel::Vector> ReferenceModel::attention(const std::string& prefix, std::int64_t layer,
                                                              const std::vector<Vector>& stream,
                                                              const ViewOf& view_of) const {
  const std::size_t d = head_dim_;
  const auto heads = model_.config.at("num_attention_heads").get<std::size_t>();
  const std::size_t group = heads / model_.config.at("num_key_value_heads").get<std::size_t>();
  std::vector<Vector> queries;
  std::vector<Vector> keys;
  std::vector<Vector> values;
  for (const Vector& x : stream) {
    const Vector normed = norm(prefix + "input_layernorm.weight", x);
    queries.push_back(linear(prefix + "self_attn.q_proj", normed));
    keys.push_back(linear(prefix + "self_attn.k_proj", normed));
    values.push_back(linear(prefix + "self_attn.v_proj", normed));
  }
  std::vector<Vector> outputs;
  for (std::size_t t = 0; t < stream.size(); ++t) {
    const AttentionView view = view_of(static_cast<std::int64_t>(t), layer);
    Vector mixed(heads * d);
    for (std::size_t h = 0; h < heads; ++h) {
      const Vector query = rotated(queries[t], h, view.query_position);
      Vector weights;
      double sum = 0;
      for (std::size_t j = 0; j < view.tokens.size(); ++j) {
        const Vector key =
            rotated(keys[static_cast<std::size_t>(view.tokens[j])], h / group, view.key_positions[j]);
        double score = 0;
        for (std::size_t i = 0; i < d; ++i) score += query[i] * key[i];
        weights.push_back(std::exp(score / std::sqrt(static_cast<double>(d))));
        sum += weights.back();
      }
      for (std::size_t j = 0; j < view.tokens.size(); ++j) {
        const Vector& value = values[static_cast<std::size_t>(view.tokens[j])];
        for (std::size_t i = 0; i < d; ++i) mixed[h * d + i] += weights[j] / sum * value[h / group * d + i];
      }
    }
    outputs.push_back(linear(prefix + "self_attn.o_proj", mixed));
  }
  return outputs;
}

ReferenceModel::Vector ReferenceModel::mlp(const std::string& prefix, const Vector& x) const {
  Vector gate = linear(prefix + "gate_proj", x);
  const Vector up = linear(prefix + "up_proj", x);
  for (std::size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
  return linear(prefix + "down_proj", gate);
}

ReferenceModel::Vector ReferenceModel::mixture(const std::string& prefix, const Vector& x) const {
  Vector probabilities = linear(prefix + "gate", x);
  double sum = 0;
  for (double& score : probabilities) sum += score = std::exp(score);
  for (double& score : probabilities) score /= sum;
  Vector descending = probabilities;
  std::sort(descending.rbegin(), descending.rend());
  const auto picked = model_.config.at("num_experts_per_tok").get<std::size_t>();
  double picked_sum = 0;
  for (std::size_t i = 0; i < picked; ++i) picked_sum += descending[i];
  const double scale = model_.config.value("norm_topk_prob", false) ? 1 / picked_sum : 1;
  Vector result = mlp(prefix + "shared_expert.", x);
  const double open = 1 / (1 + std::exp(-linear(prefix + "shared_expert_gate", x)[0]));
  for (double& value : result) value *= open;
  for (std::size_t e = 0; e < probabilities.size(); ++e) {
    if (probabilities[e] < descending[picked - 1]) continue;
    const Vector own = mlp(fmt::format("{}experts.{}.", prefix, e), x);
    for (std::size_t i = 0; i < own.size(); ++i) result[i] += probabilities[e] * scale * own[i];
  }
  return result;
}

std::vector<double> ReferenceModel::logits(std::span<const schemas::TokenId> ids,
                                           const ViewOf& view_of) const {
  const auto hidden = model_.config.at("hidden_size").get<std::size_t>();
  const auto& embedding = tensor("model.embed_tokens.weight").values;
  std::vector<Vector> stream;
  for (const schemas::TokenId id : ids) {
    const auto row = embedding.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(id) * hidden);
    stream.emplace_back(row, row + static_cast<std::ptrdiff_t>(hidden));
  }
  const auto layers = model_.config.at("num_hidden_layers").get<std::int64_t>();
  for (std::int64_t l = 0; l < layers; ++l) {
    const std::string prefix = fmt::format("model.layers.{}.", l);
    const std::vector<Vector> mixed = attention(prefix, l, stream, view_of);
    for (std::size_t t = 0; t < stream.size(); ++t) {
      for (std::size_t i = 0; i < hidden; ++i) stream[t][i] += mixed[t][i];
      const Vector normed = norm(prefix + "post_attention_layernorm.weight", stream[t]);
      const Vector branch =
          has_experts(model_.config, l) ? mixture(prefix + "mlp.", normed) : mlp(prefix + "mlp.", normed);
      for (std::size_t i = 0; i < hidden; ++i) stream[t][i] += branch[i];
    }
  }
  const Vector last = norm("model.norm.weight", stream.back());
  const bool tied = model_.config.at("tie_word_embeddings").get<bool>();
  return linear(tied ? "model.embed_tokens" : "lm_head", last);
}

}  // namespace lil::tests
