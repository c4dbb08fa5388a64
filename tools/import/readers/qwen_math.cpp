#include <fmt/format.h>

#include <memory>

#include "schemas/error.h"
#include "tools/import/gold_answer.h"
#include "tools/import/json_value.h"
#include "tools/import/log_fields.h"
#include "tools/import/log_reader.h"

namespace lil::tools {
namespace {

/// What the evaluation of Qwen2.5-Math writes: `code` holds whole generations. Its
/// `pred` and `score` are left alone: of a generation that was cut off, `pred` is a stray number.
class QwenMathReader : public LogReader {
 public:
  explicit QwenMathReader(const FieldMap& fields) : fields_(fields) {}

  [[nodiscard]] Fit fit(const rapidjson::Value& record) const override {
    const rapidjson::Value* code = member(record, "code");
    const bool has_generations = code != nullptr && code->IsArray();
    const bool has_verdicts = member(record, "pred") != nullptr || member(record, "score") != nullptr;
    return has_generations && has_verdicts && member(record, "gt") != nullptr ? Fit::kExact : Fit::kNo;
  }

  [[nodiscard]] std::vector<LogRecord> read(const rapidjson::Value& record) const override {
    const rapidjson::Value* code = member(record, "code");
    if (code == nullptr || !code->IsArray()) {
      throw Error(
          ErrorCode::kInput,
          fmt::format("the record has no array 'code' of generations; its keys are {}", keys_of(record)));
    }
    LogRecord shared = common_fields(fields_, record);
    if (const rapidjson::Value* index = member(record, "idx"))
      shared.problem_id = text_of(*index).value_or("");
    shared.gold = gold_of(gold_text(record));
    std::vector<LogRecord> logs;
    for (const rapidjson::Value& generation : code->GetArray()) {
      logs.push_back(shared);
      if (generation.IsString()) {
        logs.back().output.assign(generation.GetString(), generation.GetStringLength());
      } else {
        logs.back().failure =
            fmt::format("code[{}] is {}, where a text is expected", logs.size() - 1, type_name(generation));
      }
    }
    return logs;
  }

 private:
  /// The problem set's own answer where the record has it: `gt` is what the evaluation made of it, and that
  /// has lost matrix rows, units and whole words.
  static std::string gold_text(const rapidjson::Value& record) {
    for (const char* key : {"answer", "gt"}) {
      const rapidjson::Value* gold = member(record, key);
      std::string text = gold == nullptr ? "" : text_of(*gold).value_or("");
      if (!text.empty()) return text;
    }
    return "";
  }

  const FieldMap& fields_;
};

}  // namespace

std::unique_ptr<LogReader> make_qwen_math_reader(const schemas::Arguments& /*arguments*/,
                                                 const FieldMap& fields) {
  return std::make_unique<QwenMathReader>(fields);
}

}  // namespace lil::tools
