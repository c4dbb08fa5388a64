#include "record/scheduler.h"

#include <algorithm>
#include <cassert>
#include <stdexcept>
#include <utility>

#include "schemas/error.h"

namespace lil::record {

using schemas::Finish;
using schemas::TokenId;

/// A trace in the batch.
struct Scheduler::Trace {
  const TraceJob* job = nullptr;
  std::unique_ptr<Generation> generation;
  SequenceId sequence{};
  bool in_engine = false;
  std::int64_t prefill_ns = 0;
  std::int64_t first_step_ns = 0;  ///< of steps_ns_, when it came in
  std::int64_t decode_ns = 0;
  bool probe_due = false;   ///< it reads nothing before its copy is made
  std::int64_t probes = 0;  ///< under way
  std::optional<Finish> finish;
};

/// A copy of a trace's sequence that is asked for its answer.
struct Scheduler::ProbeRun {
  Trace* trace = nullptr;
  SequenceId sequence{};
  std::vector<TokenId> reads;  ///< before the answer begins, then its latest token
  std::size_t next = 0;
  ProbeAnswer answer;
  bool ended = false;

  [[nodiscard]] bool has_read_all() const { return next == reads.size(); }
};

Scheduler::Scheduler(const SchedulerParts& parts, const BatchPlan& plan, const ProbeOptions& probes,
                     std::vector<TokenId> closing_ids, SchedulerClient& client)
    : parts_(parts),
      plan_(plan),
      options_(probes),
      closing_ids_(std::move(closing_ids)),
      client_(client),
      greedy_(make_sampler("greedy")) {}

Scheduler::~Scheduler() = default;

void Scheduler::run(std::span<const TraceJob> jobs) {
  next_job_ = 0;
  while (!client_.stop_requested()) {
    admit_waiting(jobs);
    if (traces_.empty()) return;
    step();
  }
}

void Scheduler::admit_waiting(std::span<const TraceJob> jobs) {
  while (next_job_ < jobs.size() && has_room(jobs[next_job_]) && !client_.stop_requested()) {
    admit(jobs[next_job_++]);
  }
}

bool Scheduler::has_room(const TraceJob& job) const {
  std::int64_t lanes = 0;
  std::int64_t bytes = plan_.probe_bytes + job.kv_bytes;
  for (const auto& trace : traces_) {
    lanes += trace->in_engine ? 1 : 0;
    bytes += trace->in_engine ? trace->job->kv_bytes : 0;
  }
  const auto prompt = static_cast<std::int64_t>(job.prompt.size());
  return lanes < plan_.batch && bytes <= plan_.kv_bytes && parts_.engine->has_room(prompt, job.total_tokens);
}

void Scheduler::admit(const TraceJob& job) {
  std::optional<Choice> first;
  auto opened = prefill(job, first);
  if (opened == nullptr) return;
  Trace& trace = *traces_.emplace_back(std::move(opened));
  take(trace, first, parts_.engine->attended(trace.sequence));
  client_.progressed(1);
  finish_ended();
}

/// Null where it failed, or where a stop was asked for.
std::unique_ptr<Scheduler::Trace> Scheduler::prefill(const TraceJob& job, std::optional<Choice>& first) {
  auto trace = std::make_unique<Trace>();
  trace->job = &job;
  try {
    trace->generation = client_.begin(job);
    const std::int64_t start_ns = client_.now_ns();
    const auto sequence =
        parts_.engine->admit(job.prompt, job.total_tokens, [this] { return client_.stop_requested(); });
    if (!sequence) return nullptr;
    trace->sequence = *sequence;
    trace->in_engine = true;
    const Draw draw{parts_.engine->logits(trace->sequence), trace->generation->key()};
    parts_.sampler->choose({&draw, 1}, {&first, 1}, parts_.stream);
    trace->prefill_ns = client_.now_ns() - start_ns;
    trace->first_step_ns = steps_ns_;
    return trace;
  } catch (...) {
    if (trace->in_engine) parts_.engine->release(trace->sequence);
    client_.failed(job, "prefill");
    return nullptr;
  }
}

void Scheduler::step() {
  const std::int64_t start_ns = client_.now_ns();
  start_due_probes();
  read_tokens();
  sample();
  steps_ns_ += client_.now_ns() - start_ns;
  take_choices();
  take_probe_choices();
  client_.progressed(static_cast<std::int64_t>(readers_.size()));
  finish_ended();
}

void Scheduler::start_due_probes() {
  for (const auto& trace : traces_) {
    if (!trace->probe_due) continue;
    if (static_cast<std::int64_t>(probes_.size()) == plan_.probe_lanes) return;
    if (!parts_.engine->has_room_to_fork(trace->sequence)) return;
    start_probe(*trace);
  }
}

void Scheduler::start_probe(Trace& trace) {
  trace.probe_due = false;
  ProbeAnswer answer(options_, trace.generation->tokens(), *parts_.rules->vocabulary);
  auto probe =
      std::make_unique<ProbeRun>(ProbeRun{&trace, {}, {trace.generation->last()}, 0, std::move(answer)});
  probe->reads.insert(probe->reads.end(), closing_ids_.begin(), closing_ids_.end());
  probe->sequence = parts_.engine->fork(trace.sequence);
  probes_.push_back(std::move(probe));
  ++trace.probes;
}

void Scheduler::read_tokens() {
  inputs_.clear();
  readers_.clear();
  for (const auto& trace : traces_) {
    if (!trace->in_engine || trace->probe_due) continue;
    inputs_.push_back({trace->sequence, trace->generation->last()});
    readers_.push_back(trace.get());
  }
  probe_readers_.clear();
  for (const auto& probe : probes_) {
    inputs_.push_back({probe->sequence, probe->reads[probe->next++]});
    if (probe->has_read_all()) probe_readers_.push_back(probe.get());
  }
  assert(!inputs_.empty());
  parts_.engine->step(inputs_);
}

void Scheduler::sample() {
  draws_.clear();
  for (const Trace* trace : readers_) {
    draws_.push_back({parts_.engine->logits(trace->sequence), trace->generation->key()});
  }
  choices_.resize(draws_.size());
  parts_.sampler->choose(draws_, choices_, parts_.stream);
  probe_draws_.clear();
  for (const ProbeRun* probe : probe_readers_) {
    probe_draws_.push_back({parts_.engine->logits(probe->sequence), {}});
  }
  probe_choices_.resize(probe_draws_.size());
  greedy_.sampler->choose(probe_draws_, probe_choices_, parts_.stream);
}

void Scheduler::take_choices() {
  for (std::size_t i = 0; i < readers_.size(); ++i) {
    Trace& trace = *readers_[i];
    take(trace, choices_[i], parts_.engine->attended(trace.sequence));
  }
}

void Scheduler::take_probe_choices() {
  for (std::size_t i = 0; i < probe_readers_.size(); ++i) {
    if (!probe_readers_[i]->ended) take(*probe_readers_[i], probe_choices_[i]);
  }
  for (const auto& probe : probes_) {
    if (probe->ended) end_probe(*probe);
  }
  std::erase_if(probes_, [](const auto& probe) { return probe->ended; });
}

void Scheduler::take(Trace& trace, const std::optional<Choice>& choice, std::int32_t attended) {
  try {
    if (!choice) throw Error(ErrorCode::kInput, "the model's logits are not finite numbers");
    trace.finish = trace.generation->take(*choice, attended);
  } catch (...) {
    drop(trace, "decode");
    return;
  }
  const std::int64_t every = options_.every_tokens;
  trace.probe_due = !trace.finish && every > 0 && trace.generation->tokens() % every == 0;
  if (trace.finish) leave_engine(trace);
}

void Scheduler::take(ProbeRun& probe, const std::optional<Choice>& choice) {
  const auto& ends = parts_.rules->end_ids;
  try {
    if (!choice) throw Error(ErrorCode::kInput, "the model's logits are not finite numbers");
    const bool ends_here = std::find(ends.begin(), ends.end(), choice->id) != ends.end();
    probe.ended = probe.answer.add(choice->id, ends_here);
    probe.reads.push_back(choice->id);
    if (probe.ended) probe.trace->generation->put(probe.answer.probe());
  } catch (...) {
    probe.ended = true;
    client_.failed(*probe.trace->job, "probe");
  }
}

void Scheduler::end_probe(ProbeRun& probe) {
  parts_.engine->release(probe.sequence);
  if (probe.trace != nullptr) --probe.trace->probes;
}

void Scheduler::leave_engine(Trace& trace) {
  parts_.engine->release(trace.sequence);
  trace.in_engine = false;
  trace.decode_ns = steps_ns_ - trace.first_step_ns;
}

/// In a catch block: the trace ends without having been finished.
void Scheduler::drop(Trace& trace, const char* stage) {
  leave_engine(trace);
  for (const auto& probe : probes_) {
    if (probe->trace != &trace) continue;
    probe->trace = nullptr;
    probe->ended = true;
  }
  client_.failed(*trace.job, stage);
  trace.generation.reset();
}

void Scheduler::finish_ended() {
  for (const auto& trace : traces_) {
    if (trace->in_engine || trace->probes > 0 || trace->generation == nullptr) continue;
    try {
      trace->generation->finish(*trace->finish, trace->prefill_ns, trace->decode_ns);
      client_.finished(*trace->job);
    } catch (...) {
      client_.failed(*trace->job, "decode");
    }
    trace->generation.reset();
  }
  std::erase_if(traces_, [](const auto& trace) { return trace->generation == nullptr; });
}

}  // namespace lil::record
