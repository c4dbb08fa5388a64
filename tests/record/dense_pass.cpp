#include "tests/record/dense_pass.h"

#include <cmath>
#include <cstddef>

#include "record/dtype.h"
#include "record/rope.h"

namespace lil::tests {
namespace {

using record::DType;

/// Rows of one of a layer's projections, as fp32.
class Heads {
 public:
  Heads(DType dtype, const void* data, std::size_t rows, std::int64_t heads, std::int64_t head_dim)
      : width_(static_cast<std::size_t>(heads * head_dim)),
        head_dim_(static_cast<std::size_t>(head_dim)),
        values_(rows * width_) {
    record::widen(dtype, static_cast<const std::byte*>(data), values_);
  }

  float* at(std::size_t row, std::size_t head) { return values_.data() + row * width_ + head * head_dim_; }

 private:
  std::size_t width_;
  std::size_t head_dim_;
  std::vector<float> values_;
};

class DenseAttention {
 public:
  DenseAttention(const record::ModelConfig& config, DType dtype, std::size_t longest)
      : dtype_(dtype),
        heads_(static_cast<std::size_t>(config.heads)),
        group_(static_cast<std::size_t>(config.heads / config.kv_heads)),
        d_(static_cast<std::size_t>(config.head_dim)),
        rope_(record::rope_table(config.rope, config.head_dim, 0, static_cast<std::int64_t>(longest))) {}

  void rotate(float* vector, std::size_t position) const {
    const float* cosines = rope_.data() + position * d_;
    for (std::size_t i = 0; i < d_ / 2; ++i) {
      const float low = vector[i];
      const float high = vector[i + d_ / 2];
      vector[i] = low * cosines[i] - high * cosines[i + d_ / 2];
      vector[i + d_ / 2] = high * cosines[i] + low * cosines[i + d_ / 2];
    }
    record::round_to(dtype_, {vector, d_});
  }

  /// Writes what the token at `position` mixes, in the model's type; its sequence begins at row `first`.
  void mix(Heads& queries, Heads& keys, Heads& values, std::size_t first, std::size_t position,
           std::byte* out) const {
    std::vector<float> mixed(heads_ * d_);
    for (std::size_t h = 0; h < heads_; ++h) {
      std::vector<float> weights;
      float sum = 0;
      for (std::size_t j = 0; j <= position; ++j) {
        float score = 0;
        for (std::size_t i = 0; i < d_; ++i) {
          score += queries.at(first + position, h)[i] * keys.at(first + j, h / group_)[i];
        }
        weights.push_back(std::exp(score / std::sqrt(static_cast<float>(d_))));
        sum += weights.back();
      }
      for (std::size_t j = 0; j <= position; ++j) {
        const float* value = values.at(first + j, h / group_);
        for (std::size_t i = 0; i < d_; ++i) mixed[h * d_ + i] += weights[j] / sum * value[i];
      }
    }
    record::narrow(dtype_, mixed, out);
  }

 private:
  DType dtype_;
  std::size_t heads_;
  std::size_t group_;
  std::size_t d_;
  std::vector<float> rope_;
};

}  // namespace

std::vector<std::vector<float>> dense_pass(const record::LanguageModel& model, record::Decoder& decoder,
                                           std::span<const Ids> sequences) {
  const record::ModelConfig& config = model.config();
  Ids ids;
  std::size_t longest = 0;
  for (const Ids& sequence : sequences) {
    ids.insert(ids.end(), sequence.begin(), sequence.end());
    longest = std::max(longest, sequence.size());
  }
  const DenseAttention attention(config, model.dtype(), longest);
  const std::size_t row_bytes =
      static_cast<std::size_t>(config.heads * config.head_dim * kernels::bytes_of(model.dtype()));
  decoder.embed(ids);
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    const record::Projections projected = decoder.project(layer);
    Heads queries(model.dtype(), projected.queries, ids.size(), config.heads, config.head_dim);
    Heads keys(model.dtype(), projected.keys, ids.size(), config.kv_heads, config.head_dim);
    Heads values(model.dtype(), projected.values, ids.size(), config.kv_heads, config.head_dim);
    std::size_t first = 0;
    for (const Ids& sequence : sequences) {
      for (std::size_t t = 0; t < sequence.size(); ++t) {
        for (std::size_t h = 0; h < static_cast<std::size_t>(config.heads); ++h) {
          attention.rotate(queries.at(first + t, h), t);
        }
        for (std::size_t h = 0; h < static_cast<std::size_t>(config.kv_heads); ++h) {
          attention.rotate(keys.at(first + t, h), t);
        }
        attention.mix(queries, keys, values, first, t,
                      static_cast<std::byte*>(decoder.mixed()) + (first + t) * row_bytes);
      }
      first += sequence.size();
    }
    decoder.finish_layer(layer);
  }
  const auto all = decoder.logits(0, static_cast<std::int64_t>(ids.size()));
  const auto width = static_cast<std::size_t>(config.vocabulary);
  std::vector<std::vector<float>> rows;
  for (std::size_t row = 0; row < ids.size(); ++row) {
    const auto own = all.subspan(row * width, width);
    rows.emplace_back(own.begin(), own.end());
  }
  return rows;
}

}  // namespace lil::tests
