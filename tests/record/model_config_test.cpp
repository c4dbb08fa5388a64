// Is config.json read as the Llama form writes it, and everything else refused by name?

#include "record/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schemas/error.h"
#include "tests/record/tiny_model.h"
#include "tests/support/temporary_directory.h"

namespace lil::tests {
namespace {

using nlohmann::json;
using record::ModelConfig;
using record::RopeConfig;
using testing::ElementsAre;
using testing::HasSubstr;

class ModelConfigTest : public testing::Test {
 protected:
  /// The tiny model's config.json with these members changed; null takes one out.
  ModelConfig read(const json& changes, const std::string& generation = "") {
    json config = make_tiny_model(1).config;
    config.merge_patch(changes);
    const TemporaryDirectory folder;
    write_text(folder / "config.json", config.dump());
    if (!generation.empty()) write_text(folder / "generation_config.json", generation);
    return record::read_model_config(folder.path());
  }
  std::string message(const json& changes) {
    try {
      (void)read(changes);
      return "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInput);
      EXPECT_THAT(error.what(), HasSubstr("config.json"));
      return error.what();
    }
  }
};

TEST_F(ModelConfigTest, ReadsShapeAndFlags) {
  const ModelConfig config =
      read({{"attention_bias", true}, {"mlp_bias", true}, {"torch_dtype", "bfloat16"}});
  EXPECT_EQ(config.hidden, 32);
  EXPECT_EQ(config.heads, 4);
  EXPECT_EQ(config.kv_heads, 2);
  EXPECT_EQ(config.head_dim, 12);
  EXPECT_EQ(config.rope.theta, 100.0);
  EXPECT_TRUE(config.qkv_bias && config.output_bias && config.mlp_bias && config.tied_embeddings);
  EXPECT_EQ(config.checkpoint_dtype, "bfloat16");
  EXPECT_EQ(read({{"dtype", "float32"}}).checkpoint_dtype, "float32");
  EXPECT_EQ(read({{"max_position_embeddings", 4096}}).max_positions, 4096);
}

TEST_F(ModelConfigTest, FillsInWhatMayBeMissing) {
  const ModelConfig config = read({{"head_dim", nullptr},
                                   {"num_key_value_heads", nullptr},
                                   {"rope_theta", nullptr},
                                   {"tie_word_embeddings", nullptr},
                                   {"eos_token_id", nullptr}});
  EXPECT_EQ(config.head_dim, 8);
  EXPECT_EQ(config.kv_heads, 4);
  EXPECT_EQ(config.rope.theta, 10000.0);
  EXPECT_FALSE(config.tied_embeddings);
  EXPECT_TRUE(config.end_ids.empty());
}

TEST_F(ModelConfigTest, EndOfSequenceMayBeAListAndIsOverriddenByTheGenerationConfig) {
  EXPECT_THAT(read({{"eos_token_id", {7, 3, 7}}}).end_ids, ElementsAre(3, 7));
  EXPECT_THAT(read({{"eos_token_id", 7}}, R"({"eos_token_id": [1, 2]})").end_ids, ElementsAre(1, 2));
  EXPECT_THAT(read({{"eos_token_id", 7}}, R"({"do_sample": false})").end_ids, ElementsAre(7));
}

const json kLlama3 = {{"factor", 8.0},
                      {"low_freq_factor", 1.0},
                      {"high_freq_factor", 4.0},
                      {"original_max_position_embeddings", 8192}};

TEST_F(ModelConfigTest, ReadsRopeInEverySpelling) {
  json scaling = kLlama3;
  scaling["type"] = "llama3";
  EXPECT_EQ(read({{"rope_scaling", scaling}}).rope.scaling, RopeConfig::Scaling::kLlama3);
  scaling = kLlama3;
  scaling["rope_type"] = "llama3";
  scaling["rope_theta"] = 500000.0;
  const RopeConfig rope = read({{"rope_theta", nullptr}, {"rope_parameters", scaling}}).rope;
  EXPECT_EQ(rope.theta, 500000.0);
  EXPECT_EQ(rope.factor, 8.0);
  EXPECT_EQ(rope.original_positions, 8192);
  EXPECT_EQ(read({{"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 7.0}}}}).rope.theta, 7.0);
}

TEST_F(ModelConfigTest, RefusesWhatItDoesNotCompute) {
  EXPECT_THAT(message({{"model_type", "mamba"}}),
              HasSubstr("'model_type' is 'mamba'; known are: llama, qwen2, qwen2_moe"));
  EXPECT_THAT(message({{"model_type", nullptr}}), HasSubstr("'model_type' is ''"));
  EXPECT_THAT(message({{"hidden_act", "gelu"}}), HasSubstr("'hidden_act' is 'gelu'"));
  EXPECT_THAT(message({{"use_sliding_window", true}}), HasSubstr("'use_sliding_window' is true"));
  EXPECT_EQ(message({{"use_sliding_window", false}}), "accepted");
  EXPECT_THAT(message({{"rope_scaling", {{"type", "yarn"}}}}),
              HasSubstr("'rope_scaling.rope_type' is 'yarn'"));
  EXPECT_THAT(message({{"rope_scaling", {{"rope_type", "llama3"}}}}),
              HasSubstr("'rope_scaling.factor' is missing"));
  EXPECT_THAT(message({{"partial_rotary_factor", 0.5}}), HasSubstr("'partial_rotary_factor'"));
  EXPECT_THAT(message({{"partial_rotary_factor", 0.5}, {"rope_parameters", {{"rope_theta", 5.0}}}}),
              HasSubstr("'partial_rotary_factor'"));
  EXPECT_THAT(message({{"rope_parameters", {{"partial_rotary_factor", 0.5}}}}),
              HasSubstr("'rope_parameters.partial_rotary_factor'"));
  EXPECT_THAT(message({{"rope_parameters", {{"full_attention", {{"rope_type", "default"}}}}}}),
              HasSubstr("'rope_parameters.full_attention'"));
  EXPECT_THAT(message({{"quantization_config", {{"bits", 4}}}}), HasSubstr("'quantization_config' is given"));
  EXPECT_THAT(message({{"use_mrope", true}}), HasSubstr("'use_mrope' is true"));
  EXPECT_THAT(message({{"layer_types", {"full_attention", "sliding_attention", "full_attention"}}}),
              HasSubstr("'layer_types' has \"sliding_attention\""));
  EXPECT_EQ(message({{"layer_types", {"full_attention", "full_attention", "full_attention"}}}), "accepted");
}

TEST_F(ModelConfigTest, Llama3sOriginalPositionsMayStandOutsideOrBeTheGreatest) {
  json scaling = kLlama3;
  scaling["rope_type"] = "llama3";
  scaling.erase("original_max_position_embeddings");
  const json most = {{"rope_scaling", scaling}, {"max_position_embeddings", 4096}};
  EXPECT_EQ(read(most).rope.original_positions, 4096);
  json outside = most;
  outside["original_max_position_embeddings"] = 2048;
  EXPECT_EQ(read(outside).rope.original_positions, 2048);
}

TEST_F(ModelConfigTest, Qwen2HasBiasesOnQueriesKeysAndValuesAlone) {
  const ModelConfig config = read({{"model_type", "qwen2"}});
  EXPECT_TRUE(config.qkv_bias);
  EXPECT_FALSE(config.output_bias || config.mlp_bias);
  EXPECT_THAT(message({{"model_type", "qwen2"}, {"attention_bias", false}}),
              HasSubstr("'attention_bias' is false"));
}

const json kMoe = {{"model_type", "qwen2_moe"},
                   {"num_experts", 60},
                   {"num_experts_per_tok", 4},
                   {"moe_intermediate_size", 1408},
                   {"shared_expert_intermediate_size", 5632}};

TEST_F(ModelConfigTest, ReadsExperts) {
  json changes = kMoe;
  ModelConfig config = read(changes);
  EXPECT_TRUE(config.qkv_bias);
  EXPECT_EQ(config.moe.experts, 60);
  EXPECT_EQ(config.moe.experts_per_token, 4);
  EXPECT_EQ(config.moe.intermediate, 1408);
  EXPECT_EQ(config.moe.shared_intermediate, 5632);
  EXPECT_FALSE(config.moe.normalise_weights);
  EXPECT_THAT(config.moe.layers, ElementsAre(0, 1, 2));
  changes.update({{"num_hidden_layers", 6},
                  {"decoder_sparse_step", 2},
                  {"mlp_only_layers", {3}},
                  {"norm_topk_prob", true},
                  {"qkv_bias", false}});
  config = read(changes);
  EXPECT_THAT(config.moe.layers, ElementsAre(1, 5));
  EXPECT_TRUE(config.moe.normalise_weights);
  EXPECT_FALSE(config.qkv_bias);
}

TEST_F(ModelConfigTest, RefusesExpertsThatCannotBe) {
  const auto with = [](const json& changes) {
    json all = kMoe;
    all.update(changes);
    return all;
  };
  EXPECT_THAT(message(with({{"num_experts", nullptr}})), HasSubstr("'num_experts' is missing"));
  EXPECT_THAT(message(with({{"num_experts_per_tok", 61}})),
              HasSubstr("'num_experts_per_tok' is 61, above the 60 experts"));
  EXPECT_EQ(message(with({{"num_experts_per_tok", 60}})), "accepted");
  EXPECT_THAT(message(with({{"mlp_only_layers", {3}}})),
              HasSubstr("'mlp_only_layers' has 3, not one of the 3 layers"));
  EXPECT_THAT(message(with({{"mlp_only_layers", 1}})), HasSubstr("'mlp_only_layers' is 1, not a list"));
  EXPECT_THAT(message(with({{"decoder_sparse_step", 0}})), HasSubstr("'decoder_sparse_step' is 0"));
  EXPECT_THAT(message(with({{"attention_bias", false}})),
              HasSubstr("'attention_bias' contradicts qkv_bias, which is true"));
}

TEST_F(ModelConfigTest, RefusesWrongValuesNamingThem) {
  EXPECT_THAT(message({{"hidden_size", nullptr}}), HasSubstr("'hidden_size' is missing"));
  EXPECT_THAT(message({{"hidden_size", "big"}}), HasSubstr("'hidden_size' is \"big\""));
  EXPECT_THAT(message({{"num_hidden_layers", 0}}),
              HasSubstr("'num_hidden_layers' is 0, not an integer in 1.."));
  EXPECT_THAT(message({{"vocab_size", 4294967296}}), HasSubstr("'vocab_size' is 4294967296"));
  EXPECT_THAT(message({{"num_key_value_heads", 3}}), HasSubstr("does not divide the 4 query heads"));
  EXPECT_THAT(message({{"head_dim", 7}}), HasSubstr("'head_dim' is 7, which is odd"));
  EXPECT_THAT(message({{"rms_norm_eps", -1}}), HasSubstr("'rms_norm_eps' is -1"));
  EXPECT_THAT(message({{"tie_word_embeddings", 1}}), HasSubstr("'tie_word_embeddings' is 1"));
  EXPECT_THAT(message({{"eos_token_id", 50}}), HasSubstr("'eos_token_id' has 50"));
  EXPECT_EQ(message({{"eos_token_id", 49}}), "accepted");
}

TEST_F(ModelConfigTest, RefusesFilesThatAreNotThereOrNotJson) {
  const TemporaryDirectory folder;
  EXPECT_THROW((void)record::read_model_config(folder.path()), Error);
  write_text(folder / "config.json", "{\"model_type\": }");
  try {
    (void)record::read_model_config(folder.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("not JSON at byte 16"));
  }
}

TEST_F(ModelConfigTest, CanonicalJsonChangesWithWhatIsComputed) {
  EXPECT_EQ(read({{"torch_dtype", "float32"}}).to_json(), read(json::object()).to_json());
  EXPECT_NE(read({{"rope_theta", 5.0}}).to_json(), read(json::object()).to_json());
  EXPECT_NE(read({{"eos_token_id", 5}}).to_json(), read(json::object()).to_json());
  json moe = kMoe;
  moe["norm_topk_prob"] = true;
  EXPECT_NE(read(moe).to_json(), read(kMoe).to_json());
}

}  // namespace
}  // namespace lil::tests
