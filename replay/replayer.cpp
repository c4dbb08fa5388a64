#include "replay/replayer.h"

#include <fmt/format.h>

#include <utility>

#include "replay/curve.h"
#include "replay/signals/registry.h"
#include "schemas/error.h"

namespace lil::replay {

schemas::CurveId curve_id(const Signal& signal, StreamKind stream, std::int64_t grid_tokens) {
  return {signal.name(), signal.version(), to_string(stream), grid_tokens};
}

TraceStreams::TraceStreams(schemas::TraceTokens tokens, const schemas::Vocabulary& vocabulary)
    : tokens_(std::move(tokens)), vocabulary_(vocabulary) {}

const Stream& TraceStreams::get(const Signal& signal, StreamKind kind) {
  const SignalInput input = signal.input();
  const auto key = std::make_pair(input, input == SignalInput::kBytes ? kind : StreamKind::kText);
  const std::lock_guard lock(mutex_);
  auto found = streams_.find(key);
  if (found == streams_.end()) found = streams_.emplace(key, build(input, kind)).first;
  return found->second;
}

Stream TraceStreams::build(SignalInput input, StreamKind kind) const {
  switch (input) {
    case SignalInput::kBytes:
      return build_stream(kind, tokens_, vocabulary_);
    case SignalInput::kLogprob:
      return build_recorded_stream("log-probability", tokens_.logprob, tokens_.ids.size());
    case SignalInput::kEntropy:
      return build_recorded_stream("entropy", tokens_.entropy, tokens_.ids.size());
  }
  return {};
}

Replayer::Replayer(std::function<std::int64_t()> cpu_now_ns) : cpu_now_ns_(std::move(cpu_now_ns)) {
  if (!cpu_now_ns_) cpu_now_ns_ = [] { return std::int64_t{0}; };
}

std::optional<ReplayedCurve> Replayer::replay(TraceStreams& trace, const schemas::CurveId& id,
                                              const std::atomic<bool>* cancelled) {
  Signal& signal = signal_for(id);
  const Stream& stream = trace.get(signal, stream_from(id.stream));
  const std::int64_t start_ns = cpu_now_ns_();
  auto curve = compute_curve_unless(cancelled, signal, stream, id.grid_tokens);
  if (!curve) return std::nullopt;
  return ReplayedCurve{id, std::move(*curve), cpu_now_ns_() - start_ns,
                       static_cast<std::int64_t>(stream.bytes.size())};
}

Signal& Replayer::signal_for(const schemas::CurveId& id) {
  auto found = signals_.find(id.signal);
  if (found == signals_.end()) found = signals_.emplace(id.signal, make_signal(id.signal)).first;
  Signal& signal = *found->second;
  if (signal.version() != id.version) {
    throw Error(ErrorCode::kUsage, fmt::format("signal {} is at version '{}' here, not at '{}'", id.signal,
                                               signal.version(), id.version));
  }
  return signal;
}

}  // namespace lil::replay
