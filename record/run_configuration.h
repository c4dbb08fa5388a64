#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "record/language_model.h"
#include "record/probe.h"
#include "record/tokenizer/tokenizer.h"
#include "schemas/run_store.h"
#include "schemas/trace.h"

namespace lil::record {

/// Problems to record, under the name that the store keeps them by.
struct ProblemSet {
  std::string name;
  std::string sha256;  ///< of the whole file, also where only some of its problems are recorded
  std::vector<schemas::Problem> problems;
};

/// What makes a run (the first group changes its uid and its tokens), and how to carry it out.
struct RecordOptions {
  std::string policy = "full";            ///< see attention_policy_rows
  std::string sampler = "greedy";         ///< see sampler_rows
  std::string prompt_template = "plain";  ///< name or path, see find_prompt_template
  std::int64_t seed = 0;
  std::int64_t cap_tokens = 32768;  ///< most tokens generated for one trace
  std::string stop_rule;            ///< resolved string of what the observers do; empty without observers

  // No part of what the run is: they change neither its uid nor its tokens.
  std::int64_t repeats = 1;
  std::int64_t batch = 0;     ///< sequences decoded at a time at most; 0: as BatchPlan says
  std::int64_t kv_bytes = 0;  ///< most memory of the KV pool; 0: what the batch needs
  ProbeOptions probes;
  std::int64_t sampling_threads = 1;  ///< where the device's own threads cannot sample, as on a GPU
  std::string created;                ///< UTC, ISO 8601
  std::string tool_version;
  std::string host;
};

/// First 64 bits of the SHA-256 of set name, a zero byte and problem id: the problem's part of a DrawKey, and
/// what its shard is found by.
[[nodiscard]] std::uint64_t problem_hash(const std::string& problem_set, const std::string& problem_id);

/// Throws Error(kUsage) for an unknown or wrong policy, sampler, template or number: what can be said of them
/// before a model is loaded.
void check_options(const RecordOptions& options);

/// The run that `options` stand for, all but its tokenizer key. Its configuration is JSON with sorted keys
/// of all that changes the token streams; its uid is that text's hash. Throws as check_options() does.
[[nodiscard]] schemas::RunRecord resolve_run(const LanguageModel& model, const Tokenizer& tokenizer,
                                             const ProblemSet& problems, const RecordOptions& options);

}  // namespace lil::record
