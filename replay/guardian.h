#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "replay/signal.h"
#include "replay/stop_rule.h"
#include "replay/stream.h"

namespace lil::replay {

/// What watches a live generation: `guardian(f=250,t=20,signal=zlib(level=6),stream=text)`, that is any rule
/// that can run live, with the signal it reads and the stream the signal is fed with.
struct GuardianSpec {
  std::string rule;    ///< canonical
  std::string signal;  ///< canonical
  StreamKind stream = StreamKind::kText;

  /// Canonical spelling; parsing it again gives the same.
  [[nodiscard]] std::string to_string() const;
};

/// Where not given, `signal` is `zlib(level=6)` and `stream` is the one that the rule reads, else `text`.
/// Throws Error(kUsage) for what is unknown or out of range, for a rule or a signal that cannot run live, and
/// for another stream than the one that the rule reads.
[[nodiscard]] GuardianSpec parse_guardian_spec(std::string_view text);

/// Watches one live generation with the very signal and watcher that replaying uses, so it stops on the
/// token that replay finds in the full recording. Used by one thread at a time.
class Guardian {
 public:
  enum class Decision { kGoOn, kStop };

  /// Throws Error(kUsage) as parse_guardian_spec does.
  explicit Guardian(const GuardianSpec& spec);

  /// Before the first token of a generation, also of a later one. `prompt` is the prompt's part of the
  /// stream (append_ids): empty for a stream without prompt.
  void start(std::string_view prompt);
  /// The bytes that the next generated token adds to the stream; none is allowed. Where the generation ends
  /// with this very token, by itself or at its cap, that end takes precedence over kStop. Not to be called
  /// after kStop.
  [[nodiscard]] Decision push(std::string_view token_bytes);

 private:
  [[nodiscard]] Decision look();

  std::unique_ptr<Signal> signal_;
  std::unique_ptr<StopRule> rule_;
  LookSchedule schedule_;
  std::unique_ptr<StopWatcher> watcher_;
  std::int64_t tokens_ = 0;
};

}  // namespace lil::replay
