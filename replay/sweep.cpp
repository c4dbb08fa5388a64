#include "replay/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "replay/replayer.h"
#include "replay/signals/registry.h"
#include "schemas/error.h"

namespace lil::replay {
namespace {

/// A queue between threads.
template <class Item>
class Channel {
 public:
  void push(Item item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    changed_.notify_one();
  }
  /// Waits for an item; nothing once the channel is closed.
  std::optional<Item> pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || !items_.empty(); });
    if (closed_) return std::nullopt;
    std::optional<Item> item(std::move(items_.front()));
    items_.pop_front();
    return item;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  bool closed_ = false;
};

/// One curve to compute: number `curve` of what task `task` of the plan lacks.
struct CurveJob {
  std::size_t task = 0;
  std::size_t curve = 0;
  std::shared_ptr<TraceStreams> streams;
};

struct CurveDone {
  std::size_t task = 0;
  std::size_t curve = 0;
  std::optional<ReplayedCurve> result;  // neither of both: the sweep was cancelled before
  std::optional<std::string> error;
};

/// A task under way, or done before an earlier one: what became of its curves, in the order of the plan.
struct TaskResult {
  std::size_t left = 0;
  std::vector<std::optional<ReplayedCurve>> curves;
  std::set<std::string> errors;
};

/// Trouble with one trace, as opposed to trouble with the store.
bool concerns_trace(const Error& error) {
  return error.code() == ErrorCode::kCorrupt || error.code() == ErrorCode::kInput;
}

class Sweep {
 public:
  Sweep(schemas::Store& store, const SweepPlan& plan, const SweepOptions& options)
      : store_(store), plan_(plan), options_(options), vocabularies_(store) {
    const auto wanted = static_cast<std::int64_t>(std::max(1, options.threads));
    const auto threads = std::min(wanted, std::max<std::int64_t>(1, plan.curves));
    most_waiting_ = 2 * static_cast<std::size_t>(threads);
    progress_.curves_total = plan.curves;
    for (std::int64_t i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
  }
  ~Sweep() {
    abandoned_ = true;
    todo_.close();
  }
  Sweep(const Sweep&) = delete;
  Sweep& operator=(const Sweep&) = delete;

  SweepResult run() {
    for (;;) {
      while (waiting_ < most_waiting_ && next_ < plan_.tasks.size() && !cancelled()) load(next_++);
      if (waiting_ == 0) break;
      accept(*done_.pop());
    }
    write_batch();
    result_.cancelled = progress_.curves_done < plan_.curves;
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool cancelled() const { return options_.cancelled != nullptr && *options_.cancelled; }

  void work() {
    Replayer replayer(options_.cpu_now_ns);
    while (auto job = todo_.pop()) done_.push(compute(replayer, *job));
  }

  CurveDone compute(Replayer& replayer, const CurveJob& job) const {
    CurveDone done{job.task, job.curve, {}, {}};
    if (abandoned_ || cancelled()) return done;
    const schemas::CurveId& id = plan_.tasks[job.task].missing[job.curve];
    try {
      done.result = replayer.replay(*job.streams, id, options_.cancelled);
    } catch (const std::exception& error) {
      done.error = fmt::format("{} on {}: {}", id.signal, id.stream, error.what());
    }
    return done;
  }

  void load(std::size_t index) {
    const SweepTask& task = plan_.tasks[index];
    TaskResult& result = results_[index];
    result.curves.resize(task.missing.size());
    try {
      const auto streams = std::make_shared<TraceStreams>(schemas::read_tokens(store_, task.trace.key),
                                                          vocabularies_.get(task.trace.tokenizer));
      result.left = task.missing.size();
      waiting_ += task.missing.size();
      for (std::size_t curve = 0; curve < task.missing.size(); ++curve) todo_.push({index, curve, streams});
    } catch (const Error& error) {
      if (!concerns_trace(error)) throw;
      result.errors.insert(error.what());
      progress_.curves_done += static_cast<std::int64_t>(task.missing.size());
      finish_tasks();
    }
  }

  void accept(CurveDone done) {
    --waiting_;
    TaskResult& task = results_.at(done.task);
    --task.left;
    if (done.result) progress_.bytes_done += done.result->bytes;
    if (done.result || done.error) ++progress_.curves_done;  // else it was cancelled
    if (done.error) task.errors.insert(std::move(*done.error));
    task.curves[done.curve] = std::move(done.result);
    finish_tasks();
  }

  /// Hands over what is done, in the order of the plan.
  void finish_tasks() {
    for (auto first = results_.find(next_to_write_); first != results_.end() && first->second.left == 0;
         first = results_.find(next_to_write_)) {
      batch_curves_ += first->second.curves.size();
      for (const auto& curve : first->second.curves) batch_cpu_ns_ += curve ? curve->cpu_ns : 0;
      batch_.emplace_back(first->first, std::move(first->second));
      results_.erase(first);
      ++next_to_write_;
    }
    constexpr std::size_t kCurvesPerTransaction = 64;
    constexpr std::int64_t kCpuPerTransactionNs = 1'000'000'000;  // of work that a kill may cost
    if (batch_curves_ >= kCurvesPerTransaction || batch_cpu_ns_ >= kCpuPerTransactionNs) write_batch();
    if (options_.progress) options_.progress(progress_);
  }

  void write_batch() {
    if (batch_.empty()) return;
    schemas::Transaction transaction(store_);
    for (const auto& [index, result] : batch_) {
      const schemas::TraceInfo& trace = plan_.tasks[index].trace;
      for (const auto& curve : result.curves) {
        if (!curve) continue;
        schemas::put_curve(store_, trace.key, curve->id, curve->curve, curve->cpu_ns);
        ++result_.curves_stored;
      }
      for (const std::string& message : result.errors) {
        result_.failures.push_back(
            {trace.run, trace.problem_id, "replay", fmt::format("trace {}: {}", trace.uid, message)});
        schemas::put_failure(store_, result_.failures.back());
      }
    }
    transaction.commit();
    batch_.clear();
    batch_curves_ = 0;
    batch_cpu_ns_ = 0;
  }

  schemas::Store& store_;
  const SweepPlan& plan_;
  const SweepOptions& options_;

  std::size_t next_ = 0;     // task to load
  std::size_t waiting_ = 0;  // curves that were handed to the workers and have not come back
  std::size_t most_waiting_ = 0;
  schemas::Vocabularies vocabularies_;
  std::map<std::size_t, TaskResult> results_;  // of tasks that were loaded and not handed over
  std::size_t next_to_write_ = 0;
  std::vector<std::pair<std::size_t, TaskResult>> batch_;
  std::size_t batch_curves_ = 0;
  std::int64_t batch_cpu_ns_ = 0;
  SweepProgress progress_;
  SweepResult result_;

  std::atomic<bool> abandoned_ = false;
  Channel<CurveJob> todo_;
  Channel<CurveDone> done_;
  std::vector<std::jthread> workers_;  // last: joined before what they use goes
};

std::int64_t stream_tokens(const schemas::TraceInfo& trace, const schemas::CurveId& id) {
  return trace.tokens + (has_prompt(stream_from(id.stream)) ? trace.prompt_tokens : 0);
}

std::int64_t task_tokens(const SweepTask& task) {
  std::int64_t tokens = 0;
  for (const schemas::CurveId& id : task.missing) tokens += stream_tokens(task.trace, id);
  return tokens;
}

/// A curve that is asked for, and the traces that have it.
struct WantedCurve {
  schemas::CurveId id;
  SignalInput input;
  std::set<schemas::TraceKey> stored;
};

/// Without repetitions, in the order of the request; curves of the same stream stand together.
std::vector<WantedCurve> wanted_curves(const schemas::Store& store, const SweepRequest& request) {
  std::vector<WantedCurve> curves;
  for (const StreamKind stream : request.streams) {
    for (const std::string& spec : request.signals) {
      const auto signal = make_signal(spec);
      const schemas::CurveId id = curve_id(*signal, stream, request.grid_tokens);
      const bool there =
          std::any_of(curves.begin(), curves.end(), [&](const WantedCurve& curve) { return curve.id == id; });
      if (!there) curves.push_back({id, signal->input(), schemas::traces_with_curve(store, id)});
    }
  }
  return curves;
}

bool is_recorded(SignalInput input, const schemas::TraceInfo& trace) {
  switch (input) {
    case SignalInput::kBytes:
      return true;
    case SignalInput::kLogprob:
      return trace.has_logprob;
    case SignalInput::kEntropy:
      return trace.has_entropy;
  }
  return false;
}

/// Those of the shard among the selected traces. They are dealt out by length, so that the shards have like
/// work.
std::vector<schemas::TraceInfo> traces_of(std::vector<schemas::TraceInfo> traces,
                                          const SweepRequest& request) {
  if (request.shard.count == 1) return traces;
  std::stable_sort(traces.begin(), traces.end(),
                   [](const auto& a, const auto& b) { return a.tokens > b.tokens; });
  std::vector<schemas::TraceInfo> mine;
  const auto count = static_cast<std::size_t>(request.shard.count);
  for (std::size_t i = 0; i < traces.size(); ++i) {
    const std::size_t round_trip = i % (2 * count);  // to and fro: the one that dealt last deals first
    const std::size_t shard = std::min(round_trip, 2 * count - 1 - round_trip);
    if (shard == static_cast<std::size_t>(request.shard.index)) mine.push_back(std::move(traces[i]));
  }
  return mine;
}

void check_request(const SweepRequest& request) {
  if (request.grid_tokens < 1) {
    throw Error(ErrorCode::kUsage,
                fmt::format("a grid of every {} tokens; it must be 1 or more", request.grid_tokens));
  }
  const Shard& shard = request.shard;
  if (shard.count < 1 || shard.index < 0 || shard.index >= shard.count) {
    throw Error(ErrorCode::kUsage,
                fmt::format("shard {}/{}: the first number must be 1 or more and at most the second",
                            shard.index + 1, shard.count));
  }
}

}  // namespace

SweepPlan plan_sweep(const schemas::Store& store, const SweepRequest& request) {
  check_request(request);
  const std::vector<WantedCurve> wanted = wanted_curves(store, request);
  schemas::TraceFilter filter = request.filter;
  filter.complete_only = true;
  auto selected = schemas::list_traces(store, filter);
  SweepPlan plan;
  plan.selected = static_cast<std::int64_t>(selected.size());
  for (schemas::TraceInfo& trace : traces_of(std::move(selected), request)) {
    SweepTask task{std::move(trace), {}};
    for (const WantedCurve& curve : wanted) {
      if (curve.stored.count(task.trace.key) != 0) {
        ++plan.curves_stored;
      } else if (is_recorded(curve.input, task.trace)) {
        task.missing.push_back(curve.id);
      } else {
        ++plan.not_recorded;
      }
    }
    ++plan.traces;
    plan.curves += static_cast<std::int64_t>(task.missing.size());
    plan.tokens += task_tokens(task);
    if (!task.missing.empty()) plan.tasks.push_back(std::move(task));
  }
  std::stable_sort(plan.tasks.begin(), plan.tasks.end(),
                   [](const SweepTask& a, const SweepTask& b) { return task_tokens(a) > task_tokens(b); });
  return plan;
}

SweepResult run_sweep(schemas::Store& store, const SweepPlan& plan, const SweepOptions& options) {
  return Sweep(store, plan, options).run();
}

}  // namespace lil::replay
