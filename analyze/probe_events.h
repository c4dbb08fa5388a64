#pragma once

#include <span>
#include <vector>

#include "schemas/probe_store.h"
#include "schemas/trace.h"

namespace lil::analyze {

/// The answers of a trace as it was asked for them (see schemas::Probe), as answer events: after `token`
/// generated tokens the answer is that of the last probe at `token` or before, none before the first; a probe
/// cut off by the cap on its tokens has none. At its end a trace has its own answer, `full`, as anywhere: a
/// generation that ends by itself is not asked. Verdicts by judge().
[[nodiscard]] std::vector<schemas::AnswerEvent> probe_events(std::span<const schemas::Probe> probes,
                                                             const schemas::TraceInfo& trace,
                                                             const schemas::AnswerEvent& full);

}  // namespace lil::analyze
