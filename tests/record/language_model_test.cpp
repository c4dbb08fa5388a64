// Is a model folder loaded as it stands, its weights mapped or converted once, and everything else refused?

#include "record/language_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "record/models/checkpoint.h"
#include "schemas/error.h"
#include "tests/record/dense_pass.h"
#include "tests/record/tiny_model.h"
#include "tests/support/temporary_directory.h"

namespace lil::tests {
namespace {

using nlohmann::json;
using record::DType;
using testing::HasSubstr;

class LanguageModelTest : public testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<record::LanguageModel> load(const std::string& name,
                                                            const std::string& dtype = "auto") {
    return record::load_language_model(folder_ / name, *device_, {dtype});
  }
  [[nodiscard]] std::vector<std::vector<float>> logits(const record::LanguageModel& model) const {
    const Ids ids{5, 22, 39, 6, 23, 40};
    return dense_pass(model, *model.make_decoder(), {&ids, 1});
  }
  void expect_error(const std::string& name, ErrorCode code, const std::string& part,
                    const std::string& dtype = "auto") {
    try {
      (void)load(name, dtype);
      FAIL() << "loaded, but should say: " << part;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
      EXPECT_THAT(error.what(), HasSubstr(part));
    }
  }
  /// The tiny model, changed by `change`, as a folder.
  template <class Change>
  void write(const std::string& name, const Change& change, const json& config = json::object()) {
    TinyModel tiny = make_tiny_model(1, config);
    change(tiny);
    tiny.write(folder_ / name);
  }

  TemporaryDirectory folder_;
  std::unique_ptr<record::Device> device_ = record::make_cpu_device(1);
};

void write_shards(const std::filesystem::path& folder, const TinyModel& tiny) {
  tiny.write(folder);
  std::filesystem::remove(folder / "model.safetensors");
  TinyTensors parts[2];
  json map;
  for (const auto& [name, tensor] : tiny.tensors) {
    const std::size_t part = map.size() % 2;
    parts[part][name] = tensor;
    map[name] = part == 0 ? "a.safetensors" : "b.safetensors";
  }
  write_safetensors(folder / "a.safetensors", parts[0]);
  write_safetensors(folder / "b.safetensors", parts[1]);
  write_text(folder / "model.safetensors.index.json", json({{"weight_map", map}}).dump());
}

TEST_F(LanguageModelTest, ReadsShardedWeightsAsWhole) {
  for (const std::string model_type : {"llama", "qwen2", "qwen2_moe"}) {
    SCOPED_TRACE(model_type);
    const TinyModel tiny = make_tiny_model(2, {{"model_type", model_type}});
    tiny.write(folder_ / (model_type + "-whole"));
    write_shards(folder_ / (model_type + "-shards"), tiny);
    const auto whole = load(model_type + "-whole");
    const auto shards = load(model_type + "-shards/");
    EXPECT_EQ(shards->name(), model_type + "-shards");
    EXPECT_NE(whole->weights_sha256(), shards->weights_sha256());
    EXPECT_EQ(logits(*whole), logits(*shards));
  }
}

// A data section that starts at an odd byte cannot be used in place.
TEST_F(LanguageModelTest, UnalignedTensorsAreCopied) {
  const TinyModel tiny = make_tiny_model(2);
  tiny.write(folder_ / "even");
  tiny.write(folder_ / "odd");
  json all = json::object();
  std::string data;
  for (const auto& [name, tensor] : tiny.tensors) {
    const std::size_t start = data.size();
    data.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
    all[name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {start, data.size()}}};
  }
  std::string header = all.dump();
  while (header.size() % 4 != 1) header += ' ';
  write_raw_safetensors(folder_ / "odd" / "model.safetensors", header, data);
  EXPECT_EQ(logits(*load("odd")), logits(*load("even")));
}

// The same number of the file is at one address wherever the model's parts meet it.
TEST_F(LanguageModelTest, WeightsOfTheRightTypeStayInTheMappedFile) {
  const TinyModel tiny = make_tiny_model(2, {{"model_type", "qwen2_moe"}});
  for (const auto& [stored, dtype] : {std::pair{"F32", DType::kFp32}, {"BF16", DType::kBf16}}) {
    tiny.write(folder_ / "model", stored);
    const record::ModelConfig config = record::read_model_config(folder_ / "model");
    const record::Checkpoint checkpoint(folder_ / "model", config, dtype);
    EXPECT_EQ(checkpoint.head().data, checkpoint.embedding().data);
    // Tensors lie one after the other, by name: what is mapped keeps these distances.
    const record::GatedMlp& mlp = checkpoint.layers()[1].experts->experts[3];
    EXPECT_EQ(mlp.up.matrix.data - mlp.gate.matrix.data, 20 * 32 * kernels::bytes_of(dtype));
    EXPECT_EQ(mlp.gate.matrix.data - mlp.down.matrix.data, 20 * 32 * kernels::bytes_of(dtype));
  }
}

TEST_F(LanguageModelTest, TiedWeightsMayBeStoredTwiceButNotDiffer) {
  write("plain", [](TinyModel&) {});
  write("twice", [](TinyModel& tiny) {
    tiny.tensors["lm_head.weight"] = tiny.tensors.at("model.embed_tokens.weight");
  });
  EXPECT_EQ(logits(*load("twice")), logits(*load("plain")));
  write("differ", [](TinyModel& tiny) {
    tiny.tensors["lm_head.weight"] = tiny.tensors.at("model.embed_tokens.weight");
    tiny.tensors["lm_head.weight"].values[7] += 1;
  });
  expect_error("differ", ErrorCode::kInput,
               "differ/model.safetensors: tensor 'lm_head.weight' differs from 'model.embed_tokens.weight'");
}

TEST_F(LanguageModelTest, RefusesFoldersThatAreNoModel) {
  expect_error("none", ErrorCode::kNotFound, "config.json");
  write("bare", [](TinyModel&) {});
  std::filesystem::remove(folder_ / "bare" / "model.safetensors");
  expect_error("bare", ErrorCode::kNotFound, "neither model.safetensors nor");
}

TEST_F(LanguageModelTest, NamesTheTensorThatIsMissing) {
  write("mlp", [](TinyModel& tiny) { tiny.tensors.erase("model.layers.1.mlp.up_proj.weight"); });
  expect_error("mlp", ErrorCode::kNotFound,
               "mlp/model.safetensors has no tensor 'model.layers.1.mlp.up_proj.weight'");
  write("bias", [](TinyModel& tiny) { tiny.tensors.erase("model.layers.2.self_attn.k_proj.bias"); },
        {{"model_type", "qwen2"}});
  expect_error("bias", ErrorCode::kNotFound, "no tensor 'model.layers.2.self_attn.k_proj.bias'");
  write("expert",
        [](TinyModel& tiny) { tiny.tensors.erase("model.layers.0.mlp.experts.5.down_proj.weight"); },
        {{"model_type", "qwen2_moe"}});
  expect_error("expert", ErrorCode::kNotFound, "no tensor 'model.layers.0.mlp.experts.5.down_proj.weight'");
  write("head", [](TinyModel& tiny) { tiny.config["tie_word_embeddings"] = false; });
  expect_error("head", ErrorCode::kNotFound, "no tensor 'lm_head.weight'");
}

TEST_F(LanguageModelTest, NamesTheTensorOfAnotherShape) {
  write("norm", [](TinyModel& tiny) { tiny.tensors["model.norm.weight"] = {{31}, std::vector<float>(31)}; });
  expect_error(
      "norm", ErrorCode::kInput,
      "norm/model.safetensors: tensor 'model.norm.weight' has shape [31], config.json asks for [32]");
  write("router",
        [](TinyModel& tiny) {
          tiny.tensors["model.layers.0.mlp.gate.weight"] = {{7, 32}, std::vector<float>(224)};
        },
        {{"model_type", "qwen2_moe"}});
  expect_error("router", ErrorCode::kInput,
               "'model.layers.0.mlp.gate.weight' has shape [7, 32], config.json asks for [6, 32]");
}

// A tensor without a place is a part of the model that this recorder would leave out.
TEST_F(LanguageModelTest, RefusesTensorsWithoutAPlace) {
  write("norm", [](TinyModel& tiny) {
    tiny.tensors["model.layers.1.self_attn.q_norm.weight"] = {{12}, std::vector<float>(12)};
  });
  expect_error("norm", ErrorCode::kInput,
               "norm/model.safetensors: tensor 'model.layers.1.self_attn.q_norm.weight' has no place");
  write("layer", [](TinyModel& tiny) { tiny.config["num_hidden_layers"] = 2; });
  expect_error("layer", ErrorCode::kInput, "tensor 'model.layers.2.");
  write("bias", [](TinyModel& tiny) { tiny.config["attention_bias"] = false; }, {{"attention_bias", true}});
  expect_error("bias", ErrorCode::kInput, "tensor 'model.layers.0.self_attn.k_proj.bias' has no place");
  write("old", [](TinyModel& tiny) {
    tiny.tensors["model.layers.1.self_attn.rotary_emb.inv_freq"] = {{6}, std::vector<float>(6)};
  });
  EXPECT_NO_THROW((void)load("old"));
}

TEST_F(LanguageModelTest, RefusesTypesThatAreNoWeights) {
  write("ints", [](TinyModel&) {});
  write_raw_safetensors(
      folder_ / "ints" / "model.safetensors",
      R"({"model.embed_tokens.weight":{"dtype":"I8","shape":[50,32],"data_offsets":[0,1600]}})",
      std::string(1600, 'x'));
  expect_error(
      "ints", ErrorCode::kInput,
      "tensor 'model.embed_tokens.weight' is of type I8; weights of type F32, F16 and BF16 are known");
}

TEST_F(LanguageModelTest, NamesWhereATruncatedFileEnds) {
  write("cut", [](TinyModel&) {});
  const auto file = folder_ / "cut" / "model.safetensors";
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1);
  expect_error("cut", ErrorCode::kInput, "cut/model.safetensors: tensor 'model.norm.weight': data_offsets [");
}

TEST_F(LanguageModelTest, RefusesUnknownTypesOfComputation) {
  write("m", [](TinyModel&) {});
  expect_error("m", ErrorCode::kUsage, "unknown dtype 'int8'", "int8");
}

}  // namespace
}  // namespace lil::tests
