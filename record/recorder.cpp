#include "record/recorder.h"

#include <fmt/format.h>

#include <exception>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "record/attention_policy.h"
#include "record/prompt_template.h"
#include "record/sampler.h"
#include "schemas/error.h"
#include "schemas/sha256.h"
#include "schemas/trace_store.h"

namespace lil::record {
namespace {

using schemas::Failure;
using schemas::Finish;
using schemas::Problem;
using schemas::TokenId;

/// Tokens of a trace between two reports of progress.
constexpr std::size_t kProgressTokens = 32;

void require_range(const char* what, std::int64_t value, std::int64_t min, std::int64_t max) {
  if (value < min || value > max) {
    throw Error(ErrorCode::kUsage, fmt::format("{} is {}, not in {}..{}", what, value, min, max));
  }
}

/// One trace to generate.
struct Job {
  const Problem* problem = nullptr;
  schemas::ProblemKey key{};
  std::int64_t repeat = 0;
};

/// Generated tokens that are not yet with the writer.
struct Pending {
  std::vector<TokenId> ids;
  std::vector<float> logprob;
  std::vector<float> entropy;
  std::vector<std::int32_t> attended;

  void add(const Choice& choice, std::int32_t attended_entries) {
    ids.push_back(choice.id);
    logprob.push_back(choice.logprob);
    entropy.push_back(choice.entropy);
    attended.push_back(attended_entries);
  }
  void clear() {
    ids.clear();
    logprob.clear();
    entropy.clear();
    attended.clear();
  }
};

class Recording {
 public:
  Recording(schemas::Store& store, const LanguageModel& model, const Tokenizer& tokenizer,
            const ProblemSet& problems, const RecordOptions& options, const RecordHooks& hooks)
      : store_(store),
        model_(model),
        tokenizer_(tokenizer),
        problems_(problems),
        options_(options),
        hooks_(hooks),
        template_(find_prompt_template(options.prompt_template)),
        policy_(make_attention_policy(options.policy)) {}

  RecordSummary run() {
    require_range("the number of repeats", options_.repeats, 1, 1 << 20);
    require_range("the number of threads", options_.threads, 1, 1024);
    prepare();
    std::vector<std::thread> workers;
    for (std::int64_t i = 0; i < options_.threads; ++i) workers.emplace_back([this] { work(); });
    for (std::thread& worker : workers) worker.join();
    if (fatal_) std::rethrow_exception(fatal_);
    summary_.stopped = stop_requested() && summary_.progress.traces_done + summary_.progress.traces_failed <
                                               summary_.progress.traces_total;
    if (!summary_.stopped) {
      schemas::set_run_status(store_, summary_.run, summary_.failures.empty() ? "complete" : "failed");
    }
    return std::move(summary_);
  }

 private:
  class Generation;

  /// Everything the traces refer to goes into the store first.
  void prepare() {
    schemas::RunRecord run = resolve_run(model_, tokenizer_, problems_, options_);
    schemas::Transaction transaction(store_);
    run.tokenizer = schemas::put_tokenizer(store_, tokenizer_.vocabulary());
    summary_.run_uid = run.uid;
    summary_.run = schemas::put_run(store_, run);
    schemas::set_run_status(store_, summary_.run, "open");
    std::set<std::string> ids;
    std::vector<schemas::ProblemKey> keys;
    for (const Problem& problem : problems_.problems) {
      if (!ids.insert(problem.id).second) {
        throw Error(ErrorCode::kInput,
                    fmt::format("problem set {} has the id '{}' twice", problems_.name, problem.id));
      }
      Problem stored = problem;
      stored.set = problems_.name;
      keys.push_back(schemas::put_problem(store_, stored));
    }
    transaction.commit();
    for (std::int64_t repeat = 0; repeat < options_.repeats; ++repeat) {
      for (std::size_t p = 0; p < keys.size(); ++p)
        jobs_.push_back({&problems_.problems[p], keys[p], repeat});
    }
    summary_.progress.traces_total = static_cast<std::int64_t>(jobs_.size());
  }

  void work() {
    try {
      const ResolvedSampler sampler = make_sampler(options_.sampler);
      for (std::size_t job = next_job_++; job < jobs_.size() && !stop_requested(); job = next_job_++) {
        record_or_note(jobs_[job], *sampler.sampler);
      }
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      if (!fatal_) fatal_ = std::current_exception();
      aborted_ = true;
    }
  }

  /// What is wrong with one problem is noted; a store that cannot be written ends the recording.
  void record_or_note(const Job& job, Sampler& sampler) {
    const char* stage = "prefill";
    try {
      record_trace(job, sampler, stage);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kEnvironment || error.code() == ErrorCode::kCorrupt) throw;
      note_failure(job, stage, error.what());
    } catch (const std::exception& error) {
      note_failure(job, stage, error.what());
    }
  }

  void note_failure(const Job& job, const char* stage, const char* message) {
    const std::scoped_lock lock(mutex_);
    const Failure failure{summary_.run, job.problem->id, stage, message};
    schemas::put_failure(store_, failure);
    summary_.failures.push_back(failure);
    ++summary_.progress.traces_failed;
    report();
  }

  void record_trace(const Job& job, Sampler& sampler, const char*& stage);

  [[nodiscard]] bool already_complete(const std::string& uid) {
    const std::scoped_lock lock(mutex_);
    if (!schemas::has_complete_trace(store_, uid)) return false;
    ++summary_.progress.traces_done;
    report();
    return true;
  }

  [[nodiscard]] std::string uid_of(const Job& job) const {
    return schemas::trace_uid(summary_.run_uid, problems_.name, job.problem->id, job.repeat);
  }

  [[nodiscard]] schemas::NewTrace new_trace(const Job& job, const std::vector<TokenId>& prompt) const {
    return {uid_of(job),
            summary_.run,
            job.key,
            job.repeat,
            static_cast<std::uint64_t>(options_.seed),
            prompt,
            schemas::TokenSource::kRecorded};
  }

  [[nodiscard]] bool stop_requested() const { return aborted_ || (hooks_.stop != nullptr && *hooks_.stop); }
  [[nodiscard]] std::int64_t now_ns() const { return hooks_.now_ns ? hooks_.now_ns() : 0; }

  /// With the mutex held.
  void report() const {
    if (hooks_.progress) hooks_.progress(summary_.progress);
  }

  schemas::Store& store_;
  const LanguageModel& model_;
  const Tokenizer& tokenizer_;
  const ProblemSet& problems_;
  const RecordOptions& options_;
  const RecordHooks& hooks_;
  const std::string template_;
  const ResolvedPolicy policy_;
  std::vector<Job> jobs_;
  std::atomic<std::size_t> next_job_ = 0;
  std::atomic<bool> aborted_ = false;
  std::mutex mutex_;  ///< guards the store and all below
  RecordSummary summary_;
  std::exception_ptr fatal_;
};

/// One trace on its way: tokens from the model, through the sampler, to the writer.
class Recording::Generation {
 public:
  Generation(Recording& recording, const Job& job, Sampler& sampler, std::span<const TokenId> prompt,
             schemas::TraceWriter& writer)
      : recording_(recording),
        sampler_(sampler),
        writer_(writer),
        key_{static_cast<std::uint64_t>(recording.options_.seed),
             problem_hash(recording.problems_.name, job.problem->id), static_cast<std::uint32_t>(job.repeat),
             0},
        sequence_(recording.model_.start(*recording.policy_.policy)) {
    if (recording.hooks_.make_observer) observer_ = recording.hooks_.make_observer(*job.problem, prompt);
  }

  [[nodiscard]] std::span<const float> prefill(std::span<const TokenId> prompt) {
    return sequence_->prefill(prompt);
  }

  /// Generates to the end; nothing where recording was asked to stop before.
  [[nodiscard]] std::optional<Finish> decode(std::span<const float> logits) {
    while (!recording_.stop_requested()) {
      const Choice choice = sampler_.choose(logits, key_);
      ++key_.step;
      pending_.add(choice, sequence_->attended());
      const std::optional<Finish> finish = judge(choice.id);
      if (finish || pending_.ids.size() % kProgressTokens == 0) flush();
      if (finish) return finish;
      logits = sequence_->decode(choice.id);
    }
    return std::nullopt;
  }

 private:
  /// The order follows what the whole trace would be: an observer only ends what would have gone on.
  std::optional<Finish> judge(TokenId id) {
    const auto& vocabulary = recording_.tokenizer_.vocabulary();
    if (id >= vocabulary.size()) {
      throw Error(ErrorCode::kInput,
                  fmt::format("the model wrote token {}, which the tokenizer's {} tokens do not have", id,
                              vocabulary.size()));
    }
    const auto& token = vocabulary.token(id);
    const bool ended = observer_ != nullptr && observer_->observe(id, token.special ? "" : token.bytes);
    const auto& ends = recording_.model_.config().end_ids;
    if (std::find(ends.begin(), ends.end(), id) != ends.end()) return Finish::kStop;
    if (key_.step == recording_.options_.cap_tokens) return Finish::kLength;
    if (ended) return Finish::kGuardian;
    return std::nullopt;
  }

  /// Hands over what was generated; the writer commits it block by block.
  void flush() {
    const std::scoped_lock lock(recording_.mutex_);
    writer_.append({pending_.ids, pending_.logprob, pending_.entropy, pending_.attended});
    recording_.summary_.progress.tokens += static_cast<std::int64_t>(pending_.ids.size());
    pending_.clear();
    recording_.report();
  }

  Recording& recording_;
  Sampler& sampler_;
  schemas::TraceWriter& writer_;
  DrawKey key_;
  std::unique_ptr<Sequence> sequence_;
  std::unique_ptr<TokenObserver> observer_;
  Pending pending_;
};

void Recording::record_trace(const Job& job, Sampler& sampler, const char*& stage) {
  if (already_complete(uid_of(job))) return;
  const std::vector<TokenId> prompt = encode_prompt(tokenizer_, template_, job.problem->text);
  std::unique_lock lock(mutex_);
  schemas::TraceWriter writer(store_, new_trace(job, prompt));
  lock.unlock();
  const std::int64_t start_ns = now_ns();
  Generation generation(*this, job, sampler, prompt, writer);
  const std::span<const float> logits = generation.prefill(prompt);
  const std::int64_t prefilled_ns = now_ns();
  stage = "decode";
  const std::optional<Finish> finish = generation.decode(logits);
  if (!finish) return;
  const std::int64_t decoded_ns = now_ns();
  lock.lock();
  writer.finish(*finish, prefilled_ns - start_ns, decoded_ns - prefilled_ns);
  ++summary_.progress.traces_done;
  report();
}

}  // namespace

std::uint64_t problem_hash(const std::string& problem_set, const std::string& problem_id) {
  const std::string digest = schemas::sha256_hex(problem_set + '\0' + problem_id);
  return std::stoull(digest.substr(0, 16), nullptr, 16);
}

schemas::RunRecord resolve_run(const LanguageModel& model, const Tokenizer& tokenizer,
                               const ProblemSet& problems, const RecordOptions& options) {
  require_range("the cap on generated tokens", options.cap_tokens, 1, 1 << 30);
  schemas::RunRecord run;
  run.created = options.created;
  run.tool_version = options.tool_version;
  run.host = options.host;
  run.device = model.device();
  run.dtype = model.dtype();
  run.model = model.name();
  run.weights_sha256 = model.weights_sha256();
  run.policy = make_attention_policy(options.policy).spec;
  run.sampler = make_sampler(options.sampler).spec;
  run.seed = options.seed;
  run.cap_tokens = options.cap_tokens;
  run.prompt_template = find_prompt_template(options.prompt_template);
  run.problem_set = problems.name;
  run.problem_set_sha256 = problems.sha256;
  run.source = "recorded";
  const nlohmann::json configuration = {
      {"cap_tokens", options.cap_tokens},
      {"device", run.device},
      {"dtype", run.dtype},
      {"model", run.model},
      {"model_config", nlohmann::json::parse(model.config().to_json())},
      {"policy", run.policy},
      {"problem_set", run.problem_set},
      {"problem_set_sha256", run.problem_set_sha256},
      {"sampler", run.sampler},
      {"seed", run.seed},
      {"stop_rule", options.stop_rule},
      {"template", run.prompt_template},
      {"tokenizer_sha256", schemas::sha256_hex(tokenizer.vocabulary().serialize())},
      {"weights_sha256", run.weights_sha256},
  };
  run.stop_rule = options.stop_rule;
  run.configuration = configuration.dump();
  run.uid = schemas::run_uid(run.configuration);
  return run;
}

RecordSummary record(schemas::Store& store, const LanguageModel& model, const Tokenizer& tokenizer,
                     const ProblemSet& problems, const RecordOptions& options, const RecordHooks& hooks) {
  return Recording(store, model, tokenizer, problems, options, hooks).run();
}

}  // namespace lil::record
