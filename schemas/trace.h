#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schemas/ids.h"

namespace lil::schemas {

/// What an answer of a problem is, and so which grader compares it.
enum class AnswerKind { kNumber, kMath, kChoice, kText, kNone };

/// One problem of a problem set. (set, id) is unique in a store.
struct Problem {
  std::string set;   ///< name of the problem set, as `gsm8k_test`
  std::string id;    ///< external id within the set
  std::string text;  ///< the problem as given, before any template
  std::string gold;  ///< the right answer; empty with kind kNone
  AnswerKind kind = AnswerKind::kNone;
};

/// Why a generation ended.
enum class Finish {
  kStop,      ///< the model ended it (end-of-sequence token)
  kLength,    ///< cut by the cap on generated tokens
  kGuardian,  ///< a stop rule ended it while it was recorded
  kPartial,   ///< the log does not say, or the recording was cut off
  kError,     ///< an error ended it
};

/// Where the ids of a trace come from.
enum class TokenSource { kRecorded, kRetokenized };

/// Everything needed to repeat a run: one model x policy x sampler x problem set.
struct RunRecord {
  std::string uid;      ///< hash of `configuration`; see run_uid()
  std::string created;  ///< UTC, ISO 8601, given by the program (libraries read no clock)
  std::string tool_version;
  std::string host;
  std::string device;
  std::string dtype;
  std::string model;           ///< name of the model
  std::string weights_sha256;  ///< empty where unknown (imported logs)
  TokenizerKey tokenizer{};
  std::string policy;     ///< resolved, names every parameter
  std::string sampler;    ///< resolved, names every parameter
  std::string stop_rule;  ///< resolved, of the live rule that could end its generations; empty: none
  std::int64_t seed = 0;
  std::optional<std::int64_t> cap_tokens;  ///< cap on generated tokens, where known
  std::string prompt_template;
  std::string problem_set;
  std::string problem_set_sha256;
  std::string configuration = "{}";  ///< resolved configuration, JSON
  std::string source;                ///< `recorded` or `imported:<reader>`
  std::string status = "open";       ///< `open` while being written, `complete`, `failed`
};

/// What is known of a trace apart from its tokens.
struct TraceInfo {
  TraceKey key{};
  RunKey run{};
  ProblemKey problem{};
  std::string uid;
  std::string run_uid;
  std::string problem_set;
  std::string problem_id;
  std::string gold;
  AnswerKind kind = AnswerKind::kNone;
  TokenizerKey tokenizer{};
  std::int64_t repeat = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t tokens = 0;  ///< generated tokens stored, the end-of-sequence token included
  Finish finish = Finish::kPartial;
  bool complete = false;
  bool has_logprob = false;  ///< log-probabilities were recorded of its tokens
  bool has_entropy = false;
};

/// The token stream of a trace. The per-token vectors are empty or as long as `ids`. Log-probability and
/// entropy are those of the model's own distribution, the softmax of its logits at temperature 1 before any
/// truncation, whatever the sampler; `attended` is of the step that this distribution came from, so that the
/// first token has the prompt's length.
struct TraceTokens {
  std::vector<TokenId> prompt_ids;
  std::vector<TokenId> ids;
  std::vector<float> logprob;          ///< natural log of the chosen token's probability; fp16 in the store
  std::vector<float> entropy;          ///< nats; fp16 in the store
  std::vector<std::int32_t> attended;  ///< KV entries one query head attended to (the most over layers)
};

/// From token `token` on (so many tokens generated) the answer readable from the prefix is `answer`.
/// An empty answer means that none is readable.
struct AnswerEvent {
  std::int64_t token = 0;
  std::string answer;
  std::string verdict;  ///< `right`, `wrong`, `none` or `timeout`
};

/// A signal on the grid of every `grid_tokens` tokens of one trace: values[k] is the signal of the
/// first k * grid_tokens tokens, k = 0 .. floor(tokens / grid_tokens).
struct Curve {
  std::int64_t grid_tokens = 0;
  std::vector<std::int64_t> values;

  bool operator==(const Curve&) const = default;
};

[[nodiscard]] const char* to_string(AnswerKind kind);
[[nodiscard]] const char* to_string(Finish finish);
[[nodiscard]] const char* to_string(TokenSource source);
/// Inverse of to_string. Throws Error(kInput) that lists the known names.
[[nodiscard]] AnswerKind answer_kind_from(const std::string& name);
[[nodiscard]] Finish finish_from(const std::string& name);

}  // namespace lil::schemas
