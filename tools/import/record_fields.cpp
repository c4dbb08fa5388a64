#include "tools/import/record_fields.h"

#include <fmt/format.h>

#include <string_view>

#include "schemas/error.h"
#include "tools/import/json_value.h"

namespace lil::tools {
namespace {

struct FieldRow {
  const char* name;
  std::vector<std::string_view> usual_keys;  ///< the surest first
};

/// In the order of Field. `answer` comes last for gold and never for output: in most logs it is the gold
/// answer.
const std::array<FieldRow, kFieldCount>& rows() {
  static const std::array<FieldRow, kFieldCount> table = {{
      {"output",
       {"output", "outputs", "model_answer", "full_response", "model_output", "response", "responses",
        "generation", "generations", "completion", "completions", "generated_text", "text"}},
      {"gold",
       {"gold", "gold_answer", "ground_truth", "gt_answer", "gt", "reference_answer", "expected_answer",
        "target", "answer"}},
      {"id",
       {"problem_id", "unique_id", "item_id", "custom_id", "question_id", "id", "idx", "doc_id", "uuid"}},
      {"problem", {"problem", "question", "problem_text", "query"}},
      {"prompt", {"prompt", "model_input", "input_text", "full_prompt"}},
      {"problem_set", {"problem_set"}},
      {"model", {"model", "model_name", "model_id", "model_name_or_path", "generator"}},
      {"policy", {"policy", "attention_policy"}},
      {"sampler", {"sampler"}},
      {"cap", {"max_tokens", "max_new_tokens", "max_completion_tokens"}},
      {"finish", {"finish", "finish_reason", "finish_reasons", "stop_reason"}},
      {"repeat", {"repeat"}},
      {"ids", {"ids", "token_ids", "output_ids", "output_token_ids"}},
      {"prompt_ids", {"prompt_ids", "prompt_token_ids"}},
  }};
  return table;
}

const FieldRow& row_of(Field field) {
  return rows()[static_cast<std::size_t>(field)];
}

std::size_t field_called(std::string_view name, std::string_view spec) {
  std::string known;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    if (rows()[i].name == name) return i;
    known += fmt::format("{}{}", i == 0 ? "" : ", ", rows()[i].name);
  }
  throw Error(ErrorCode::kUsage,
              fmt::format("--field {}: there is no field '{}'; known are: {}", spec, name, known));
}

}  // namespace

const char* to_string(Field field) {
  return row_of(field).name;
}

FieldMap FieldMap::parse(std::span<const std::string> specs) {
  FieldMap map;
  for (const std::string& spec : specs) {
    const std::size_t equals = spec.find('=');
    if (equals == std::string::npos || equals + 1 == spec.size()) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("--field {}: expected field=key or field=/json/pointer", spec));
    }
    const std::size_t field = field_called(spec.substr(0, equals), spec);
    if (map.given_[field]) {
      throw Error(ErrorCode::kUsage, fmt::format("--field {}: this field is given twice", spec));
    }
    Given given{spec.substr(equals + 1), std::nullopt};
    if (given.spelling.front() == '/') {
      given.pointer.emplace(given.spelling.data(), given.spelling.size());
      if (!given.pointer->IsValid()) {
        throw Error(ErrorCode::kUsage, fmt::format("--field {}: no valid JSON pointer (error at byte {})",
                                                   spec, given.pointer->GetParseErrorOffset()));
      }
    }
    map.given_[field] = std::move(given);
  }
  return map;
}

std::vector<Field> FieldMap::given() const {
  std::vector<Field> fields;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    if (given_[i]) fields.push_back(static_cast<Field>(i));
  }
  return fields;
}

const rapidjson::Value* FieldMap::find(const rapidjson::Value& record, Field field) const {
  if (const auto& given = given_[static_cast<std::size_t>(field)]) {
    if (!given->pointer) return member(record, given->spelling);
    const rapidjson::Value* value = given->pointer->Get(record);
    return value != nullptr && !is_null_like(*value) ? value : nullptr;
  }
  for (const std::string_view key : row_of(field).usual_keys) {
    if (const rapidjson::Value* value = member(record, key)) return value;
  }
  return nullptr;
}

std::string FieldMap::tried(Field field) const {
  if (const auto& given = given_[static_cast<std::size_t>(field)])
    return fmt::format("'{}'", given->spelling);
  std::string tried;
  for (const std::string_view key : row_of(field).usual_keys) {
    tried += fmt::format("{}'{}'", tried.empty() ? "" : ", ", key);
  }
  return tried;
}

std::vector<std::string> FieldMap::specs() const {
  std::vector<std::string> specs;
  for (const Field field : given()) {
    specs.push_back(
        fmt::format("{}={}", to_string(field), given_[static_cast<std::size_t>(field)]->spelling));
  }
  return specs;
}

}  // namespace lil::tools
