// Does the recorder's model compute what its slow twin computes, dense and under every form of sink?

#include "record/language_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "schemas/error.h"
#include "tests/record/reference_model.h"
#include "tests/record/tiny_model.h"
#include "tests/support/temporary_directory.h"

namespace lil::tests {
namespace {

using nlohmann::json;
using schemas::TokenId;
using testing::HasSubstr;

std::vector<TokenId> some_prompt(std::size_t tokens) {
  std::vector<TokenId> ids;
  for (std::size_t i = 0; i < tokens; ++i) ids.push_back(static_cast<TokenId>((i * 17 + 5) % 50));
  return ids;
}

TokenId most_likely(std::span<const float> logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

std::unique_ptr<record::LanguageModel> load(const TinyModel& tiny, const std::string& file_dtype = "F32",
                                            const std::string& dtype = "auto") {
  const TemporaryDirectory folder;
  tiny.write(folder / "tiny", file_dtype);
  record::ModelOptions options;
  options.dtype = dtype;
  return record::load_language_model(folder / "tiny", options);
}

/// Decodes greedily and compares the logits of every step with the twin's.
void expect_twin_agrees(const TinyModel& tiny, const record::LanguageModel& model,
                        const std::string& policy_text, std::size_t prompt_tokens, int steps,
                        const ViewOf& view_of) {
  const auto policy = record::make_attention_policy(policy_text);
  const ReferenceModel twin(tiny);
  std::vector<TokenId> ids = some_prompt(prompt_tokens);
  const auto sequence = model.start(*policy.policy);
  auto logits = sequence->prefill(ids);
  for (int step = 0; step < steps; ++step) {
    const std::vector<double> expected = twin.logits(ids, view_of);
    ASSERT_EQ(logits.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(static_cast<double>(logits[i]), expected[i], 1e-4) << policy.spec << ", step " << step;
    }
    const auto best = std::max_element(expected.begin(), expected.end()) - expected.begin();
    ASSERT_EQ(most_likely(logits), best) << policy.spec << ", step " << step;
    ids.push_back(most_likely(logits));
    logits = sequence->decode(ids.back());
  }
}

ViewOf dense() {
  return [](std::int64_t t, std::int64_t /*layer*/) { return dense_view(t); };
}

struct SinkForm {
  std::string text;
  std::int64_t budget = 0;
  std::int64_t sinks = 4;
  std::string pos = "cache";
  bool dense_first_step = false;
  bool pin_prompt = false;
  std::int64_t skip_layers = 0;
};

/// The definition in closed form: the first tokens and the last ones of all so far.
ViewOf sink_view(const SinkForm& form, std::int64_t prompt) {
  return [form, prompt](std::int64_t t, std::int64_t layer) {
    if (t < prompt || layer < form.skip_layers) return dense_view(t);
    const std::int64_t tokens = t + 1;
    std::int64_t first = std::min(form.sinks, form.budget - 1);
    if (form.pin_prompt) first = std::max(first, prompt);
    const std::int64_t last = std::max<std::int64_t>(form.budget - first, 1);
    const bool all = tokens <= first + last || (form.dense_first_step && t == prompt);
    AttentionView view;
    for (std::int64_t j = 0; j < tokens; ++j) {
      if (all || j < first || j >= tokens - last) view.tokens.push_back(j);
    }
    const auto kept = static_cast<std::int64_t>(view.tokens.size());
    const std::int64_t stride = form.pos == "doubled" ? 2 : 1;
    for (std::int64_t place = 0; place < kept; ++place) {
      view.key_positions.push_back(form.pos == "orig" ? view.tokens[static_cast<std::size_t>(place)]
                                                      : place * stride);
    }
    view.query_position = view.key_positions.back();
    return view;
  };
}

TEST(LanguageModelTwin, DenseAgreesForEveryKindOfConfiguration) {
  const std::vector<json> kinds = {
      json::object(),
      {{"tie_word_embeddings", false}, {"attention_bias", true}, {"mlp_bias", true}},
      {{"num_key_value_heads", 4}, {"head_dim", 8}},
      {{"num_key_value_heads", 1}, {"head_dim", 6}, {"hidden_size", 35}, {"intermediate_size", 41}},
      {{"rope_scaling",
        {{"rope_type", "llama3"},
         {"factor", 8.0},
         {"low_freq_factor", 1.0},
         {"high_freq_factor", 4.0},
         {"original_max_position_embeddings", 64}}}},
  };
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    SCOPED_TRACE(kinds[k].dump());
    const TinyModel tiny = make_tiny_model(static_cast<std::uint32_t>(k), kinds[k]);
    expect_twin_agrees(tiny, *load(tiny), "full", 5, 12, dense());
  }
}

TEST(LanguageModelTwin, PromptsAroundTheChunkOfPrefillAgree) {
  const TinyModel tiny = make_tiny_model(7, {{"num_hidden_layers", 2}});
  const auto model = load(tiny);
  for (const std::size_t prompt : {1U, 2U, 127U, 128U, 129U, 257U}) {
    SCOPED_TRACE(prompt);
    expect_twin_agrees(tiny, *model, "full", prompt, 1, dense());
  }
}

TEST(LanguageModelTwin, NarrowWeightsComputedInFp32Agree) {
  for (const std::string dtype : {"BF16", "F16"}) {
    SCOPED_TRACE(dtype);
    TinyModel tiny = make_tiny_model(3);
    const auto model = load(tiny, dtype);
    EXPECT_EQ(model->dtype(), "fp32");
    tiny.tensors = rounded(tiny.tensors, dtype);
    expect_twin_agrees(tiny, *model, "full", 4, 8, dense());
  }
}

// The tolerances are a few roundings of the type, at logits of about 5.
TEST(LanguageModelTwin, NarrowTypesComeClose) {
  const std::vector<TokenId> prompt = some_prompt(9);
  for (const auto& [dtype, tolerance] : {std::pair<std::string, double>{"bf16", 0.2}, {"fp16", 0.03}}) {
    const std::string stored = dtype == "bf16" ? "BF16" : "F16";
    TinyModel tiny = make_tiny_model(11);
    const auto model = load(tiny, stored, dtype);
    EXPECT_EQ(model->dtype(), dtype);
    tiny.tensors = rounded(tiny.tensors, stored);
    for (const std::string text : {"full", "sink(budget=64)"}) {
      const auto policy = record::make_attention_policy(text);
      const auto sequence = model->start(*policy.policy);
      (void)sequence->prefill(std::span(prompt).first(7));
      (void)sequence->decode(prompt[7]);
      const auto logits = sequence->decode(prompt[8]);
      const auto expected = ReferenceModel(tiny).logits(prompt, dense());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_NEAR(static_cast<double>(logits[i]), expected[i], tolerance) << dtype << " " << text;
      }
    }
  }
}

TEST(LanguageModelTwin, SinkAgreesWithTheMaskedReference) {
  const std::vector<SinkForm> forms = {
      {.text = "sink(budget=8)", .budget = 8},
      {.text = "sink(budget=5,sinks=2)", .budget = 5, .sinks = 2},
      {.text = "sink(budget=8,pos=orig)", .budget = 8, .pos = "orig"},
      {.text = "sink(budget=8,pos=doubled)", .budget = 8, .pos = "doubled"},
      {.text = "sink(budget=8,evict=after)", .budget = 9},
      {.text = "sink(budget=8,first_step=dense)", .budget = 8, .dense_first_step = true},
      {.text = "sink(budget=9,pin_prompt=on)", .budget = 9, .pin_prompt = true},
      {.text = "sink(budget=6,skip_layers=1)", .budget = 6, .skip_layers = 1},
      {.text = "sink(budget=6,pos=doubled,skip_layers=2)", .budget = 6, .pos = "doubled", .skip_layers = 2},
      {.text = "sink(budget=3)", .budget = 3},
      {.text = "sink(budget=1)", .budget = 1},
      {.text = "sink(budget=4,sinks=0)", .budget = 4, .sinks = 0},
  };
  const TinyModel tiny = make_tiny_model(5);
  const auto model = load(tiny);
  for (const SinkForm& form : forms) {
    for (const std::int64_t prompt : {1, 7, 13}) {
      SCOPED_TRACE(prompt);
      expect_twin_agrees(tiny, *model, form.text, static_cast<std::size_t>(prompt), 12,
                         sink_view(form, prompt));
    }
  }
}

TEST(LanguageModel, ReadsShardedWeightsAsWhole) {
  const TinyModel tiny = make_tiny_model(2);
  const TemporaryDirectory folder;
  tiny.write(folder / "whole");
  tiny.write(folder / "shards");
  std::filesystem::remove(folder / "shards" / "model.safetensors");
  TinyTensors parts[2];
  json map;
  for (const auto& [name, tensor] : tiny.tensors) {
    const std::size_t part = map.size() % 2;
    parts[part][name] = tensor;
    map[name] = part == 0 ? "a.safetensors" : "b.safetensors";
  }
  write_safetensors(folder / "shards" / "a.safetensors", parts[0]);
  write_safetensors(folder / "shards" / "b.safetensors", parts[1]);
  write_text(folder / "shards" / "model.safetensors.index.json", json({{"weight_map", map}}).dump());
  const auto whole = record::load_language_model(folder / "whole");
  const auto shards = record::load_language_model(folder / "shards/");
  EXPECT_EQ(shards->name(), "shards");
  EXPECT_NE(whole->weights_sha256(), shards->weights_sha256());
  const auto policy = record::make_attention_policy("full");
  const auto one = whole->start(*policy.policy);
  const auto other = shards->start(*policy.policy);
  const auto expected = one->prefill(some_prompt(6));
  const auto logits = other->prefill(some_prompt(6));
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), logits.begin(), logits.end()));
}

// A data section that starts at an odd byte cannot be used in place.
TEST(LanguageModel, UnalignedTensorsAreCopied) {
  const TinyModel tiny = make_tiny_model(2);
  const TemporaryDirectory folder;
  tiny.write(folder / "odd");
  std::string header;
  json all = json::object();
  std::string data;
  for (const auto& [name, tensor] : tiny.tensors) {
    const std::size_t start = data.size();
    data.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
    all[name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {start, data.size()}}};
  }
  header = all.dump();
  while (header.size() % 4 != 1) header += ' ';
  write_raw_safetensors(folder / "odd" / "model.safetensors", header, data);
  expect_twin_agrees(tiny, *record::load_language_model(folder / "odd"), "full", 5, 3, dense());
}

void expect_load_error(const std::filesystem::path& folder, ErrorCode code, const std::string& part,
                       const record::ModelOptions& options = {}) {
  try {
    (void)record::load_language_model(folder, options);
    FAIL() << "loaded, but should say: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    EXPECT_THAT(error.what(), HasSubstr(part));
  }
}

TEST(LanguageModel, RefusesFoldersThatAreNoModel) {
  const TemporaryDirectory folder;
  expect_load_error(folder / "none", ErrorCode::kNotFound, "config.json");
  TinyModel tiny = make_tiny_model(1);
  tiny.write(folder / "bare");
  std::filesystem::remove(folder / "bare" / "model.safetensors");
  expect_load_error(folder / "bare", ErrorCode::kNotFound, "neither model.safetensors nor");
  tiny.tensors.erase("model.layers.1.mlp.up_proj.weight");
  tiny.write(folder / "missing");
  expect_load_error(folder / "missing", ErrorCode::kNotFound,
                    "missing/model.safetensors has no tensor 'model.layers.1.mlp.up_proj.weight'");
  tiny = make_tiny_model(1);
  tiny.tensors["model.norm.weight"] = {{31}, std::vector<float>(31)};
  tiny.write(folder / "shape");
  expect_load_error(folder / "shape", ErrorCode::kInput,
                    "tensor 'model.norm.weight' has shape [31], config.json asks for [32]");
}

TEST(LanguageModel, RefusesUnknownDevicesAndTypes) {
  const TemporaryDirectory folder;
  make_tiny_model(1).write(folder / "m");
  expect_load_error(folder / "m", ErrorCode::kEnvironment, "cuda", {"auto", "cuda"});
  expect_load_error(folder / "m", ErrorCode::kUsage, "unknown device 'tpu'", {"auto", "tpu"});
  expect_load_error(folder / "m", ErrorCode::kUsage, "unknown dtype 'int8'", {"int8", "cpu"});
}

TEST(LanguageModel, RefusesTokensOutsideTheVocabulary) {
  const auto model = load(make_tiny_model(1));
  const auto policy = record::make_attention_policy("full");
  for (const TokenId id : {-1, 50}) {
    const auto sequence = model->start(*policy.policy);
    EXPECT_THROW((void)sequence->prefill(std::vector<TokenId>{id}), Error);
  }
}

}  // namespace
}  // namespace lil::tests
