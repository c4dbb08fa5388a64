#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "replay/stream.h"
#include "schemas/curve_store.h"
#include "schemas/run_store.h"
#include "schemas/store.h"
#include "schemas/trace.h"
#include "schemas/trace_store.h"

namespace lil::replay {

/// One of `count` parts of the work, for as many processes or machines: every selected trace is in one, and
/// in which depends on the selection alone, not on what is stored already. The parts are of like size.
struct Shard {
  std::int64_t index = 0;  ///< 0 .. count - 1
  std::int64_t count = 1;
};

/// Which curves a store should hold: every signal on every stream of every complete trace that the filter
/// selects.
struct SweepRequest {
  std::vector<std::string> signals;  ///< `name(key=value,…)`, in any spelling
  std::vector<StreamKind> streams;
  std::int64_t grid_tokens = 50;
  schemas::TraceFilter filter{};  ///< complete_only is taken as true
  Shard shard{};
};

/// One trace with the curves it lacks.
struct SweepTask {
  schemas::TraceInfo trace;
  std::vector<schemas::CurveId> missing;
};

/// What a sweep will do; nothing is read of the traces' tokens for it.
struct SweepPlan {
  std::vector<SweepTask> tasks;    ///< most tokens to replay first; ties in the order of the store
  std::int64_t selected = 0;       ///< traces that the filter selects, of all shards
  std::int64_t traces = 0;         ///< of this shard
  std::int64_t curves = 0;         ///< to compute
  std::int64_t curves_stored = 0;  ///< there already
  std::int64_t not_recorded = 0;   ///< curves left out: what their signal reads was not recorded of the trace
  std::int64_t tokens = 0;         ///< to replay, over all curves; prompts counted where a stream has them
};

/// Throws Error(kUsage) for an unknown signal, a grid below 1, or a shard that is none.
[[nodiscard]] SweepPlan plan_sweep(const schemas::Store& store, const SweepRequest& request);

/// How far a sweep has come.
struct SweepProgress {
  std::int64_t curves_done = 0;  ///< failed ones included
  std::int64_t curves_total = 0;
  std::int64_t bytes_done = 0;  ///< of streams, once a curve
};

/// How to carry out a plan; the curves do not depend on it.
struct SweepOptions {
  int threads = 1;
  /// CPU time of the calling thread; called by the workers at the same time. Curves cost 0 ns without it.
  std::function<std::int64_t()> cpu_now_ns{};
  /// Called by the thread that runs the sweep, once a curve.
  std::function<void(const SweepProgress&)> progress{};
  /// Looked at before every grid point. Where it turns true, the curves that are whole are stored and the
  /// sweep ends. May be set by a signal handler.
  const std::atomic<bool>* cancelled = nullptr;
};

/// What a sweep did.
struct SweepResult {
  std::int64_t curves_stored = 0;
  std::vector<schemas::Failure> failures;  ///< stored too; in the order of the plan
  bool cancelled = false;                  ///< some of the plan was not done
};

/// Carries out a plan. Workers compute, a curve at a time, largest traces first; the calling thread alone
/// uses the store. A trace is loaded when fewer than two curves wait for each worker, and let go with its
/// last curve. Curves are written some dozens, or what a second of CPU time made, to a
/// transaction and in the order of the plan, so the store's
/// content depends on the number of threads in nothing but CPU times. A trace that fails is stored as a
/// failure of stage `replay`, and the sweep goes on. Throws Error where the store itself cannot be read or
/// written; what is committed stays.
[[nodiscard]] SweepResult run_sweep(schemas::Store& store, const SweepPlan& plan,
                                    const SweepOptions& options);

}  // namespace lil::replay
