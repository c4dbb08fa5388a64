#include "record/model_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "schemas/error.h"

namespace lil::record {
namespace {

using nlohmann::json;

/// A JSON object of a file, read with errors that name file and key. A null member counts as missing.
class Section {
 public:
  Section(std::filesystem::path path, json object, std::string prefix = "")
      : path_(std::move(path)), object_(std::move(object)), prefix_(std::move(prefix)) {}

  [[noreturn]] void refuse(std::string_view key, const std::string& what) const {
    throw Error(ErrorCode::kInput, fmt::format("{}: '{}{}' {}", path_.string(), prefix_, key, what));
  }

  [[nodiscard]] const json* find(const char* key) const {
    const auto member = object_.find(key);
    return member == object_.end() || member->is_null() ? nullptr : &*member;
  }

  [[nodiscard]] std::int64_t count(const char* key, std::optional<std::int64_t> otherwise = {}) const {
    const json* member = find(key);
    if (member == nullptr && otherwise) return *otherwise;
    if (member == nullptr) refuse(key, "is missing");
    constexpr std::int64_t kMost = 1 << 30;
    if (!member->is_number_integer() || *member < 1 || *member > kMost) {
      refuse(key, fmt::format("is {}, not an integer in 1..{}", member->dump(), kMost));
    }
    return member->get<std::int64_t>();
  }

  [[nodiscard]] double positive(const char* key, std::optional<double> otherwise = {}) const {
    const json* member = find(key);
    if (member == nullptr && otherwise) return *otherwise;
    if (member == nullptr) refuse(key, "is missing");
    if (!member->is_number() || !(member->get<double>() > 0)) {
      refuse(key, fmt::format("is {}, not a positive number", member->dump()));
    }
    return member->get<double>();
  }

  [[nodiscard]] bool flag(const char* key, bool otherwise) const {
    const json* member = find(key);
    if (member == nullptr) return otherwise;
    if (!member->is_boolean()) refuse(key, fmt::format("is {}, not true or false", member->dump()));
    return member->get<bool>();
  }

  [[nodiscard]] std::string text(const char* key, const std::string& otherwise) const {
    const json* member = find(key);
    if (member == nullptr) return otherwise;
    if (!member->is_string()) refuse(key, fmt::format("is {}, not a string", member->dump()));
    return member->get<std::string>();
  }

  [[nodiscard]] std::optional<Section> section(const char* key) const {
    const json* member = find(key);
    if (member == nullptr) return std::nullopt;
    if (!member->is_object()) refuse(key, fmt::format("is {}, not an object", member->dump()));
    return Section(path_, *member, prefix_ + key + ".");
  }

  /// Refuses members that are objects: values for one kind of layer each.
  void refuse_objects() const {
    for (const auto& [key, member] : object_.items()) {
      if (member.is_object()) refuse(key, "is an object; values that differ between layers are not known");
    }
  }

 private:
  std::filesystem::path path_;
  json object_;
  std::string prefix_;
};

Section read_section(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(ErrorCode::kNotFound, fmt::format("cannot open {}", path.string()));
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  try {
    json parsed = json::parse(text);
    if (!parsed.is_object())
      throw Error(ErrorCode::kInput, fmt::format("{} is not a JSON object", path.string()));
    return {path, std::move(parsed)};
  } catch (const json::parse_error& error) {
    throw Error(ErrorCode::kInput, fmt::format("{} is not JSON at byte {}", path.string(), error.byte));
  }
}

// `rope_scaling` beside `rope_theta`, or both within `rope_parameters`; older files say `type` for
// `rope_type`.
// As in transformers, what stands in `rope_parameters` goes first.
RopeConfig read_rope(const Section& config) {
  RopeConfig rope;
  const std::optional<Section> parameters = config.section("rope_parameters");
  if (parameters) parameters->refuse_objects();
  rope.theta = config.positive("rope_theta", rope.theta);
  if (parameters) rope.theta = parameters->positive("rope_theta", rope.theta);
  const std::optional<Section> scaling = parameters ? parameters : config.section("rope_scaling");
  if (!scaling) return rope;
  const std::string type = scaling->text("rope_type", scaling->text("type", "default"));
  if (type == "default") return rope;
  if (type != "llama3") {
    scaling->refuse("rope_type", fmt::format("is '{}'; known are: default, llama3", type));
  }
  rope.scaling = RopeConfig::Scaling::kLlama3;
  rope.factor = scaling->positive("factor");
  rope.low_frequency_factor = scaling->positive("low_freq_factor");
  rope.high_frequency_factor = scaling->positive("high_freq_factor");
  const char* key = "original_max_position_embeddings";
  rope.original_positions = config.find(key) != nullptr     ? config.count(key)
                            : scaling->find(key) != nullptr ? scaling->count(key)
                                                            : config.count("max_position_embeddings");
  if (rope.high_frequency_factor <= rope.low_frequency_factor) {
    scaling->refuse("high_freq_factor", "is not above low_freq_factor");
  }
  return rope;
}

void read_llama(const Section& section, ModelConfig& config) {
  config.qkv_bias = section.flag("attention_bias", false);
  config.output_bias = config.qkv_bias;
  config.mlp_bias = section.flag("mlp_bias", false);
}

// Nothing in the file says so: queries, keys and values have a bias, the output has none.
void read_qwen2(const Section& section, ModelConfig& config) {
  if (!section.flag("attention_bias", true)) {
    section.refuse("attention_bias", "is false; qwen2 has biases on queries, keys and values");
  }
  config.qkv_bias = true;
}

/// Layers of a list, each below `layers`.
std::vector<std::int64_t> read_layers(const Section& section, const char* key, std::int64_t layers) {
  const json* list = section.find(key);
  if (list == nullptr) return {};
  if (!list->is_array()) section.refuse(key, fmt::format("is {}, not a list", list->dump()));
  std::vector<std::int64_t> numbers;
  for (const json& layer : *list) {
    if (!layer.is_number_integer() || layer < 0 || layer >= layers) {
      section.refuse(key, fmt::format("has {}, not one of the {} layers", layer.dump(), layers));
    }
    numbers.push_back(layer.get<std::int64_t>());
  }
  return numbers;
}

void read_qwen2_moe(const Section& section, ModelConfig& config) {
  config.qkv_bias = section.flag("qkv_bias", true);
  if (section.flag("attention_bias", config.qkv_bias) != config.qkv_bias) {
    section.refuse("attention_bias", fmt::format("contradicts qkv_bias, which is {}", config.qkv_bias));
  }
  MoeConfig& moe = config.moe;
  moe.experts = section.count("num_experts");
  moe.experts_per_token = section.count("num_experts_per_tok");
  if (moe.experts_per_token > moe.experts) {
    section.refuse("num_experts_per_tok",
                   fmt::format("is {}, above the {} experts", moe.experts_per_token, moe.experts));
  }
  moe.intermediate = section.count("moe_intermediate_size");
  moe.shared_intermediate = section.count("shared_expert_intermediate_size");
  moe.normalise_weights = section.flag("norm_topk_prob", false);
  const std::int64_t step = section.count("decoder_sparse_step", 1);
  const std::vector<std::int64_t> plain = read_layers(section, "mlp_only_layers", config.layers);
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    const bool is_plain = std::find(plain.begin(), plain.end(), layer) != plain.end();
    if (!is_plain && (layer + 1) % step == 0) moe.layers.push_back(layer);
  }
}

/// What differs between families of the Llama form.
struct Family {
  std::string_view model_type;
  void (*read)(const Section&, ModelConfig&);
};

constexpr std::array<Family, 3> kFamilies{
    {{"llama", read_llama}, {"qwen2", read_qwen2}, {"qwen2_moe", read_qwen2_moe}}};

const Family& family_of(const Section& section) {
  const std::string type = section.text("model_type", "");
  std::string known;
  for (const Family& family : kFamilies) {
    if (type == family.model_type) return family;
    known += (known.empty() ? "" : ", ") + std::string(family.model_type);
  }
  section.refuse("model_type", fmt::format("is '{}'; known are: {}", type, known));
}

// Each of these would change what the model computes, and none of them would be noticed.
void refuse_unknown(const Section& section) {
  const std::string activation = section.text("hidden_act", "silu");
  if (activation != "silu") section.refuse("hidden_act", fmt::format("is '{}'; known is: silu", activation));
  if (section.flag("use_sliding_window", false)) {
    section.refuse("use_sliding_window", "is true; attention over a sliding window is not known");
  }
  if (section.flag("use_mrope", false)) {
    section.refuse("use_mrope", "is true; positions in several dimensions are not known");
  }
  if (section.find("quantization_config") != nullptr) {
    section.refuse("quantization_config", "is given; quantised weights are not known");
  }
  const json* types = section.find("layer_types");
  for (const json& type : types == nullptr ? json::array() : *types) {
    if (type != "full_attention") {
      section.refuse("layer_types", fmt::format("has {}; known is: full_attention", type.dump()));
    }
  }
  for (const Section& place : {section, section.section("rope_parameters").value_or(section)}) {
    if (place.positive("partial_rotary_factor", 1.0) != 1.0) {
      place.refuse("partial_rotary_factor", "is not 1; rotating a part of the channels is not known");
    }
  }
}

void read_shape(const Section& section, ModelConfig& config) {
  config.vocabulary = section.count("vocab_size");
  config.hidden = section.count("hidden_size");
  config.intermediate = section.count("intermediate_size");
  config.layers = section.count("num_hidden_layers");
  config.heads = section.count("num_attention_heads");
  config.kv_heads = section.count("num_key_value_heads", config.heads);
  if (config.heads % config.kv_heads != 0) {
    section.refuse("num_key_value_heads", fmt::format("is {}, which does not divide the {} query heads",
                                                      config.kv_heads, config.heads));
  }
  if (section.find("head_dim") == nullptr && config.hidden % config.heads != 0) {
    section.refuse("head_dim", fmt::format("is missing, and {} heads do not divide hidden_size {}",
                                           config.heads, config.hidden));
  }
  config.head_dim = section.count("head_dim", config.hidden / config.heads);
  if (config.head_dim % 2 != 0)
    section.refuse("head_dim", fmt::format("is {}, which is odd", config.head_dim));
}

std::vector<schemas::TokenId> read_end_ids(const Section& section, std::int64_t vocabulary) {
  const char* key = "eos_token_id";
  const json* member = section.find(key);
  if (member == nullptr) return {};
  const json list = member->is_array() ? *member : json::array({*member});
  std::vector<schemas::TokenId> ids;
  for (const json& id : list) {
    if (!id.is_number_integer() || id < 0 || id >= vocabulary) {
      section.refuse(key,
                     fmt::format("has {}, not a token of the {} in the vocabulary", id.dump(), vocabulary));
    }
    ids.push_back(id.get<schemas::TokenId>());
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace

std::string ModelConfig::to_json() const {
  const bool llama3 = rope.scaling == RopeConfig::Scaling::kLlama3;
  json scaling = nullptr;
  if (llama3) {
    scaling = {{"rope_type", "llama3"},
               {"factor", rope.factor},
               {"low_freq_factor", rope.low_frequency_factor},
               {"high_freq_factor", rope.high_frequency_factor},
               {"original_max_position_embeddings", rope.original_positions}};
  }
  json all = {{"model_type", model_type},
              {"vocab_size", vocabulary},
              {"hidden_size", hidden},
              {"intermediate_size", intermediate},
              {"num_hidden_layers", layers},
              {"num_attention_heads", heads},
              {"num_key_value_heads", kv_heads},
              {"head_dim", head_dim},
              {"rms_norm_eps", rms_epsilon},
              {"rope_theta", rope.theta},
              {"rope_scaling", scaling},
              {"qkv_bias", qkv_bias},
              {"output_bias", output_bias},
              {"mlp_bias", mlp_bias},
              {"tie_word_embeddings", tied_embeddings},
              {"eos_token_id", end_ids}};
  if (!moe.layers.empty()) {
    all["moe"] = {{"num_experts", moe.experts},
                  {"num_experts_per_tok", moe.experts_per_token},
                  {"moe_intermediate_size", moe.intermediate},
                  {"shared_expert_intermediate_size", moe.shared_intermediate},
                  {"norm_topk_prob", moe.normalise_weights},
                  {"layers", moe.layers}};
  }
  return all.dump();
}

ModelConfig read_model_config(const std::filesystem::path& folder) {
  const Section section = read_section(folder / "config.json");
  ModelConfig config;
  const Family& family = family_of(section);
  config.model_type = family.model_type;
  refuse_unknown(section);
  read_shape(section, config);
  family.read(section, config);
  config.rope = read_rope(section);
  config.rms_epsilon = section.positive("rms_norm_eps", 1e-6);
  config.tied_embeddings = section.flag("tie_word_embeddings", false);
  constexpr const char* kPositions = "max_position_embeddings";
  if (section.find(kPositions) != nullptr) config.max_positions = section.count(kPositions);
  config.checkpoint_dtype = section.text("dtype", section.text("torch_dtype", ""));
  config.end_ids = read_end_ids(section, config.vocabulary);
  const std::filesystem::path generation = folder / "generation_config.json";
  if (std::filesystem::exists(generation)) {
    auto ids = read_end_ids(read_section(generation), config.vocabulary);
    if (!ids.empty()) config.end_ids = std::move(ids);
  }
  return config;
}

}  // namespace lil::record
