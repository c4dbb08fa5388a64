// Does a model's decoder compute what its slow twin computes, row by row, whatever the rows beside?

#include "record/decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "record/language_model.h"
#include "schemas/error.h"
#include "tests/record/dense_pass.h"
#include "tests/record/heap_count.h"
#include "tests/record/reference_model.h"
#include "tests/record/tiny_model.h"
#include "tests/support/temporary_directory.h"

namespace lil::tests {
namespace {

using nlohmann::json;
using schemas::TokenId;
using Logits = std::vector<std::vector<float>>;

/// A device and a model on it.
struct Loaded {
  std::unique_ptr<record::Device> device;
  std::unique_ptr<record::LanguageModel> model;

  [[nodiscard]] Logits run(const std::vector<Ids>& sequences) const {
    return dense_pass(*model, *model->make_decoder(), sequences);
  }
};

Loaded load(const TinyModel& tiny, const std::string& file_dtype = "F32", const std::string& dtype = "auto",
            int threads = 1) {
  const TemporaryDirectory folder;
  tiny.write(folder / "tiny", file_dtype);
  Loaded loaded{record::make_cpu_device(threads), nullptr};
  loaded.model = record::load_language_model(folder / "tiny", *loaded.device, {dtype});
  return loaded;
}

Ids some_ids(std::size_t count, std::size_t seed = 0, std::size_t vocabulary = 50) {
  Ids ids;
  for (std::size_t i = 0; i < count; ++i) {
    ids.push_back(static_cast<TokenId>((i * 17 + seed * 31 + 5) % vocabulary));
  }
  return ids;
}

ViewOf dense() {
  return [](std::int64_t t, std::int64_t /*layer*/) { return dense_view(t); };
}

double largest_difference(const std::vector<float>& logits, const std::vector<double>& expected) {
  double most = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    most = std::max(most, std::abs(static_cast<double>(logits[i]) - expected[i]));
  }
  return most;
}

/// Compares every row of a sequence with the twin's.
void expect_twin_agrees(const TinyModel& tiny, const Loaded& loaded, std::size_t tokens,
                        double tolerance = 1e-4) {
  const Ids ids = some_ids(tokens);
  const Logits rows = loaded.run({ids});
  const ReferenceModel twin(tiny);
  for (std::size_t t = 0; t < tokens; t += t < 20 ? 1 : 7) {
    const auto expected = twin.logits(std::span(ids).first(t + 1), dense());
    ASSERT_EQ(rows[t].size(), expected.size());
    ASSERT_LE(largest_difference(rows[t], expected), tolerance) << "token " << t;
  }
}

const json kLlama3 = {{"rope_type", "llama3"},
                      {"factor", 8.0},
                      {"low_freq_factor", 1.0},
                      {"high_freq_factor", 4.0},
                      {"original_max_position_embeddings", 64}};

/// Every kind of configuration.
std::vector<json> kinds() {
  return {
      json::object(),
      {{"tie_word_embeddings", false}, {"attention_bias", true}, {"mlp_bias", true}},
      {{"num_key_value_heads", 4}, {"head_dim", 8}},
      {{"num_key_value_heads", 1}, {"head_dim", 6}, {"hidden_size", 35}, {"intermediate_size", 41}},
      {{"head_dim", 8}, {"rope_scaling", kLlama3}},
      {{"model_type", "qwen2"}},
      {{"model_type", "qwen2"}, {"tie_word_embeddings", false}},
      {{"model_type", "qwen2_moe"}, {"tie_word_embeddings", false}},
      {{"model_type", "qwen2_moe"}, {"norm_topk_prob", true}, {"qkv_bias", false}},
      {{"model_type", "qwen2_moe"}, {"decoder_sparse_step", 2}, {"num_hidden_layers", 4}},
      {{"model_type", "qwen2_moe"}, {"mlp_only_layers", {0, 2}}, {"num_experts_per_tok", 1}},
      {{"model_type", "qwen2_moe"}, {"num_experts_per_tok", 6}, {"num_key_value_heads", 4}},
  };
}

TEST(DecoderTwin, AgreesForEveryKindOfConfiguration) {
  std::uint32_t seed = 0;
  for (const json& kind : kinds()) {
    SCOPED_TRACE(kind.dump());
    const TinyModel tiny = make_tiny_model(seed++, kind);
    expect_twin_agrees(tiny, load(tiny), 19);
  }
}

TEST(DecoderTwin, RowsAroundTilesAgree) {
  const TinyModel llama = make_tiny_model(7, {{"num_hidden_layers", 2}});
  const TinyModel mixture = make_tiny_model(8, {{"num_hidden_layers", 2}, {"model_type", "qwen2_moe"}});
  for (const TinyModel* tiny : {&llama, &mixture}) {
    const Loaded loaded = load(*tiny);
    for (const std::size_t tokens : {1U, 15U, 16U, 17U, 32U, 33U, 70U}) {
      SCOPED_TRACE(tokens);
      expect_twin_agrees(*tiny, loaded, tokens);
    }
  }
}

TEST(DecoderTwin, NarrowWeightsComputedInFp32Agree) {
  for (const std::string model_type : {"llama", "qwen2", "qwen2_moe"}) {
    for (const std::string dtype : {"BF16", "F16"}) {
      SCOPED_TRACE(model_type + " " + dtype);
      TinyModel tiny = make_tiny_model(3, {{"model_type", model_type}});
      const Loaded loaded = load(tiny, dtype);
      EXPECT_EQ(loaded.model->dtype(), kernels::DType::kFp32);
      tiny.tensors = rounded(tiny.tensors, dtype);
      expect_twin_agrees(tiny, loaded, 12);
    }
  }
}

// The tolerances are a few roundings of the type, at logits of about 5. A row whose router has two experts
// all but level may pick the other one: of these there is none here in fp16, so that is compared for experts.
TEST(DecoderTwin, NarrowTypesComeClose) {
  struct Case {
    std::string model_type;
    std::string dtype;
    std::string stored;
    double tolerance;
  };
  for (const auto& [model_type, dtype, stored, tolerance] :
       {Case{"llama", "bf16", "BF16", 0.2}, Case{"llama", "fp16", "F16", 0.03},
        Case{"qwen2", "bf16", "BF16", 0.2}, Case{"qwen2", "fp16", "F16", 0.03},
        Case{"qwen2_moe", "fp16", "F16", 0.03}, Case{"llama", "bf16", "F32", 0.2}}) {
    SCOPED_TRACE(model_type + " " + dtype + " from " + stored);
    TinyModel tiny = make_tiny_model(11, {{"model_type", model_type}});
    const Loaded loaded = load(tiny, stored, dtype);
    EXPECT_EQ(loaded.model->dtype(), dtype == "bf16" ? kernels::DType::kBf16 : kernels::DType::kFp16);
    if (stored != "F32") tiny.tensors = rounded(tiny.tensors, stored);
    expect_twin_agrees(tiny, loaded, 9, tolerance);
  }
}

// An expert more or less in one row must not reach another: here every row picks its own two of six.
TEST(DecoderTwin, PackedExpertsComputeAsSingleOnes) {
  const TinyModel tiny = make_tiny_model(4, {{"model_type", "qwen2_moe"}});
  TinyModel packed = tiny;
  for (int l = 0; l < 3; ++l) {
    const std::string prefix = "model.layers." + std::to_string(l) + ".mlp.experts.";
    TinyTensor gate_up{{6, 40, 32}, {}};
    TinyTensor down{{6, 32, 20}, {}};
    for (int e = 0; e < 6; ++e) {
      const auto move = [&](const char* name, TinyTensor& to) {
        const auto node = packed.tensors.extract(prefix + std::to_string(e) + name);
        to.values.insert(to.values.end(), node.mapped().values.begin(), node.mapped().values.end());
      };
      move(".gate_proj.weight", gate_up);
      move(".up_proj.weight", gate_up);
      move(".down_proj.weight", down);
    }
    packed.tensors[prefix + "gate_up_proj"] = gate_up;
    packed.tensors[prefix + "down_proj"] = down;
  }
  for (const std::string dtype : {"auto", "bf16"}) {
    EXPECT_EQ(load(packed, "F32", dtype).run({some_ids(20)}), load(tiny, "F32", dtype).run({some_ids(20)}));
  }
}

/// Wide enough for `linear` to share its work out between threads.
TinyModel wide_model(const std::string& model_type) {
  return make_tiny_model(9, {{"model_type", model_type},
                             {"hidden_size", 96},
                             {"intermediate_size", 700},
                             {"vocab_size", 1500},
                             {"num_hidden_layers", 2}});
}

class DecoderRows : public testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  [[nodiscard]] Loaded load_wide(int threads) const {
    const auto& [model_type, dtype] = GetParam();
    return load(wide_model(model_type), "F32", dtype, threads);
  }
  [[nodiscard]] static std::vector<Ids> single_tokens(std::size_t count) {
    std::vector<Ids> sequences;
    for (std::size_t i = 0; i < count; ++i) sequences.push_back(some_ids(1, i, 1500));
    return sequences;
  }
};

TEST_P(DecoderRows, BitsDoNotDependOnTheNumberOfRows) {
  const Loaded loaded = load_wide(1);
  const auto decoder = loaded.model->make_decoder();
  std::vector<Ids> sequences = single_tokens(40);
  Logits alone;
  for (const Ids& one : sequences) alone.push_back(dense_pass(*loaded.model, *decoder, {&one, 1}).front());
  for (std::size_t rows = 1; rows <= sequences.size(); ++rows) {
    const auto together = dense_pass(*loaded.model, *decoder, std::span(sequences).first(rows));
    for (std::size_t i = 0; i < rows; ++i) ASSERT_EQ(together[i], alone[i]) << "row " << i << " of " << rows;
  }
  EXPECT_NE(alone[0], alone[1]);
}

TEST_P(DecoderRows, BitsDoNotDependOnNeighboursAndThreads) {
  const Ids own = some_ids(7, 3, 1500);
  const Logits alone = load_wide(1).run({own});
  for (int threads = 1; threads <= 4; ++threads) {
    const Loaded loaded = load_wide(threads);
    const auto decoder = loaded.model->make_decoder();
    for (const std::size_t before : {0U, 1U, 9U, 12U, 20U}) {
      std::vector<Ids> sequences = single_tokens(before);
      sequences.push_back(own);
      sequences.push_back(some_ids(5, threads, 1500));
      const Logits rows = dense_pass(*loaded.model, *decoder, sequences);
      for (std::size_t t = 0; t < own.size(); ++t) {
        ASSERT_EQ(rows[before + t], alone[t])
            << "token " << t << " after " << before << " rows on " << threads << " threads";
      }
    }
  }
}

TEST_P(DecoderRows, APromptHasTheBitsOfItsTokensOneByOne) {
  const Loaded loaded = load_wide(2);
  const Ids ids = some_ids(35, 1, 1500);
  const Logits whole = loaded.run({ids});
  // Attention's loops see each token with those before it, so the longest prefix holds all of them.
  const auto decoder = loaded.model->make_decoder();
  for (const std::size_t tokens : {1U, 2U, 16U, 17U, 34U}) {
    const Ids prefix(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(tokens));
    EXPECT_EQ(dense_pass(*loaded.model, *decoder, {&prefix, 1}).back(), whole[tokens - 1]);
  }
}

TEST_P(DecoderRows, LogitsOfSomeRowsAreThoseOfAllAndMayBeAskedForTwice) {
  const Loaded loaded = load_wide(1);
  const auto decoder = loaded.model->make_decoder();
  const Ids ids = some_ids(37, 2, 1500);
  const Logits all = dense_pass(*loaded.model, *decoder, {&ids, 1});
  for (const std::int64_t first : {0, 1, 20, 36}) {
    for (const std::int64_t rows : {std::int64_t{1}, 37 - first}) {
      const auto some = decoder->logits(first, rows);
      ASSERT_EQ(some.size(), static_cast<std::size_t>(rows) * 1500);
      for (std::int64_t row = 0; row < rows; ++row) {
        const auto own = some.subspan(static_cast<std::size_t>(row) * 1500, 1500);
        ASSERT_TRUE(std::equal(own.begin(), own.end(), all[static_cast<std::size_t>(first + row)].begin()));
      }
    }
  }
}

TEST_P(DecoderRows, AStepAllocatesNothing) {
  const Loaded loaded = load_wide(2);
  const auto decoder = loaded.model->make_decoder();
  const Ids many = some_ids(23, 0, 1500);
  const Ids few = some_ids(4, 5, 1500);
  const auto step = [&](const Ids& ids) {
    decoder->embed(ids);
    for (std::int64_t layer = 0; layer < 2; ++layer) {
      (void)decoder->project(layer);
      decoder->finish_layer(layer);
    }
    (void)decoder->logits(0, static_cast<std::int64_t>(ids.size()));
  };
  step(many);
  const std::int64_t before = heap_allocations();
  step(few);
  step(many);
  EXPECT_EQ(heap_allocations(), before);
}

INSTANTIATE_TEST_SUITE_P(Models, DecoderRows,
                         testing::Combine(testing::Values("llama", "qwen2", "qwen2_moe"),
                                          testing::Values("fp32", "bf16", "fp16")),
                         [](const auto& one) {
                           return std::get<0>(one.param) + "_" + std::get<1>(one.param);
                         });

TEST(Decoder, RefusesTokensOutsideTheVocabulary) {
  const Loaded loaded = load(make_tiny_model(1));
  const auto decoder = loaded.model->make_decoder();
  for (const TokenId id : {-1, 50}) {
    try {
      decoder->embed(Ids{3, id});
      FAIL() << "took " << id;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInput);
      EXPECT_THAT(error.what(), testing::HasSubstr("token id " + std::to_string(id) + " is outside the 50"));
    }
  }
}

}  // namespace
}  // namespace lil::tests
