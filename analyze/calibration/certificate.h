#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/calibration/multiple_testing.h"
#include "analyze/calibration/p_values.h"
#include "analyze/cells.h"
#include "analyze/intervals.h"
#include "schemas/certificate_store.h"

namespace lil::analyze {

/// What happened to one part of the problems at the certified setting.
struct PartReport {
  Cell cell;        ///< rule, signal and all counts
  double risk = 0;  ///< mean loss of its problems
};

/// How the certified setting did on problems that played no part in choosing it. Descriptive.
struct TestReport {
  PartReport part;
  Interval saved;  ///< share of tokens saved: bootstrap over problems
  Interval harm;   ///< share of problems harmed: exact, or bootstrap where problems have repeats
  Interval
      difference;  ///< accuracy at the stop less in full: Tango, or bootstrap where problems have repeats
  bool has_repeats = false;
  std::optional<double> mcnemar;  ///< p-value; only without repeats
};

/// A setting whose risk is at most alpha with confidence 1 - delta, and what that rests on.
struct Certificate {
  std::string risk;
  double alpha = 0;
  double delta = 0;
  PValue p_value_kind = PValue::kBinomial;
  double p_value = 1;
  Procedure procedure = Procedure::kChain;
  double level = 0;  ///< at which the first test of a chain was made
  std::int64_t hypotheses = 0;
  std::int64_t chains = 0;
  std::string shape;  ///< the rule without its threshold
  std::int64_t t = 0;
  std::uint64_t split_seed = 0;
  std::array<double, 3> split_shares{};
  std::string data_sha256;        ///< of traces, curves and answers; see data_hash()
  std::int64_t incomplete = 0;    ///< traces of the run left out, as their recording had not ended
  std::int64_t without_gold = 0;  ///< traces left out, as their problem has no gold answer
  std::string run_status;         ///< of the run when it was calibrated on
  std::string closing;            ///< of the probes whose answers count, where it was named
  PartReport tune;
  PartReport calibrate;
  TestReport test;
};

/// One sentence: what is certified.
[[nodiscard]] std::string claim_of(const Certificate& certificate);

/// The certificate as JSON, ending in a newline; the same one gives the same bytes. Besides the fields it
/// says what it rests on.
[[nodiscard]] std::string to_json(const Certificate& certificate);

/// Whether a setting that keeps its risk costs right answers all the same: of risks that do not count them,
/// the accuracy at the stop is lower than in full by more than alpha, on the calibrate or on the test
/// problems.
[[nodiscard]] bool costs_answers(const Certificate& certificate);

/// Those of `stored` that were made of the same generations by other choices: two certificates each hold with
/// confidence 1 - delta, but the better of the two does not.
[[nodiscard]] std::vector<schemas::CertificateRecord> made_before(
    std::span<const schemas::CertificateRecord> stored, const std::string& run,
    const std::string& problem_set, const std::string& uid);

/// What a check needs of a certificate. Throws Error(kInput) that names what is missing, with `where` in
/// front.
struct CertifiedSetting {
  std::string risk;
  double alpha = 0;
  double delta = 0;
  std::string shape;
  std::int64_t t = 0;
  std::string signal;
  std::string signal_version;
  std::string stream;
  std::string grading;  ///< without what tells probes
  AnswerSource answers = AnswerSource::kReadable;
  std::string closing;
  std::string run;
  std::string problem_set;
  std::uint64_t split_seed = 0;
  std::array<double, 3> split_shares{};
};
[[nodiscard]] CertifiedSetting parse_certificate(std::string_view json, const std::string& where);

/// As the store keeps it.
[[nodiscard]] schemas::CertificateRecord certificate_record(const Certificate& certificate);

}  // namespace lil::analyze
