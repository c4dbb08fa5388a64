#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyze/cell_sources.h"
#include "analyze/intervals.h"
#include "replay/stop_rule.h"
#include "schemas/curve_store.h"
#include "schemas/run_store.h"
#include "schemas/store.h"

namespace lil::analyze {

/// For each trace of a group the tokens kept; nothing where the rule lets it end by itself.
using TraceStops = std::vector<std::optional<std::int64_t>>;

/// Runs rules over traces of a store, which it holds a reference to.
class RuleRunner {
 public:
  explicit RuleRunner(const schemas::Store& store) : store_(store), vocabularies_(store) {}

  /// Where `rule` stops one trace; `curve` may be missing where it reads no signal. The stream is built here
  /// for a rule that reads it.
  [[nodiscard]] std::optional<std::int64_t> stop(const replay::StopRule& rule, const GradedTrace& trace,
                                                 const schemas::Curve* curve);

  /// Where it stops each trace of a group, on the curves of this name where it reads a signal.
  [[nodiscard]] TraceStops stops(const replay::StopRule& rule, const TraceGroup& group,
                                 const std::optional<schemas::CurveId>& id);

 private:
  const schemas::Store& store_;
  schemas::Vocabularies vocabularies_;
};

/// The grid, in tokens, that holds every look of a rule that reads a signal.
[[nodiscard]] std::int64_t grid_needed(const replay::StopRule& rule);

/// Where the rule that others are held against stops each trace. Where it reads a signal that is zlib at its
/// default on `text`, whatever else is asked for. Throws Error: kUsage for what is no rule, kNotFound where
/// that curve is missing, with the command that makes it.
[[nodiscard]] TraceStops reference_stops(const schemas::Store& store, const TraceGroup& group,
                                         const std::string& rule);

/// Bootstrap interval over problems of the share of tokens that these stops save.
[[nodiscard]] Interval saved_interval(const TraceGroup& group, const TraceStops& stops,
                                      const Bootstrap& bootstrap);

/// Share of tokens saved less that of the reference, with its bootstrap interval, paired by problem.
[[nodiscard]] Estimate saved_more(const TraceGroup& group, const TraceStops& stops,
                                  const TraceStops& reference, const Bootstrap& bootstrap);

}  // namespace lil::analyze
