#include "tools/import/import_runs.h"

#include <fmt/format.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <functional>
#include <utility>

#include "schemas/error.h"

namespace lil::tools {
namespace {

constexpr const char* kUnknown = "unknown";

const std::string& first_known(const std::string& first, const std::string& second) {
  return first.empty() ? second : first;
}

/// Everything by which two runs differ, and nothing else: no path and no date. Its bytes are hashed into
/// the run's uid, so that keys keep their order.
std::string configuration_of(const RunSource& source, const schemas::RunRecord& run,
                             schemas::TokenSource tokens) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  const auto put = [&](const char* key, const std::string& value) {
    writer.Key(key);
    writer.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  };
  writer.StartObject();
  writer.Key("cap_tokens");
  if (run.cap_tokens) {
    writer.Int64(*run.cap_tokens);
  } else {
    writer.Null();
  }
  writer.Key("fields");
  writer.StartArray();
  for (const std::string& spec : source.fields) {
    writer.String(spec.data(), static_cast<rapidjson::SizeType>(spec.size()));
  }
  writer.EndArray();
  put("model", run.model);
  put("policy", run.policy);
  put("problem_set", run.problem_set);
  put("sampler", run.sampler);
  put("source", run.source);
  put("source_sha256", source.file_sha256);
  put("token_source", to_string(tokens));
  put("tokenizer_sha256", source.tokenizer_sha256);
  writer.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace

ImportRun::ImportRun(const RunSource& source, const LogRun& log, schemas::TokenSource tokens)
    : token_source_(tokens) {
  record_.created = source.created;
  record_.tool_version = source.tool_version;
  record_.model = first_known(source.model, first_known(log.model, source.stem));
  record_.policy = first_known(source.policy, first_known(log.policy, kUnknown));
  record_.sampler = first_known(log.sampler, kUnknown);
  record_.cap_tokens = log.cap_tokens;
  record_.problem_set = first_known(source.problem_set, first_known(log.problem_set, source.stem));
  record_.source = "imported:" + source.reader;
  record_.configuration = configuration_of(source, record_, tokens);
  record_.uid = schemas::run_uid(record_.configuration);
}

std::int64_t ImportRun::take_repeat(const LogRecord& log, const std::string& problem_id, std::int64_t line) {
  const std::size_t text_hash = std::hash<std::string>()(log.problem);
  const auto [found, is_new] = problems_.try_emplace(problem_id, SeenProblem{line, text_hash, {}});
  SeenProblem& seen = found->second;
  if (!is_new && seen.text_hash != text_hash) {
    throw Error(ErrorCode::kConflict, fmt::format("problem '{}' stands on line {} already, with another text",
                                                  problem_id, seen.line));
  }
  const std::int64_t next = seen.repeats.empty() ? 0 : *seen.repeats.rbegin() + 1;
  const std::int64_t repeat = log.repeat.value_or(next);
  if (!seen.repeats.insert(repeat).second) {
    throw Error(ErrorCode::kConflict,
                fmt::format("problem '{}' has a repeat {} already (first seen on line {})", problem_id,
                            repeat, seen.line));
  }
  return repeat;
}

schemas::RunKey ImportRun::key(schemas::Store& store, schemas::TokenizerKey tokenizer) {
  if (!key_) {
    record_.tokenizer = tokenizer;
    key_ = schemas::put_run(store, record_);
  }
  return *key_;
}

ImportRun& ImportRuns::run_of(const LogRun& log, schemas::TokenSource tokens) {
  const auto key = std::pair{log, tokens};
  auto found = runs_.find(key);
  if (found == runs_.end()) {
    found = runs_.try_emplace(key, source_, log, tokens).first;
    in_order_.push_back(&found->second);
  }
  return found->second;
}

}  // namespace lil::tools
