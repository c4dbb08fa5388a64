#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "replay/signal.h"
#include "replay/stream.h"
#include "schemas/curve_store.h"
#include "schemas/trace.h"
#include "schemas/vocabulary.h"

namespace lil::replay {

struct ReplayedCurve {
  schemas::CurveId id;
  schemas::Curve curve;
  std::int64_t cpu_ns = 0;  ///< of the curve, without building the stream
  std::int64_t bytes = 0;   ///< of the stream
};

/// What the curve of `signal` on a stream is stored under.
[[nodiscard]] schemas::CurveId curve_id(const Signal& signal, StreamKind stream, std::int64_t grid_tokens);

/// The streams of one trace, each built when it is first asked for. Threads may share it.
class TraceStreams {
 public:
  /// Holds on to `vocabulary`.
  TraceStreams(schemas::TraceTokens tokens, const schemas::Vocabulary& vocabulary);

  /// What `signal` is fed with for a curve on `kind`: for a signal that reads what was recorded of the
  /// tokens, the same for every kind. Throws Error(kInput) for a token id that the vocabulary has not, and
  /// where what the signal reads was not recorded.
  [[nodiscard]] const Stream& get(const Signal& signal, StreamKind kind);

 private:
  [[nodiscard]] Stream build(SignalInput input, StreamKind kind) const;

  schemas::TraceTokens tokens_;
  const schemas::Vocabulary& vocabulary_;
  std::mutex mutex_;
  std::map<std::pair<SignalInput, StreamKind>, Stream> streams_;
};

/// Computes one curve after another. Keeps the signals, with their memory, from curve to curve. Used by one
/// thread at a time; a worker has one of its own.
class Replayer {
 public:
  /// `cpu_now_ns` reads the CPU time of the calling thread; without it curves cost 0 ns.
  explicit Replayer(std::function<std::int64_t()> cpu_now_ns = {});

  /// A curve of a trace. Throws Error: kUsage for an unknown signal, stream or grid, and where this program
  /// has the signal in another version; kInput as TraceStreams does. Nothing where `cancelled`, which may be
  /// null, turned true on the way.
  [[nodiscard]] std::optional<ReplayedCurve> replay(TraceStreams& trace, const schemas::CurveId& id,
                                                    const std::atomic<bool>* cancelled = nullptr);

 private:
  Signal& signal_for(const schemas::CurveId& id);

  std::function<std::int64_t()> cpu_now_ns_;
  std::map<std::string, std::unique_ptr<Signal>> signals_;  // by canonical name
};

}  // namespace lil::replay
