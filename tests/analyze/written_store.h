#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "schemas/curve_store.h"
#include "schemas/run_store.h"
#include "schemas/store.h"
#include "schemas/trace_store.h"
#include "schemas/vocabulary.h"

namespace lil::tests {

/// A trace as a test writes it: every byte of the text is a token.
struct WrittenTrace {
  std::string problem;
  std::string gold;
  std::string text;
  schemas::Finish finish = schemas::Finish::kStop;
  std::int64_t repeat = 0;
  schemas::AnswerKind kind = schemas::AnswerKind::kNumber;
};

/// A store with traces written by hand.
class WrittenStore {
 public:
  explicit WrittenStore(const std::filesystem::path& path)
      : store_(schemas::Store::open(path, schemas::Access::kCreate)),
        tokenizer_(schemas::put_tokenizer(store_, schemas::Vocabulary::bytes())) {}

  schemas::Store& store() { return store_; }

  schemas::RunKey add_run(const std::string& policy, std::optional<std::int64_t> cap_tokens = {},
                          const std::string& dtype = "") {
    schemas::RunRecord run;
    run.configuration = "{\"policy\": \"" + policy + "\", \"dtype\": \"" + dtype + "\"}";
    run.dtype = dtype;
    run.uid = schemas::run_uid(run.configuration);
    run.model = "hand";
    run.policy = policy;
    run.sampler = "greedy";
    run.problem_set = "set";
    run.tokenizer = tokenizer_;
    run.cap_tokens = cap_tokens;
    run.source = "recorded";
    const schemas::RunKey key = schemas::put_run(store_, run);
    uids_[key] = run.uid;
    return key;
  }

  void add_trace(schemas::RunKey run, const WrittenTrace& trace) {
    std::vector<schemas::TokenId> ids;
    for (const char c : trace.text) ids.push_back(static_cast<unsigned char>(c));
    add_trace(run, trace, ids);
  }

  void add_trace(schemas::RunKey run, const WrittenTrace& trace, const std::vector<schemas::TokenId>& ids) {
    const auto problem = schemas::put_problem(store_, {"set", trace.problem, "?", trace.gold, trace.kind});
    schemas::NewTrace start;
    start.uid = schemas::trace_uid(uids_.at(run), "set", trace.problem, trace.repeat);
    start.run = run;
    start.problem = problem;
    start.repeat = trace.repeat;
    schemas::TraceWriter writer(store_, start);
    writer.append({ids, {}, {}, {}});
    writer.finish(trace.finish, 0, 0);
  }

  [[nodiscard]] std::vector<schemas::TraceInfo> traces() const { return schemas::list_traces(store_, {}); }

 private:
  schemas::Store store_;
  schemas::TokenizerKey tokenizer_{};
  std::map<schemas::RunKey, std::string> uids_;
};

}  // namespace lil::tests
