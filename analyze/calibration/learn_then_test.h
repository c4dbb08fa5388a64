#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "analyze/calibration/multiple_testing.h"
#include "analyze/calibration/p_values.h"
#include "analyze/calibration/problem_split.h"
#include "analyze/calibration/risks.h"
#include "analyze/frontier.h"
#include "analyze/right_spans.h"

namespace lil::analyze {

/// A trace as calibration sees it.
struct TrialTrace {
  std::size_t problem = 0;
  std::int64_t tokens = 0;
  RightSpans right;
};

/// Problems with their traces and the part that each is in.
class Trials {
 public:
  /// `parts[p]` is that of problem p, `order` names every problem once, in the order in which losses are
  /// counted; neither may depend on what the traces hold.
  Trials(std::vector<TrialTrace> traces, std::vector<Part> parts, std::vector<std::size_t> order);

  [[nodiscard]] std::span<const TrialTrace> traces() const { return traces_; }
  [[nodiscard]] Part part_of(const TrialTrace& trace) const { return parts_[trace.problem]; }
  [[nodiscard]] std::int64_t problems(Part part) const;
  /// Some problem has several traces.
  [[nodiscard]] bool has_repeats() const;
  /// For each problem of `part`, in order, the indices of its traces.
  [[nodiscard]] std::vector<std::span<const std::size_t>> problems_of(Part part) const;

 private:
  std::vector<TrialTrace> traces_;
  std::vector<Part> parts_;
  std::vector<std::size_t> order_;
  std::vector<std::vector<std::size_t>> traces_of_;  ///< by problem
};

/// A guardian without its threshold on one signal and stream: the corners of each trace.
struct Family {
  std::size_t measure = 0;  ///< families of one signal and stream have the same
  std::vector<std::vector<StopCorner>> corners;
};

/// What holds at one setting over the problems of a part.
struct Outcome {
  std::vector<double> losses;  ///< of each problem, in order, as p_value() takes them: see unit_loss()
  double risk = 0;             ///< mean loss
  std::int64_t tokens = 0;
  std::int64_t kept = 0;
  std::int64_t right_stop = 0;  ///< traces
};

/// With no t nothing stops.
[[nodiscard]] Outcome outcome(const Trials& trials, const Family& family, std::optional<std::int64_t> t,
                              Part part, const Risk& risk);

/// How to choose and to test.
struct TestPlan {
  Risk risk;
  double alpha = 0.02;
  double delta = 0.05;
  Procedure procedure = Procedure::kChain;
  PValue p_value = PValue::kBinomial;
  std::size_t most_chains = 2;  ///< families taken on, at most
  /// Thresholds of each family that are tested, at most; 0: all.
  std::size_t most_thresholds = 0;
};

/// One hypothesis, "the risk is alpha or more", and what became of it.
struct TestedSetting {
  std::size_t family = 0;
  std::optional<std::int64_t> t;  ///< none: minus infinity
  Outcome calibrate;
  double p_value = 1;
  bool certified = false;
};

/// What learn_then_test() found.
struct TestResult {
  std::vector<std::size_t> families;  ///< taken on, one chain each, best on tune first
  std::size_t hypotheses = 0;         ///< settings in all chains
  double level = 0;                   ///< at which the first test was made
  std::vector<TestedSetting>
      tested;  ///< chain after chain; a chain's settings after its first failure are not
  std::optional<TestedSetting> chosen;
};

/// Learn-then-Test [Angelopoulos et al. 2021, arXiv 2110.01052] over every threshold of `families`:
/// 1. On tune: the thresholds of a family are the corners of its tune traces, in ascending order after minus
///    infinity (for a risk with none_without_stop false: in descending order). Its merit is the most saved
///    (else: the most right) before the first of them whose risk on tune is more than so many calibrate
///    problems could certify. The signal and stream with the best family are taken, and of its families the
///    best `most_chains`, but no more than for which those problems could certify anything at all.
/// 2. On calibrate: a p-value each, then `procedure`. Under kBonferroni and kHolm, and where
/// `most_thresholds`
///    says so, each family has only some thresholds: those at even steps of its merit on tune.
/// 3. Of the certified settings that save anything, the one that saves most on calibrate (else: is right most
///    often there).
/// The test part is not looked at. With probability at least 1 - delta over the calibrate problems no
/// certified setting has a risk above alpha.
[[nodiscard]] TestResult learn_then_test(const Trials& trials, std::span<const Family> families,
                                         const TestPlan& plan);

}  // namespace lil::analyze
