// Does libtorch compute what the CPU's decoder computes, row by row, and does an engine run on it? On
// libtorch's CPU; cuda_test.cpp asks the same of a GPU.

#include "record/torch/torch_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "record/torch/torch_device.h"
#include "record/torch/torch_model.h"
#include "schemas/error.h"
#include "tests/record/dense_pass.h"
#include "tests/record/emulated_device.h"
#include "tests/record/greedy_streams.h"
#include "tests/record/tiny_model.h"
#include "tests/support/simt/block.h"
#include "tests/support/temporary_directory.h"

namespace lil::tests {
namespace {

using nlohmann::json;
using schemas::TokenId;
using Logits = std::vector<std::vector<float>>;

constexpr std::size_t kTile = record::kTorchTileRows;

/// One model twice: by libtorch's operations and by the CPU's decoder.
struct Pair {
  std::unique_ptr<record::Device> torch_device;
  std::unique_ptr<record::Device> cpu_device;
  std::unique_ptr<record::LanguageModel> torch;
  std::unique_ptr<record::LanguageModel> cpu;
};

Pair load(const TinyModel& tiny, const std::string& dtype, const std::string& stored = "F32") {
  const TemporaryDirectory folder;
  tiny.write(folder / "tiny", stored);
  Pair pair;
  pair.torch_device =
      record::make_torch_device("cpu", kernels::cpu_backend(), [] { return kernels::Stream{}; });
  pair.cpu_device = record::make_cpu_device(1);
  pair.torch = record::load_torch_model(folder / "tiny", *pair.torch_device, {dtype});
  pair.cpu = record::load_language_model(folder / "tiny", *pair.cpu_device, {dtype});
  return pair;
}

Ids some_ids(std::size_t count, std::size_t seed = 0) {
  Ids ids;
  for (std::size_t i = 0; i < count; ++i) ids.push_back(static_cast<TokenId>((i * 17 + seed * 31 + 5) % 50));
  return ids;
}

double largest_difference(const Logits& a, const Logits& b) {
  double most = 0;
  for (std::size_t row = 0; row < a.size(); ++row) {
    for (std::size_t i = 0; i < a[row].size(); ++i) {
      most = std::max(most, std::abs(static_cast<double>(a[row][i]) - b[row][i]));
    }
  }
  return most;
}

/// With more rows than a tile has.
double difference(const Pair& pair) {
  const Ids ids = some_ids(kTile + 6);
  return largest_difference(dense_pass(*pair.torch, *pair.torch->make_decoder(), {&ids, 1}),
                            dense_pass(*pair.cpu, *pair.cpu->make_decoder(), {&ids, 1}));
}

TEST(TorchDecoder, ComputesWhatTheCpuDecoderComputes) {
  for (const json& kind : std::vector<json>{
           {{"model_type", "llama"}},
           {{"tie_word_embeddings", false}, {"attention_bias", true}, {"mlp_bias", true}},
           {{"model_type", "qwen2"}},
           {{"model_type", "qwen2"}, {"tie_word_embeddings", false}},
           {{"model_type", "qwen2_moe"}, {"tie_word_embeddings", false}},
           {{"model_type", "qwen2_moe"}, {"norm_topk_prob", true}, {"num_experts_per_tok", 3}},
           {{"model_type", "qwen2_moe"}, {"mlp_only_layers", {0, 2}}, {"num_experts_per_tok", 1}},
       }) {
    SCOPED_TRACE(kind.dump());
    const Pair pair = load(make_tiny_model(4, kind), "auto");
    EXPECT_EQ(pair.torch->dtype(), kernels::DType::kFp32);
    EXPECT_EQ(pair.torch->weights_sha256(), pair.cpu->weights_sha256());
    EXPECT_EQ(pair.torch->name(), "tiny");
    EXPECT_LE(difference(pair), 1e-4);
  }
}

// A few roundings of the type at logits of about 5, of which libtorch rounds the last as well. A row whose
// router has two experts all but level may pick the other one, so a few rows of a model with experts may be
// far apart.
TEST(TorchDecoder, ComesCloseInBf16) {
  std::vector<Ids> tokens;
  for (TokenId id = 0; id < 50; ++id) tokens.push_back({id});
  for (const char* model_type : {"llama", "qwen2", "qwen2_moe"}) {
    for (const char* stored : {"BF16", "F32"}) {
      SCOPED_TRACE(std::string(model_type) + " from " + stored);
      const Pair pair = load(make_tiny_model(11, {{"model_type", model_type}}), "bf16", stored);
      EXPECT_EQ(pair.torch->dtype(), kernels::DType::kBf16);
      const Logits found = dense_pass(*pair.torch, *pair.torch->make_decoder(), tokens);
      const Logits expected = dense_pass(*pair.cpu, *pair.cpu->make_decoder(), tokens);
      int far = 0;
      for (std::size_t row = 0; row < tokens.size(); ++row) {
        far += largest_difference({found[row]}, {expected[row]}) > 0.2 ? 1 : 0;
      }
      EXPECT_LE(far, pair.torch->config().moe.experts > 0 ? 5 : 0);
    }
  }
}

class TorchRows : public testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  [[nodiscard]] static Pair load_kind() {
    const auto& [model_type, dtype] = GetParam();
    return load(
        make_tiny_model(9, {{"model_type", model_type}, {"hidden_size", 96}, {"intermediate_size", 200}}),
        dtype);
  }
};

TEST_P(TorchRows, DependNeitherOnNeighboursNorOnTheirNumber) {
  const Pair pair = load_kind();
  const auto decoder = pair.torch->make_decoder();
  const Ids own = some_ids(7, 3);
  const Logits alone = dense_pass(*pair.torch, *decoder, {&own, 1});
  for (const std::size_t before :
       {std::size_t{1}, std::size_t{16}, kTile - 7, kTile - 3, kTile, 2 * kTile + 1}) {
    std::vector<Ids> sequences;
    for (std::size_t i = 0; i < before; ++i) sequences.push_back(some_ids(1, i));
    sequences.push_back(own);
    sequences.push_back(some_ids(before % 5 + 1, before));
    const Logits rows = dense_pass(*pair.torch, *decoder, sequences);
    for (std::size_t t = 0; t < own.size(); ++t) {
      ASSERT_EQ(rows[before + t], alone[t]) << "token " << t << " after " << before << " rows";
    }
  }
  EXPECT_NE(alone[0], alone[1]);
}

TEST_P(TorchRows, LogitsOfSomeRowsAreThoseOfAllAndMayBeAskedForTwice) {
  const Pair pair = load_kind();
  const auto decoder = pair.torch->make_decoder();
  const Ids ids = some_ids(kTile + 9, 2);
  const Logits all = dense_pass(*pair.torch, *decoder, {&ids, 1});
  const auto last = static_cast<std::int64_t>(kTile) + 8;
  for (const std::int64_t first : {std::int64_t{0}, std::int64_t{5}, last}) {
    for (const std::int64_t rows : {std::int64_t{1}, last + 1 - first}) {
      const auto some = decoder->logits(first, rows);
      ASSERT_EQ(some.size(), static_cast<std::size_t>(rows) * 50);
      for (std::int64_t row = 0; row < rows; ++row) {
        const auto own = some.subspan(static_cast<std::size_t>(row) * 50, 50);
        ASSERT_TRUE(std::equal(own.begin(), own.end(), all[static_cast<std::size_t>(first + row)].begin()));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, TorchRows,
                         testing::Combine(testing::Values("llama", "qwen2", "qwen2_moe"),
                                          testing::Values("fp32", "bf16")),
                         [](const auto& one) {
                           return std::get<0>(one.param) + "_" + std::get<1>(one.param);
                         });

TEST(TorchDecoder, RefusesTokensOutsideTheVocabulary) {
  const Pair pair = load(make_tiny_model(1), "fp32");
  const auto decoder = pair.torch->make_decoder();
  for (const TokenId id : {-1, 50}) EXPECT_THROW(decoder->embed(Ids{3, id}), Error) << id;
}

const std::vector<Ids>& prompts() {
  static const std::vector<Ids> all{some_ids(30), some_ids(17, 1), some_ids(41, 2)};
  return all;
}

const auto kPolicies = {"full", "sink(budget=20)", "h2o(budget=20)"};

TEST(TorchEngine, RecordsWhatTheCpuRecords) {
  for (const char* model_type : {"llama", "qwen2", "qwen2_moe"}) {
    const Pair pair = load(make_tiny_model(9, {{"model_type", model_type}}), "fp32");
    for (const char* policy : kPolicies) {
      SCOPED_TRACE(std::string(model_type) + " under " + policy);
      const auto expected = greedy_streams(*pair.cpu, policy, prompts(), 20, 2);
      const auto found = greedy_streams(*pair.torch, policy, prompts(), 20, 2);
      EXPECT_EQ(ids_of(found), ids_of(expected));
      EXPECT_LE(largest_difference(found, expected), 1e-4);
    }
  }
}

TEST(TorchEngine, BatchesDoNotChangeStreams) {
  for (const char* dtype : {"fp32", "bf16"}) {
    SCOPED_TRACE(dtype);
    const Pair pair = load(make_tiny_model(9, {{"model_type", "qwen2_moe"}}), dtype);
    const auto alone = greedy_streams(*pair.torch, "h2o(budget=20)", prompts(), 10, 1);
    const auto together = greedy_streams(*pair.torch, "h2o(budget=20)", prompts(), 10, 3);
    for (std::size_t i = 0; i < alone.size(); ++i) EXPECT_EQ(together[i].logits, alone[i].logits);
  }
}

/// A decoder whose rows lie in libtorch's memory, for attention in a device's.
class MovingDecoder final : public record::Decoder {
 public:
  MovingDecoder(std::unique_ptr<record::Decoder> decoder, const record::ModelConfig& config,
                record::Device& device)
      : decoder_(std::move(decoder)), config_(config), device_(device) {}

  void embed(std::span<const TokenId> ids) override {
    decoder_->embed(ids);
    const std::size_t head = ids.size() * static_cast<std::size_t>(config_.head_dim);
    queries_ = {device_, head * static_cast<std::size_t>(config_.heads)};
    mixed_ = {device_, queries_.size()};
    keys_ = {device_, head * static_cast<std::size_t>(config_.kv_heads)};
    values_ = {device_, keys_.size()};
  }
  record::Projections project(std::int64_t layer) override {
    const record::Projections from = decoder_->project(layer);
    queries_.upload({static_cast<const float*>(from.queries), queries_.size()});
    keys_.upload({static_cast<const float*>(from.keys), keys_.size()});
    values_.upload({static_cast<const float*>(from.values), values_.size()});
    return {queries_.data(), keys_.data(), values_.data()};
  }
  void* mixed() override { return mixed_.data(); }
  void finish_layer(std::int64_t layer) override {
    device_.download(decoder_->mixed(), mixed_.data(), mixed_.size() * sizeof(float));
    decoder_->finish_layer(layer);
  }
  std::span<const float> logits(std::int64_t first_row, std::int64_t rows) override {
    return decoder_->logits(first_row, rows);
  }

 private:
  std::unique_ptr<record::Decoder> decoder_;
  const record::ModelConfig& config_;
  record::Device& device_;
  record::DeviceArray<float> queries_;
  record::DeviceArray<float> keys_;
  record::DeviceArray<float> values_;
  record::DeviceArray<float> mixed_;
};

class MovingModel final : public record::LanguageModel {
 public:
  MovingModel(const record::LanguageModel& model, record::Device& device) : model_(model), device_(device) {}

  const record::ModelConfig& config() const override { return model_.config(); }
  const std::string& name() const override { return model_.name(); }
  kernels::DType dtype() const override { return model_.dtype(); }
  const std::string& weights_sha256() const override { return model_.weights_sha256(); }
  record::Device& device() const override { return device_; }
  std::unique_ptr<record::Decoder> make_decoder() const override {
    return std::make_unique<MovingDecoder>(model_.make_decoder(), model_.config(), device_);
  }

 private:
  const record::LanguageModel& model_;
  record::Device& device_;
};

TEST(TorchEngine, RunsOnTheEmulatedKernels) {
  const Pair pair = load(make_tiny_model(9), "fp32");
  const auto device = make_emulated_device();
  const MovingModel emulated(*pair.torch, *device);
  for (const char* policy : kPolicies) {
    SCOPED_TRACE(policy);
    const auto expected = greedy_streams(*pair.cpu, policy, prompts(), 8, 2);
    const auto found = greedy_streams(emulated, policy, prompts(), 8, 2);
    EXPECT_EQ(ids_of(found), ids_of(expected));
    EXPECT_LE(largest_difference(found, expected), 1e-4);
  }
  EXPECT_EQ(simt::take_faults(), "");
}

}  // namespace
}  // namespace lil::tests
