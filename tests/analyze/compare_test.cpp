#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "analyze/compare/compare_runs.h"
#include "analyze/compare/compare_signals.h"
#include "analyze/compare/loop_onset.h"
#include "analyze/compare/roc.h"
#include "analyze/compare/savings_curve.h"
#include "analyze/grading.h"
#include "analyze/verdict.h"
#include "schemas/curve_store.h"
#include "schemas/error.h"
#include "tests/analyze/written_store.h"
#include "tests/support/temporary_directory.h"

namespace lil::analyze {
namespace {

using Ids = std::vector<schemas::TokenId>;

/// Every onset from the front, every period, token by token.
std::optional<Loop> slow_loop(const Ids& ids, const LoopDefinition& definition) {
  const auto n = static_cast<std::int64_t>(ids.size());
  for (std::int64_t onset = 0; onset < n; ++onset) {
    for (std::int64_t p = 1; p < n; ++p) {
      if (n - onset < std::max(definition.min_repeats * p, definition.min_tokens)) continue;
      bool periodic = true;
      for (std::int64_t i = onset; i + p < n; ++i) periodic = periodic && ids[i] == ids[i + p];
      if (periodic) return Loop{onset, p};
    }
  }
  return std::nullopt;
}

TEST(LoopOnset, IsWhatTryingEveryPeriodFinds) {
  std::mt19937 random(1);
  int found = 0;
  for (int round = 0; round < 3000; ++round) {
    const int letters = 1 + round % 4;
    Ids ids;
    for (std::size_t i = random() % 30; i > 0; --i) ids.push_back(static_cast<int>(random() % letters));
    Ids block;
    for (std::size_t i = random() % 7; i > 0; --i) block.push_back(static_cast<int>(random() % letters));
    for (std::size_t i = block.empty() ? 0 : random() % 40; i > 0; --i)
      ids.push_back(block[i % block.size()]);
    const LoopDefinition definition{2 + round % 3, 1 + round % 11};
    const auto loop = find_loop(ids, definition);
    EXPECT_EQ(loop, slow_loop(ids, definition)) << "round " << round;
    found += loop ? 1 : 0;
  }
  EXPECT_GT(found, 1000);
  EXPECT_LT(found, 2900);
}

TEST(LoopOnset, CountsRepeatsAndTokensToTheLast) {
  const Ids three = {9, 8, 1, 2, 3, 1, 2, 3, 1, 2, 3};
  EXPECT_EQ(find_loop(three, {3, 9}), (Loop{2, 3}));
  EXPECT_FALSE(find_loop(three, {3, 10}));
  EXPECT_FALSE(find_loop(three, {4, 1}));
  EXPECT_FALSE(find_loop(Ids(three.begin(), three.end() - 1), {3, 1})) << "the third is cut off";
  const Ids shifted = {9, 3, 1, 2, 3, 1, 2, 3, 1, 2};
  EXPECT_EQ(find_loop(shifted, {3, 1}), (Loop{1, 3})) << "a loop may begin within its block";
  Ids left = three;
  left.push_back(0);
  EXPECT_FALSE(find_loop(left, {3, 1})) << "it was left again";
  EXPECT_EQ(find_loop(Ids(5, 7), {3, 5}), (Loop{0, 1}));
  EXPECT_FALSE(find_loop(Ids{}, {2, 1}));
  EXPECT_FALSE(find_loop(Ids{4}, {2, 1}));
}

TEST(LoopOnset, IsLinear) {
  // Two million tokens: a quadratic search would not end.
  Ids ids(1'000'000, 1);
  ids.push_back(2);
  ids.insert(ids.end(), 999'999, 1);
  EXPECT_EQ(find_loop(ids), (Loop{1'000'001, 1}));
}

/// Every positive against every negative.
std::optional<double> slow_auc(const std::vector<RocCheck>& checks, const std::vector<std::int32_t>& times) {
  double in_order = 0;
  double pairs = 0;
  for (const RocCheck& positive : checks) {
    for (const RocCheck& negative : checks) {
      if (!positive.nothing_gained || negative.nothing_gained) continue;
      const double weight = static_cast<double>(times[positive.problem]) * times[negative.problem];
      pairs += weight;
      if (positive.level < negative.level) in_order += weight;
      if (positive.level == negative.level) in_order += weight / 2;
    }
  }
  return pairs == 0 ? std::nullopt : std::optional(in_order / pairs);
}

TEST(Roc, AreaIsTheShareOfPairsInOrder) {
  std::mt19937 random(2);
  for (int round = 0; round < 200; ++round) {
    std::vector<RocCheck> checks(random() % 40);
    for (RocCheck& check : checks)
      check = {static_cast<std::int64_t>(random() % 12) - 3, random() % 5, random() % 3 > 0};
    std::vector<std::int32_t> times(5, 1);
    const Roc roc(checks);
    const auto plain = roc.area();
    const auto slow = slow_auc(checks, times);
    ASSERT_EQ(plain.has_value(), slow.has_value());
    if (plain) {
      EXPECT_NEAR(*plain, *slow, 1e-12);
    }
    for (std::int32_t& count : times) count = static_cast<std::int32_t>(random() % 3);
    const auto weighted = roc.area(times);
    const auto slow_weighted = slow_auc(checks, times);
    ASSERT_EQ(weighted.has_value(), slow_weighted.has_value());
    if (weighted) {
      EXPECT_NEAR(*weighted, *slow_weighted, 1e-12);
    }
  }
}

TEST(Roc, PointsAreCountsBelowEachThreshold) {
  const std::vector<RocCheck> checks = {
      {5, 0, true}, {5, 1, false}, {-1, 0, true}, {9, 2, false}, {5, 0, true}};
  const Roc roc(checks);
  EXPECT_EQ(roc.points(), (std::vector<RocPoint>{{0, 1, 0}, {6, 3, 1}, {10, 3, 2}}));
  EXPECT_EQ(roc.positives(), 3);
  EXPECT_EQ(roc.negatives(), 2);
  EXPECT_DOUBLE_EQ(*roc.area(), (2 + 3.0) / 6);
  EXPECT_FALSE(Roc({}).area());
  EXPECT_TRUE(Roc({}).points().empty());
}

TEST(SavingsCurve, IsTheStepFunctionOfTheFrontier) {
  std::mt19937 random(3);
  for (int round = 0; round < 100; ++round) {
    const std::size_t count = 1 + random() % 8;
    std::vector<RightSpans> right(count);
    std::vector<FrontierTrace> traces(count);
    std::vector<std::size_t> problems(count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::vector<schemas::AnswerEvent> events = {
          {0, "", "none"}, {static_cast<std::int64_t>(random() % 50), "1", "right"}, {60, "2", "wrong"}};
      right[i] = RightSpans(std::span(events).subspan(0, 1 + random() % 3));
      traces[i] = {100, &right[i], {}};
      std::int64_t stop = 100;
      for (std::int64_t t = static_cast<std::int64_t>(random() % 5); stop > 20; t += 1 + random() % 4) {
        stop -= 10 * static_cast<std::int64_t>(1 + random() % 3);
        traces[i].corners.push_back({t, std::max<std::int64_t>(stop, 5)});
      }
      problems[i] = i / 2;
    }
    // At a thousand savings, the smallest threshold that saves so much.
    const auto rows = merge_corners(traces);
    const double tokens = 100.0 * static_cast<double>(count);
    double slow = 0;
    constexpr int kSteps = 100'000;
    for (int step = 0; step < kSteps; ++step) {
      const double saved = (step + 0.5) / kSteps;
      const auto row = std::find_if(rows.begin(), rows.end(), [&](const FrontierRow& one) {
        return 1 - static_cast<double>(one.kept) / tokens >= saved;
      });
      if (row != rows.end())
        slow += static_cast<double>(row->right_stop) / static_cast<double>(count) / kSteps;
    }
    const SavingsCurve curve(traces, problems);
    EXPECT_NEAR(curve.area(), slow, 1e-4);
    const std::vector<std::int32_t> once((count + 1) / 2, 1);
    EXPECT_DOUBLE_EQ(curve.area(once), curve.area());
    // Problems left out are as if they were not there.
    std::vector<std::int32_t> first((count + 1) / 2, 0);
    first[0] = 2;
    const std::size_t kept = std::min<std::size_t>(2, count);
    EXPECT_DOUBLE_EQ(curve.area(first), SavingsCurve(std::span(traces).subspan(0, kept), problems).area());
  }
  EXPECT_EQ(SavingsCurve({}, {}).area(), 0);
}

TEST(Resample, DrawsAsManyAsThereAreAndTheSameEveryTime) {
  const Bootstrap bootstrap{7, 50};
  std::vector<std::int32_t> once(20);
  std::vector<std::int32_t> again(20);
  std::vector<double> ratios;
  std::vector<RatioPart> parts;
  for (int i = 0; i < 20; ++i) parts.push_back({static_cast<double>(i * i), 1});
  for (int i = 0; i < bootstrap.replicates; ++i) {
    resample(bootstrap, i, once);
    resample(bootstrap, i, again);
    EXPECT_EQ(once, again);
    double sum = 0;
    int drawn = 0;
    for (int unit = 0; unit < 20; ++unit) {
      sum += once[unit] * parts[unit].numerator;
      drawn += once[unit];
    }
    EXPECT_EQ(drawn, 20);
    ratios.push_back(sum / 20);
  }
  const Interval of_ratio = bootstrap_ratio(parts, bootstrap);
  const Interval of_times = percentile_interval(ratios);
  EXPECT_DOUBLE_EQ(of_ratio.low, of_times.low) << "the same draws";
  EXPECT_DOUBLE_EQ(of_ratio.high, of_times.high);
}

GradedTrace graded(std::size_t problem, std::int64_t tokens, bool right) {
  GradedTrace trace;
  trace.info.tokens = tokens;
  trace.info.problem_id = "p" + std::to_string(problem);
  trace.info.gold = "1";
  trace.events = {{0, "", "none"}};
  if (right) trace.events.push_back({tokens, "1", "right"});
  trace.problem = problem;
  return trace;
}

TEST(LoopDelays, AreFromOnsetToStop) {
  TraceGroup group;
  for (std::size_t i = 0; i < 6; ++i) group.traces.push_back(graded(i, 100, false));
  group.problems = 6;
  const std::vector<std::optional<Loop>> loops = {Loop{40, 2}, Loop{40, 2},  Loop{40, 2},
                                                  Loop{40, 2}, std::nullopt, Loop{40, 2}};
  const TraceStops stops = {40, 39, std::nullopt, 60, 50, 90};
  const LoopDelays delays = measure_delays(group, loops, stops, {});
  EXPECT_EQ(delays.loops, 5);
  EXPECT_EQ(delays.caught, 3);
  EXPECT_EQ(delays.early, 1);
  EXPECT_EQ(delays.median, 20);
  EXPECT_NEAR(delays.mean->value, 70.0 / 3, 1e-12);
  EXPECT_EQ(delays.mean->interval.low, 0);
  EXPECT_FALSE(measure_delays(group, loops, TraceStops(6), {}).median);
}

TEST(PairedRuns, CountProblemsThatBothHave) {
  TraceGroup a;
  TraceGroup b;
  const std::vector<bool> right_a = {true, true, false, false, true};
  const std::vector<bool> right_b = {true, false, true, false, false};
  for (std::size_t i = 0; i < 5; ++i) {
    a.traces.push_back(graded(i, 100, right_a[i]));
    b.traces.push_back(graded(4 - i, 150, right_b[4 - i]));  // in another order
    b.traces.back().problem = i;
  }
  a.traces.push_back(graded(5, 100, true));
  a.problems = 6;
  b.problems = 5;
  const PairedRuns pairs = pair_runs(a, b, {});
  EXPECT_EQ(pairs.problems, 5);
  EXPECT_EQ(pairs.only_in_a, 1);
  EXPECT_EQ(pairs.only_in_b, 0);
  EXPECT_DOUBLE_EQ(pairs.accuracy_a, 0.6);
  EXPECT_DOUBLE_EQ(pairs.accuracy_b, 0.4);
  EXPECT_DOUBLE_EQ(pairs.length_ratio->value, 1.5);
  EXPECT_DOUBLE_EQ(pairs.length_ratio->interval.low, 1.5);
  ASSERT_TRUE(pairs.counts);
  EXPECT_EQ(pairs.counts->only_a, 2);
  EXPECT_EQ(pairs.counts->only_b, 1);
  EXPECT_DOUBLE_EQ(pairs.difference.interval.low, tango({5, 2, 1}).low);
  EXPECT_DOUBLE_EQ(*pairs.mcnemar, 1);
  ASSERT_EQ(pairs.changed.size(), 3U);
  EXPECT_EQ(pairs.changed[0].problem_id, "p1");
  EXPECT_EQ(pairs.changed[1].b.right, 1);
  // Stopping before the answer.
  TraceStops stops(a.traces.size());
  stops[0] = 50;
  EXPECT_DOUBLE_EQ(pair_runs(a, stops, b, TraceStops(5), {}).accuracy_a, 0.4);
  b.traces[0].info.gold = "2";
  EXPECT_THROW((void)pair_runs(a, b, {}), Error);
}

TEST(PairedRuns, RepeatsCountOnceByTheirMeans) {
  TraceGroup a;
  a.traces = {graded(0, 100, true), graded(0, 300, false), graded(1, 100, true)};
  a.problems = 2;
  TraceGroup b;
  b.traces = {graded(0, 100, true), graded(1, 100, true)};
  b.problems = 2;
  const PairedRuns pairs = pair_runs(a, b, {});
  EXPECT_DOUBLE_EQ(pairs.accuracy_a, 0.75);
  EXPECT_DOUBLE_EQ(pairs.tokens_a, 150);
  EXPECT_FALSE(pairs.counts);
  EXPECT_FALSE(pairs.mcnemar);
  EXPECT_DOUBLE_EQ(pairs.difference.interval.low, 0);
  EXPECT_DOUBLE_EQ(pairs.difference.interval.high, 0.5);
}

/// 600 problems of a made-up run; every fourth ends in a loop after its answer. `sharp` tells loops apart,
/// `blunt` takes some answers that come late for loops, `blind` sees nothing.
class MadeUpSignals : public testing::Test {
 protected:
  MadeUpSignals() : written_(folder_ / "store.db") {
    const auto run = written_.add_run("full", 129);
    for (int i = 0; i < 600; ++i) {
      const std::string tail = i % 4 == 0 ? std::string(100, '.') : std::string("abcdefghijklmnopqrstu");
      const std::string late = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn\\boxed{1}";
      written_.add_trace(run, {.problem = std::to_string(i),
                               .gold = "1",
                               .text = i % 16 == 1 ? late : "12345678901234567890\\boxed{1}" + tail});
    }
    for (const auto& trace : written_.traces()) {
      put(trace, "zlib(level=6)", 3, 12, 30);
      put(trace, "lz77", 12, 12, 30);
      put(trace, "lz78", 30, 30, 30);
    }
    (void)grade_store(written_.store(), Extraction::parse(kDefaultExtractors), {});
    request_.grading = grading_name(Extraction::parse(kDefaultExtractors));
    request_.rules = {"guardian(f=10)"};
    request_.reference = "zlib";
  }

  void put(const schemas::TraceInfo& trace, const char* signal, std::int64_t loop, std::int64_t late,
           std::int64_t other) {
    schemas::Curve curve{10, {0}};
    for (std::int64_t k = 10; k <= trace.tokens; k += 10) {
      const bool in_loop = trace.tokens == 129 && k > 40;
      const bool before_late = trace.tokens == 49 && k == 30;
      curve.values.push_back(curve.values.back() + (in_loop ? loop : before_late ? late : other));
    }
    schemas::put_curve(written_.store(), trace.key, {signal, "1", "text", 10}, curve, 0);
  }

  SignalComparison compare() {
    std::vector<SignalComparison> found;
    compare_signals(written_.store(), request_, [&](const SignalComparison& one) { found.push_back(one); });
    EXPECT_EQ(found.size(), 1U);
    return found.at(0);
  }

  tests::TemporaryDirectory folder_;
  tests::WrittenStore written_;
  SignalComparisonRequest request_;
};

TEST_F(MadeUpSignals, AreEachUsedAsFarAsTheirCertificateAllows) {
  const SignalComparison found = compare();
  ASSERT_EQ(found.signals.size(), 3U);
  EXPECT_EQ(found.reference, 0U);
  const ComparedSignal& sharp = found.signals[0];
  const ComparedSignal& blunt = found.signals[1];
  const ComparedSignal& blind = found.signals[2];
  EXPECT_EQ(sharp.rule, "guardian(f=10,t=4)");
  EXPECT_EQ(sharp.test.harm, 0);
  EXPECT_GT(sharp.saved.low, 0.2);
  // What calibrate() certifies on its own is what is compared.
  CalibrationRequest alone = request_;
  alone.signals = {"zlib"};
  const Certificate certificate = *calibrate(written_.store(), alone).certificate;
  EXPECT_EQ(certificate.test.part.cell.kept, sharp.test.kept);
  EXPECT_EQ(certificate.p_value, sharp.p_value);
  for (const ComparedSignal* none : {&blunt, &blind}) {
    EXPECT_EQ(none->rule, "") << none->measure.signal;
    EXPECT_EQ(none->test.kept, none->test.tokens);
    EXPECT_NEAR(none->saved_difference->value,
                -1 + static_cast<double>(sharp.test.kept) / static_cast<double>(sharp.test.tokens), 1e-12);
    EXPECT_LT(none->saved_difference->interval.high, -0.2);
  }
  // Loops begin at 29 ("." repeats to the end); the first low check is at 50.
  EXPECT_EQ(sharp.delays.loops, static_cast<std::int64_t>(std::count_if(
                                    found.test.traces.begin(), found.test.traces.end(),
                                    [](const GradedTrace& trace) { return trace.info.tokens == 129; })));
  EXPECT_EQ(sharp.delays.caught, sharp.delays.loops);
  EXPECT_EQ(sharp.delays.median, 21);
  EXPECT_EQ(blunt.delays.caught, 0);
  // Checks: negatives are those before the answer.
  EXPECT_DOUBLE_EQ(blind.auc->value, 0.5);
  EXPECT_GT(sharp.auc->value, blunt.auc->value);
  EXPECT_GT(blunt.auc->value, 0.5);
  EXPECT_EQ(sharp.auc_difference->value, 0);
  EXPECT_EQ(sharp.auc_difference->interval.high, 0);
  EXPECT_LT(blind.auc_difference->interval.high, 0);
  EXPECT_LE(sharp.auc->interval.low, sharp.auc->value);
  EXPECT_GT(sharp.area.value, blind.area.value);
  EXPECT_EQ(sharp.roc.back().flagged, sharp.positives);
}

TEST_F(MadeUpSignals, AreTheSameOnAnyNumberOfThreads) {
  const SignalComparison one = compare();
  request_.threads = 3;
  const SignalComparison three = compare();
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(one.signals[i].rule, three.signals[i].rule);
    EXPECT_EQ(one.signals[i].auc->interval.low, three.signals[i].auc->interval.low);
    EXPECT_EQ(one.signals[i].area.interval.high, three.signals[i].area.interval.high);
  }
  request_.reference = "lz4";
  EXPECT_FALSE(compare().reference);
  EXPECT_FALSE(compare().signals[0].saved_difference);
  request_.reference = "no_such";
  EXPECT_THROW(compare(), Error);
}

}  // namespace
}  // namespace lil::analyze
