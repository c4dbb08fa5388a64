#include "replay/curve.h"

#include <fmt/format.h>

#include <string_view>

#include "schemas/error.h"

namespace lil::replay {

schemas::Curve compute_curve(Signal& signal, const Stream& stream, std::int64_t grid_tokens) {
  return *compute_curve_unless(nullptr, signal, stream, grid_tokens);
}

std::optional<schemas::Curve> compute_curve_unless(const std::atomic<bool>* cancelled, Signal& signal,
                                                   const Stream& stream, std::int64_t grid_tokens) {
  if (grid_tokens < 1) {
    throw Error(ErrorCode::kUsage,
                fmt::format("a grid of every {} tokens; it must be 1 or more", grid_tokens));
  }
  schemas::Curve curve{grid_tokens, {}};
  curve.values.reserve(static_cast<std::size_t>(stream.tokens() / grid_tokens + 1));
  signal.reset();
  const std::string_view bytes = stream.bytes;
  std::int64_t fed = 0;
  for (std::int64_t token = 0; token <= stream.tokens(); token += grid_tokens) {
    if (cancelled != nullptr && *cancelled) return std::nullopt;
    const std::int64_t end = stream.offset_after(token);
    signal.feed(bytes.substr(static_cast<std::size_t>(fed), static_cast<std::size_t>(end - fed)));
    fed = end;
    curve.values.push_back(signal.value());
  }
  return curve;
}

}  // namespace lil::replay
