#include "record/recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <set>
#include <utility>

#include "kernels/thread_team.h"
#include "record/attention_policy.h"
#include "record/engine.h"
#include "record/prompt_template.h"
#include "record/sampler.h"
#include "record/scheduler.h"
#include "schemas/error.h"
#include "schemas/probe_store.h"
#include "schemas/trace_store.h"

namespace lil::record {
namespace {

using schemas::Failure;
using schemas::Problem;
using schemas::TokenId;

class Recording final : public SchedulerClient {
 public:
  Recording(schemas::Store& store, const LanguageModel& model, const Tokenizer& tokenizer,
            const ProblemSet& problems, const RecordOptions& options, const RecordHooks& hooks)
      : store_(store),
        model_(model),
        tokenizer_(tokenizer),
        problems_(problems),
        options_(options),
        hooks_(hooks),
        policy_(make_attention_policy(options.policy)),
        rules_{&tokenizer.vocabulary(), model.config().end_ids, options.cap_tokens} {}

  RecordSummary run() {
    encode_closing();
    put_run_and_problems();
    encode_prompts();
    list_jobs();
    drop_jobs_without_room();
    if (!jobs_.empty() && !stop_requested()) generate();
    const RecordProgress& at = summary_.progress;
    summary_.stopped = stop_requested() && at.traces_done + at.traces_failed < at.traces_total;
    if (!summary_.stopped) {
      schemas::set_run_status(store_, summary_.run, summary_.failures.empty() ? "complete" : "failed");
    }
    return std::move(summary_);
  }

  std::unique_ptr<Generation> begin(const TraceJob& job) override {
    auto observer = hooks_.make_observer ? hooks_.make_observer(*job.problem, job.prompt) : nullptr;
    const DrawKey key{static_cast<std::uint64_t>(options_.seed),
                      problem_hash(problems_.name, job.problem->id), static_cast<std::uint32_t>(job.repeat),
                      0};
    schemas::NewTrace trace{uid_of(job),
                            summary_.run,
                            job.key,
                            job.repeat,
                            static_cast<std::uint64_t>(options_.seed),
                            {job.prompt.begin(), job.prompt.end()},
                            schemas::TokenSource::kRecorded};
    return std::make_unique<Generation>(rules_, store_, std::move(trace), key, std::move(observer));
  }

  void finished(const TraceJob& /*job*/) override {
    ++summary_.progress.traces_done;
    ++ended_;
    report();
  }

  /// What is wrong with one problem is noted; a store or a device that fails ends the recording.
  void failed(const TraceJob& job, const char* stage) override {
    try {
      throw;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kEnvironment || error.code() == ErrorCode::kCorrupt) throw;
      note_failure(job.problem->id, stage, error.what());
    } catch (const std::exception& error) {
      note_failure(job.problem->id, stage, error.what());
    }
  }

  void progressed(std::int64_t tokens) override {
    summary_.progress.tokens += tokens;
    report();
  }

  [[nodiscard]] bool stop_requested() const override { return hooks_.stop != nullptr && *hooks_.stop; }
  [[nodiscard]] std::int64_t now_ns() const override { return hooks_.now_ns ? hooks_.now_ns() : 0; }

 private:
  /// Everything the traces refer to goes into the store first.
  void put_run_and_problems();
  void encode_closing();
  void encode_prompts();
  void list_jobs();
  void drop_jobs_without_room();
  void generate();
  [[nodiscard]] BatchPlan plan() const;

  void note_failure(const std::string& problem_id, const char* stage, const char* message) {
    const Failure failure{summary_.run, problem_id, stage, message};
    schemas::put_failure(store_, failure);
    summary_.failures.push_back(failure);
    if (std::string_view(stage) == "probe") return;  // its trace goes on
    ++summary_.progress.traces_failed;
    report();
  }

  [[nodiscard]] std::string uid_of(const TraceJob& job) const {
    return schemas::trace_uid(summary_.run_uid, problems_.name, job.problem->id, job.repeat);
  }

  /// Tokens that a sequence may read after its prompt.
  [[nodiscard]] std::int64_t tokens_after_prompt() const {
    const auto closing = static_cast<std::int64_t>(closing_ids_.size());
    return options_.cap_tokens +
           (options_.probes.every_tokens > 0 ? closing + options_.probes.most_tokens : 0);
  }

  void report() {
    if (!hooks_.progress) return;
    RecordProgress& at = summary_.progress;
    if (ended_ > 0) {
      const std::int64_t each = std::min(at.tokens / ended_, options_.cap_tokens);
      at.tokens_left = each * (at.traces_total - at.traces_done - at.traces_failed);
    }
    hooks_.progress(at);
  }

  schemas::Store& store_;
  const LanguageModel& model_;
  const Tokenizer& tokenizer_;
  const ProblemSet& problems_;
  const RecordOptions& options_;
  const RecordHooks& hooks_;
  const ResolvedPolicy policy_;
  const GenerationRules rules_;
  std::vector<schemas::ProblemKey> keys_;      ///< by problem
  std::vector<std::vector<TokenId>> prompts_;  ///< by problem; empty where it cannot be encoded
  std::vector<TokenId> closing_ids_;
  std::vector<TraceJob> jobs_;
  RecordSummary summary_;
  std::int64_t ended_ = 0;  ///< traces, in this call
};

void Recording::put_run_and_problems() {
  schemas::RunRecord run = resolve_run(model_, tokenizer_, problems_, options_);
  schemas::Transaction transaction(store_);
  run.tokenizer = schemas::put_tokenizer(store_, tokenizer_.vocabulary());
  summary_.run_uid = run.uid;
  summary_.run = schemas::put_run(store_, run);
  schemas::set_run_status(store_, summary_.run, "open");
  std::set<std::string> ids;
  for (const Problem& problem : problems_.problems) {
    if (!ids.insert(problem.id).second) {
      throw Error(ErrorCode::kInput,
                  fmt::format("problem set {} has the id '{}' twice", problems_.name, problem.id));
    }
    Problem stored = problem;
    stored.set = problems_.name;
    keys_.push_back(schemas::put_problem(store_, stored));
  }
  transaction.commit();
}

void Recording::encode_closing() {
  if (options_.probes.every_tokens == 0) return;
  try {
    closing_ids_ = tokenizer_.encode(options_.probes.closing, Tokenizer::SpecialTokens::kAsTokens);
  } catch (const Error& error) {
    throw Error(
        error.code(),
        fmt::format("the closing of probes, '{}', cannot be encoded; give another as closing=TEXT: {}",
                    options_.probes.closing, error.what()));
  }
  for (const TokenId id : closing_ids_) {
    if (id < model_.config().vocabulary) continue;
    throw Error(ErrorCode::kUsage,
                fmt::format("the probes' closing has token {}, which is outside the {} tokens of the model",
                            id, model_.config().vocabulary));
  }
}

void Recording::encode_prompts() {
  const std::string text = find_prompt_template(options_.prompt_template);
  summary_.progress.traces_total = static_cast<std::int64_t>(problems_.problems.size()) * options_.repeats;
  for (const Problem& problem : problems_.problems) {
    std::vector<TokenId>& prompt = prompts_.emplace_back();
    try {
      prompt = encode_prompt(tokenizer_, text, problem.text);
    } catch (const Error& error) {
      for (std::int64_t repeat = 0; repeat < options_.repeats; ++repeat) {
        note_failure(problem.id, "prefill", error.what());
      }
    }
  }
}

/// Traces that are not complete, repeat after repeat.
void Recording::list_jobs() {
  for (std::int64_t repeat = 0; repeat < options_.repeats; ++repeat) {
    for (std::size_t p = 0; p < prompts_.size(); ++p) {
      if (prompts_[p].empty()) continue;
      TraceJob job{&problems_.problems[p], keys_[p], repeat, prompts_[p], 0, 0};
      if (schemas::has_complete_trace(store_, uid_of(job))) {
        ++summary_.progress.traces_done;
        if (options_.probes.every_tokens > 0 && !schemas::has_probes(store_, uid_of(job))) {
          ++summary_.without_probes;
        }
        continue;
      }
      const auto prompt = static_cast<std::int64_t>(job.prompt.size());
      job.total_tokens = prompt + tokens_after_prompt();
      job.kv_bytes =
          kv_bytes_needed(model_.config(), model_.dtype(), *policy_.policy, prompt, job.total_tokens);
      jobs_.push_back(job);
    }
  }
  report();
}

/// Those that are too large for the pool that others fit in.
void Recording::drop_jobs_without_room() {
  if (options_.kv_bytes == 0 || jobs_.empty()) return;
  const std::int64_t copies = options_.probes.every_tokens > 0 ? 2 : 1;
  const auto too_large = [&](const TraceJob& job) { return copies * job.kv_bytes > options_.kv_bytes; };
  if (std::all_of(jobs_.begin(), jobs_.end(), too_large)) return;  // plan() says so
  for (const TraceJob& job : jobs_) {
    if (!too_large(job)) continue;
    const std::string message = fmt::format(
        "with a prompt of {} tokens it may need {} bytes of the KV pool{}, which may have {}",
        job.prompt.size(), copies * job.kv_bytes, copies == 2 ? " with its probe" : "", options_.kv_bytes);
    note_failure(job.problem->id, "prefill", message.c_str());
  }
  std::erase_if(jobs_, too_large);
}

BatchPlan Recording::plan() const {
  BatchNeeds needs;
  needs.batch = options_.batch;
  needs.kv_bytes = options_.kv_bytes;
  needs.traces = static_cast<std::int64_t>(jobs_.size());
  std::int64_t prompt_tokens = 0;
  std::int64_t total_tokens = 0;
  for (const TraceJob& job : jobs_) {
    needs.sequence_bytes = std::max(needs.sequence_bytes, job.kv_bytes);
    prompt_tokens = std::max(prompt_tokens, static_cast<std::int64_t>(job.prompt.size()));
    total_tokens = std::max(total_tokens, job.total_tokens);
  }
  if (options_.probes.every_tokens > 0) {
    const std::int64_t steps = tokens_after_prompt() - options_.cap_tokens + 1;
    needs.probe_share = static_cast<double>(steps) / static_cast<double>(options_.probes.every_tokens);
  }
  BatchPlan plan = plan_batch(needs);
  plan.max_tokens = total_tokens;
  plan.max_prompt_tokens = prompt_tokens;
  return plan;
}

void Recording::generate() {
  const BatchPlan plan = this->plan();
  if (hooks_.planned) hooks_.planned(plan);
  Engine engine(model_, *policy_.policy,
                {plan.batch + plan.probe_lanes, plan.max_tokens, plan.kv_bytes, plan.max_prompt_tokens});
  const ResolvedSampler sampler = make_sampler(options_.sampler);
  // Sampling is the CPU's work on any device; where the device's threads are the CPU's, they share it.
  const bool own_threads = model_.device().kernels().distribution == nullptr;
  kernels::ThreadTeam team(own_threads ? static_cast<int>(options_.sampling_threads) : 1);
  const kernels::Stream stream = own_threads ? &team : model_.device().stream();
  Scheduler scheduler({&engine, sampler.sampler.get(), stream, &rules_}, plan, options_.probes, closing_ids_,
                      *this);
  scheduler.run(jobs_);
}

}  // namespace

RecordSummary record(schemas::Store& store, const LanguageModel& model, const Tokenizer& tokenizer,
                     const ProblemSet& problems, const RecordOptions& options, const RecordHooks& hooks) {
  return Recording(store, model, tokenizer, problems, options, hooks).run();
}

}  // namespace lil::record
