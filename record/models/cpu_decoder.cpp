#include "record/models/cpu_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "record/models/expert_mixer.h"
#include "record/models/row_kernels.h"
#include "schemas/error.h"

namespace lil::record {
namespace {

using schemas::TokenId;

/// Calls action(first row, number of rows) for tiles of as many rows as `linear` takes.
template <class Action>
void for_tiles(std::int64_t rows, const Action& action) {
  for (std::int64_t first = 0; first < rows; first += kernels::kLinearRows) {
    action(first, std::min<std::int64_t>(kernels::kLinearRows, rows - first));
  }
}

class CpuDecoder final : public Decoder {
 public:
  CpuDecoder(const Checkpoint& checkpoint, const ModelConfig& config, DType dtype, Device& device)
      : checkpoint_(checkpoint),
        config_(config),
        device_(device),
        kernels_(dtype, static_cast<float>(config.rms_epsilon), host_threads(device)),
        mlp_(kernels_, device, config.intermediate),
        wide_(device, kernels::kLinearRows * wide_width()),
        normed_(device, kernels::kLinearRows * config.hidden) {
    if (!config.moe.layers.empty()) mixer_.emplace(kernels_, device, config);
  }

  void embed(std::span<const TokenId> ids) override {
    for (const TokenId id : ids) {
      if (id >= 0 && id < config_.vocabulary) continue;
      throw Error(ErrorCode::kInput,
                  fmt::format("token id {} is outside the {} tokens of the model's vocabulary", id,
                              config_.vocabulary));
    }
    rows_ = static_cast<std::int64_t>(ids.size());
    reserve(rows_);
    const MatrixView& embedding = checkpoint_.embedding();
    for (std::int64_t row = 0; row < rows_; ++row) {
      const MatrixView entry = embedding.part(ids[static_cast<std::size_t>(row)], 1);
      kernels_.widen(1, entry.data, stream().from(row));
    }
  }

  Projections project(std::int64_t layer) override {
    const DecoderLayer& own = layer_at(layer);
    normalise(own.attention_norm, layer > 0);
    for_tiles(rows_, [&](std::int64_t first, std::int64_t count) {
      float* wide = wide_.data();
      const Product query = product_to(own.query, first, count, queries_, wide);
      const Product key = product_to(own.key, first, count, keys_, wide);
      const Product value = product_to(own.value, first, count, values_, wide);
      kernels_.apply({query, key, value}, count, branch().from(first));
      narrow_from(query, first, count, queries_);
      narrow_from(key, first, count, keys_);
      narrow_from(value, first, count, values_);
    });
    return {queries_.data(), keys_.data(), values_.data()};
  }

  [[nodiscard]] void* mixed() override { return mixed_.data(); }

  void finish_layer(std::int64_t layer) override {
    const DecoderLayer& own = layer_at(layer);
    for_tiles(rows_, [&](std::int64_t first, std::int64_t count) {
      kernels_.apply(own.output, count, mixed_rows(first, count), branch().from(first));
    });
    normalise(own.mlp_norm, true);
    if (own.experts) {
      mixer_->run(*own.experts, rows_, branch(), Rows{mixture_.data(), config_.hidden});
      std::swap(branch_, mixture_);
    } else {
      for_tiles(rows_, [&](std::int64_t first, std::int64_t count) {
        mlp_.run(own.mlp, count, branch().from(first), branch().from(first));
      });
    }
  }

  [[nodiscard]] std::span<const float> logits(std::int64_t first_row, std::int64_t rows) override {
    assert(first_row >= 0 && first_row + rows <= rows_);
    const auto size = static_cast<std::size_t>(rows * config_.vocabulary);
    if (logits_.size() < size) logits_.resize(size);
    const Rows all{logits_.data(), config_.vocabulary};
    for_tiles(rows, [&](std::int64_t first, std::int64_t count) {
      // The rows themselves stay as they are, so that logits can be asked for twice.
      const Rows copy{wide_.data(), config_.hidden};
      std::copy_n(stream().at(first_row + first), count * config_.hidden, copy.data);
      const Rows normed{normed_.data(), config_.hidden};
      kernels_.norm(checkpoint_.final_norm(), count, copy, branch().at(first_row + first), normed);
      kernels_.apply(checkpoint_.head(), count, normed, all.from(first));
    });
    return std::span(logits_).first(size);
  }

 private:
  [[nodiscard]] const DecoderLayer& layer_at(std::int64_t layer) const {
    return checkpoint_.layers()[static_cast<std::size_t>(layer)];
  }
  /// Enough for a token's query, key and value, and for its hidden state.
  [[nodiscard]] std::size_t wide_width() const {
    const std::int64_t projections = (config_.heads + 2 * config_.kv_heads) * config_.head_dim;
    return static_cast<std::size_t>(std::max(projections, config_.hidden));
  }
  [[nodiscard]] Rows stream() { return {stream_.data(), config_.hidden}; }
  [[nodiscard]] Rows branch() { return {branch_.data(), config_.hidden}; }

  void reserve(std::int64_t rows) {
    if (rows <= capacity_) return;
    const auto count = static_cast<std::size_t>(rows);
    const std::size_t hidden = count * static_cast<std::size_t>(config_.hidden);
    const std::size_t head = count * static_cast<std::size_t>(config_.head_dim * bytes_of(kernels_.dtype()));
    const std::size_t query = head * static_cast<std::size_t>(config_.heads);
    const std::size_t key = head * static_cast<std::size_t>(config_.kv_heads);
    stream_ = DeviceArray<float>(device_, hidden);
    branch_ = DeviceArray<float>(device_, hidden);
    if (mixer_) mixture_ = DeviceArray<float>(device_, hidden);
    queries_ = DeviceArray<std::byte>(device_, query);
    mixed_ = DeviceArray<std::byte>(device_, query);
    keys_ = DeviceArray<std::byte>(device_, key);
    values_ = DeviceArray<std::byte>(device_, key);
    capacity_ = rows;
  }

  /// Adds the branch, if there is one, to the rows and leaves what they are, normalised, in its place.
  void normalise(const std::vector<float>& weight, bool has_branch) {
    kernels_.norm(weight, rows_, stream(), has_branch ? branch().data : nullptr, branch());
  }

  [[nodiscard]] bool is_fp32() const { return kernels_.dtype() == DType::kFp32; }

  [[nodiscard]] std::byte* row_of(DeviceArray<std::byte>& rows, std::int64_t row, std::int64_t width) const {
    return rows.data() + row * width * kernels::bytes_of(kernels_.dtype());
  }

  /// To rows of `to` from `first` on where those are fp32, else to `wide`, which moves on.
  Product product_to(const Linear& linear, std::int64_t first, std::int64_t count, DeviceArray<std::byte>& to,
                     float*& wide) const {
    const std::int64_t width = linear.matrix.rows;
    if (is_fp32()) return {&linear, {reinterpret_cast<float*>(row_of(to, first, width)), width}};
    const Rows y{wide, width};
    wide = y.at(count);
    return {&linear, y};
  }

  /// What a product left wide, in the model's type, to rows of `to` from `first` on.
  void narrow_from(const Product& product, std::int64_t first, std::int64_t count,
                   DeviceArray<std::byte>& to) const {
    if (!is_fp32()) kernels_.narrow(count, product.y, row_of(to, first, product.y.width));
  }

  /// Attention's result in fp32.
  [[nodiscard]] Rows mixed_rows(std::int64_t first, std::int64_t count) {
    const std::int64_t width = config_.heads * config_.head_dim;
    std::byte* from = row_of(mixed_, first, width);
    if (is_fp32()) return {reinterpret_cast<float*>(from), width};
    const Rows wide{wide_.data(), width};
    kernels_.widen(count, from, wide);
    return wide;
  }

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  Device& device_;
  RowKernels kernels_;
  MlpRunner mlp_;
  std::optional<ExpertMixer> mixer_;
  std::int64_t rows_ = 0;
  std::int64_t capacity_ = 0;
  DeviceArray<float> stream_;  ///< (rows, hidden)
  /// (rows, hidden): what the latest half of a layer gave, not rounded, or the rows normalised.
  DeviceArray<float> branch_;
  DeviceArray<float> mixture_;
  DeviceArray<std::byte> queries_;
  DeviceArray<std::byte> keys_;
  DeviceArray<std::byte> values_;
  DeviceArray<std::byte> mixed_;
  DeviceArray<float> wide_;    ///< a tile of up to wide_width()
  DeviceArray<float> normed_;  ///< a tile
  std::vector<float> logits_;
};

}  // namespace

std::unique_ptr<Decoder> make_cpu_decoder(const Checkpoint& checkpoint, const ModelConfig& config,
                                          DType dtype, Device& device) {
  return std::make_unique<CpuDecoder>(checkpoint, config, dtype, device);
}

}  // namespace lil::record
