#pragma once

#include <memory>
#include <string>
#include <vector>

#include "record/tokenizer/added_tokens.h"
#include "record/tokenizer/json_node.h"
#include "record/tokenizer/model.h"
#include "record/tokenizer/normalizer.h"
#include "record/tokenizer/token_list.h"
#include "schemas/vocabulary.h"

namespace lil::record {

/// What a model needs to know of the rest of its tokenizer.json.
struct JsonModelContext {
  const std::string& file;
  bool byte_level;  ///< pieces are spelt in the byte alphabet
  const Normalizer& normalizer;
  const std::vector<AddedToken>& added;
};

struct JsonModel {
  std::unique_ptr<Model> model;
  TokenList tokens;  ///< those of the model and the added ones
  schemas::Vocabulary vocabulary;
};

/// The `model` of a tokenizer.json: BPE or WordLevel. Throws Error(kInput).
[[nodiscard]] JsonModel read_json_model(const JsonNode& node, const JsonModelContext& context);

}  // namespace lil::record
