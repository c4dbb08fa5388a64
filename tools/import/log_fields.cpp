#include "tools/import/log_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "schemas/error.h"
#include "tools/import/gold_answer.h"
#include "tools/import/json_value.h"

namespace lil::tools {
namespace {

using schemas::Finish;

struct FinishRow {
  std::string_view spelling;
  Finish finish;
};

constexpr std::array<FinishRow, 14> kFinishes = {{{"stop", Finish::kStop},
                                                  {"eos", Finish::kStop},
                                                  {"eos_token", Finish::kStop},
                                                  {"stop_sequence", Finish::kStop},
                                                  {"end_turn", Finish::kStop},
                                                  {"length", Finish::kLength},
                                                  {"max_tokens", Finish::kLength},
                                                  {"max_length", Finish::kLength},
                                                  {"max_output_tokens", Finish::kLength},
                                                  {"model_length", Finish::kLength},
                                                  {"guardian", Finish::kGuardian},
                                                  {"error", Finish::kError},
                                                  {"abort", Finish::kPartial},
                                                  {"partial", Finish::kPartial}}};

/// Where logs keep the parameters of sampling, beside the record itself.
constexpr std::array<const char*, 5> kConfigKeys = {"configs", "config", "sampling_params",
                                                    "generation_config", "parameters"};

void set_text(const FieldMap& fields, const rapidjson::Value& record, Field field, std::string& text) {
  std::string found = field_text(fields, record, field);
  if (!found.empty()) text = std::move(found);
}

std::optional<std::int64_t> cap_of(const FieldMap& fields, const rapidjson::Value& object) {
  const rapidjson::Value* cap = fields.find(object, Field::kCap);
  if (cap == nullptr) return std::nullopt;
  const auto count = integer_of(*cap);
  return count && *count > 0 ? count : std::nullopt;
}

}  // namespace

Finish finish_of(const rapidjson::Value& value) {
  if (const rapidjson::Value* type = member(value, "type")) return finish_of(*type);
  if (!value.IsString()) return Finish::kPartial;
  const std::string_view spelling(value.GetString(), value.GetStringLength());
  const auto* const row = std::find_if(kFinishes.begin(), kFinishes.end(),
                                       [&](const FinishRow& known) { return known.spelling == spelling; });
  return row == kFinishes.end() ? Finish::kPartial : row->finish;
}

std::string sampler_of(const rapidjson::Value& object) {
  const rapidjson::Value* temperature = member(object, "temperature");
  if (temperature == nullptr || !temperature->IsNumber()) return "";
  if (temperature->GetDouble() == 0) return "greedy";
  const rapidjson::Value* top_p = member(object, "top_p");
  const bool has_top_p = top_p != nullptr && top_p->IsNumber();
  return fmt::format("sample(temperature={}{})", *text_of(*temperature),
                     has_top_p ? fmt::format(",top_p={}", *text_of(*top_p)) : "");
}

void add_sampling(const FieldMap& fields, const rapidjson::Value& object, LogRun& run) {
  if (run.sampler.empty()) run.sampler = sampler_of(object);
  if (!run.cap_tokens) run.cap_tokens = cap_of(fields, object);
}

std::string field_text(const FieldMap& fields, const rapidjson::Value& record, Field field) {
  const rapidjson::Value* value = fields.find(record, field);
  if (value == nullptr) return "";
  if (auto text = text_of(*value)) return *std::move(text);
  // A usual key may mean something else in a log that we don't know; a given one was meant.
  if (!fields.is_given(field)) return "";
  throw Error(ErrorCode::kInput, fmt::format("{} ({}) is {}, where a text or a number is expected",
                                             to_string(field), fields.tried(field), type_name(*value)));
}

void apply_given_fields(const FieldMap& fields, const rapidjson::Value& record, LogRecord& log) {
  for (const Field field : fields.given()) {
    switch (field) {
      case Field::kGold:
        log.gold = gold_of(field_text(fields, record, field));
        break;
      case Field::kId:
        set_text(fields, record, field, log.problem_id);
        break;
      case Field::kProblem:
        set_text(fields, record, field, log.problem);
        break;
      case Field::kPrompt:
        set_text(fields, record, field, log.prompt);
        break;
      case Field::kProblemSet:
        set_text(fields, record, field, log.run.problem_set);
        break;
      case Field::kModel:
        set_text(fields, record, field, log.run.model);
        break;
      case Field::kPolicy:
        set_text(fields, record, field, log.run.policy);
        break;
      case Field::kSampler:
        set_text(fields, record, field, log.run.sampler);
        break;
      case Field::kCap:
        if (const auto cap = cap_of(fields, record)) log.run.cap_tokens = cap;
        break;
      case Field::kOutput:
      case Field::kFinish:
      case Field::kRepeat:
      case Field::kIds:
      case Field::kPromptIds:
        break;  // of one generation: the readers that take them read them
    }
  }
}

LogRecord common_fields(const FieldMap& fields, const rapidjson::Value& record) {
  LogRecord log;
  log.gold = gold_of(field_text(fields, record, Field::kGold));
  log.problem_id = field_text(fields, record, Field::kId);
  log.problem = field_text(fields, record, Field::kProblem);
  log.prompt = field_text(fields, record, Field::kPrompt);
  log.run.problem_set = field_text(fields, record, Field::kProblemSet);
  log.run.model = field_text(fields, record, Field::kModel);
  log.run.policy = field_text(fields, record, Field::kPolicy);
  log.run.sampler = field_text(fields, record, Field::kSampler);
  add_sampling(fields, record, log.run);
  for (const char* key : kConfigKeys) {
    if (const rapidjson::Value* config = object_member(record, key)) add_sampling(fields, *config, log.run);
  }
  return log;
}

}  // namespace lil::tools
