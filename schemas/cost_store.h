#pragma once

#include <optional>
#include <string>

#include "schemas/curve_store.h"
#include "schemas/store.h"
#include "schemas/trace.h"

namespace lil::schemas {

/// Nanoseconds that a decode step took, on the mean over the tokens of the complete traces of a run and
/// problem set; nothing where no duration is on record (imported logs).
[[nodiscard]] std::optional<double> decode_step_ns(const Store& store, RunKey run,
                                                   const std::string& problem_set);

/// CPU time in nanoseconds that computing curves of this id took for each of their grid points, reading the
/// tokens since the last one included, on the mean over the same traces; nothing where none is on record.
[[nodiscard]] std::optional<double> curve_point_ns(const Store& store, RunKey run,
                                                   const std::string& problem_set, const CurveId& id);

}  // namespace lil::schemas
