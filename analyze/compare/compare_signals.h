#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "analyze/calibration/calibrate.h"
#include "analyze/cell_sources.h"
#include "analyze/cells.h"
#include "analyze/compare/loop_onset.h"
#include "analyze/compare/roc.h"
#include "analyze/intervals.h"
#include "schemas/store.h"

namespace lil::analyze {

/// Which signals to hold against each other, and how each is calibrated.
struct SignalComparisonRequest : CalibrationRequest {
  std::optional<std::string> reference;  ///< a signal, in any spelling, that the others are held against
  LoopDefinition loop{};
};

/// What stopping did about loops. A delay is from the loop's first token to the stop.
struct LoopDelays {
  std::int64_t loops = 0;        ///< traces that end in one
  std::int64_t caught = 0;       ///< of these stopped in it
  std::int64_t early = 0;        ///< stopped before it began
  std::optional<double> median;  ///< delay of those caught, tokens; the mean of the two middle ones
  std::optional<Estimate> mean;  ///< the same, with its bootstrap interval over problems
};

/// `loops[i]` is that of trace i of the group.
[[nodiscard]] LoopDelays measure_delays(const TraceGroup& group,
                                        const std::vector<std::optional<Loop>>& loops,
                                        const TraceStops& stops, const Bootstrap& bootstrap);

/// One signal on one stream, calibrated on its own. All but the choice is on the test problems.
struct ComparedSignal {
  Measure measure;
  std::string version;
  std::string shape;              ///< chosen on tune, as guardian(f=100)
  std::optional<std::int64_t> t;  ///< certified; none: nothing that saves tokens is, and nothing stops
  std::string rule;               ///< with t; empty where nothing is certified
  std::optional<double> p_value;  ///< of the rule; else the least of any setting tested that saves tokens
  std::int64_t hypotheses = 0;
  Cell test;       ///< what the certified rule does
  Interval saved;  ///< bootstrap over problems
  Interval harm;   ///< share of traces harmed: exact, or bootstrap where problems have repeats
  std::optional<Estimate> saved_difference;  ///< less the reference's, paired by problem
  LoopDelays delays;
  std::vector<RocPoint> roc;   ///< of the shape's checks
  std::int64_t positives = 0;  ///< checks from which on nothing is gained
  std::int64_t negatives = 0;
  std::optional<Estimate> auc;  ///< none where there are no positives or no negatives
  std::optional<Estimate> auc_difference;
  Estimate area;  ///< under the shape's savings-accuracy curve, see SavingsCurve
  std::optional<Estimate> area_difference;
  std::int64_t grid_tokens = 0;    ///< of the curve used
  std::optional<double> point_ns;  ///< CPU time of a check every grid_tokens, as replaying measured it
};

/// The signals of one run and problem set.
struct SignalComparison {
  TraceGroup test;                         ///< the test problems
  std::array<std::int64_t, 3> problems{};  ///< in tune, calibrate and test
  PValue p_value_kind = PValue::kBinomial;
  std::int64_t least_needed = 0;         ///< calibrate problems without which one chain certifies nothing
  std::optional<std::size_t> reference;  ///< among the signals
  std::vector<ComparedSignal> signals;   ///< in the order of choose_measures()
  std::optional<double> step_ns;         ///< a decode step of the recording; none where it is not on record
};

/// Calibrates every signal and stream by learn_then_test() on the same split at the same alpha and delta, so
/// that each is used as far as its own certificate allows, and reports on the test problems what that gives.
/// A signal with nothing certified stops nothing. Choosing the best signal of the result is a choice by the
/// test problems and not certified. ROC, its area and the area under the savings-accuracy curve look at every
/// threshold of the one f (and patience) that did best on tune.
///
/// A check is a positive if from there on nothing is gained: the answer readable there is right, or the full
/// one is not. Bootstraps draw the same problems for every signal; replicates without positives or negatives
/// are left out of those of the AUC. The reference is the named signal on `text`, else on its first stream;
/// where it is not among the signals there are no differences.
///
/// Traces without a gold answer are left out, see keep_gold().
///
/// One comparison for each run and problem set, handed to `take` in the order of the store. Results do not
/// depend on the number of threads. Throws as calibrate() does.
void compare_signals(const schemas::Store& store, const SignalComparisonRequest& request,
                     const std::function<void(const SignalComparison&)>& take);

}  // namespace lil::analyze
