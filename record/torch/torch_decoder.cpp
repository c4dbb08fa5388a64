#include "record/torch/torch_decoder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "record/torch/guarded.h"
#include "schemas/error.h"

namespace lil::record {
namespace {

using at::Tensor;

constexpr std::int64_t kTile = kTorchTileRows;

std::int64_t round_up(std::int64_t rows) {
  return (rows + kTile - 1) / kTile * kTile;
}

at::ScalarType scalar_type(DType dtype) {
  switch (dtype) {
    case DType::kBf16:
      return at::kBFloat16;
    case DType::kFp16:
      return at::kHalf;
    case DType::kFp32:
      break;
  }
  return at::kFloat;
}

/// A map with its matrix transposed in place: (inputs, outputs).
struct TorchLinear {
  Tensor matrix;
  Tensor bias;  ///< undefined where there is none

  [[nodiscard]] Tensor operator()(const Tensor& x) const {
    return bias.defined() ? at::addmm(bias, x, matrix) : at::mm(x, matrix);
  }
  void into(Tensor y, const Tensor& x) const {
    if (bias.defined()) {
      at::addmm_out(y, bias, x, matrix);
    } else {
      at::mm_out(y, x, matrix);
    }
  }
};

struct TorchMlp {
  TorchLinear gate;
  TorchLinear up;
  TorchLinear down;

  [[nodiscard]] Tensor operator()(const Tensor& x) const { return down(at::silu(gate(x)).mul_(up(x))); }
};

struct TorchExperts {
  TorchLinear router;
  std::vector<TorchMlp> experts;
  TorchMlp shared;
  TorchLinear shared_gate;
};

struct TorchLayer {
  Tensor attention_norm;
  TorchLinear query;
  TorchLinear key;
  TorchLinear value;
  TorchLinear output;
  Tensor mlp_norm;
  TorchMlp mlp;  ///< of a layer without experts
  std::optional<TorchExperts> experts;
};

/// Copies weights of one type to a device.
class Uploader {
 public:
  Uploader(DType dtype, at::Device device) : type_(scalar_type(dtype)), device_(device) {}

  [[nodiscard]] Tensor matrix(const MatrixView& from) const {
    assert(scalar_type(from.dtype) == type_);
    Tensor to = at::empty({from.rows, from.columns}, at::device(device_).dtype(type_));
    return to.copy_(at::from_blob(const_cast<std::byte*>(from.data), to.sizes(), at::dtype(type_)));
  }
  [[nodiscard]] Tensor vector(const std::vector<float>& from) const {
    Tensor to = at::empty({static_cast<std::int64_t>(from.size())}, at::device(device_).dtype(type_));
    return to.copy_(at::from_blob(const_cast<float*>(from.data()), to.sizes(), at::dtype(at::kFloat)));
  }
  [[nodiscard]] TorchLinear linear(const Linear& from) const {
    return {matrix(from.matrix).t(), from.bias.empty() ? Tensor() : vector(from.bias)};
  }
  [[nodiscard]] TorchMlp mlp(const GatedMlp& from) const {
    return {linear(from.gate), linear(from.up), linear(from.down)};
  }
  [[nodiscard]] TorchExperts experts(const Experts& from) const {
    TorchExperts to{linear(from.router), {}, mlp(from.shared), linear(from.shared_gate)};
    for (const GatedMlp& expert : from.experts) to.experts.push_back(mlp(expert));
    return to;
  }
  [[nodiscard]] TorchLayer layer(const DecoderLayer& from) const {
    TorchLayer to;
    to.attention_norm = vector(from.attention_norm);
    to.query = linear(from.query);
    to.key = linear(from.key);
    to.value = linear(from.value);
    to.output = linear(from.output);
    to.mlp_norm = vector(from.mlp_norm);
    if (from.experts) {
      to.experts = experts(*from.experts);
    } else {
      to.mlp = mlp(from.mlp);
    }
    return to;
  }

 private:
  at::ScalarType type_;
  at::Device device_;
};

}  // namespace

class TorchWeights {
 public:
  TorchWeights(const Checkpoint& from, const Uploader& uploader)
      : embedding(uploader.matrix(from.embedding())), final_norm(uploader.vector(from.final_norm())) {
    const bool tied = from.head().data == from.embedding().data;
    head.matrix = (tied ? embedding : uploader.matrix(from.head())).t();
    for (const DecoderLayer& layer : from.layers()) layers.push_back(uploader.layer(layer));
  }

  Tensor embedding;  ///< (vocabulary, hidden)
  std::vector<TorchLayer> layers;
  Tensor final_norm;
  TorchLinear head;
};

namespace {

/// Which rows go to which expert: tiles of rows, all of one expert, in one list for the device.
class ExpertTiles {
 public:
  struct Tile {
    std::size_t expert = 0;
    std::int64_t first = 0;  ///< in rows() and picks()
    std::int64_t count = 0;  ///< the rest of the tile repeats its first row
  };

  /// `chosen`: (rows, per token) numbers of experts.
  void sort(const Tensor& chosen, std::size_t experts) {
    std::vector<std::vector<std::int64_t>> picks(experts);
    const std::int64_t* numbers = chosen.data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < chosen.numel(); ++i)
      picks[static_cast<std::size_t>(numbers[i])].push_back(i);
    tiles_.clear();
    picks_.clear();
    for (std::size_t e = 0; e < experts; ++e) {
      const auto size = static_cast<std::int64_t>(picks[e].size());
      for (std::int64_t first = 0; first < size; first += kTile) {
        add({e, static_cast<std::int64_t>(picks_.size()), std::min(kTile, size - first)},
            &picks[e][index(first)]);
      }
    }
    rows_.clear();
    for (const std::int64_t pick : picks_) rows_.push_back(pick / chosen.size(1));
  }

  [[nodiscard]] const std::vector<Tile>& tiles() const { return tiles_; }
  [[nodiscard]] std::vector<std::int64_t>& rows() { return rows_; }    ///< a row of activations each
  [[nodiscard]] std::vector<std::int64_t>& picks() { return picks_; }  ///< a place in `chosen` each

 private:
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

  void add(const Tile& tile, const std::int64_t* picks) {
    tiles_.push_back(tile);
    picks_.insert(picks_.end(), picks, picks + tile.count);
    picks_.resize(index(tile.first + kTile), *picks);
  }

  std::vector<Tile> tiles_;
  std::vector<std::int64_t> rows_;
  std::vector<std::int64_t> picks_;
};

class TorchDecoder final : public Decoder {
 public:
  TorchDecoder(std::shared_ptr<const TorchWeights> weights, const ModelConfig& config)
      : weights_(std::move(weights)), config_(config), options_(weights_->embedding.options()) {}

  void embed(std::span<const schemas::TokenId> ids) override {
    for (const schemas::TokenId id : ids) {
      if (id >= 0 && id < config_.vocabulary) continue;
      throw Error(ErrorCode::kInput, "token id " + std::to_string(id) + " is outside the " +
                                         std::to_string(config_.vocabulary) +
                                         " tokens of the model's vocabulary");
    }
    rows_ = static_cast<std::int64_t>(ids.size());
    numbers_.assign(ids.begin(), ids.end());
    numbers_.resize(static_cast<std::size_t>(round_up(rows_)), 0);
    guarded(kDoing, [&] {
      reserve(round_up(rows_));
      Tensor rows = stream_.narrow(0, 0, round_up(rows_));
      at::index_select_out(rows, weights_->embedding, 0, on_device(numbers_));
    });
  }

  Projections project(std::int64_t layer) override {
    const TorchLayer& own = layer_at(layer);
    guarded(kDoing, [&] {
      for_tiles([&](std::int64_t first) {
        if (layer > 0) tile(stream_, first).add_(tile(branch_, first));
        const Tensor x = norm(tile(stream_, first), own.attention_norm);
        own.query.into(tile(queries_, first), x);
        own.key.into(tile(keys_, first), x);
        own.value.into(tile(values_, first), x);
      });
    });
    return {queries_.data_ptr(), keys_.data_ptr(), values_.data_ptr()};
  }

  [[nodiscard]] void* mixed() override { return mixed_.data_ptr(); }

  void finish_layer(std::int64_t layer) override {
    const TorchLayer& own = layer_at(layer);
    guarded(kDoing, [&] {
      for_tiles([&](std::int64_t first) {
        tile(stream_, first).add_(own.output(tile(mixed_, first)));
        const Tensor x = norm(tile(stream_, first), own.mlp_norm);
        tile(branch_, first).copy_(own.experts ? x : own.mlp(x));
      });
      if (own.experts) mix_experts(*own.experts);
    });
  }

  [[nodiscard]] std::span<const float> logits(std::int64_t first_row, std::int64_t rows) override {
    assert(first_row >= 0 && first_row + rows <= rows_);
    const auto size = static_cast<std::size_t>(rows * config_.vocabulary);
    if (logits_.size() < size) logits_.resize(size);
    guarded(kDoing, [&] {
      for (std::int64_t first = 0; first < rows; first += kTile) {
        const std::int64_t row = first_row + first;
        const Tensor x = at::add(tile(stream_, row), tile(branch_, row));
        const std::int64_t count = std::min(kTile, rows - first);
        at::from_blob(logits_.data() + first * config_.vocabulary, {count, config_.vocabulary},
                      at::dtype(at::kFloat))
            .copy_(weights_->head(norm(x, weights_->final_norm)).narrow(0, 0, count));
      }
    });
    return std::span<const float>(logits_).first(size);
  }

 private:
  static constexpr const char* kDoing = "the device could not compute the model";

  [[nodiscard]] const TorchLayer& layer_at(std::int64_t layer) const {
    return weights_->layers[static_cast<std::size_t>(layer)];
  }
  [[nodiscard]] static Tensor tile(const Tensor& rows, std::int64_t first) {
    return rows.narrow(0, first, kTile);
  }
  template <class Action>
  void for_tiles(const Action& action) const {
    for (std::int64_t first = 0; first < rows_; first += kTile) action(first);
  }
  [[nodiscard]] Tensor on_device(std::vector<std::int64_t>& numbers) const {
    return at::from_blob(numbers.data(), {static_cast<std::int64_t>(numbers.size())}, at::dtype(at::kLong))
        .to(options_.device());
  }

  void reserve(std::int64_t rows) {
    if (rows <= capacity_) return;
    // A tile more, so that one may begin at any row.
    const auto make = [&](std::int64_t width) { return at::zeros({rows + kTile, width}, options_); };
    stream_ = make(config_.hidden);
    branch_ = make(config_.hidden);
    queries_ = make(config_.heads * config_.head_dim);
    mixed_ = make(config_.heads * config_.head_dim);
    keys_ = make(config_.kv_heads * config_.head_dim);
    values_ = make(config_.kv_heads * config_.head_dim);
    if (config_.moe.experts > 0) mixture_ = make(config_.hidden);
    capacity_ = rows;
  }

  /// As transformers: normalised in fp32, rounded, then times the weight.
  [[nodiscard]] Tensor norm(const Tensor& rows, const Tensor& weight) const {
    const Tensor wide = rows.to(at::kFloat);
    const Tensor mean = at::mean(wide * wide, at::IntArrayRef{1}, true);
    return (wide / (mean + config_.rms_epsilon).sqrt()).to(rows.scalar_type()) * weight;
  }

  /// Puts into branch_, which has the normalised rows, what experts make of them; see ExpertMixer.
  void mix_experts(const TorchExperts& experts) {
    mixture_.zero_();
    const auto [chosen, weights] = route(experts);
    tiles_.sort(chosen.cpu(), experts.experts.size());
    const Tensor rows = on_device(tiles_.rows());
    const Tensor weight = weights.reshape({-1}).index_select(0, on_device(tiles_.picks())).unsqueeze(1);
    for (const ExpertTiles::Tile& tile : tiles_.tiles()) {
      const Tensor x = branch_.index_select(0, rows.narrow(0, tile.first, kTile));
      const Tensor out = experts.experts[tile.expert](x).mul_(weight.narrow(0, tile.first, kTile));
      const Tensor own = rows.narrow(0, tile.first, tile.count);
      mixture_.index_copy_(0, own, mixture_.index_select(0, own).add_(out.narrow(0, 0, tile.count)));
    }
    for_tiles([&](std::int64_t first) {
      const Tensor x = tile(branch_, first);
      const Tensor gate = at::sigmoid(experts.shared_gate(x));
      tile(mixture_, first).add_(experts.shared(x).mul_(gate));
    });
    std::swap(branch_, mixture_);
  }

  /// The best experts of each row, of equal ones the first, and their weights: (rows, per token) both.
  [[nodiscard]] std::pair<Tensor, Tensor> route(const TorchExperts& experts) const {
    const std::int64_t count = config_.moe.experts_per_token;
    std::vector<Tensor> chosen;
    std::vector<Tensor> weights;
    for_tiles([&](std::int64_t first) {
      const Tensor probabilities = at::softmax(experts.router(tile(branch_, first)).to(at::kFloat), 1);
      const auto [sorted, order] = at::sort(probabilities, true, 1, true);
      Tensor best = sorted.narrow(1, 0, count);
      if (config_.moe.normalise_weights) {
        Tensor sum = best.narrow(1, 0, 1).clone();
        for (std::int64_t i = 1; i < count; ++i) sum.add_(best.narrow(1, i, 1));
        best = best / sum;
      }
      chosen.push_back(order.narrow(1, 0, count));
      weights.push_back(best.to(options_.dtype()));
    });
    return {at::cat(chosen).narrow(0, 0, rows_), at::cat(weights)};
  }

  std::shared_ptr<const TorchWeights> weights_;
  const ModelConfig& config_;
  at::TensorOptions options_;  ///< of the activations
  std::int64_t rows_ = 0;
  std::int64_t capacity_ = 0;
  std::vector<std::int64_t> numbers_;
  Tensor stream_;   ///< (capacity and a tile, hidden)
  Tensor branch_;   ///< what the latest half of a layer gave
  Tensor mixture_;  ///< of experts
  Tensor queries_;
  Tensor keys_;
  Tensor values_;
  Tensor mixed_;
  ExpertTiles tiles_;
  std::vector<float> logits_;
};

}  // namespace

std::shared_ptr<const TorchWeights> make_torch_weights(const Checkpoint& checkpoint,
                                                       const std::string& device) {
  return guarded("cannot copy the model's weights to the device " + device, [&] {
    return std::make_shared<const TorchWeights>(checkpoint,
                                                Uploader(checkpoint.embedding().dtype, at::Device(device)));
  });
}

std::unique_ptr<Decoder> make_torch_decoder(std::shared_ptr<const TorchWeights> weights,
                                            const ModelConfig& config) {
  return std::make_unique<TorchDecoder>(std::move(weights), config);
}

}  // namespace lil::record
