// Is a decoder found out that lets rows change each other?

#include "record/torch/row_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "record/language_model.h"
#include "schemas/error.h"
#include "tests/record/tiny_model.h"
#include "tests/support/temporary_directory.h"

namespace lil::tests {
namespace {

using record::Decoder;
using record::Projections;
using testing::HasSubstr;

constexpr std::int64_t kTile = 16;

/// A right decoder, but for a fault in one number of what it hands out.
class FaultyDecoder final : public Decoder {
 public:
  /// Whether to spoil the last row's keys of a layer, or its logits (layer -1), for so many rows.
  using Fault = std::function<bool(std::int64_t layer, std::size_t rows)>;

  FaultyDecoder(std::unique_ptr<Decoder> decoder, std::int64_t kv_width, Fault fault)
      : decoder_(std::move(decoder)),
        kv_width_(static_cast<std::size_t>(kv_width)),
        fault_(std::move(fault)) {}

  void embed(std::span<const schemas::TokenId> ids) override {
    rows_ = ids.size();
    decoder_->embed(ids);
  }
  Projections project(std::int64_t layer) override {
    Projections projections = decoder_->project(layer);
    const auto* keys = static_cast<const float*>(projections.keys);
    keys_.assign(keys, keys + rows_ * kv_width_);
    if (fault_(layer, rows_)) keys_.back() += 1e-6F;
    projections.keys = keys_.data();
    return projections;
  }
  void* mixed() override { return decoder_->mixed(); }
  void finish_layer(std::int64_t layer) override { decoder_->finish_layer(layer); }
  std::span<const float> logits(std::int64_t first_row, std::int64_t rows) override {
    const auto logits = decoder_->logits(first_row, rows);
    logits_.assign(logits.begin(), logits.end());
    if (fault_(-1, rows_)) logits_.back() += 1e-6F;
    return logits_;
  }

 private:
  std::unique_ptr<Decoder> decoder_;
  std::size_t kv_width_;
  Fault fault_;
  std::size_t rows_ = 0;
  std::vector<float> keys_;
  std::vector<float> logits_;
};

std::string complaint(const FaultyDecoder::Fault& fault) {
  const TemporaryDirectory folder;
  make_tiny_model(5).write(folder / "tiny");
  const auto device = record::make_cpu_device(1);
  const auto model = record::load_language_model(folder / "tiny", *device);
  const record::ModelConfig& config = model->config();
  FaultyDecoder decoder(model->make_decoder(), config.kv_heads * config.head_dim, fault);
  try {
    record::check_rows(decoder, *device, config, model->dtype(), kTile);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kEnvironment);
    return error.what();
  }
  return "";
}

TEST(RowCheck, PassesARightDecoder) {
  EXPECT_EQ(complaint([](std::int64_t, std::size_t) { return false; }), "");
}

TEST(RowCheck, FindsOneBitInAnyLayerAtAnyNumberOfRows) {
  for (const std::size_t rows :
       {std::size_t{2}, std::size_t{kTile / 2}, std::size_t{kTile}, std::size_t{kTile + 1}}) {
    for (const std::int64_t layer : {-1, 0, 2}) {
      const std::string found =
          complaint([&](std::int64_t at, std::size_t count) { return at == layer && count == rows; });
      EXPECT_THAT(found, HasSubstr("row " + std::to_string(rows - 1) + " of " + std::to_string(rows) + " "));
      EXPECT_THAT(found, HasSubstr(layer < 0 ? "the logits" : "layer " + std::to_string(layer)));
    }
  }
}

}  // namespace
}  // namespace lil::tests
