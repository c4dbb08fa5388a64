#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "replay/signal.h"
#include "replay/stream.h"

namespace lil::replay {

/// What watching with a signal costs at one length of the generation. Times are of the calling thread.
struct CheckCost {
  std::int64_t tokens = 0;
  std::optional<double>
      check_us;  ///< value(), in a pass that looks every `every_tokens`; none: stream too short
  std::optional<double> afresh_us;  ///< the same number by measuring the prefix from scratch
};

struct SignalCost {
  double feed_mb_per_s = 0;  ///< of feeding the whole stream token by token and looking once, at its end
  std::vector<CheckCost> checks;
};

struct CostRequest {
  std::vector<std::int64_t> tokens;  ///< lengths to look at
  std::int64_t every_tokens = 50;    ///< between one check and the next
};

/// Times `signal` on a stream: the best of three passes for feeding, the median of the nine checks up to
/// each length, the best of three for measuring afresh. `now_ns` reads the CPU time of the calling thread.
[[nodiscard]] SignalCost measure_cost(Signal& signal, const Stream& stream, const CostRequest& request,
                                      const std::function<std::int64_t()>& now_ns);

/// The same of copying memory, the least that any look at a prefix could cost.
[[nodiscard]] SignalCost measure_copying(const Stream& stream, const CostRequest& request,
                                         const std::function<std::int64_t()>& now_ns);

}  // namespace lil::replay
