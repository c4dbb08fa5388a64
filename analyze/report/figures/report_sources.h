#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analyze/cells.h"
#include "analyze/compare/compare_signals.h"
#include "analyze/frontier.h"
#include "analyze/paper_rows.h"
#include "analyze/report/figures/risk_bound.h"
#include "analyze/report/report_request.h"
#include "schemas/store.h"

namespace lil::analyze {

/// A run on a problem set, as figures name it.
struct ReportedRun {
  PaperRow whole;                 ///< nothing stopped
  std::vector<PaperRow> stopped;  ///< by the rules of the request, on the main measure
  std::string setting;            ///< model and problems, and what else sets it apart from other settings
  std::string policy;             ///< brief, as `sink(budget=64)`; empty where a log does not say
  std::string family;             ///< the same without its budget, as `sink`
  int family_series = 0;          ///< of all families of the report: 0 is full attention
  std::optional<double> step_ns;  ///< of a decode step as recorded; none where that is not on record

  [[nodiscard]] std::string name() const;  ///< setting and policy
};

/// The guardian of the paper, in every report whose curves have its checks.
inline constexpr const char* kPaperRule = "guardian(f=250,t=20)";

/// A guardian among the rules of the request.
struct ReportedGuardian {
  std::string rule;  ///< canonical
  GuardianShape shape;
  std::int64_t t = 0;
};

/// Which runs a figure can show.
struct RunFilter {
  bool (*admits)(const ReportedRun& run);
  const char* others;  ///< what is said of the runs that it does not admit, after their number
};

/// Where no trace is right, none can be harmed.
inline constexpr RunFilter kWithRightAnswers{
    [](const ReportedRun& run) { return run.whole.cell.right_full > 0; }, "without a right answer"};

/// What came of a part of an analysis: the result, or one sentence that says why there is none.
template <class Result>
struct Attempt {
  std::optional<Result> result;
  std::string why_not;
};

/// What the figures of one report are drawn from. Each analysis is made when it is first asked for, and once.
class ReportSources {
 public:
  /// Throws Error: as load_groups() does, and kUsage for an unknown signal or rule.
  ReportSources(const schemas::Store& store, const ReportRequest& request);

  [[nodiscard]] const schemas::Store& store() const { return store_; }
  [[nodiscard]] const ReportRequest& request() const { return request_; }
  /// Name of the store's file, for commands.
  [[nodiscard]] std::string store_name() const;

  /// Every run and problem set, in the order of paper_rows().
  [[nodiscard]] const std::vector<ReportedRun>& runs() const { return runs_; }
  /// Why no run has `stopped`; empty where they have.
  [[nodiscard]] const std::string& why_not_stopped() const { return why_not_stopped_; }
  /// Some trace has a gold answer.
  [[nodiscard]] bool any_gold() const { return any_gold_; }

  /// The signal and stream that figures of one measure show: the first asked for, else zlib(level=6) on the
  /// text, else the first stored; none where there are no curves.
  [[nodiscard]] const std::optional<Measure>& main_measure() const { return main_; }
  /// The series of a signal and stream in every figure: 1 is the main measure, the others as stored.
  [[nodiscard]] int series_of(const std::string& signal, const std::string& stream) const;
  [[nodiscard]] const std::vector<ReportedGuardian>& guardians() const { return guardians_; }
  /// The first guardian's shape, else that of guardian(f=250).
  [[nodiscard]] const GuardianShape& main_shape() const { return main_shape_; }
  /// Values of f for planes and certificates: 50 to 500 by 50 and those of the rules, as the grid of the main
  /// measure allows; else its first ten multiples.
  [[nodiscard]] const std::vector<std::int64_t>& every_tokens() const { return every_; }

  /// Of all runs those that a figure with room for `most` shows, by their index: a run from each setting in
  /// turn, in the order of comes_before(). Only those that `filter` admits, where it is given.
  [[nodiscard]] std::vector<std::size_t> choose_runs(std::size_t most,
                                                     const RunFilter* filter = nullptr) const;
  /// Of two runs of a setting: full attention, runs with right answers, the budget that all policies of the
  /// setting have (of several the one with right answers in most policies, then the smallest), most tokens.
  [[nodiscard]] bool comes_before(std::size_t a, std::size_t b) const;
  /// What a note says where runs are left out: by which rule, and which; empty where none are.
  [[nodiscard]] std::string left_out(const std::vector<std::size_t>& shown,
                                     const RunFilter* filter = nullptr) const;

  [[nodiscard]] const TraceGroup& group(std::size_t run);
  /// Its traces that have a gold answer.
  [[nodiscard]] GoldCounts gold(std::size_t run) { return count_gold(group(run)); }
  /// Nothing stopped, the rules and kPaperRule on all measures, caps of the same length, the oracle.
  [[nodiscard]] const Attempt<std::vector<Cell>>& cells(std::size_t run);
  /// The main shape on all measures.
  [[nodiscard]] const Attempt<std::vector<Frontier>>& frontiers(std::size_t run);
  /// Every f on the main measure.
  [[nodiscard]] const Attempt<std::vector<Frontier>>& plane(std::size_t run);
  [[nodiscard]] const Attempt<SignalComparison>& comparison(std::size_t run);

  /// The filter of the request, for this run and problem set alone.
  [[nodiscard]] schemas::TraceFilter filter_of(std::size_t run) const;
  /// An error in the words of a note: the store by its name.
  [[nodiscard]] std::string in_words(const std::string& message) const;

 private:
  template <class Request>
  [[nodiscard]] Request request_for(std::size_t run) const;
  void read_rules();
  void choose_main_measure();
  void load_runs();
  void name_runs();
  void choose_every();
  void find_common_budgets();
  [[nodiscard]] bool allows_paper_rule() const;

  const schemas::Store& store_;
  const ReportRequest& request_;
  std::vector<ReportedRun> runs_;
  std::string why_not_stopped_;
  bool any_gold_ = false;
  std::map<std::string, std::int64_t> common_budgets_;  ///< by setting, where there is one
  std::optional<Measure> main_;
  std::vector<Measure> measures_;  ///< stored ones, the main one first
  std::vector<ReportedGuardian> guardians_;
  GuardianShape main_shape_;
  std::vector<std::int64_t> every_;
  std::map<std::size_t, TraceGroup> groups_;
  std::map<std::size_t, Attempt<std::vector<Cell>>> cells_;
  std::map<std::size_t, Attempt<std::vector<Frontier>>> frontiers_;
  std::map<std::size_t, Attempt<std::vector<Frontier>>> planes_;
  std::map<std::size_t, Attempt<SignalComparison>> comparisons_;
};

/// The columns of a cell by their names in cell_columns(), as cells of a table.
[[nodiscard]] std::vector<std::string> cell_values(const Cell& cell, const std::vector<std::string>& columns);

}  // namespace lil::analyze
