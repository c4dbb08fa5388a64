#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "record/batch_plan.h"
#include "record/run_configuration.h"
#include "record/token_observer.h"
#include "schemas/store.h"

namespace lil::record {

/// How far a recording has come.
struct RecordProgress {
  std::int64_t traces_total = 0;
  std::int64_t traces_done = 0;  ///< complete in the store, those of earlier calls included
  std::int64_t traces_failed = 0;
  std::int64_t tokens = 0;  ///< generated in this call, those of probes left out
  /// Estimate of those that are still to come, once a trace has ended: each trace that has not is taken to go
  /// on for the tokens so far over the traces that ended, however far it is (lengths without memory).
  std::optional<std::int64_t> tokens_left;
};

/// What the program plugs in; every member may be empty. All are called from the thread that records. What an
/// observer throws fails its trace alone, as does what make_observer throws; the others may not throw.
struct RecordHooks {
  /// Monotonic time; without it the stored durations are 0.
  std::function<std::int64_t()> now_ns;
  /// Once, before the first trace, unless there is none to generate.
  std::function<void(const BatchPlan&)> planned;
  /// After every step of the batch.
  std::function<void(const RecordProgress&)> progress;
  /// An observer for the trace of this problem. Null: nobody observes it.
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
  /// Probes were asked for, but not taken of so many traces, which were complete before.
  std::int64_t without_probes = 0;
  std::vector<schemas::Failure> failures;
};

/// Generates problems x repeats into the store, several traces at a time: a trace that ends makes room for
/// the next at once. Complete traces are left alone; partial ones are generated again from the start and must
/// repeat what is stored, probes included. What goes wrong with one problem is noted as a failure and the
/// others go on. The stored tokens depend on neither the batch, its order, nor threads; where a trace is
/// ended: by an end-of-sequence token (`stop`), else by the cap (`length`), else by its observer
/// (`guardian`). The distribution of a trace's first token comes from the dense prefill; `attended` of each
/// token is of the step that its distribution came from. Of the stored durations, prefill_ns is the trace's
/// own prompt pass with its first token; decode_ns is what steps took while the trace was in the batch, whole
/// steps that it shared with others. Throws Error(kUsage) as resolve_run does, and where the KV pool may not
/// have the memory for even one trace, kInput for a problem id that is there twice, and what the store and
/// the device throw when they fail.
RecordSummary record(schemas::Store& store, const LanguageModel& model, const Tokenizer& tokenizer,
                     const ProblemSet& problems, const RecordOptions& options, const RecordHooks& hooks = {});

}  // namespace lil::record
