#include <fmt/format.h>

#include <memory>
#include <utility>

#include "schemas/error.h"
#include "tools/import/json_value.h"
#include "tools/import/log_fields.h"
#include "tools/import/log_reader.h"

namespace lil::tools {
namespace {

/// Entry `index` of a field that has one value for each generation, or the field itself where all share it.
const rapidjson::Value* of_generation(const rapidjson::Value* value, rapidjson::SizeType index) {
  if (value == nullptr || !value->IsArray()) return value;
  return index < value->Size() ? &(*value)[index] : nullptr;
}

bool is_nested(const rapidjson::Value* value) {
  return value != nullptr && value->IsArray() && !value->Empty() && (*value)[0].IsArray();
}

bool is_text_or_texts(const rapidjson::Value& value) {
  if (value.IsString()) return true;
  return value.IsArray() && !value.Empty() && (value[0].IsString() || value[0].IsNull());
}

/// Any record with an output under some key, with the keys of the other fields tried or given.
class JsonlReader : public LogReader {
 public:
  explicit JsonlReader(const FieldMap& fields) : fields_(fields) {}

  [[nodiscard]] Fit fit(const rapidjson::Value& record) const override {
    const rapidjson::Value* output = fields_.find(record, Field::kOutput);
    const bool readable = output != nullptr && is_text_or_texts(*output);
    return readable || fields_.find(record, Field::kIds) != nullptr ? Fit::kGeneric : Fit::kNo;
  }

  [[nodiscard]] bool takes_generation_fields() const override { return true; }

  [[nodiscard]] std::vector<LogRecord> read(const rapidjson::Value& record) const override {
    const rapidjson::Value* output = fields_.find(record, Field::kOutput);
    const rapidjson::Value* ids = fields_.find(record, Field::kIds);
    if (output == nullptr && ids == nullptr) {
      throw Error(ErrorCode::kInput, fmt::format("the record has no output: tried {}; its keys are {}",
                                                 fields_.tried(Field::kOutput), keys_of(record)));
    }
    rapidjson::SizeType generations = 1;
    if (output != nullptr && output->IsArray()) generations = output->Size();
    if (output == nullptr && is_nested(ids)) generations = ids->Size();

    const LogRecord shared = common_fields(fields_, record);
    std::vector<LogRecord> logs;
    for (rapidjson::SizeType i = 0; i < generations; ++i) {
      logs.push_back(shared);
      read_generation(record, i, generations, logs.back());
    }
    return logs;
  }

 private:
  void read_generation(const rapidjson::Value& record, rapidjson::SizeType index,
                       rapidjson::SizeType generations, LogRecord& log) const {
    read_output(of_generation(fields_.find(record, Field::kOutput), index), log);
    const rapidjson::Value* ids = fields_.find(record, Field::kIds);
    if (is_nested(ids)) {
      ids = of_generation(ids, index);
    } else if (ids != nullptr && generations > 1) {
      throw Error(ErrorCode::kInput, fmt::format("there are {} outputs, but one list of ids", generations));
    }
    if (ids != nullptr) log.ids = ids_of(*ids, "ids");
    if (const rapidjson::Value* prompt_ids = fields_.find(record, Field::kPromptIds)) {
      log.prompt_ids = ids_of(*prompt_ids, "prompt_ids");
    }
    if (const auto* finish = of_generation(fields_.find(record, Field::kFinish), index)) {
      log.finish = finish_of(*finish);
    }
    if (const rapidjson::Value* repeat = fields_.find(record, Field::kRepeat); repeat && generations == 1) {
      log.repeat = integer_of(*repeat);
      if (!log.repeat || *log.repeat < 0) {
        throw Error(ErrorCode::kInput, "repeat is no whole number that is 0 or more");
      }
    }
  }

  void read_output(const rapidjson::Value* output, LogRecord& log) const {
    if (output == nullptr) return;  // only where there are ids
    if (output->IsNull()) {
      log.failure = "the log has null as output";
    } else if (output->IsString()) {
      log.output.assign(output->GetString(), output->GetStringLength());
    } else {
      throw Error(ErrorCode::kInput, fmt::format("the output ({}) is {}, where a text is expected",
                                                 fields_.tried(Field::kOutput), type_name(*output)));
    }
  }

  const FieldMap& fields_;
};

}  // namespace

std::unique_ptr<LogReader> make_jsonl_reader(const schemas::Arguments& /*arguments*/,
                                             const FieldMap& fields) {
  return std::make_unique<JsonlReader>(fields);
}

}  // namespace lil::tools
