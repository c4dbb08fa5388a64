#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "record/kv_cache.h"
#include "record/language_model.h"
#include "record/layer_ops.h"
#include "record/models/checkpoint.h"
#include "record/rope.h"
#include "record/torch_linear.h"
#include "schemas/error.h"

namespace lil::record {
namespace {

using schemas::TokenId;

/// Tokens of the prompt that go through the layers together.
constexpr std::size_t kPrefillChunk = 128;
/// Entries for which the cache of a new sequence has room beyond the prompt.
constexpr std::int64_t kCacheHeadroom = 512;

struct DecoderModel {
  std::string name;
  ModelConfig config;
  DType dtype;
  Checkpoint checkpoint;
  std::string weights_sha256;
  std::vector<float> rope_frequencies;
};

/// Rows of activations, one for each token of a chunk.
class Rows {
 public:
  Rows(std::size_t rows, std::int64_t width)
      : width_(static_cast<std::size_t>(width)), values_(rows * static_cast<std::size_t>(width)) {}

  [[nodiscard]] std::span<float> row(std::size_t index) {
    return std::span(values_).subspan(index * width_, width_);
  }
  [[nodiscard]] std::span<float> first(std::size_t rows) { return std::span(values_).first(rows * width_); }

 private:
  std::size_t width_;
  std::vector<float> values_;
};

/// What a chunk of up to `rows` tokens needs on its way through the layers.
struct Activations {
  Activations(std::size_t rows, const ModelConfig& config)
      : stream(rows, config.hidden),
        normed(rows, config.hidden),
        queries(rows, config.heads * config.head_dim),
        keys(rows, config.kv_heads * config.head_dim),
        values(rows, config.kv_heads * config.head_dim),
        mixed(rows, config.heads * config.head_dim),
        branch(rows, config.hidden),
        gate(rows, config.intermediate),
        up(rows, config.intermediate) {}

  Rows stream;
  Rows normed;
  Rows queries;
  Rows keys;
  Rows values;
  Rows mixed;  ///< attention's output, head by head
  Rows branch;
  Rows gate;
  Rows up;
};

class DecoderSequence final : public Sequence {
 public:
  DecoderSequence(const DecoderModel& model, const AttentionPolicy& policy)
      : model_(model),
        config_(model.config),
        policy_(policy),
        cache_(config_.layers, config_.kv_heads, config_.head_dim, model.dtype),
        rope_(model.rope_frequencies),
        step_(1, config_),
        logits_(static_cast<std::size_t>(config_.vocabulary)) {}

  std::span<const float> prefill(std::span<const TokenId> prompt) override {
    assert(position_ == 0 && !prompt.empty());
    const auto tokens = static_cast<std::int64_t>(prompt.size());
    cache_.reserve(tokens + kCacheHeadroom);
    Activations chunk_rows(std::min(prompt.size(), kPrefillChunk), config_);
    for (std::size_t start = 0; start < prompt.size(); start += kPrefillChunk) {
      const auto chunk = prompt.subspan(start, std::min(kPrefillChunk, prompt.size() - start));
      run_layers(chunk, chunk_rows);
      if (start + chunk.size() == prompt.size()) read_logits(chunk_rows.stream.row(chunk.size() - 1));
    }
    state_ = policy_.start({config_.layers, config_.kv_heads, tokens});
    return logits_;
  }

  std::span<const float> decode(TokenId token) override {
    assert(state_ != nullptr);
    run_layers({&token, 1}, step_);
    read_logits(step_.stream.row(0));
    return logits_;
  }

  [[nodiscard]] std::int32_t attended() const override { return attended_; }

  [[nodiscard]] std::vector<std::int32_t> kept(std::int64_t layer, std::int64_t kv_head) const override {
    const auto positions = cache_.positions(layer, kv_head);
    return {positions.begin(), positions.end()};
  }

 private:
  /// Only the prompt goes through the layers without the policy's say.
  [[nodiscard]] bool decoding() const { return state_ != nullptr; }

  void run_layers(std::span<const TokenId> tokens, Activations& rows) {
    for (std::size_t t = 0; t < tokens.size(); ++t) embed(tokens[t], rows.stream.row(t));
    attended_ = 0;
    for (std::size_t l = 0; l < model_.checkpoint.layers().size(); ++l) {
      const DecoderLayer& layer = model_.checkpoint.layers()[l];
      normalise(layer.attention_norm, tokens.size(), rows);
      apply(layer.query, tokens.size(), rows.normed, rows.queries);
      apply(layer.key, tokens.size(), rows.normed, rows.keys);
      apply(layer.value, tokens.size(), rows.normed, rows.values);
      attend_layer(static_cast<std::int64_t>(l), tokens.size(), rows);
      apply(layer.output, tokens.size(), rows.mixed, rows.branch);
      add(model_.dtype, rows.stream.first(tokens.size()), rows.branch.first(tokens.size()));
      normalise(layer.mlp_norm, tokens.size(), rows);
      apply(layer.gate, tokens.size(), rows.normed, rows.gate);
      apply(layer.up, tokens.size(), rows.normed, rows.up);
      silu_times(model_.dtype, rows.gate.first(tokens.size()), rows.up.first(tokens.size()));
      apply(layer.down, tokens.size(), rows.gate, rows.branch);
      add(model_.dtype, rows.stream.first(tokens.size()), rows.branch.first(tokens.size()));
    }
    position_ += static_cast<std::int32_t>(tokens.size());
  }

  void embed(TokenId token, std::span<float> row) const {
    if (token < 0 || token >= config_.vocabulary) {
      throw Error(ErrorCode::kInput, fmt::format("token id {} is outside the {} tokens of model {}", token,
                                                 config_.vocabulary, model_.name));
    }
    const MatrixView& embedding = model_.checkpoint.embedding();
    const std::size_t row_bytes = row.size() * bytes_of(model_.dtype);
    widen(model_.dtype, embedding.data + static_cast<std::size_t>(token) * row_bytes, row);
  }

  void normalise(std::span<const float> weight, std::size_t tokens, Activations& rows) const {
    for (std::size_t t = 0; t < tokens; ++t) {
      rms_norm(model_.dtype, rows.stream.row(t), weight, epsilon(), rows.normed.row(t));
    }
  }

  void apply(const Linear& linear, std::size_t tokens, Rows& from, Rows& to) const {
    if (tokens == 1) {
      multiply(linear.matrix, from.row(0), to.row(0));
    } else {
      multiply_rows(linear.matrix, static_cast<std::int64_t>(tokens), from.row(0).data(), to.row(0).data());
    }
    for (std::size_t t = 0; t < tokens && !linear.bias.empty(); ++t)
      add(DType::kFp32, to.row(t), linear.bias);
    round_to(model_.dtype, to.first(tokens));
  }

  void attend_layer(std::int64_t layer, std::size_t tokens, Activations& rows) {
    const KeyPlacement placement = policy_.placement(layer);
    for (std::int64_t kv_head = 0; kv_head < config_.kv_heads; ++kv_head) {
      if (decoding()) evict(layer, kv_head);
      append(layer, kv_head, tokens, placement, rows);
      gather(layer, kv_head, placement);
      const auto held = static_cast<std::int64_t>(key_rows_.size());
      attended_ = std::max(attended_, static_cast<std::int32_t>(held));
      for (std::size_t t = 0; t < tokens; ++t) {
        const std::int64_t seen = held - static_cast<std::int64_t>(tokens - t - 1);
        const std::int64_t position = position_ + static_cast<std::int64_t>(t);
        const bool placed = placement.by_place && decoding();
        attend_token(kv_head, static_cast<std::size_t>(seen),
                     placed ? (seen - 1) * placement.stride : position, rows.queries.row(t),
                     rows.mixed.row(t));
      }
    }
  }

  void evict(std::int64_t layer, std::int64_t kv_head) {
    places_.clear();
    state_->evict(layer, kv_head, cache_.positions(layer, kv_head), places_);
    cache_.drop(layer, kv_head, places_);
  }

  void append(std::int64_t layer, std::int64_t kv_head, std::size_t tokens, const KeyPlacement& placement,
              Activations& rows) {
    const std::size_t offset = static_cast<std::size_t>(kv_head) * head_dim();
    for (std::size_t t = 0; t < tokens; ++t) {
      const auto key = rows.keys.row(t).subspan(offset, head_dim());
      const std::int32_t position = position_ + static_cast<std::int32_t>(t);
      if (!placement.by_place) rotate(key, position);
      cache_.append(layer, kv_head, position, key, rows.values.row(t).subspan(offset, head_dim()));
    }
  }

  /// Points key_rows_ and value_rows_ at the entries of a kv head: in the cache where they can be used as
  /// they lie there, else at copies, widened and rotated.
  void gather(std::int64_t layer, std::int64_t kv_head, const KeyPlacement& placement) {
    cache_.rows(layer, kv_head, stored_keys_, stored_values_);
    const std::int64_t stride = decoding() ? placement.stride : 1;
    const std::size_t entries = stored_keys_.size();
    key_rows_.resize(entries);
    value_rows_.resize(entries);
    const bool copy_values = model_.dtype != DType::kFp32;
    const bool copy_keys = copy_values || placement.by_place;
    if (copy_keys) key_copies_.resize(entries * head_dim());
    if (copy_values) value_copies_.resize(entries * head_dim());
    for (std::size_t place = 0; place < entries; ++place) {
      key_rows_[place] = copy_keys ? widened(stored_keys_[place], key_copies_, place)
                                   : reinterpret_cast<const float*>(stored_keys_[place]);
      value_rows_[place] = copy_values ? widened(stored_values_[place], value_copies_, place)
                                       : reinterpret_cast<const float*>(stored_values_[place]);
      if (placement.by_place) {
        rotate(std::span(key_copies_).subspan(place * head_dim(), head_dim()),
               static_cast<std::int64_t>(place) * stride);
      }
    }
  }

  const float* widened(const std::byte* stored, std::vector<float>& copies, std::size_t place) const {
    const auto row = std::span(copies).subspan(place * head_dim(), head_dim());
    widen(model_.dtype, stored, row);
    return row.data();
  }

  /// One token's query heads of a kv head over the first `seen` gathered entries.
  void attend_token(std::int64_t kv_head, std::size_t seen, std::int64_t query_position,
                    std::span<float> queries, std::span<float> mixed) {
    const std::size_t group = queries.size() / head_dim() / static_cast<std::size_t>(config_.kv_heads);
    const std::size_t offset = static_cast<std::size_t>(kv_head) * group * head_dim();
    const auto own = queries.subspan(offset, group * head_dim());
    for (std::size_t h = 0; h < group; ++h) rotate(own.subspan(h * head_dim(), head_dim()), query_position);
    weights_.resize(std::max(weights_.size(), group * seen));
    const auto out = mixed.subspan(offset, group * head_dim());
    attend({own, std::span(key_rows_).first(seen), std::span(value_rows_).first(seen), config_.head_dim},
           weights_, out);
    round_to(model_.dtype, out);
  }

  void rotate(std::span<float> vector, std::int64_t position) {
    rope_.rotate(vector, position);
    round_to(model_.dtype, vector);
  }

  void read_logits(std::span<float> stream) {
    rms_norm(model_.dtype, stream, model_.checkpoint.final_norm(), epsilon(), step_.normed.row(0));
    multiply(model_.checkpoint.head(), step_.normed.row(0), logits_);
  }

  [[nodiscard]] float epsilon() const { return static_cast<float>(config_.rms_epsilon); }
  [[nodiscard]] std::size_t head_dim() const { return static_cast<std::size_t>(config_.head_dim); }

  const DecoderModel& model_;
  const ModelConfig& config_;
  const AttentionPolicy& policy_;
  std::unique_ptr<SequencePolicy> state_;
  KvCache cache_;
  Rope rope_;
  Activations step_;
  std::vector<float> logits_;
  std::int32_t position_ = 0;  ///< tokens read so far
  std::int32_t attended_ = 0;
  std::vector<std::int32_t> places_;
  std::vector<const std::byte*> stored_keys_;
  std::vector<const std::byte*> stored_values_;
  std::vector<float> key_copies_;
  std::vector<float> value_copies_;
  std::vector<const float*> key_rows_;
  std::vector<const float*> value_rows_;
  std::vector<float> weights_;
};

class DecoderLanguageModel final : public LanguageModel {
 public:
  DecoderLanguageModel(const std::filesystem::path& folder, std::string name, const ModelConfig& config,
                       DType dtype)
      : model_{std::move(name),         config, dtype,
               {folder, config, dtype}, "",     inverse_frequencies(config.rope, config.head_dim)} {
    model_.weights_sha256 = model_.checkpoint.sha256();
  }

  [[nodiscard]] const ModelConfig& config() const override { return model_.config; }
  [[nodiscard]] const std::string& name() const override { return model_.name; }
  [[nodiscard]] std::string dtype() const override { return to_string(model_.dtype); }
  [[nodiscard]] std::string device() const override { return "cpu"; }
  [[nodiscard]] const std::string& weights_sha256() const override { return model_.weights_sha256; }
  [[nodiscard]] std::unique_ptr<Sequence> start(const AttentionPolicy& policy) const override {
    return std::make_unique<DecoderSequence>(model_, policy);
  }

 private:
  DecoderModel model_;
};

void require_cpu(const std::string& device) {
  if (device == "cpu") return;
  if (device == "cuda") {
    throw Error(ErrorCode::kEnvironment, "device 'cuda' is not there: this build records on the CPU alone");
  }
  throw Error(ErrorCode::kUsage, fmt::format("unknown device '{}'; known are: cpu, cuda", device));
}

}  // namespace

std::unique_ptr<LanguageModel> load_language_model(const std::filesystem::path& folder,
                                                   const ModelOptions& options) {
  require_cpu(options.device);
  const DType dtype = options.dtype == "auto" ? DType::kFp32 : dtype_from(options.dtype);
  use_one_torch_thread();
  const std::filesystem::path full = std::filesystem::absolute(folder).lexically_normal();
  const std::string name =
      full.has_filename() ? full.filename().string() : full.parent_path().filename().string();
  return std::make_unique<DecoderLanguageModel>(folder, name, read_model_config(folder), dtype);
}

}  // namespace lil::record
