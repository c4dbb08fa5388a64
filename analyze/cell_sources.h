#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/curve_store.h"
#include "schemas/store.h"
#include "schemas/trace.h"
#include "schemas/trace_store.h"

namespace lil::analyze {

/// Where the answer at a stop comes from.
enum class AnswerSource {
  kReadable,  ///< what could be read of the text so far
  kProbe,     ///< what the model answered when it was asked there, see probe_events()
};

/// Which traces to analyze, and by which curves and answers of theirs.
struct SourceRequest {
  schemas::TraceFilter filter{};     ///< complete_only is taken as true
  std::vector<std::string> signals;  ///< `name(key=value,…)`, in any spelling; none: all that have curves
  std::vector<std::string> streams;  ///< none: all that have curves
  std::string grading;               ///< name of the answer events to use, see grading_name()
  AnswerSource answers = AnswerSource::kReadable;
  std::string closing;  ///< of the probes to use; empty: the only one there is
  /// Told of each trace that is left out: one that cannot be graded or replayed, with a failure on record.
  std::function<void(const std::string& trace)> left_out{};
  /// Told, in a sentence, of traces that the numbers do not include though nothing is wrong with them: those
  /// that are not complete, and those without a gold answer where only others count.
  std::function<void(const std::string& sentence)> warning{};
};

/// What stands before the grading where the answers are those of probes.
inline constexpr std::string_view kProbeAnswers = "probe ";

/// What the answers of a request are, for tables: its grading, after kProbeAnswers where they are probes.
[[nodiscard]] std::string answers_name(const SourceRequest& request);

/// A trace with its answer events.
struct GradedTrace {
  schemas::TraceInfo info;
  std::vector<schemas::AnswerEvent> events;
  std::size_t problem = 0;  ///< index among the problems of the group, in order of first appearance

  [[nodiscard]] bool right_at(std::int64_t token) const;
  /// Whether its problem has a gold answer: without one it is never right, and says nothing of harm.
  [[nodiscard]] bool has_gold() const;
};

/// The traces of one run and problem set.
struct TraceGroup {
  schemas::RunRecord run;
  std::string problem_set;
  std::vector<GradedTrace> traces;
  std::size_t problems = 0;
  std::int64_t incomplete = 0;    ///< traces selected and left out, as their recording has not ended
  std::int64_t without_gold = 0;  ///< traces left out by keep_gold()
};

/// A signal on a stream.
struct Measure {
  std::string signal;
  std::string stream;
};

/// The groups that the request selects, in the order of the store. Throws Error(kNotFound) where no trace is
/// selected, or one has no graded answers and no failure on record that says why, or probes are asked for and
/// a group has none; Error(kUsage) where it has probes of several closings and none is named.
[[nodiscard]] std::vector<TraceGroup> load_groups(const schemas::Store& store, const SourceRequest& request);

/// Leaves out the traces without a gold answer, for what rests on right answers: they can lose none, so to
/// count them would make any rule look harmless. Says so to `request.warning`.
void keep_gold(const SourceRequest& request, TraceGroup& group);

/// Signals and streams as asked for; where nothing is asked, all that some trace of the group has, in order
/// of first storing. Throws Error: kNotFound where there are none, kUsage for an unknown name.
[[nodiscard]] std::vector<Measure> choose_measures(const schemas::Store& store, const SourceRequest& request,
                                                   const TraceGroup& group);

/// Finds the curves that a rule can read. Holds references to store and group.
class CurveChooser {
 public:
  CurveChooser(const schemas::Store& store, const TraceGroup& group);

  /// Where a store holds several curves of a signal, the newest version counts (the one stored last), and of
  /// its grids the coarsest that divides `needed` tokens and that all traces have. Throws Error(kNotFound)
  /// that names `what` needs it and the command that makes what is missing.
  [[nodiscard]] schemas::CurveId choose(const std::string& what, std::int64_t needed, const Measure& measure);

 private:
  [[nodiscard]] const schemas::TraceInfo* first_without(const schemas::CurveId& id);

  const schemas::Store& store_;
  const TraceGroup& group_;
  std::vector<schemas::CurveId> stored_;
  std::map<schemas::CurveId, std::set<schemas::TraceKey>> holders_;
};

}  // namespace lil::analyze
