#include "analyze/grading.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <string>
#include <thread>

#include "analyze/answer_events.h"
#include "analyze/verdict.h"
#include "replay/stream.h"
#include "schemas/answer_store.h"
#include "schemas/error.h"

namespace lil::analyze {
namespace {

constexpr std::size_t kBatchTraces = 32;  // for each thread: what is held in memory, and committed together

/// One trace on its way: read, then judged, then written.
struct Job {
  schemas::TraceInfo trace;
  const schemas::Vocabulary* vocabulary = nullptr;
  schemas::TraceTokens tokens;
  std::vector<schemas::AnswerEvent> events;
  std::optional<std::string> failure;
};

bool is_finished(const schemas::TraceInfo& trace) {
  return trace.finish == schemas::Finish::kStop || trace.finish == schemas::Finish::kPartial;
}

Job read_job(const schemas::Store& store, const schemas::TraceInfo& trace,
             schemas::Vocabularies& vocabularies) {
  Job job;
  job.trace = trace;
  try {
    job.vocabulary = &vocabularies.get(trace.tokenizer);
    job.tokens = schemas::read_tokens(store, trace.key);
  } catch (const Error& error) {
    job.failure = error.what();
  }
  return job;
}

void judge_job(Job& job, const Extraction& extraction) {
  if (job.failure) return;
  try {
    job.events = grade_trace(job.trace, job.tokens, *job.vocabulary, extraction);
  } catch (const std::exception& error) {
    job.failure = error.what();
  }
}

/// Every n-th job to the n-th worker: which one takes which changes nothing.
void judge_jobs(std::vector<Job>& jobs, const Extraction& extraction, int threads) {
  const auto step = static_cast<std::size_t>(std::max(1, threads));
  const auto work = [&](std::size_t first) {
    for (std::size_t i = first; i < jobs.size(); i += step) judge_job(jobs[i], extraction);
  };
  std::vector<std::jthread> workers;
  for (std::size_t first = 1; first < std::min(step, jobs.size()); ++first) workers.emplace_back(work, first);
  work(0);
}

void write_jobs(schemas::Store& store, const std::vector<Job>& jobs, const std::string& name,
                GradeResult& result) {
  schemas::Transaction transaction(store);
  for (const Job& job : jobs) {
    if (job.failure) {
      result.failures.push_back({job.trace.run, job.trace.problem_id, "grade",
                                 fmt::format("trace {}: {}", job.trace.uid, *job.failure)});
      schemas::put_failure(store, result.failures.back());
    } else {
      schemas::put_answers(store, job.trace.key, name, job.events);
      ++result.graded;
    }
  }
  transaction.commit();
}

}  // namespace

std::vector<schemas::AnswerEvent> grade_trace(const schemas::TraceInfo& trace,
                                              const schemas::TraceTokens& tokens,
                                              const schemas::Vocabulary& vocabulary,
                                              const Extraction& extraction) {
  const replay::Stream text = replay::build_stream(replay::StreamKind::kText, tokens, vocabulary);
  return find_answer_events(text.bytes, text.ends, extraction, is_finished(trace),
                            [&](const std::string& answer) {
                              return std::string(to_string(judge(answer, trace.gold, trace.kind)));
                            });
}

GradeResult grade_store(schemas::Store& store, const Extraction& extraction, const GradeOptions& options) {
  schemas::TraceFilter filter = options.filter;
  filter.complete_only = true;
  const auto traces = schemas::list_traces(store, filter);
  const std::string name = grading_name(extraction);
  const std::size_t batch = kBatchTraces * static_cast<std::size_t>(std::max(1, options.threads));
  GradeResult result;
  result.traces = static_cast<std::int64_t>(traces.size());
  schemas::Vocabularies vocabularies(store);
  for (std::size_t next = 0; next < traces.size();) {
    if (options.cancelled != nullptr && *options.cancelled) {
      result.cancelled = true;
      break;
    }
    std::vector<Job> jobs;
    for (; next < traces.size() && jobs.size() < batch; ++next) {
      if (schemas::read_answers(store, traces[next].key, name)) {
        ++result.graded_before;
      } else {
        jobs.push_back(read_job(store, traces[next], vocabularies));
      }
    }
    judge_jobs(jobs, extraction, options.threads);
    if (!jobs.empty()) write_jobs(store, jobs, name, result);
    if (options.progress) options.progress({static_cast<std::int64_t>(next), result.traces});
  }
  return result;
}

}  // namespace lil::analyze
