#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "schemas/store.h"
#include "schemas/trace.h"

namespace lil::schemas {

/// What a stored curve is of.
struct CurveId {
  std::string signal;   ///< resolved, as `zlib(level=6)`
  std::string version;  ///< of the signal's code and its library, as `1 (zlib 1.2.13)`
  std::string stream;   ///< `text`, `prompt+text`, `ids32`, `prompt+ids32`
  std::int64_t grid_tokens = 0;

  auto operator<=>(const CurveId&) const =
      default;  // NOLINT(modernize-use-nullptr): not so, in clang-tidy 14
};

/// Replaces the curve of the same trace and id. `cpu_ns`: CPU time that computing it took.
void put_curve(Store& store, TraceKey trace, const CurveId& id, const Curve& curve, std::int64_t cpu_ns);
/// Nothing where the trace has no such curve. Throws Error(kCorrupt) where its deltas are no whole numbers.
[[nodiscard]] std::optional<Curve> read_curve(const Store& store, TraceKey trace, const CurveId& id);
[[nodiscard]] std::set<TraceKey> traces_with_curve(const Store& store, const CurveId& id);
/// Every distinct id in the store, in order of first writing.
[[nodiscard]] std::vector<CurveId> list_curve_ids(const Store& store);

}  // namespace lil::schemas
