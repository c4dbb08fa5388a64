#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/cell_sources.h"
#include "analyze/cells.h"
#include "analyze/right_spans.h"
#include "schemas/store.h"
#include "schemas/trace.h"

namespace lil::analyze {

/// A guardian without its threshold.
struct GuardianShape {
  std::string name;  ///< canonical without t, as `guardian(f=250)`
  std::int64_t every_tokens = 0;
  std::int64_t patience = 1;
  std::int64_t warmup_tokens = 0;
  std::int64_t phase_tokens = 0;
  bool first_from_zero = false;

  /// The rule with threshold t, as `guardian(f=250,t=20)`.
  [[nodiscard]] std::string with_threshold(std::int64_t t) const;
};

/// Reads `guardian(f=250)`, with any of guardian's parameters but t. Throws Error(kUsage).
[[nodiscard]] GuardianShape parse_guardian_shape(std::string_view spec);

/// What a guardian sees at one of its checks: it stops at the first whose `level` is below t.
struct GuardianCheck {
  std::int64_t token = 0;
  std::int64_t level = 0;  ///< the largest growth of the last `patience` checks, in the unit of the curve

  bool operator==(const GuardianCheck&) const = default;
};

/// The checks of one trace at which it could be stopped, in order. Throws Error: kUsage where the curve's
/// grid holds not every check, kCorrupt where the curve is not as long as the trace.
[[nodiscard]] std::vector<GuardianCheck> guardian_checks(const schemas::Curve& curve, std::int64_t tokens,
                                                         const GuardianShape& shape);

/// From threshold `t` on, up to the next corner's, the guardian stops after `stop` tokens.
struct StopCorner {
  std::int64_t t = 0;
  std::int64_t stop = 0;

  bool operator==(const StopCorner&) const = default;
};

/// Where a guardian stops on one trace, for every threshold at once: corners by ascending t, below the first
/// of which it never stops. A check stops the trace if the largest growth of the last `patience` checks is
/// below t, so the first check that does moves where the running minimum of that largest growth does. Growth
/// is a whole number in the unit of the stored curve, which is that of t (bytes, phrases, thousandths of a
/// nat), so thresholds between two whole numbers do what the greater of them does, and each t here is the
/// smallest whole number at which its stop holds. A threshold at a corner is growth + 1. Throws as
/// guardian_checks() does.
[[nodiscard]] std::vector<StopCorner> stop_corners(const schemas::Curve& curve, std::int64_t tokens,
                                                   const GuardianShape& shape);

/// Tokens kept of a trace of `tokens` at threshold t; with no t, minus infinity, all of them.
[[nodiscard]] std::int64_t kept_at(std::span<const StopCorner> corners, std::int64_t tokens,
                                   std::optional<std::int64_t> t);

/// Counts over traces that hold for thresholds from t up to the next row's.
struct FrontierRow {
  std::int64_t t = 0;
  std::int64_t kept = 0;
  std::int64_t stopped = 0;
  std::int64_t right_stop = 0;
  std::int64_t harm = 0;  ///< right in full, not at the stop
  std::int64_t gain = 0;  ///< right at the stop, not in full

  bool operator==(const FrontierRow&) const = default;
};

/// One trace of a frontier. `right` must stay where it is.
struct FrontierTrace {
  std::int64_t tokens = 0;
  const RightSpans* right = nullptr;
  std::vector<StopCorner> corners;
};

/// The corners of all traces, sorted once: a row for each threshold at which any trace stops elsewhere.
[[nodiscard]] std::vector<FrontierRow> merge_corners(std::span<const FrontierTrace> traces);

/// Of the rows by ascending t, the last that harms no more than `most_harm` traces: what saves most within
/// that.
[[nodiscard]] std::optional<FrontierRow> best_within(std::span<const FrontierRow> rows,
                                                     std::int64_t most_harm);

/// What to compute frontiers of.
struct FrontierRequest : SourceRequest {
  std::vector<std::string> rules;  ///< guardians without t, see parse_guardian_shape()
  std::vector<std::int64_t>
      within_percent{};                    ///< shares of the traces with a gold answer, for Frontier::picks
  std::optional<std::string> reference{};  ///< a rule; the picks' savings are held against its
  Bootstrap bootstrap{};
  int threads = 1;
};

/// The threshold that saves most where at most a share of the traces with a gold answer may be harmed. Chosen
/// on the traces that it is measured on, so it flatters: it certifies nothing.
struct FrontierPick {
  std::int64_t within_percent = 0;
  std::optional<FrontierRow> row;      ///< none: no threshold that stops anything harms so few
  Interval saved;                      ///< bootstrap over problems
  std::optional<Estimate> saved_more;  ///< share saved less the reference's, paired by problem
};

/// The savings and the accuracy of one guardian at every threshold, over the traces of a run and problem set.
struct Frontier {
  Cell cell;  ///< what holds below the first row, where nothing stops; its rule is the guardian without t
  GuardianShape shape;
  std::vector<FrontierRow> rows;    ///< by ascending t
  std::vector<FrontierPick> picks;  ///< one for each share that was asked for
};

/// Computes the frontiers one signal after the other and hands each to `take`, in the order: runs and problem
/// sets as in the store, signals and streams as asked for, else as stored, rules as asked for. Threads work
/// on different rules; what they find depends on neither their number nor their order. Throws as
/// analyze_cells() does.
void analyze_frontiers(const schemas::Store& store, const FrontierRequest& request,
                       const std::function<void(const Frontier&)>& take);

}  // namespace lil::analyze
