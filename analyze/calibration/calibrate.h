#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyze/calibration/certificate.h"
#include "analyze/calibration/learn_then_test.h"
#include "analyze/calibration/problem_split.h"
#include "analyze/cell_sources.h"
#include "analyze/intervals.h"
#include "schemas/store.h"

namespace lil::analyze {

/// What to certify, and how.
struct CalibrationRequest : SourceRequest {
  std::vector<std::string> rules;  ///< guardians without t, as guardian(f=250); see parse_guardian_shape()
  std::string risk = "harm";
  double alpha = 0.02;
  double delta = 0.05;
  ProblemSplit split{};
  Procedure procedure = Procedure::kChain;
  /// None: binomial for harm with one trace a problem, Hoeffding-Bentkus for it with repeats, betting for the
  /// other risks.
  std::optional<PValue> p_value{};
  std::size_t most_chains = 2;
  std::size_t most_thresholds = 0;  ///< see TestPlan
  Bootstrap bootstrap{};
  int threads = 1;  ///< results do not depend on it
};

/// The plan that a request makes for trials. Throws Error(kUsage) for what is unknown or out of range, where
/// a part has no problem, and where the p-value does not fit the losses.
[[nodiscard]] TestPlan plan_test(const CalibrationRequest& request, const Trials& trials);

/// How far from certified a setting is.
struct Shortfall {
  std::string rule;
  std::string signal;
  std::string stream;
  std::int64_t problems = 0;  ///< on calibrate
  std::int64_t harm = 0;      ///< of their traces
  double risk = 0;            ///< their mean loss
  double p_value = 1;
  double saved = 0;  ///< share of the tokens, on calibrate
  /// Calibrate problems that would do, losses going on like that; nothing where no number does.
  std::optional<std::int64_t> needed;
};

/// What came of it.
struct Calibration {
  std::optional<Certificate> certificate;
  PValue p_value_kind = PValue::kBinomial;
  double level = 0;  ///< at which a chain was tested
  std::int64_t hypotheses = 0;
  std::vector<std::string> chains;  ///< the rules taken on, without t
  std::string run;                  ///< uid
  std::string problem_set;
  std::string signal;
  std::string stream;
  std::array<std::int64_t, 3> problems{};  ///< in tune, calibrate and test
  /// Calibrate problems without which nothing can be certified, even without any loss.
  std::int64_t least_needed = 0;
  std::optional<Shortfall>
      shortfall;  ///< where nothing is certified: the setting that lacks the fewest problems
};

/// Chooses on tune, tests on calibrate, reports on test: see learn_then_test(). Nothing is certified that
/// saves no tokens on calibrate. Traces without a gold answer are left out of all three parts, see
/// keep_gold(). Throws Error: kUsage for what is unknown or out of range, where the traces are of several
/// runs or problem sets, where a part has no problem, and where the p-value does not fit the losses;
/// kNotFound as analyze_cells() does.
[[nodiscard]] Calibration calibrate(const schemas::Store& store, const CalibrationRequest& request);

/// What a certificate's setting does on other data.
struct Recheck {
  std::string rule;
  PartReport part;
  std::string signal_version;   ///< of the curves of this store
  bool only_test_part = false;  ///< same problem set: problems tuned or calibrated on are left out
  bool same_run = false;        ///< the very generations of the certificate, whose test part it reports
  PValue p_value_kind = PValue::kBinomial;
  double p_value = 1;
  bool holds = false;                  ///< p_value <= delta: certified on this data alone
  std::optional<std::int64_t> needed;  ///< problems that would do, losses going on like that
};

/// Tests the one setting of a certificate, at level delta, on the traces that `request` selects (its signals,
/// streams and grading are those of the certificate). Of the certificate's own problem set only the test part
/// counts: the setting was chosen by what the other problems did. Throws as calibrate() does.
[[nodiscard]] Recheck recheck(const schemas::Store& store, const SourceRequest& request,
                              const CertifiedSetting& setting);

/// SHA-256 of what calibration looks at: for each trace its uid, length, finish, the tokens at which its
/// answer turns right or wrong, and the values of every curve used.
[[nodiscard]] std::string data_hash(const TraceGroup& group, const Trials& trials,
                                    const std::vector<std::vector<schemas::Curve>>& curves);

}  // namespace lil::analyze
