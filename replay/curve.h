#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "replay/signal.h"
#include "replay/stream.h"
#include "schemas/trace.h"

namespace lil::replay {

/// The curve of `signal` on `stream`, in one pass: values[k] is the signal of the bytes up to the end of
/// generated token k * grid_tokens, k = 0 .. floor(tokens / grid_tokens). values[0] is that of the prompt
/// part alone: of the empty prefix where the stream has no prompt. Resets `signal` first and leaves it at
/// the last grid point.
[[nodiscard]] schemas::Curve compute_curve(Signal& signal, const Stream& stream, std::int64_t grid_tokens);

/// The same, or nothing where `cancelled`, looked at before every grid point, turned true. It may be null.
[[nodiscard]] std::optional<schemas::Curve> compute_curve_unless(const std::atomic<bool>* cancelled,
                                                                 Signal& signal, const Stream& stream,
                                                                 std::int64_t grid_tokens);

}  // namespace lil::replay
