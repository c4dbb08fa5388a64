#include "tools/import/problem_file.h"

#include <fmt/format.h>

#include <cstdint>
#include <unordered_map>
#include <utility>

#include "schemas/error.h"
#include "tools/import/byte_source.h"
#include "tools/import/gold_answer.h"
#include "tools/import/json_records.h"
#include "tools/import/json_value.h"
#include "tools/import/log_fields.h"
#include "tools/import/record_fields.h"

namespace lil::tools {
namespace {

FieldMap parse_fields(const std::vector<std::string>& specs) {
  FieldMap fields = FieldMap::parse(specs);
  for (const Field field : fields.given()) {
    if (field != Field::kProblem && field != Field::kGold && field != Field::kId) {
      throw Error(
          ErrorCode::kUsage,
          fmt::format("--field {}: a problem file has the fields problem, gold and id", to_string(field)));
    }
  }
  return fields;
}

schemas::Problem problem_of(const JsonRecord& record, const FieldMap& fields, const std::string& place,
                            const ProblemFileOptions& options) {
  const auto text_at = [&](Field field) {
    try {
      return field_text(fields, *record.value, field);
    } catch (const Error& error) {
      throw Error(error.code(), fmt::format("{}: {}", place, error.what()));
    }
  };
  schemas::Problem problem;
  problem.set = options.set;
  problem.text = text_at(Field::kProblem);
  problem.gold = gold_of(text_at(Field::kGold));
  problem.kind = answer_kind_of(problem.gold);
  problem.id = text_at(Field::kId);
  if (problem.id.empty()) problem.id = fmt::format("{}", record.index);
  const rapidjson::Value* text = fields.find(*record.value, Field::kProblem);
  if (text == nullptr || !text_of(*text)) {  // an empty text is a prompt, too
    throw Error(ErrorCode::kInput, fmt::format("{}: no problem text: tried {}; the record's keys are {}",
                                               place, fields.tried(Field::kProblem), keys_of(*record.value)));
  }
  if (problem.gold.empty() && !options.allow_missing_answers) {
    throw Error(ErrorCode::kInput,
                fmt::format("{}: problem '{}' has no answer: tried {}; the record's keys are {}", place,
                            problem.id, fields.tried(Field::kGold), keys_of(*record.value)));
  }
  return problem;
}

}  // namespace

ProblemFile read_problem_file(const std::filesystem::path& path, const ProblemFileOptions& given_options) {
  const FieldMap fields = parse_fields(given_options.fields);
  const InputFile file = InputFile::open(path);
  ProblemFileOptions options = given_options;
  if (options.set.empty()) options.set = file.stem();

  ProblemFile result;
  result.sha256 = file.sha256();
  std::unordered_map<std::string, std::int64_t> line_of_id;
  JsonRecordReader records(file.reader(), [&](const BadRecord& bad) {
    throw Error(ErrorCode::kInput,
                fmt::format("{}:{}:{}: {}", file.path(), bad.line, bad.column, bad.reason));
  });
  while (const JsonRecord* record = records.next()) {
    const std::string place = fmt::format("{}:{}", file.path(), record->line);
    schemas::Problem problem = problem_of(*record, fields, place, options);
    const auto [earlier, is_new] = line_of_id.try_emplace(problem.id, record->line);
    if (!is_new) {
      throw Error(ErrorCode::kInput, fmt::format("{}: the id '{}' stands on line {} already", place,
                                                 problem.id, earlier->second));
    }
    result.problems.push_back(std::move(problem));
  }
  if (result.problems.empty())
    throw Error(ErrorCode::kInput, fmt::format("{} holds no problem", file.path()));
  return result;
}

}  // namespace lil::tools
