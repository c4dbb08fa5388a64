#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "record/batch_plan.h"
#include "record/engine.h"
#include "record/generation.h"
#include "record/probe.h"
#include "record/sampler.h"
#include "schemas/trace.h"

namespace lil::record {

/// A trace to generate. What it points to outlives it.
struct TraceJob {
  const schemas::Problem* problem = nullptr;
  schemas::ProblemKey key{};
  std::int64_t repeat = 0;
  std::span<const schemas::TokenId> prompt;
  std::int64_t total_tokens = 0;  ///< that its sequence may read, those of probes included
  std::int64_t kv_bytes = 0;      ///< that it may need for them
};

/// The recording that a scheduler works for.
class SchedulerClient {
 public:
  virtual ~SchedulerClient() = default;

  /// Opens a trace. What it throws is that trace's failure, but for what `failed` rethrows.
  [[nodiscard]] virtual std::unique_ptr<Generation> begin(const TraceJob& job) = 0;
  /// The trace is in the store, its probes too.
  virtual void finished(const TraceJob& job) = 0;
  /// Called in a catch block. The trace has ended at this stage, or where it is `probe` goes on. Rethrows
  /// what ends the recording.
  virtual void failed(const TraceJob& job, const char* stage) = 0;
  /// So many tokens of traces were generated.
  virtual void progressed(std::int64_t tokens) = 0;
  [[nodiscard]] virtual bool stop_requested() const = 0;
  /// Monotonic time.
  [[nodiscard]] virtual std::int64_t now_ns() const = 0;
};

/// What a scheduler decodes with; all of it outlives the scheduler.
struct SchedulerParts {
  Engine* engine = nullptr;  ///< with plan.batch + plan.probe_lanes lanes
  Sampler* sampler = nullptr;
  kernels::Stream stream = nullptr;  ///< of the CPU backend: threads that share the sampling
  const GenerationRules* rules = nullptr;
};

/// Decodes traces together, as many as have room: a lane that one leaves is taken by the next at once, in
/// the order of the jobs. With probes, the sequence that is due is copied before its next step; where no
/// lane is free, it waits for one, and the others go on. Used by one thread.
class Scheduler {
 public:
  /// `probes` without every_tokens: none. `closing_ids`: its closing in tokens.
  Scheduler(const SchedulerParts& parts, const BatchPlan& plan, const ProbeOptions& probes,
            std::vector<schemas::TokenId> closing_ids, SchedulerClient& client);
  ~Scheduler();

  /// Generates all of them, or returns early where the client asks to stop. Each job has room in the pool.
  void run(std::span<const TraceJob> jobs);

 private:
  struct Trace;
  struct ProbeRun;

  void admit_waiting(std::span<const TraceJob> jobs);
  [[nodiscard]] bool has_room(const TraceJob& job) const;
  void admit(const TraceJob& job);
  [[nodiscard]] std::unique_ptr<Trace> prefill(const TraceJob& job, std::optional<Choice>& first);

  void step();
  void start_due_probes();
  void start_probe(Trace& trace);
  void read_tokens();
  void sample();
  void take_choices();
  void take_probe_choices();

  void take(Trace& trace, const std::optional<Choice>& choice, std::int32_t attended);
  void take(ProbeRun& probe, const std::optional<Choice>& choice);
  void end_probe(ProbeRun& probe);
  void leave_engine(Trace& trace);
  void drop(Trace& trace, const char* stage);
  void finish_ended();

  SchedulerParts parts_;
  BatchPlan plan_;
  ProbeOptions options_;
  std::vector<schemas::TokenId> closing_ids_;
  SchedulerClient& client_;
  ResolvedSampler greedy_;  ///< of probes
  std::size_t next_job_ = 0;
  std::int64_t steps_ns_ = 0;                   ///< that steps took until now
  std::vector<std::unique_ptr<Trace>> traces_;  ///< in the engine, or waiting for their probes to end
  std::vector<std::unique_ptr<ProbeRun>> probes_;
  // Of a step:
  std::vector<StepInput> inputs_;
  std::vector<Trace*> readers_;
  std::vector<ProbeRun*> probe_readers_;  ///< whose next token is chosen
  std::vector<Draw> draws_;
  std::vector<Draw> probe_draws_;
  std::vector<std::optional<Choice>> choices_;
  std::vector<std::optional<Choice>> probe_choices_;
};

}  // namespace lil::record
