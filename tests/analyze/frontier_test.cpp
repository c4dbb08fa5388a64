#include "analyze/frontier.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "analyze/grading.h"
#include "analyze/verdict.h"
#include "replay/stop_rules/registry.h"
#include "schemas/curve_store.h"
#include "schemas/error.h"
#include "tests/analyze/written_store.h"
#include "tests/support/temporary_directory.h"

namespace lil::analyze {
namespace {

/// Some traces with answers that come and go and curves that grow, stall and fall.
struct MadeUp {
  std::vector<std::int64_t> tokens;
  std::vector<std::vector<schemas::AnswerEvent>> events;
  std::vector<schemas::Curve> curves;
};

MadeUp made_up(std::uint64_t seed, std::size_t traces, std::int64_t grid) {
  std::mt19937_64 random(seed);
  const auto draw = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  MadeUp made;
  for (std::size_t i = 0; i < traces; ++i) {
    made.tokens.push_back(draw(0, 40));
    std::vector<schemas::AnswerEvent> events{{0, "", "none"}};
    for (std::int64_t token = draw(1, 15); token <= made.tokens.back(); token += draw(1, 15)) {
      events.push_back({token, "x", draw(0, 1) == 0 ? "right" : "wrong"});
    }
    made.events.push_back(std::move(events));
    schemas::Curve curve{grid, {draw(-2, 9)}};
    while (static_cast<std::int64_t>(curve.values.size()) < made.tokens.back() / grid + 1) {
      curve.values.push_back(curve.values.back() + draw(-3, 6));
    }
    made.curves.push_back(std::move(curve));
  }
  return made;
}

std::int64_t slow_kept(const MadeUp& made, std::size_t i, const std::string& rule) {
  const auto stop = replay::make_stop_rule(rule)->stop({made.tokens[i], &made.curves[i], made.events[i]});
  return stop.value_or(made.tokens[i]);
}

std::string with_t(const std::string& shape, const std::string& t) {
  return shape.substr(0, shape.size() - 1) + ",t=" + t + ")";
}

/// What the rule itself does with every trace, counted.
FrontierRow slow_row(const MadeUp& made, const std::string& shape, const std::string& t) {
  FrontierRow row;
  for (std::size_t i = 0; i < made.tokens.size(); ++i) {
    const std::int64_t kept = slow_kept(made, i, with_t(shape, t));
    const auto right = [&](std::int64_t token) {
      std::string verdict;
      for (const auto& event : made.events[i]) {
        if (event.token <= token) verdict = event.verdict;
      }
      return verdict == "right";
    };
    row.kept += kept;
    row.stopped += kept < made.tokens[i] ? 1 : 0;
    row.right_stop += right(kept) ? 1 : 0;
    row.harm += right(made.tokens[i]) && !right(kept) ? 1 : 0;
    row.gain += !right(made.tokens[i]) && right(kept) ? 1 : 0;
  }
  return row;
}

class EveryShape : public testing::TestWithParam<const char*> {};

TEST_P(EveryShape, EveryThresholdDoesWhatTheRuleDoes) {
  const GuardianShape shape = parse_guardian_shape(GetParam());
  const MadeUp made = made_up(7, 25, 2);
  std::vector<RightSpans> right(made.events.begin(), made.events.end());
  std::vector<FrontierTrace> traces;
  for (std::size_t i = 0; i < made.tokens.size(); ++i) {
    traces.push_back({made.tokens[i], &right[i], stop_corners(made.curves[i], made.tokens[i], shape)});
  }
  const auto rows = merge_corners(traces);
  ASSERT_GT(rows.size(), 5U);
  for (std::int64_t t = rows.front().t - 3; t <= rows.back().t + 3; ++t) {
    const auto next =
        std::upper_bound(rows.begin(), rows.end(), t,
                         [](std::int64_t value, const FrontierRow& row) { return value < row.t; });
    FrontierRow expected = slow_row(made, GetParam(), std::to_string(t));
    FrontierRow found = next == rows.begin() ? slow_row(made, GetParam(), "-1000000") : *(next - 1);
    found.t = expected.t = t;
    EXPECT_EQ(found, expected) << t;
    // Between two whole numbers the greater one's holds.
    expected = slow_row(made, GetParam(), fmt::format("{}", static_cast<double>(t) - 0.5));
    expected.t = t;
    EXPECT_EQ(found, expected) << t << " - 0.5";
    for (std::size_t i = 0; i < traces.size(); ++i) {
      EXPECT_EQ(kept_at(traces[i].corners, traces[i].tokens, t), slow_kept(made, i, shape.with_threshold(t)));
    }
  }
  for (std::size_t i = 1; i < rows.size(); ++i)
    EXPECT_LT(rows[i].kept, rows[i - 1].kept) << "a corner that is none";
}

INSTANTIATE_TEST_SUITE_P(Frontier, EveryShape,
                         testing::Values("guardian(f=2)", "guardian(f=4)", "guardian(f=6,patience=2)",
                                         "guardian(f=2,patience=3,warmup=5)", "guardian(f=4,phase=2)",
                                         "guardian(f=4,phase=2,first=zero)",
                                         "guardian(f=2,first=zero,warmup=2)",
                                         "guardian(f=2,first=zero,warmup=3,patience=2)"));

TEST(StopCorners, AreTheRunningMinimaOfGrowth) {
  //                              growth: 9  4  6  4  -1 (at the end: no check)
  const schemas::Curve curve{10, {0, 9, 13, 19, 23, 22}};
  const auto corners = stop_corners(curve, 50, parse_guardian_shape("guardian(f=10)"));
  EXPECT_EQ(corners, (std::vector<StopCorner>{{5, 20}, {10, 10}}));
  EXPECT_EQ(stop_corners({10, {0, 9, 13, 19, 23, 22}}, 51, parse_guardian_shape("guardian(f=10)")).front(),
            (StopCorner{0, 50}));
  EXPECT_TRUE(stop_corners({10, {0, 9}}, 10, parse_guardian_shape("guardian(f=10)")).empty());
  EXPECT_EQ(kept_at(corners, 50, 4), 50);
  EXPECT_EQ(kept_at(corners, 50, 5), 20);
  EXPECT_EQ(kept_at(corners, 50, 9), 20);
  EXPECT_EQ(kept_at(corners, 50, 10), 10);
  EXPECT_EQ(kept_at(corners, 50, std::nullopt), 50);
}

TEST(StopCorners, RefuseCurvesThatDoNotFit) {
  const auto shape = parse_guardian_shape("guardian(f=10)");
  EXPECT_THROW((void)stop_corners({10, {0, 1}}, 50, shape), Error);
  EXPECT_THROW((void)stop_corners({4, std::vector<std::int64_t>(13, 0)}, 50, shape), Error);
}

TEST(GuardianShape, IsAGuardianWithoutItsThreshold) {
  EXPECT_EQ(parse_guardian_shape("guardian( patience=1, f=1k )").name, "guardian(f=1024)");
  EXPECT_EQ(parse_guardian_shape("guardian(patience=2,f=50)").with_threshold(-3),
            "guardian(f=50,t=-3,patience=2)");
  for (const char* wrong : {"guardian(f=50,t=3)", "never", "guardian", "guardian(f=0)", "nothing(f=3)"}) {
    EXPECT_THROW((void)parse_guardian_shape(wrong), Error) << wrong;
  }
}

TEST(GuardianShape, SaysWhatIsWrongWithARule) {
  const auto message_of = [](const char* rule) -> std::string {
    try {
      (void)parse_guardian_shape(rule);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message_of("slope").find("of guardian alone"), std::string::npos);
  EXPECT_NE(message_of("guardian(f=50,t=3)").find("every t is looked at"), std::string::npos);
}

TEST(BestWithin, IsTheLastRowThatHarmsNoMore) {
  const std::vector<FrontierRow> rows = {
      {.t = 1, .harm = 0}, {.t = 2, .harm = 2}, {.t = 3, .harm = 1}, {.t = 4, .harm = 5}};
  EXPECT_EQ(best_within(rows, 0)->t, 1);
  EXPECT_EQ(best_within(rows, 2)->t, 3);
  EXPECT_EQ(best_within(rows, 9)->t, 4);
  EXPECT_FALSE(best_within(std::span(rows).subspan(1, 1), 1));
}

TEST(RightSpans, CountTokens) {
  const std::vector<schemas::AnswerEvent> events = {
      {0, "", "none"}, {3, "a", "right"}, {5, "b", "right"}, {8, "c", "wrong"}, {9, "a", "right"}};
  const RightSpans right(events);
  for (std::int64_t first = 0; first <= 12; ++first) {
    for (std::int64_t last = first - 1; last <= 12; ++last) {
      std::int64_t expected = 0;
      for (std::int64_t token = first; token <= last; ++token) expected += right.at(token) ? 1 : 0;
      EXPECT_EQ(right.count(first, last), expected) << first << " to " << last;
    }
  }
  EXPECT_FALSE(right.at(2));
  EXPECT_TRUE(right.at(3));
  EXPECT_TRUE(right.at(7));
  EXPECT_FALSE(right.at(8));
  EXPECT_TRUE(right.at(100));
}

/// Twelve traces with answers here and there, and curves of two signals.
void write_traces(tests::WrittenStore& written) {
  const auto run = written.add_run("full", 40);
  std::mt19937_64 random(3);
  for (int i = 0; i < 12; ++i) {
    const std::string dots(random() % 30, '.');
    const std::string text =
        dots + (i % 3 == 0 ? "" : "\\boxed{1}") + dots + (i % 4 == 0 ? "\\boxed{2}" : "");
    written.add_trace(run, {.problem = std::to_string(i), .gold = "1", .text = text});
  }
  for (const auto& trace : written.traces()) {
    for (const char* signal : {"zlib(level=6)", "lz4"}) {
      schemas::Curve curve{5, {0}};
      for (std::int64_t k = 5; k <= trace.tokens; k += 5) {
        curve.values.push_back(curve.values.back() + static_cast<std::int64_t>(random() % 9));
      }
      schemas::put_curve(written.store(), trace.key, {signal, "1", "text", 5}, curve, 0);
    }
  }
  (void)grade_store(written.store(), Extraction::parse(kDefaultExtractors), {});
}

TEST(AnalyzeFrontiers, PickWhatSavesMostWithinAShareOfHarm) {
  const tests::TemporaryDirectory folder;
  tests::WrittenStore written(folder / "store.db");
  write_traces(written);
  FrontierRequest request;
  request.grading = grading_name(Extraction::parse(kDefaultExtractors));
  request.rules = {"guardian(f=5)"};
  request.within_percent = {0, 10, 100};
  request.reference = "guardian(f=10,t=5)";
  int seen = 0;
  analyze_frontiers(written.store(), request, [&](const Frontier& frontier) {
    ASSERT_EQ(frontier.picks.size(), 3U);
    EXPECT_EQ(frontier.picks[2].row->t, frontier.rows.back().t);
    for (const FrontierPick& pick : frontier.picks) {
      CellRequest cells;
      cells.grading = request.grading;
      cells.signals = {frontier.cell.signal};
      cells.rules = {pick.row ? frontier.shape.with_threshold(pick.row->t) : "never"};
      cells.baselines = false;
      cells.reference = request.reference;
      const Cell cell = analyze_cells(written.store(), cells).at(0);
      EXPECT_LE(cell.harm, cell.traces * pick.within_percent / 100);
      EXPECT_EQ(pick.row ? pick.row->kept : frontier.cell.kept, cell.kept);
      EXPECT_EQ(pick.saved.low, cell.saved_interval.low);
      EXPECT_EQ(pick.saved.high, cell.saved_interval.high);
      ASSERT_TRUE(pick.saved_more);
      EXPECT_EQ(pick.saved_more->value, cell.saved_more->value);
      EXPECT_EQ(pick.saved_more->interval.low, cell.saved_more->interval.low);
      for (const FrontierRow& row : frontier.rows) {
        const bool allowed = row.harm <= cell.traces * pick.within_percent / 100;
        EXPECT_FALSE(allowed && row.kept < cell.kept) << "t=" << row.t << " saves more";
      }
      ++seen;
    }
  });
  EXPECT_EQ(seen, 6);
}

TEST(AnalyzeFrontiers, TracesWithoutGoldAllowNoMoreHarm) {
  const tests::TemporaryDirectory folder;
  tests::WrittenStore written(folder / "store.db");
  const auto run = written.add_run("full", 40);
  for (int i = 0; i < 12; ++i) {
    written.add_trace(run, {.problem = "open" + std::to_string(i),
                            .gold = "",
                            .text = "....",
                            .kind = schemas::AnswerKind::kNone});
  }
  write_traces(written);
  FrontierRequest request;
  request.grading = grading_name(Extraction::parse(kDefaultExtractors));
  request.rules = {"guardian(f=5)"};
  request.within_percent = {10, 20, 30, 40};
  int differ = 0;
  analyze_frontiers(written.store(), request, [&](const Frontier& frontier) {
    ASSERT_EQ(frontier.cell.traces, 24);
    ASSERT_EQ(frontier.cell.with_gold, 12);
    for (const FrontierPick& pick : frontier.picks) {
      const auto of_gold = best_within(frontier.rows, 12 * pick.within_percent / 100);
      const auto of_all = best_within(frontier.rows, 24 * pick.within_percent / 100);
      EXPECT_EQ(pick.row ? pick.row->kept : -1, of_gold ? of_gold->kept : -1);
      differ += (of_gold ? of_gold->kept : -1) != (of_all ? of_all->kept : -1) ? 1 : 0;
    }
  });
  EXPECT_GT(differ, 0);
}

TEST(AnalyzeFrontiers, AgreeWithTheCellsAtEveryThreshold) {
  const tests::TemporaryDirectory folder;
  tests::WrittenStore written(folder / "store.db");
  write_traces(written);
  FrontierRequest request;
  request.grading = grading_name(Extraction::parse(kDefaultExtractors));
  request.rules = {"guardian(f=5)", "guardian(f=10)", "guardian(f=5,patience=2)", "guardian(f=5)"};
  std::vector<std::string> order;
  std::int64_t compared = 0;
  for (const int threads : {1, 3}) {
    request.threads = threads;
    order.clear();
    analyze_frontiers(written.store(), request, [&](const Frontier& frontier) {
      order.push_back(frontier.cell.signal + " " + frontier.cell.rule);
      for (const FrontierRow& row : frontier.rows) {
        CellRequest cells;
        cells.grading = request.grading;
        cells.signals = {frontier.cell.signal};
        cells.rules = {frontier.shape.with_threshold(row.t)};
        cells.baselines = false;
        const Cell cell = analyze_cells(written.store(), cells).at(0);
        EXPECT_EQ(row, (FrontierRow{row.t, cell.kept, cell.stopped, cell.right_stop, cell.harm, cell.gain}));
        EXPECT_EQ(frontier.cell.tokens, cell.tokens);
        EXPECT_EQ(frontier.cell.traces, cell.traces);
        EXPECT_EQ(frontier.cell.right_full, cell.right_full);
        ++compared;
      }
    });
    EXPECT_EQ(order, (std::vector<std::string>{"zlib(level=6) guardian(f=5)", "zlib(level=6) guardian(f=10)",
                                               "zlib(level=6) guardian(f=5,patience=2)", "lz4 guardian(f=5)",
                                               "lz4 guardian(f=10)", "lz4 guardian(f=5,patience=2)"}));
  }
  EXPECT_GT(compared, 20);
}

}  // namespace
}  // namespace lil::analyze
