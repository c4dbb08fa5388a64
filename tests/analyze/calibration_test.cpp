#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "analyze/calibration/calibrate.h"
#include "analyze/calibration/certificate.h"
#include "analyze/calibration/learn_then_test.h"
#include "analyze/calibration/multiple_testing.h"
#include "analyze/calibration/p_values.h"
#include "analyze/calibration/problem_split.h"
#include "analyze/calibration/risks.h"
#include "analyze/grading.h"
#include "analyze/verdict.h"
#include "schemas/curve_store.h"
#include "schemas/error.h"
#include "tests/analyze/written_store.h"
#include "tests/support/temporary_directory.h"

namespace lil::analyze {
namespace {

/// P(Bin(n, p) <= k), term by term.
double slow_binomial(std::int64_t k, std::int64_t n, double p) {
  const auto whole = static_cast<double>(n);
  double sum = 0;
  for (double i = 0; i <= static_cast<double>(k); ++i) {
    sum += std::exp(std::lgamma(whole + 1) - std::lgamma(i + 1) - std::lgamma(whole - i + 1) +
                    i * std::log(p) + (whole - i) * std::log1p(-p));
  }
  return sum;
}

/// The most harmed problems of n that still certify alpha at delta; -1: not even none.
std::int64_t most_harmed(std::int64_t n, double alpha, double delta) {
  std::int64_t k = -1;
  while (k < n && binomial_p_value(k + 1, n, alpha) <= delta) ++k;
  return k;
}

TEST(BinomialPValue, CertifiesTwoPercentWithSoManyHarmed) {
  EXPECT_EQ(most_harmed(100, 0.02, 0.05), -1);
  EXPECT_EQ(most_harmed(148, 0.02, 0.05), -1);
  EXPECT_EQ(most_harmed(149, 0.02, 0.05), 0);
  EXPECT_EQ(most_harmed(200, 0.02, 0.05), 0);
  EXPECT_EQ(most_harmed(200, 0.02, 0.10), 1);
  EXPECT_EQ(most_harmed(500, 0.02, 0.05), 4);
  EXPECT_EQ(most_harmed(1000, 0.02, 0.05), 12);
  EXPECT_EQ(most_harmed(1319, 0.02, 0.05), 17);
}

TEST(BinomialPValue, TenSettingsUnderBonferroniAreTooManyForTwoHundred) {
  EXPECT_GT(binomial_p_value(0, 200, 0.02), 0.05 / 10);
  EXPECT_EQ(problems_needed_without_loss(PValue::kBinomial, 0.02, 0.05), 149);
  EXPECT_EQ(problems_needed_without_loss(PValue::kBinomial, 0.02, 0.05 / 10), 263);
}

TEST(BinomialPValue, IsTheSumOfItsTerms) {
  for (const std::int64_t n : {1, 7, 200, 1319}) {
    for (const std::int64_t k : {std::int64_t{0}, n / 5, n - 1}) {
      EXPECT_NEAR(binomial_p_value(k, n, 0.1), slow_binomial(k, n, 0.1), 1e-10) << k << "/" << n;
    }
    EXPECT_EQ(binomial_p_value(n, n, 0.1), 1);
  }
  EXPECT_EQ(binomial_p_value(0, 0, 0.1), 1);
}

TEST(HoeffdingBentkus, IsTheLesserOfItsTwoBounds) {
  // Without loss Hoeffding's is (1 - alpha)^n.
  EXPECT_NEAR(hoeffding_bentkus_p_value(0, 149, 0.02), std::pow(0.98, 149), 1e-12);
  // Where the mean is not below alpha it says nothing.
  EXPECT_EQ(hoeffding_bentkus_p_value(20, 100, 0.02), 1);
  EXPECT_EQ(hoeffding_bentkus_p_value(0, 0, 0.02), 1);
  const double m = 4.5 / 500;
  const double hoeffding = std::exp(-500 * (m * std::log(m / 0.02) + (1 - m) * std::log((1 - m) / 0.98)));
  const double bentkus = std::exp(1.0) * slow_binomial(5, 500, 0.02);
  EXPECT_NEAR(hoeffding_bentkus_p_value(4.5, 500, 0.02), std::min(hoeffding, bentkus), 1e-12);
}

TEST(Betting, IsOneOverTheMostMeanCapital) {
  const std::vector<double> losses = {0, 0.25, 0, 1, 0, 0};
  double most = 1;
  for (std::size_t n = 1; n <= losses.size(); ++n) {
    double mean = 0;
    for (int bet = 1; bet <= 8; ++bet) {
      double capital = 1;
      for (std::size_t i = 0; i < n; ++i) capital *= 1 - bet / 8.0 / (1 - 0.3) * (losses[i] - 0.3);
      mean += capital / 8;
    }
    most = std::max(most, mean);
  }
  EXPECT_NEAR(betting_p_value(losses, 0.3), 1 / most, 1e-12);
  EXPECT_EQ(betting_p_value({}, 0.3), 1);
  EXPECT_EQ(betting_p_value(std::vector<double>(50, 1.0), 0.3), 1);
}

TEST(Betting, TheDropIsTestedAsAHalfMore) {
  const Risk& drop = find_risk("drop");
  EXPECT_DOUBLE_EQ(unit_alpha(drop, 0.02), 0.51);
  EXPECT_DOUBLE_EQ(unit_loss(drop, -1), 0);
  EXPECT_DOUBLE_EQ(unit_loss(drop, 1), 1);
  // Gains count against drops.
  std::vector<double> losses(300, 0.5);
  losses[100] = losses[200] = 1;
  const double without = betting_p_value(losses, 0.51);
  losses[50] = losses[150] = 0;
  EXPECT_LT(betting_p_value(losses, 0.51), without);
}

TEST(ProblemsNeeded, IsTheLeastThatWouldDo) {
  std::vector<double> losses(200, 0);
  losses[3] = 1;  // 0.5 %
  const auto needed = problems_needed(PValue::kBinomial, losses, 0.02, 0.05);
  ASSERT_TRUE(needed);
  const auto enough = [](std::int64_t n) {
    return binomial_p_value(static_cast<std::int64_t>(std::ceil(0.005 * static_cast<double>(n) - 1e-9)), n,
                            0.02) <= 0.05;
  };
  EXPECT_TRUE(enough(*needed));
  EXPECT_FALSE(enough(*needed - 1));
  for (std::size_t i = 0; i < 4; ++i) losses[10 + i] = 1;  // 2.5 %
  for (const PValue kind : {PValue::kBinomial, PValue::kHoeffdingBentkus, PValue::kBetting}) {
    EXPECT_FALSE(problems_needed(kind, losses, 0.02, 0.05)) << to_string(kind);
  }
  EXPECT_EQ(problems_needed_without_loss(PValue::kHoeffdingBentkus, 0.02, 0.05), 149);
  // A drop of 0 everywhere is a loss of a half, no gain.
  EXPECT_GT(problems_needed_without_loss(PValue::kBetting, 0.51, 0.05, 0.5), 149);
}

TEST(Certify, ChainsStopAtTheFirstThatIsNotRejected) {
  const std::vector<std::vector<double>> p = {{0.01, 0.02, 0.03, 0.001}, {0.026, 0.001}};
  EXPECT_EQ(certify(Procedure::kChain, p, 0.05),
            (std::vector<std::vector<bool>>{{true, true, false, false}, {false, false}}));
  EXPECT_EQ(certify(Procedure::kChain, p, 0.052).at(1), (std::vector<bool>{true, true}));
}

TEST(Certify, BonferroniAndHolm) {
  const std::vector<std::vector<double>> p = {{0.005, 0.012}, {0.0125, 0.03}};
  EXPECT_EQ(certify(Procedure::kBonferroni, p, 0.05),
            (std::vector<std::vector<bool>>{{true, true}, {true, false}}));
  const std::vector<std::vector<double>> q = {{0.015, 0.012}, {0.024, 0.06}};
  EXPECT_EQ(certify(Procedure::kBonferroni, q, 0.05),
            (std::vector<std::vector<bool>>{{false, true}, {false, false}}));
  EXPECT_EQ(certify(Procedure::kHolm, q, 0.05),
            (std::vector<std::vector<bool>>{{true, true}, {true, false}}));
}

TEST(Names, ReadBackAsWritten) {
  for (const PValue kind : {PValue::kBinomial, PValue::kHoeffdingBentkus, PValue::kBetting}) {
    EXPECT_EQ(p_value_from(to_string(kind)), kind);
  }
  for (const Procedure one : {Procedure::kChain, Procedure::kBonferroni, Procedure::kHolm}) {
    EXPECT_EQ(procedure_from(to_string(one)), one);
  }
  EXPECT_THROW((void)p_value_from("wald"), Error);
  EXPECT_THROW((void)procedure_from("none"), Error);
  EXPECT_THROW((void)find_risk("damage"), Error);
}

TEST(Risks, AreWhatTheirNamesSay) {
  // Ten tokens; right from 3 to 5 and from 9 on.
  const std::vector<schemas::AnswerEvent> events = {
      {0, "", "none"}, {3, "a", "right"}, {6, "b", "wrong"}, {9, "a", "right"}};
  const RightSpans right(events);
  const auto loss = [&](const char* name, std::int64_t kept) {
    return find_risk(name).loss(right, 10, kept);
  };
  EXPECT_EQ(loss("harm", 4), 0);
  EXPECT_EQ(loss("harm", 7), 1);
  EXPECT_EQ(loss("harm", 10), 0);
  EXPECT_EQ(loss("drop", 7), 1);
  EXPECT_EQ(find_risk("drop").loss(right, 8, 5), -1);  // wrong in full at 8
  EXPECT_EQ(find_risk("harm").loss(right, 8, 5), 0);
  EXPECT_DOUBLE_EQ(loss("suffix-mean", 4), 4.0 / 7);  // of 4..10 right at 4, 5, 9, 10
  EXPECT_EQ(loss("suffix-mean", 10), 0);
  EXPECT_DOUBLE_EQ(loss("wasted", 4), 0.2);   // tokens 1 and 2
  EXPECT_DOUBLE_EQ(loss("wasted", 10), 0.5);  // 1, 2, 6, 7, 8
}

TEST(ProblemSplit, DependsOnSeedSetAndIdAlone) {
  const ProblemSplit split{{0.2, 0.3, 0.5}, 1};
  std::array<int, 3> counts{};
  for (int i = 0; i < 4000; ++i) {
    ++counts.at(static_cast<std::size_t>(split.part(split.place("set", std::to_string(i)))));
  }
  EXPECT_NEAR(counts[0], 800, 120);
  EXPECT_NEAR(counts[1], 1200, 140);
  EXPECT_EQ(split.place("set", "7"), split.place("set", "7"));
  EXPECT_NE(split.place("set", "7"), split.place("other", "7"));
  EXPECT_NE(split.place("set", "7"), (ProblemSplit{{0.2, 0.3, 0.5}, 2}.place("set", "7")));
  EXPECT_EQ(split.part(0), Part::kTune);
  EXPECT_EQ(split.part(~std::uint64_t{0}), Part::kTest);
}

/// 600 problems of a made-up run: loops that a low growth gives away, harmless to stop, and some whose answer
/// comes only after a stall.
class MadeUpRun : public testing::Test {
 protected:
  MadeUpRun() : written_(folder_ / "store.db") {
    const auto run = written_.add_run("full", 60);
    for (int i = 0; i < 600; ++i) {
      const bool loops = i % 4 == 0;
      const bool late = i % 16 == 1;
      const std::string text =
          late ? std::string(40, '.') + "\\boxed{1}" : "\\boxed{1}" + std::string(loops ? 51 : 20, '.');
      written_.add_trace(run, {.problem = std::to_string(i), .gold = "1", .text = text});
    }
    for (const auto& trace : written_.traces()) {
      const bool loops = trace.tokens == 60;
      const bool late = trace.tokens == 49;
      schemas::Curve curve{10, {0}};
      for (std::int64_t k = 10; k <= trace.tokens; k += 10) {
        const std::int64_t growth = loops && k > 10 ? 3 : late && k > 20 ? 12 : 30;
        curve.values.push_back(curve.values.back() + growth);
      }
      schemas::put_curve(written_.store(), trace.key, {"lz4", "1 (lz4 1)", "text", 10}, curve, 0);
    }
    (void)grade_store(written_.store(), Extraction::parse(kDefaultExtractors), {});
    request_.grading = grading_name(Extraction::parse(kDefaultExtractors));
    request_.rules = {"guardian(f=10)", "guardian(f=20)"};
  }

  tests::TemporaryDirectory folder_;
  tests::WrittenStore written_;
  CalibrationRequest request_;
};

TEST_F(MadeUpRun, FindsTheThresholdBetweenLoopsAndLateAnswers) {
  const Calibration found = calibrate(written_.store(), request_);
  ASSERT_TRUE(found.certificate);
  const Certificate& certificate = *found.certificate;
  EXPECT_EQ(certificate.shape, "guardian(f=10)");
  EXPECT_EQ(certificate.t, 4) << "growth 3 of the loops is below, 12 of the late answers not";
  const Cell& cell = certificate.calibrate.cell;
  EXPECT_EQ(cell.problems, found.problems[1]);
  EXPECT_EQ(cell.harm, 0);
  EXPECT_DOUBLE_EQ(certificate.p_value, binomial_p_value(0, cell.problems, 0.02));
  EXPECT_EQ(certificate.tune.cell.problems + cell.problems + certificate.test.part.cell.problems, 600);
  EXPECT_GT(certificate.test.saved.low, 0.1);
  EXPECT_TRUE(certificate.test.mcnemar);
  EXPECT_EQ(certificate.data_sha256.size(), 64U);
}

TEST_F(MadeUpRun, TheSameDataGivesTheSameBytesAndOtherDataAnother) {
  const std::string once = to_json(*calibrate(written_.store(), request_).certificate);
  EXPECT_EQ(once, to_json(*calibrate(written_.store(), request_).certificate));
  const auto trace = written_.traces().front();
  auto curve = *schemas::read_curve(written_.store(), trace.key, {"lz4", "1 (lz4 1)", "text", 10});
  ++curve.values.back();
  schemas::put_curve(written_.store(), trace.key, {"lz4", "1 (lz4 1)", "text", 10}, curve, 0);
  EXPECT_NE(once, to_json(*calibrate(written_.store(), request_).certificate));
}

TEST_F(MadeUpRun, WhatIsWrittenIsReadBackAndKept) {
  const Certificate certificate = *calibrate(written_.store(), request_).certificate;
  const CertifiedSetting setting = parse_certificate(to_json(certificate), "c.json");
  EXPECT_EQ(setting.shape, certificate.shape);
  EXPECT_EQ(setting.t, certificate.t);
  EXPECT_EQ(setting.split_shares, certificate.split_shares);
  const auto record = certificate_record(certificate);
  schemas::put_certificate(written_.store(), record);
  schemas::put_certificate(written_.store(), record);
  const auto kept = schemas::list_certificates(written_.store());
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].document, record.document);
  EXPECT_EQ(kept[0].rule, "guardian(f=10,t=4)");
  EXPECT_EQ(kept[0].cap_tokens, 60);
  EXPECT_EQ(kept[0].p_value, certificate.p_value);
  EXPECT_EQ(kept[0].split_seed, 0);
  for (const char* wrong :
       {"", "[]", "{}", "{\"lil_certificate\": 1}", "{\"lil_certificate\": 1, \"risk\": 3}"}) {
    EXPECT_THROW((void)parse_certificate(wrong, "c.json"), Error) << wrong;
  }
}

TEST_F(MadeUpRun, ACheckOfTheSameProblemsTakesTheTestPartAlone) {
  const Certificate certificate = *calibrate(written_.store(), request_).certificate;
  CertifiedSetting setting = parse_certificate(to_json(certificate), "c.json");
  const Recheck same = recheck(written_.store(), {}, setting);
  EXPECT_TRUE(same.only_test_part);
  EXPECT_EQ(same.part.cell.problems, certificate.test.part.cell.problems);
  EXPECT_EQ(same.holds, same.p_value <= 0.05);
  setting.problem_set = "another";
  setting.t = 13;  // stops the late ones
  const Recheck all = recheck(written_.store(), {}, setting);
  EXPECT_EQ(all.part.cell.problems, 600);
  EXPECT_EQ(all.part.cell.harm, 38);
  EXPECT_FALSE(all.holds);
  EXPECT_FALSE(all.needed);
}

TEST_F(MadeUpRun, ACheckOnItsOwnGenerationsSaysSo) {
  CertifiedSetting setting =
      parse_certificate(to_json(*calibrate(written_.store(), request_).certificate), "c.json");
  EXPECT_EQ(setting.run, written_.traces().front().run_uid);
  EXPECT_TRUE(recheck(written_.store(), {}, setting).same_run);
  setting.run = "0123456789abcdef";
  EXPECT_FALSE(recheck(written_.store(), {}, setting).same_run);
}

TEST_F(MadeUpRun, AnotherCertificateOfTheSameGenerationsIsFound) {
  const auto first = certificate_record(*calibrate(written_.store(), request_).certificate);
  request_.split.seed = 1;
  const auto second = certificate_record(*calibrate(written_.store(), request_).certificate);
  ASSERT_NE(first.uid, second.uid);
  const std::vector<schemas::CertificateRecord> stored = {first, second};
  const auto before = made_before(stored, second.run, second.problem_set, second.uid);
  ASSERT_EQ(before.size(), 1U);
  EXPECT_EQ(before[0].uid, first.uid);
  EXPECT_EQ(made_before(stored, first.run, first.problem_set, "").size(), 2U)
      << "a run that certifies nothing";
  EXPECT_TRUE(made_before(stored, first.run, "another", "").empty());
  EXPECT_TRUE(made_before(stored, "another", first.problem_set, "").empty());
}

/// Traces of problems without a gold answer, or not complete: neither may make a setting look harmless.
class MadeUpRunWithMore : public MadeUpRun {
 protected:
  MadeUpRunWithMore() {
    request_.warning = [this](const std::string& sentence) { warnings_.push_back(sentence); };
  }

  void add_without_gold(int count) {
    for (int i = 0; i < count; ++i) {
      const auto before = written_.traces().size();
      written_.add_trace(key(), {.problem = "open" + std::to_string(i),
                                 .gold = "",
                                 .text = "\\boxed{1}" + std::string(51, '.'),
                                 .kind = schemas::AnswerKind::kNone});
      const auto trace = written_.traces().at(before);
      schemas::put_curve(written_.store(), trace.key, {"lz4", "1 (lz4 1)", "text", 10},
                         {10, {0, 30, 60, 90, 120, 150, 180}}, 0);
    }
    (void)grade_store(written_.store(), Extraction::parse(kDefaultExtractors), {});
  }

  void add_incomplete() {
    const auto problem =
        schemas::put_problem(written_.store(), {"set", "unfinished", "?", "1", schemas::AnswerKind::kNumber});
    schemas::NewTrace start;
    start.uid = "0123456789abcdef";
    start.run = key();
    start.problem = problem;
    schemas::TraceWriter writer(written_.store(), start);
  }

  schemas::RunKey key() { return schemas::list_runs(written_.store()).front().key; }

  std::vector<std::string> warnings_;
};

TEST_F(MadeUpRunWithMore, TracesWithoutGoldAreInNoPartAndChangeNothing) {
  const Certificate alone = *calibrate(written_.store(), request_).certificate;
  EXPECT_EQ(alone.without_gold, 0);
  warnings_.clear();
  add_without_gold(60);
  const Certificate certificate = *calibrate(written_.store(), request_).certificate;
  EXPECT_EQ(certificate.without_gold, 60);
  EXPECT_EQ(certificate.calibrate.cell.problems, alone.calibrate.cell.problems);
  EXPECT_EQ(
      certificate.tune.cell.traces + certificate.calibrate.cell.traces + certificate.test.part.cell.traces,
      600);
  EXPECT_EQ(certificate.p_value, alone.p_value);
  EXPECT_EQ(certificate.data_sha256, alone.data_sha256);
  EXPECT_NE(to_json(certificate).find("60 traces whose problem has no gold answer are left out"),
            std::string::npos);
  EXPECT_EQ(to_json(alone).find("no gold answer"), std::string::npos);
  ASSERT_FALSE(warnings_.empty());
  EXPECT_NE(warnings_.back().find("60 of 660 traces have no gold answer and are left out"), std::string::npos)
      << warnings_.back();
  CertifiedSetting setting = parse_certificate(to_json(certificate), "c.json");
  setting.problem_set = "another";
  EXPECT_EQ(recheck(written_.store(), {}, setting).part.cell.traces, 600);
}

TEST_F(MadeUpRunWithMore, WithoutAnyGoldNothingCanBeCertified) {
  request_.filter.problem_id = "open0";
  add_without_gold(1);
  try {
    (void)calibrate(written_.store(), request_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("has a gold answer, which every risk rests on"),
              std::string::npos)
        << error.what();
  }
}

TEST_F(MadeUpRunWithMore, UnfinishedRecordingsAreWarnedOf) {
  add_incomplete();
  const Certificate certificate = *calibrate(written_.store(), request_).certificate;
  EXPECT_EQ(certificate.incomplete, 1);
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_NE(warnings_[0].find("1 of 601 traces are not complete and left out; the run has not ended"),
            std::string::npos)
      << warnings_[0];
  const std::string json = to_json(certificate);
  EXPECT_NE(json.find("1 traces that were not complete are left out"), std::string::npos);
  EXPECT_NE(json.find("the run was open when it was calibrated on"), std::string::npos);
}

TEST_F(MadeUpRunWithMore, ACompleteRunIsNotWarnedOf) {
  schemas::set_run_status(written_.store(), key(), "complete");
  const Certificate certificate = *calibrate(written_.store(), request_).certificate;
  EXPECT_TRUE(warnings_.empty());
  EXPECT_EQ(to_json(certificate).find("when it was calibrated on"), std::string::npos);
}

TEST_F(MadeUpRun, IsTheSameOnAnyNumberOfThreads) {
  const std::string one = to_json(*calibrate(written_.store(), request_).certificate);
  request_.threads = 3;
  EXPECT_EQ(to_json(*calibrate(written_.store(), request_).certificate), one);
}

TEST_F(MadeUpRun, ACertificateOfProbesIsReadBackAsOne) {
  Certificate certificate = *calibrate(written_.store(), request_).certificate;
  certificate.calibrate.cell.grading = std::string(kProbeAnswers) + request_.grading;
  certificate.closing = "\nAnswer: ";
  const CertifiedSetting setting = parse_certificate(to_json(certificate), "c.json");
  EXPECT_EQ(setting.grading, request_.grading);
  EXPECT_EQ(setting.answers, AnswerSource::kProbe);
  EXPECT_EQ(setting.closing, "\nAnswer: ");
}

TEST_F(MadeUpRun, ARiskThatDoesNotCountAnswersSaysWhatItCosts) {
  Certificate certificate = *calibrate(written_.store(), request_).certificate;
  EXPECT_FALSE(costs_answers(certificate));
  certificate.risk = "wasted";
  certificate.alpha = 0.02;
  Cell& cell = certificate.calibrate.cell;
  cell.traces = 100;
  cell.right_full = 50;
  cell.right_stop = 48;
  EXPECT_FALSE(costs_answers(certificate)) << "a drop of alpha, not above it";
  cell.right_stop = 47;
  EXPECT_TRUE(costs_answers(certificate));
  EXPECT_NE(to_json(certificate).find("wasted does not count right answers"), std::string::npos);
  certificate.risk = "drop";
  EXPECT_FALSE(costs_answers(certificate)) << "it counts them";
}

TEST_F(MadeUpRun, TooFewProblemsAreSaidToBeTooFew) {
  request_.alpha = 0.01;  // 299 without any harm, for one chain
  const Calibration found = calibrate(written_.store(), request_);
  EXPECT_FALSE(found.certificate);
  EXPECT_EQ(found.chains.size(), 1U) << "a second chain would only cost";
  EXPECT_EQ(found.least_needed, 299);
  EXPECT_LT(found.problems[1], 299);
}

TEST_F(MadeUpRun, EveryRiskAndMethodRuns) {
  for (const char* risk : {"harm", "drop", "suffix-mean", "wasted"}) {
    for (const Procedure procedure : {Procedure::kChain, Procedure::kBonferroni, Procedure::kHolm}) {
      request_.risk = risk;
      request_.procedure = procedure;
      request_.alpha = std::string(risk) == "harm" || std::string(risk) == "drop" ? 0.06 : 0.6;
      const Calibration found = calibrate(written_.store(), request_);
      ASSERT_TRUE(found.certificate) << risk << " " << to_string(procedure);
      EXPECT_LE(found.certificate->calibrate.risk, request_.alpha);
      EXPECT_LT(found.certificate->calibrate.cell.kept, found.certificate->calibrate.cell.tokens);
    }
  }
}

TEST_F(MadeUpRun, RefusesWhatDoesNotFit) {
  const auto refused = [&](auto&& change) {
    CalibrationRequest request = request_;
    change(request);
    EXPECT_THROW((void)calibrate(written_.store(), request), Error);
  };
  refused([](auto& request) { request.alpha = 0; });
  refused([](auto& request) { request.delta = 1; });
  refused([](auto& request) { request.split.shares = {0.5, 0.5, 0.5}; });
  refused([](auto& request) { request.risk = "none"; });
  refused([](auto& request) {
    request.risk = "wasted";
    request.p_value = PValue::kBinomial;
  });
  const auto second = written_.add_run("sink");
  written_.add_trace(second, {.problem = "1", .gold = "1", .text = "\\boxed{1}"});
  (void)grade_store(written_.store(), Extraction::parse(kDefaultExtractors), {});
  refused([](auto&) {});  // two runs
}

}  // namespace
}  // namespace lil::analyze
