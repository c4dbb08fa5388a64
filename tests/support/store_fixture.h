#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schemas/run_store.h"
#include "schemas/trace_store.h"

namespace lil::tests {

/// A run over `vocabulary` with little in it but what the store requires.
inline schemas::RunRecord minimal_run(const std::string& configuration, schemas::TokenizerKey tokenizer) {
  schemas::RunRecord run;
  run.configuration = configuration;
  run.uid = schemas::run_uid(configuration);
  run.created = "2026-01-01T00:00:00Z";
  run.model = "toy";
  run.tokenizer = tokenizer;
  run.policy = "full";
  run.sampler = "greedy";
  run.cap_tokens = 1000;
  run.problem_set = "toys";
  run.source = "recorded";
  return run;
}

inline schemas::NewTrace minimal_trace(const schemas::RunRecord& run, schemas::RunKey key,
                                       const schemas::Problem& problem, schemas::ProblemKey problem_key) {
  schemas::NewTrace trace;
  trace.uid = schemas::trace_uid(run.uid, problem.set, problem.id, 0);
  trace.run = key;
  trace.problem = problem_key;
  return trace;
}

/// Puts a complete trace whose generated text is `text`, a token a byte, and returns what the store says of
/// it.
inline schemas::TraceInfo put_text_trace(schemas::Store& store, const std::string& problem_id,
                                         const std::string& gold, const std::string& text,
                                         schemas::Finish finish = schemas::Finish::kStop,
                                         const std::string& configuration = "{}") {
  const auto run = minimal_run(configuration, schemas::put_tokenizer(store, schemas::Vocabulary::bytes()));
  const schemas::Problem problem{"toys", problem_id, "what is " + problem_id + "?", gold,
                                 schemas::AnswerKind::kNumber};
  const auto trace =
      minimal_trace(run, schemas::put_run(store, run), problem, schemas::put_problem(store, problem));
  schemas::TraceWriter writer(store, trace);
  std::vector<schemas::TokenId> ids;
  for (const char byte : text) ids.push_back(static_cast<std::uint8_t>(byte));
  writer.append({ids, {}, {}, {}});
  writer.finish(finish, 0, 0);
  schemas::TraceFilter filter;
  filter.uid = trace.uid;
  return schemas::list_traces(store, filter).at(0);
}

}  // namespace lil::tests
