#pragma once

#include <rapidjson/document.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "schemas/ids.h"
#include "schemas/registry.h"
#include "schemas/trace.h"
#include "tools/import/record_fields.h"

namespace lil::tools {

/// What a log says of the run that a generation belongs to; empty where it says nothing.
struct LogRun {
  std::string problem_set;
  std::string model;
  std::string policy;
  std::string sampler;
  std::optional<std::int64_t> cap_tokens;

  bool operator==(const LogRun&) const = default;
  bool operator<(const LogRun& other) const {
    return std::tie(problem_set, model, policy, sampler, cap_tokens) <
           std::tie(other.problem_set, other.model, other.policy, other.sampler, other.cap_tokens);
  }
};

/// One generation as a log has it.
struct LogRecord {
  LogRun run;
  std::string problem_id;  ///< empty where the log names none
  std::string problem;
  std::string prompt;   ///< after any template, where the log has that
  std::string gold;     ///< empty where the log has none
  std::string output;   ///< reasoning and answer, as the model emitted them
  bool joined = false;  ///< `output` was put together from parts: its ids need not spell it
  std::optional<std::vector<schemas::TokenId>> ids;
  std::optional<std::vector<schemas::TokenId>> prompt_ids;
  schemas::Finish finish = schemas::Finish::kPartial;
  std::optional<std::int64_t> repeat;  ///< where the log says it; else counted per problem
  std::string failure;                 ///< not empty: why there is no generation, and nothing else counts
};

/// How well a record looks like a reader's format.
enum class Fit {
  kNo,
  kGeneric,  ///< can be read, but so could much else
  kExact,    ///< has the keys by which the format is known
};

/// Reads the records of one format. Immutable; safe to share between threads.
class LogReader {
 public:
  LogReader() = default;
  LogReader(const LogReader&) = delete;
  LogReader& operator=(const LogReader&) = delete;
  virtual ~LogReader() = default;

  [[nodiscard]] virtual Fit fit(const rapidjson::Value& record) const = 0;
  /// The generations of a record (an object), in order of repeat. Throws Error(kInput) saying what the
  /// record lacks; the caller adds file and line.
  [[nodiscard]] virtual std::vector<LogRecord> read(const rapidjson::Value& record) const = 0;
  /// Whether `--field` may say where output, ids, finish and repeat stand, too.
  [[nodiscard]] virtual bool takes_generation_fields() const { return false; }
};

/// `fields` outlives the reader.
using LogReaderFactory = std::unique_ptr<LogReader> (*)(const schemas::Arguments& arguments,
                                                        const FieldMap& fields);

/// Every reader, for `--format`, `lil list readers` and help.
[[nodiscard]] std::span<const schemas::RegistryRow<LogReaderFactory>> log_readers();

}  // namespace lil::tools
