#pragma once

#include <rapidjson/document.h>

#include <optional>
#include <string>

#include "schemas/trace.h"
#include "tools/import/log_reader.h"
#include "tools/import/record_fields.h"

namespace lil::tools {

/// Why a generation ended, in the spellings of the serving engines: a string, or an object with `type`.
/// kPartial where it is not one that is known.
[[nodiscard]] schemas::Finish finish_of(const rapidjson::Value& value);

/// `greedy` where `object` has a `temperature` of 0, `sample(temperature=…)` with `top_p` if it is there
/// for another one, and empty where it has none.
[[nodiscard]] std::string sampler_of(const rapidjson::Value& object);

/// Sampler and cap, where `run` has none yet and `object` (a record, a request, a configuration) has one.
void add_sampling(const FieldMap& fields, const rapidjson::Value& object, LogRun& run);

/// The text of a field; empty where the record has none. Throws Error(kInput) where it is no text.
[[nodiscard]] std::string field_text(const FieldMap& fields, const rapidjson::Value& record, Field field);

/// Overwrites in `log` what the fields that were given say of the record as a whole (gold, id, problem,
/// prompt, problem_set, model, policy, sampler, cap).
void apply_given_fields(const FieldMap& fields, const rapidjson::Value& record, LogRecord& log);

/// What the record's own members say of problem and run, by given or usual keys.
[[nodiscard]] LogRecord common_fields(const FieldMap& fields, const rapidjson::Value& record);

}  // namespace lil::tools
