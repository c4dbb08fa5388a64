#include "analyze/paper_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "analyze/grading.h"
#include "analyze/information.h"
#include "analyze/probe_events.h"
#include "analyze/verdict.h"
#include "schemas/curve_store.h"
#include "schemas/error.h"
#include "schemas/probe_store.h"
#include "tests/analyze/written_store.h"
#include "tests/support/temporary_directory.h"

namespace lil::analyze {
namespace {

constexpr const char* kSignal = "zlib(level=6)";

/// Two problems under three policies, worked out by hand. A box takes 9 tokens; every 10 tokens a curve grows
/// by 50, and by 1 once a loop has begun.
class ThreePolicies : public testing::Test {
 protected:
  ThreePolicies() : written_(folder_ / "store.db") {
    // Stored in an order that is not that of the tables.
    const auto wide = written_.add_run("sink(budget=128)", 60);
    const auto narrow = written_.add_run("sink(budget=64)", 60);
    const auto full = written_.add_run("full", 60);
    const auto another = written_.add_run("full(again=1)", 50);
    add(wide, "p", "\\boxed{1}" + std::string(11, '.'), schemas::Finish::kStop);      // 20, right
    add(wide, "q", "\\boxed{2}" + std::string(21, '.'), schemas::Finish::kStop);      // 30, wrong
    add(narrow, "p", "\\boxed{2}" + std::string(51, '.'), schemas::Finish::kLength);  // 60, wrong
    add(narrow, "q", "\\boxed{1}" + std::string(11, '.'), schemas::Finish::kStop);    // 20, right
    add(full, "p", "\\boxed{1}" + std::string(11, '.'), schemas::Finish::kStop);      // 20, right
    add(full, "q", "\\boxed{1}" + std::string(11, '.'), schemas::Finish::kStop);      // 20, right
    add(another, "p", "\\boxed{1}", schemas::Finish::kStop);
    for (const auto& trace : written_.traces()) {
      schemas::Curve curve{10, {8}};
      for (std::int64_t k = 10; k <= trace.tokens; k += 10)
        curve.values.push_back(curve.values.back() + (k > 20 ? 1 : 50));
      schemas::put_curve(written_.store(), trace.key, {kSignal, "1 (zlib 1)", "text", 10}, curve, 0);
    }
    (void)grade_store(written_.store(), Extraction::parse(kDefaultExtractors), {});
    request_.rules = {"guardian(f=10,t=20)"};
    request_.grading = grading_name(Extraction::parse(kDefaultExtractors));
  }

  void add(schemas::RunKey run, const char* problem, const std::string& text, schemas::Finish finish) {
    written_.add_trace(run, {.problem = problem, .gold = "1", .text = text, .finish = finish});
  }

  tests::TemporaryDirectory folder_;
  tests::WrittenStore written_;
  CellRequest request_;
};

TEST_F(ThreePolicies, AreNotHeldAgainstFullAttentionOfAnotherDtype) {
  const auto half = written_.add_run("sink(budget=64)", 60, "bf16");
  add(half, "p", "\\boxed{1}", schemas::Finish::kStop);
  (void)grade_store(written_.store(), Extraction::parse(kDefaultExtractors), {});
  request_.rules = {};
  const auto half_row = [&] {
    const auto rows = paper_rows(written_.store(), request_);
    return *std::find_if(rows.begin(), rows.end(), [&](const PaperRow& row) {
      return row.cell.run == written_.traces().back().run_uid;
    });
  };
  EXPECT_FALSE(half_row().against_full);
  const auto full = written_.add_run("full", 60, "bf16");
  add(full, "p", "\\boxed{1}" + std::string(9, '.'), schemas::Finish::kStop);
  (void)grade_store(written_.store(), Extraction::parse(kDefaultExtractors), {});
  const auto rows = paper_rows(written_.store(), request_);
  int held = 0;
  for (const PaperRow& row : rows) {
    if (!row.against_full || row.cell.traces != 1) continue;
    EXPECT_EQ(row.against_full->length_ratio->value, 0.5);
    ++held;
  }
  EXPECT_EQ(held, 1);
}

TEST_F(ThreePolicies, AreHeldAgainstFullAttentionOfTheSameCap) {
  const auto rows = paper_rows(written_.store(), request_);
  std::vector<std::string> order;
  for (const PaperRow& row : rows) order.push_back(row.cell.policy + " " + row.cell.rule);
  EXPECT_EQ(order, (std::vector<std::string>{"full never", "full guardian(f=10,t=20)", "full(again=1) never",
                                             "full(again=1) guardian(f=10,t=20)", "sink(budget=64) never",
                                             "sink(budget=64) guardian(f=10,t=20)", "sink(budget=128) never",
                                             "sink(budget=128) guardian(f=10,t=20)"}));
  EXPECT_FALSE(rows[0].against_full) << "itself";
  ASSERT_TRUE(rows[1].against_full) << "stopped, against whole";
  EXPECT_EQ(rows[1].against_full->length_ratio->value, 1);
  const PaperRow& narrow = rows[4];
  EXPECT_EQ(narrow.policy_name, "sink");
  EXPECT_EQ(narrow.budget, 64);
  EXPECT_EQ(narrow.cell.capped, 1);
  EXPECT_EQ(narrow.against_full->length_ratio->value, 2);
  EXPECT_EQ(narrow.against_full->difference.value, -0.5);
  EXPECT_EQ(narrow.against_full->counts->only_a, 1);
  const PaperRow& stopped = rows[5];  // at 30 of 60; the right one ends at 20
  EXPECT_EQ(stopped.cell.kept, 50);
  EXPECT_EQ(stopped.against_full->length_ratio->value, 1.25);
  EXPECT_EQ(stopped.stopped_right, 0);
  EXPECT_EQ(stopped.cell.stopped, 1);
  EXPECT_FALSE(rows[6].budget == 64);
}

TEST_F(ThreePolicies, AnotherCapIsAnotherSetting) {
  for (const PaperRow& row : paper_rows(written_.store(), request_)) {
    if (row.cell.cap_tokens != 50 || row.cell.rule != "never") continue;
    EXPECT_FALSE(row.against_full);
    return;
  }
  ADD_FAILURE() << "no such row";
}

TEST_F(ThreePolicies, GrowAndLevelOff) {
  InformationRequest request;
  request.grading = request_.grading;
  request.filter = schemas::parse_trace_filter("policy=sink(budget=64)");
  request.step_tokens = 20;
  int seen = 0;
  measure_information(written_.store(), request, [&](const MeasuredGroup& measured) {
    ++seen;
    EXPECT_EQ(measured.measure.signal, kSignal);
    ASSERT_EQ(measured.traces.size(), 2U);
    EXPECT_EQ(measured.traces[0].token, 60);
    EXPECT_EQ(measured.traces[0].bytes, 60);
    EXPECT_EQ(measured.traces[0].value, 8 + 100 + 4);
    EXPECT_DOUBLE_EQ(measured.traces[0].rho, 112.0 / 60);
    EXPECT_FALSE(measured.traces[0].loop) << "51 tokens are fewer than 64";
    EXPECT_DOUBLE_EQ(measured.rho.value, (112.0 + 108) / 80);
    EXPECT_DOUBLE_EQ(measured.rho.interval.low, 112.0 / 60);
    EXPECT_DOUBLE_EQ(measured.rho.interval.high, 108.0 / 20);
    ASSERT_EQ(measured.growth.size(), 3U);
    EXPECT_EQ(measured.growth[0].traces, 2);
    EXPECT_EQ(measured.growth[0].growth, (Quartiles{100, 100, 100}));
    EXPECT_EQ(measured.growth[1].traces, 1);
    EXPECT_EQ(measured.growth[1].value, (Quartiles{110, 110, 110}));
    EXPECT_EQ(measured.growth[2].growth, (Quartiles{2, 2, 2}));
  });
  EXPECT_EQ(seen, 1);
  request.step_tokens = 15;
  EXPECT_THROW(measure_information(written_.store(), request, [](const MeasuredGroup&) {}), Error);
}

TEST(ZivLempel, EpsilonOfDeflateIsTwentySevenInAThousand) {
  EXPECT_NEAR(ziv_lempel_epsilon(258), 0.0267, 5e-5);
  EXPECT_NEAR(ziv_lempel_epsilon(2, 2), (3 + 0 + 0) / 2.0, 1e-12);
  EXPECT_LT(ziv_lempel_epsilon(32768), ziv_lempel_epsilon(258));
}

schemas::Probe probe(std::int64_t token, const std::string& text,
                     schemas::ProbeFinish finish = schemas::ProbeFinish::kClosed,
                     const std::string& closing = "\\boxed{") {
  return {token, closing, {}, text, finish};
}

TEST(ProbeEvents, AreOfTheLastProbeAndInTheEndOfTheTrace) {
  schemas::TraceInfo trace;
  trace.tokens = 50;
  trace.gold = "7";
  trace.kind = schemas::AnswerKind::kNumber;
  const std::vector<schemas::Probe> probes = {probe(10, "3"), probe(20, "3"), probe(30, "7"),
                                              probe(40, "7.", schemas::ProbeFinish::kLength), probe(50, "8")};
  const auto events = probe_events(probes, trace, {12, "7", "right"});
  const std::vector<std::pair<std::int64_t, std::string>> expected = {
      {0, "none"}, {10, "wrong"}, {30, "right"}, {40, "none"}, {50, "right"}};
  ASSERT_EQ(events.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(events[i].token, expected[i].first);
    EXPECT_EQ(events[i].verdict, expected[i].second);
  }
  EXPECT_EQ(events.back().answer, "7");
  trace.tokens = 0;
  EXPECT_EQ(probe_events({}, trace, {0, "", "none"}).size(), 1U);
}

TEST_F(ThreePolicies, AreRightAtAStopAsTheirProbesSay) {
  // The loop under sink(budget=64) is stopped at 30, where its text says 2 and the probe at 25 said 1.
  const auto traces = written_.traces();
  const auto loop = std::find_if(traces.begin(), traces.end(), [](const auto& t) { return t.tokens == 60; });
  schemas::put_probe(written_.store(), loop->key, probe(25, "1"));
  schemas::put_probe(written_.store(), loop->key, probe(50, "2"));
  request_.filter = schemas::parse_trace_filter("policy=sink(budget=64)");
  const auto gain = [&] {
    for (const Cell& cell : analyze_cells(written_.store(), request_)) {
      if (cell.signal == kSignal) return cell.gain;
    }
    return std::int64_t{-1};
  };
  EXPECT_EQ(gain(), 0);
  request_.answers = AnswerSource::kProbe;
  EXPECT_EQ(gain(), 1);
  EXPECT_EQ(analyze_cells(written_.store(), request_).front().grading, "probe " + request_.grading);
  // Of two closings one must be named.
  schemas::put_probe(written_.store(), loop->key, probe(25, "5", schemas::ProbeFinish::kClosed, "So {"));
  EXPECT_THROW((void)gain(), Error);
  request_.closing = "So {";
  EXPECT_EQ(gain(), 0);
  request_.closing = "Then {";
  EXPECT_THROW((void)gain(), Error);
  request_.closing.clear();
  request_.filter = schemas::parse_trace_filter("policy=sink(budget=128)");
  EXPECT_THROW((void)gain(), Error) << "no probes there";
}

}  // namespace
}  // namespace lil::analyze
