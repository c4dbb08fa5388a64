#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

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

/// Computes the curves of one trace after another. Keeps the signals, with their memory, from trace to
/// trace and builds each stream of a trace once. Used by one thread at a time; a worker has one of its own.
class Replayer {
 public:
  /// `cpu_now_ns` reads the CPU time of the calling thread; without it curves cost 0 ns.
  explicit Replayer(std::function<std::int64_t()> cpu_now_ns = {});

  /// Goes over to another trace. Holds on to both arguments until the next call.
  void start(const schemas::TraceTokens& tokens, const schemas::Vocabulary& vocabulary);
  /// A curve of the trace of start(). Throws Error: kUsage for an unknown signal, stream or grid, and where
  /// this program has the signal in another version; kInput for a token id that the vocabulary has not.
  [[nodiscard]] ReplayedCurve replay(const schemas::CurveId& id);

 private:
  Signal& signal_for(const schemas::CurveId& id);
  const Stream& stream_for(StreamKind kind);

  std::function<std::int64_t()> cpu_now_ns_;
  const schemas::TraceTokens* tokens_ = nullptr;
  const schemas::Vocabulary* vocabulary_ = nullptr;
  std::map<StreamKind, Stream> streams_;                    // of this trace
  std::map<std::string, std::unique_ptr<Signal>> signals_;  // by canonical name
};

}  // namespace lil::replay
