#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "record/language_model.h"
#include "record/token_observer.h"
#include "record/tokenizer/tokenizer.h"
#include "schemas/run_store.h"
#include "schemas/store.h"
#include "schemas/trace.h"

namespace lil::record {

/// Problems to record, under the name that the store keeps them by.
struct ProblemSet {
  std::string name;
  std::string sha256;  ///< of the whole file, also where only its first problems are recorded
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
  std::int64_t threads = 1;
  std::string created;  ///< UTC, ISO 8601
  std::string tool_version;
  std::string host;
};

/// How far a recording has come.
struct RecordProgress {
  std::int64_t traces_total = 0;
  std::int64_t traces_done = 0;  ///< complete in the store, those of earlier calls included
  std::int64_t traces_failed = 0;
  std::int64_t tokens = 0;  ///< generated in this call
};

/// What the program plugs in; every member may be empty. What an observer throws fails its trace alone; the
/// others may not throw.
struct RecordHooks {
  /// Monotonic time; without it the stored durations are 0. Called from every worker.
  std::function<std::int64_t()> now_ns;
  /// Called every few tokens, by one worker at a time.
  std::function<void(const RecordProgress&)> progress;
  /// An observer for the trace of this problem; called from every worker. Null: nobody observes it.
  std::function<std::unique_ptr<TokenObserver>(const schemas::Problem&,
                                               std::span<const schemas::TokenId> prompt)>
      make_observer;
  /// Becomes true when recording should end: traces under way keep their committed blocks.
  const std::atomic<bool>* stop = nullptr;
};

/// What a recording did.
struct RecordSummary {
  schemas::RunKey run{};
  std::string run_uid;
  RecordProgress progress;
  bool stopped = false;  ///< ended by RecordHooks::stop before all was done
  std::vector<schemas::Failure> failures;
};

/// First 64 bits of the SHA-256 of set name, a zero byte and problem id: the problem's part of a DrawKey.
[[nodiscard]] std::uint64_t problem_hash(const std::string& problem_set, const std::string& problem_id);

/// The run that `options` stand for, all but its tokenizer key. Its configuration is JSON with sorted keys
/// of all that changes the token streams; its uid is that text's hash. Throws Error(kUsage) for an unknown
/// or wrong policy, sampler, template or number.
[[nodiscard]] schemas::RunRecord resolve_run(const LanguageModel& model, const Tokenizer& tokenizer,
                                             const ProblemSet& problems, const RecordOptions& options);

/// Generates problems x repeats into the store. Complete traces are left alone; partial ones are generated
/// again from the start and must repeat what is stored. What goes wrong with one problem is noted
/// as a failure and the others go on. The stored tokens depend on neither threads nor order; where a trace
/// is ended: by an end-of-sequence token (`stop`), else by the cap (`length`), else by its observer
/// (`guardian`). The distribution of a trace's first token comes from the dense prefill; `attended` of each
/// token is of the step that its distribution came from. The store is used by one thread at a time.
/// Throws Error(kUsage) as resolve_run does, kInput for a problem id that is there twice, and what the
/// store throws when it cannot be written.
RecordSummary record(schemas::Store& store, const LanguageModel& model, const Tokenizer& tokenizer,
                     const ProblemSet& problems, const RecordOptions& options, const RecordHooks& hooks = {});

}  // namespace lil::record
