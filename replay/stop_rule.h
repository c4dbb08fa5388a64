#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "replay/stream.h"
#include "schemas/trace.h"

namespace lil::replay {

/// At which tokens a rule looks, `first_token`, first_token + every_tokens, first_token + 2 every_tokens, …,
/// and at what.
struct LookSchedule {
  std::int64_t every_tokens = 0;  ///< 0: it never looks
  std::int64_t first_token = 0;
  bool reads_signal = false;  ///< false: it needs no curve, and the values it is shown mean nothing
  /// The stream of generated tokens that it is fed with, one without prompt; nothing where it reads none.
  std::optional<StreamKind> reads_stream{};

  [[nodiscard]] bool due(std::int64_t token) const {
    return every_tokens > 0 && token >= first_token && (token - first_token) % every_tokens == 0;
  }
};

/// A rule at work on one generation. Live and replayed stops both come from here, so they are equal by
/// construction.
class StopWatcher {
 public:
  StopWatcher() = default;
  virtual ~StopWatcher() = default;
  StopWatcher(const StopWatcher&) = delete;
  StopWatcher& operator=(const StopWatcher&) = delete;

  /// What the next generated token adds to the stream that the schedule names. Where it names one, called for
  /// every generated token in order, before the look that follows the token.
  virtual void feed(std::string_view /*token_bytes*/) {}
  /// The signal's value after `token` generated tokens. Called for every token of the rule's schedule, in
  /// order, from 0 or first_token on, until it returns true: stop here.
  [[nodiscard]] virtual bool observe(std::int64_t token, std::int64_t value) = 0;
};

/// What a rule may read of a recorded trace.
struct RuleInput {
  std::int64_t tokens = 0;                         ///< generated tokens of the trace
  const schemas::Curve* curve = nullptr;           ///< may be missing where the schedule reads no signal
  std::span<const schemas::AnswerEvent> events{};  ///< by token, from token 0 on; empty where not graded
  const Stream* stream =
      nullptr;  ///< of the kind that the schedule names; may be missing where it names none
};

/// Says where a generation would stop. Immutable; may be used by several threads at once.
class StopRule {
 public:
  virtual ~StopRule() = default;
  StopRule(const StopRule&) = delete;
  StopRule& operator=(const StopRule&) = delete;

  /// Canonical spelling without what stands at its default, as `guardian(f=250,t=20)`.
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] virtual LookSchedule schedule() const = 0;
  /// A fresh watcher; nullptr for a rule that reads what only a finished trace has, and so cannot run live.
  [[nodiscard]] virtual std::unique_ptr<StopWatcher> watch() const = 0;

  /// The number of tokens kept, 1 .. tokens - 1, or nothing where the rule lets the generation end by itself
  /// (at `tokens` it has ended anyway). Runs a watcher over curve and stream unless the rule says
  /// otherwise. Throws Error: kUsage where the curve's grid does not hold the tokens at which the rule looks,
  /// or the answers it needs are missing; kCorrupt where curve or stream are not as long as the trace.
  [[nodiscard]] virtual std::optional<std::int64_t> stop(const RuleInput& input) const;

 protected:
  explicit StopRule(std::string name) : name_(std::move(name)) {}

 private:
  std::string name_;
};

}  // namespace lil::replay
