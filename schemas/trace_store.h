#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "schemas/store.h"
#include "schemas/trace.h"

namespace lil::schemas {

/// Tokens in a full block of a trace: what a kill can lose at most.
inline constexpr std::int64_t kBlockTokens = 256;

/// 16 hexadecimal digits that name a trace in every store: run, problem set, problem and repeat hashed.
[[nodiscard]] std::string trace_uid(const std::string& run_uid, const std::string& problem_set,
                                    const std::string& problem_id, std::int64_t repeat);

/// What a trace starts with.
struct NewTrace {
  std::string uid;
  RunKey run{};
  ProblemKey problem{};
  std::int64_t repeat = 0;
  std::uint64_t seed = 0;
  std::vector<TokenId> prompt_ids;
  TokenSource source = TokenSource::kRecorded;
};

/// Tokens as they are generated, with what was recorded of each; optional spans are empty or as long as ids.
struct TokenChunk {
  std::span<const TokenId> ids;
  std::span<const float> logprob;
  std::span<const float> entropy;
  std::span<const std::int32_t> attended;
};

/// Appends one trace. Every full block is committed as soon as it is there; the last one, the finish
/// reason and `complete` go into one transaction. Where the store holds an unfinished trace of this uid,
/// the tokens appended must repeat what is stored. Holds a reference to the store.
class TraceWriter {
 public:
  /// Throws Error(kConflict) if the trace is complete already, or its prompt is another.
  TraceWriter(Store& store, NewTrace trace);

  /// Of the trace in the store, which has it from the start.
  [[nodiscard]] TraceKey key() const { return key_; }
  /// Throws Error(kConflict) naming the first token that differs from a stored, unfinished trace.
  void append(const TokenChunk& chunk);
  /// Nanoseconds spent on the prompt and on generating; 0 where unknown.
  void finish(Finish finish, std::int64_t prefill_ns, std::int64_t decode_ns);

 private:
  void verify_prefix(const TokenChunk& chunk, std::int64_t count);
  void write_block(const TokenChunk& chunk);

  Store& store_;
  NewTrace trace_;
  TraceKey key_{};
  std::vector<TokenId> stored_prefix_;
  std::int64_t verified_ = 0;
  std::int64_t blocks_ = 0;
  std::int64_t written_tokens_ = 0;
  TraceTokens pending_;
};

/// Which traces to look at. Unset fields select all.
struct TraceFilter {
  std::optional<std::string> run;  ///< prefix of a run uid
  std::optional<std::string> model;
  std::optional<std::string> policy;  ///< `sink` or `sink(budget=64)`: the name and any of the parameters
  std::optional<std::string> problem_set;
  std::optional<std::string> problem_id;
  std::optional<std::string> uid;  ///< prefix of a trace uid
  bool complete_only = true;
};

/// `run=…,problem_set=…` (also model, policy, problem_id, uid). Throws Error(kUsage) that lists the keys.
[[nodiscard]] TraceFilter parse_trace_filter(const std::string& text);

/// Ordered by run, problem set, problem and repeat, in order of first writing.
[[nodiscard]] std::vector<TraceInfo> list_traces(const Store& store, const TraceFilter& filter);
[[nodiscard]] bool has_complete_trace(const Store& store, const std::string& uid);
/// Throws Error(kCorrupt) that names file, trace and block where a checksum or an encoding fails.
[[nodiscard]] TraceTokens read_tokens(const Store& store, TraceKey trace);

/// One line for each thing that is wrong; empty for a sound store. Reads every block.
[[nodiscard]] std::vector<std::string> check_store(const Store& store);

}  // namespace lil::schemas
