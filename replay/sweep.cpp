#include "replay/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
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

struct LoadedTask {
  std::size_t index = 0;  // in the plan
  schemas::TraceTokens tokens;
  const schemas::Vocabulary* vocabulary = nullptr;
};

struct TaskResult {
  std::size_t index = 0;
  std::vector<ReplayedCurve> curves;
  std::vector<std::string> errors;
};

/// Trouble with one trace, as opposed to trouble with the store.
bool concerns_trace(const Error& error) {
  return error.code() == ErrorCode::kCorrupt || error.code() == ErrorCode::kInput;
}

class Sweep {
 public:
  Sweep(schemas::Store& store, const SweepPlan& plan, const SweepOptions& options)
      : store_(store), plan_(plan), options_(options), vocabularies_(store) {
    const auto wanted = std::max<std::size_t>(1, static_cast<std::size_t>(std::max(1, options.threads)));
    const std::size_t threads = std::min(wanted, std::max<std::size_t>(1, plan.tasks.size()));
    most_in_flight_ = 2 * threads;
    progress_.curves_total = plan.curves;
    for (std::size_t i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
  }
  ~Sweep() {
    abandoned_ = true;
    todo_.close();
  }
  Sweep(const Sweep&) = delete;
  Sweep& operator=(const Sweep&) = delete;

  SweepResult run() {
    for (;;) {
      while (in_flight_ < most_in_flight_ && next_ < plan_.tasks.size() && !cancelled()) load(next_++);
      if (in_flight_ == 0) break;
      TaskResult result = *done_.pop();
      --in_flight_;
      accept(std::move(result));
    }
    write_batch();
    result_.cancelled = progress_.curves_done < plan_.curves;
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool cancelled() const { return options_.cancelled != nullptr && *options_.cancelled; }

  void work() {
    Replayer replayer(options_.cpu_now_ns);
    while (const auto task = todo_.pop()) done_.push(replay_task(replayer, *task));
  }

  TaskResult replay_task(Replayer& replayer, const LoadedTask& task) const {
    TaskResult result{task.index, {}, {}};
    replayer.start(task.tokens, *task.vocabulary);
    for (const schemas::CurveId& id : plan_.tasks[task.index].missing) {
      if (abandoned_ || cancelled()) break;
      try {
        result.curves.push_back(replayer.replay(id));
      } catch (const std::exception& error) {
        result.errors.push_back(fmt::format("{} on {}: {}", id.signal, id.stream, error.what()));
      }
    }
    return result;
  }

  void load(std::size_t index) {
    const SweepTask& task = plan_.tasks[index];
    try {
      LoadedTask loaded{index, schemas::read_tokens(store_, task.trace.key),
                        &vocabularies_.get(task.trace.tokenizer)};
      ++in_flight_;
      todo_.push(std::move(loaded));
    } catch (const Error& error) {
      if (!concerns_trace(error)) throw;
      accept({index, {}, std::vector<std::string>(task.missing.size(), error.what())});
    }
  }

  void accept(TaskResult result) {
    progress_.curves_done += static_cast<std::int64_t>(result.curves.size() + result.errors.size());
    for (const ReplayedCurve& curve : result.curves) progress_.bytes_done += curve.bytes;
    const std::size_t index = result.index;
    waiting_.emplace(index, std::move(result));
    for (auto first = waiting_.find(next_to_write_); first != waiting_.end();
         first = waiting_.find(next_to_write_)) {
      batch_curves_ += first->second.curves.size();
      batch_.push_back(std::move(first->second));
      waiting_.erase(first);
      ++next_to_write_;
    }
    constexpr std::size_t kCurvesPerTransaction = 64;
    if (batch_curves_ >= kCurvesPerTransaction) write_batch();
    if (options_.progress) options_.progress(progress_);
  }

  void write_batch() {
    if (batch_.empty()) return;
    schemas::Transaction transaction(store_);
    for (const TaskResult& result : batch_) {
      const schemas::TraceInfo& trace = plan_.tasks[result.index].trace;
      for (const ReplayedCurve& curve : result.curves) {
        schemas::put_curve(store_, trace.key, curve.id, curve.curve, curve.cpu_ns);
        ++result_.curves_stored;
      }
      for (const std::string& message : std::set<std::string>(result.errors.begin(), result.errors.end())) {
        result_.failures.push_back(
            {trace.run, trace.problem_id, "replay", fmt::format("trace {}: {}", trace.uid, message)});
        schemas::put_failure(store_, result_.failures.back());
      }
    }
    transaction.commit();
    batch_.clear();
    batch_curves_ = 0;
  }

  schemas::Store& store_;
  const SweepPlan& plan_;
  const SweepOptions& options_;

  std::size_t next_ = 0;  // task to load
  std::size_t in_flight_ = 0;
  std::size_t most_in_flight_ = 0;
  schemas::Vocabularies vocabularies_;
  std::map<std::size_t, TaskResult> waiting_;  // done before an earlier task of the plan
  std::size_t next_to_write_ = 0;
  std::vector<TaskResult> batch_;
  std::size_t batch_curves_ = 0;
  SweepProgress progress_;
  SweepResult result_;

  std::atomic<bool> abandoned_ = false;
  Channel<LoadedTask> todo_;
  Channel<TaskResult> done_;
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

/// Without repetitions, in the order of the request; curves of the same stream stand together.
std::vector<schemas::CurveId> wanted_curves(const SweepRequest& request) {
  std::vector<schemas::CurveId> ids;
  for (const StreamKind stream : request.streams) {
    for (const std::string& spec : request.signals) {
      const schemas::CurveId id = curve_id(*make_signal(spec), stream, request.grid_tokens);
      if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
    }
  }
  return ids;
}

}  // namespace

SweepPlan plan_sweep(const schemas::Store& store, const SweepRequest& request) {
  if (request.grid_tokens < 1) {
    throw Error(ErrorCode::kUsage,
                fmt::format("a grid of every {} tokens; it must be 1 or more", request.grid_tokens));
  }
  const std::vector<schemas::CurveId> ids = wanted_curves(request);
  std::vector<std::set<schemas::TraceKey>> stored;
  stored.reserve(ids.size());
  for (const schemas::CurveId& id : ids) stored.push_back(schemas::traces_with_curve(store, id));

  SweepPlan plan;
  schemas::TraceFilter filter = request.filter;
  filter.complete_only = true;
  for (schemas::TraceInfo& trace : schemas::list_traces(store, filter)) {
    SweepTask task{std::move(trace), {}};
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (stored[i].count(task.trace.key) == 0) task.missing.push_back(ids[i]);
    }
    ++plan.traces;
    plan.curves += static_cast<std::int64_t>(task.missing.size());
    plan.curves_stored += static_cast<std::int64_t>(ids.size() - task.missing.size());
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
