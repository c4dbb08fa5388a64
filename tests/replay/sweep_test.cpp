#include "replay/sweep.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "replay/curve.h"
#include "replay/replayer.h"
#include "replay/signals/registry.h"
#include "schemas/error.h"
#include "tests/replay/sample_texts.h"
#include "tests/support/store_fixture.h"
#include "tests/support/temporary_directory.h"

namespace lil::replay {
namespace {

using schemas::Store;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class SweepTest : public testing::Test {
 protected:
  Store new_store(const std::string& name = "s.db") {
    return Store::open(folder_ / name, schemas::Access::kCreate);
  }

  /// A store of `traces` traces of all sorts of lengths.
  Store store_with_traces(const std::string& name, std::size_t traces) {
    Store store = new_store(name);
    for (std::size_t i = 0; i < traces; ++i) {
      tests::put_text_trace(store, fmt::format("p{}", i), "1", tests::looping_prose(i * 731 % 5000, i));
    }
    return store;
  }

  static SweepRequest all_signals() {
    return {{"zlib", "gzip(level=1)", "lz4", "lz77"}, {StreamKind::kText, StreamKind::kIds32}, 50, {}};
  }

  using Key = std::pair<std::string, schemas::CurveId>;  // uid of the trace, curve
  static std::map<Key, std::vector<std::int64_t>> all_curves(const Store& store) {
    std::map<Key, std::vector<std::int64_t>> curves;
    for (const auto& id : schemas::list_curve_ids(store)) {
      for (const auto& trace : schemas::list_traces(store, {})) {
        const auto curve = schemas::read_curve(store, trace.key, id);
        if (curve) curves[{trace.uid, id}] = curve->values;
      }
    }
    return curves;
  }

  /// A trace with an id that its vocabulary has not.
  static void put_trace_with_bad_id(Store& store) {
    const auto run = tests::minimal_run("{}", schemas::put_tokenizer(store, schemas::Vocabulary::bytes()));
    const schemas::Problem problem{"toys", "bad", "?", "1", schemas::AnswerKind::kNumber};
    schemas::TraceWriter writer(store, tests::minimal_trace(run, schemas::put_run(store, run), problem,
                                                            schemas::put_problem(store, problem)));
    const std::vector<schemas::TokenId> ids = {65, 256};
    writer.append({ids, {}, {}, {}});
    writer.finish(schemas::Finish::kStop, 0, 0);
  }

  tests::TemporaryDirectory folder_;
};

TEST_F(SweepTest, StoresTheCurveOfEveryTraceSignalAndStream) {
  Store store = store_with_traces("s.db", 8);
  const SweepPlan plan = plan_sweep(store, all_signals());
  EXPECT_EQ(plan.traces, 8);
  EXPECT_EQ(plan.curves, 8 * 4 * 2);
  EXPECT_EQ(plan.curves_stored, 0);
  const SweepResult result = run_sweep(store, plan, {});
  EXPECT_EQ(result.curves_stored, plan.curves);
  EXPECT_THAT(result.failures, IsEmpty());
  EXPECT_FALSE(result.cancelled);

  std::int64_t tokens = 0;
  for (const auto& trace : schemas::list_traces(store, {})) {
    const Stream stream =
        build_stream(StreamKind::kText, schemas::read_tokens(store, trace.key), schemas::Vocabulary::bytes());
    const auto signal = make_signal("zlib");
    const auto stored =
        schemas::read_curve(store, trace.key, {"zlib(level=6)", signal->version(), "text", 50});
    ASSERT_TRUE(stored.has_value());
    EXPECT_EQ(stored->values, compute_curve(*signal, stream, 50).values);
    tokens += trace.tokens;
  }
  EXPECT_EQ(plan.tokens, tokens * 4 * 2);
}

TEST_F(SweepTest, AnotherRunDoesNothing) {
  Store store = store_with_traces("s.db", 5);
  static_cast<void>(run_sweep(store, plan_sweep(store, all_signals()), {}));
  const auto before = all_curves(store);
  const SweepPlan plan = plan_sweep(store, all_signals());
  EXPECT_THAT(plan.tasks, IsEmpty());
  EXPECT_EQ(plan.curves, 0);
  EXPECT_EQ(plan.tokens, 0);
  EXPECT_EQ(plan.curves_stored, 5 * 4 * 2);
  EXPECT_EQ(run_sweep(store, plan, {}).curves_stored, 0);
  EXPECT_EQ(all_curves(store), before);
}

TEST_F(SweepTest, AnotherGridSignalOrTraceIsAllThatIsLeft) {
  Store store = store_with_traces("s.db", 3);
  SweepRequest request{{"zlib"}, {StreamKind::kText}, 50, {}};
  static_cast<void>(run_sweep(store, plan_sweep(store, request), {}));
  tests::put_text_trace(store, "late", "1", "one more");
  request.signals = {"zlib(level=6)", "lz77"};
  const SweepPlan plan = plan_sweep(store, request);
  EXPECT_EQ(plan.curves, 4 + 1);
  EXPECT_EQ(plan.curves_stored, 3);
  request.grid_tokens = 25;
  EXPECT_EQ(plan_sweep(store, request).curves, 8);
}

TEST_F(SweepTest, ThreadsChangeNothingButTheTimes) {
  Store one = store_with_traces("one.db", 40);
  Store four = store_with_traces("four.db", 40);
  put_trace_with_bad_id(one);
  put_trace_with_bad_id(four);
  const SweepResult result_one = run_sweep(one, plan_sweep(one, all_signals()), {.threads = 1});
  const SweepResult result_four = run_sweep(four, plan_sweep(four, all_signals()), {.threads = 4});
  EXPECT_EQ(result_one.curves_stored, 40 * 8 + 4);
  EXPECT_EQ(result_four.curves_stored, result_one.curves_stored);
  EXPECT_EQ(all_curves(four), all_curves(one));

  const auto rows = [](const Store& store) {
    std::vector<std::string> found;
    SQLite::Statement row(store.database(), "SELECT id, trace_id, signal, stream FROM curve ORDER BY id");
    while (row.executeStep()) {
      found.push_back(row.getColumn(0).getString() + " " + row.getColumn(1).getString() + " " +
                      row.getColumn(2).getString() + " " + row.getColumn(3).getString());
    }
    return found;
  };
  EXPECT_EQ(rows(four), rows(one)) << "rows are written in the order of the plan";
}

TEST_F(SweepTest, LargestTracesComeFirst) {
  Store store = new_store();
  tests::put_text_trace(store, "small", "1", tests::prose(10, 1));
  tests::put_text_trace(store, "large", "1", tests::prose(1000, 1));
  tests::put_text_trace(store, "middle", "1", tests::prose(100, 1));
  std::vector<std::string> order;
  for (const SweepTask& task : plan_sweep(store, all_signals()).tasks) order.push_back(task.trace.problem_id);
  EXPECT_THAT(order, ElementsAre("large", "middle", "small"));
}

TEST_F(SweepTest, TheShardsAreThePlanAndOfLikeSize) {
  Store store = store_with_traces("s.db", 41);
  SweepRequest request = all_signals();
  const SweepPlan whole = plan_sweep(store, request);
  std::set<std::string> seen;
  request.shard.count = 4;
  for (request.shard.index = 0; request.shard.index < 4; ++request.shard.index) {
    const SweepPlan part = plan_sweep(store, request);
    EXPECT_THAT(static_cast<double>(part.tokens) / static_cast<double>(whole.tokens),
                testing::DoubleNear(0.25, 0.01));
    for (const SweepTask& task : part.tasks) EXPECT_TRUE(seen.insert(task.trace.uid).second) << "twice";
  }
  EXPECT_EQ(seen.size(), whole.tasks.size());

  request.shard.index = 1;
  const SweepPlan before = plan_sweep(store, request);
  request.shard.index = 0;
  static_cast<void>(run_sweep(store, plan_sweep(store, request), {}));
  request.shard.index = 1;
  EXPECT_EQ(plan_sweep(store, request).curves, before.curves) << "what is stored deals nothing anew";
}

TEST_F(SweepTest, RefusesAShardThatIsNone) {
  Store store = store_with_traces("s.db", 1);
  SweepRequest request = all_signals();
  for (const Shard shard : {Shard{-1, 2}, Shard{2, 2}, Shard{0, 0}}) {
    request.shard = shard;
    EXPECT_THROW(static_cast<void>(plan_sweep(store, request)), Error);
  }
}

TEST_F(SweepTest, TheCurvesOfOneTraceAreSharedOutAmongWorkers) {
  Store store = new_store();
  tests::put_text_trace(store, "only", "1", tests::prose(3000, 1));
  std::mutex mutex;
  std::set<std::thread::id> workers;
  std::atomic<int> first_two = 0;
  SweepOptions options;
  options.threads = 2;
  options.cpu_now_ns = [&] {
    {
      const std::lock_guard lock(mutex);
      if (!workers.insert(std::this_thread::get_id()).second) return std::int64_t{0};
    }
    // Neither worker goes on before the other has a curve in hand: one alone would wait for ever.
    ++first_two;
    while (first_two < 2) std::this_thread::yield();
    return std::int64_t{0};
  };
  EXPECT_EQ(run_sweep(store, plan_sweep(store, all_signals()), options).curves_stored, 8);
  EXPECT_THAT(workers, SizeIs(2));
}

TEST_F(SweepTest, AFailedTraceIsReportedAndTheOthersGoOn) {
  Store store = store_with_traces("s.db", 3);
  put_trace_with_bad_id(store);
  const SweepRequest request{{"zlib"}, {StreamKind::kText, StreamKind::kIds32}, 50, {}};
  const SweepResult result = run_sweep(store, plan_sweep(store, request), {});
  EXPECT_EQ(result.curves_stored, 3 * 2 + 1) << "the ids need no vocabulary";
  ASSERT_THAT(result.failures, SizeIs(1));
  EXPECT_EQ(result.failures[0].subject, "bad");
  EXPECT_EQ(result.failures[0].stage, "replay");
  EXPECT_THAT(result.failures[0].message, HasSubstr("zlib(level=6) on text"));
  EXPECT_THAT(schemas::list_failures(store), SizeIs(1));
  EXPECT_FALSE(result.cancelled);
}

TEST_F(SweepTest, ATraceThatCannotBeReadIsReportedAndTheOthersGoOn) {
  Store store = store_with_traces("s.db", 3);
  const auto damaged = tests::put_text_trace(store, "damaged", "1", tests::prose(2000, 5));
  SQLite::Statement damage(store.database(), "UPDATE trace SET tokens = tokens + 1 WHERE uid = ?");
  damage.bind(1, damaged.uid);
  damage.exec();
  const SweepResult result = run_sweep(store, plan_sweep(store, all_signals()), {.threads = 2});
  EXPECT_EQ(result.curves_stored, 3 * 8);
  ASSERT_THAT(result.failures, SizeIs(1)) << "one message, not one a curve";
  EXPECT_EQ(result.failures[0].subject, "damaged");
  EXPECT_THAT(result.failures[0].message, HasSubstr(damaged.uid));
}

TEST_F(SweepTest, ACancelledSweepKeepsWhatItHasAndGoesOnLater) {
  Store store = store_with_traces("s.db", 30);
  Store undisturbed = store_with_traces("u.db", 30);
  static_cast<void>(run_sweep(undisturbed, plan_sweep(undisturbed, all_signals()), {}));

  std::atomic<bool> cancelled = false;
  SweepOptions options{.threads = 2, .cancelled = &cancelled};
  options.progress = [&](const SweepProgress& progress) { cancelled = progress.curves_done >= 40; };
  const SweepResult stopped = run_sweep(store, plan_sweep(store, all_signals()), options);
  EXPECT_TRUE(stopped.cancelled);
  EXPECT_GE(stopped.curves_stored, 40);
  EXPECT_LT(stopped.curves_stored, 30 * 8);
  EXPECT_EQ(static_cast<std::int64_t>(all_curves(store).size()), stopped.curves_stored);

  const SweepPlan rest = plan_sweep(store, all_signals());
  EXPECT_EQ(rest.curves_stored, stopped.curves_stored);
  EXPECT_FALSE(run_sweep(store, rest, {}).cancelled);
  EXPECT_EQ(all_curves(store), all_curves(undisturbed));
}

TEST_F(SweepTest, CancelledBeforeItStartsItDoesNothing) {
  Store store = store_with_traces("s.db", 3);
  const std::atomic<bool> cancelled = true;
  const SweepResult result =
      run_sweep(store, plan_sweep(store, all_signals()), {.threads = 1, .cancelled = &cancelled});
  EXPECT_TRUE(result.cancelled);
  EXPECT_EQ(result.curves_stored, 0);
}

TEST_F(SweepTest, ACurveIsGivenUpWhereItIsCancelled) {
  Store store = store_with_traces("s.db", 3);
  std::atomic<bool> cancelled = false;
  SweepOptions options;
  options.cancelled = &cancelled;
  options.cpu_now_ns = [&] {
    cancelled = true;  // as the first curve begins
    return std::int64_t{0};
  };
  const SweepResult result = run_sweep(store, plan_sweep(store, all_signals()), options);
  EXPECT_TRUE(result.cancelled);
  EXPECT_EQ(result.curves_stored, 0) << "a part of a curve is none";
}

TEST_F(SweepTest, WhatTookASecondIsCommitted) {
  Store store = store_with_traces("s.db", 20);
  std::int64_t now_ns = 0;
  SweepOptions options;
  options.cpu_now_ns = [&] { return now_ns += 600'000'000; };  // each curve costs that much
  options.progress = [&](const SweepProgress& progress) {
    const Store other = Store::open(store.path(), schemas::Access::kRead);
    SQLite::Statement count(other.database(), "SELECT count(*) FROM curve");
    count.executeStep();
    EXPECT_GE(count.getColumn(0).getInt64(), progress.curves_done - 2)
        << "a kill would lose more than a second's work";
  };
  const SweepPlan plan = plan_sweep(store, {{"lz77"}, {StreamKind::kText}, 50, {}});
  EXPECT_EQ(run_sweep(store, plan, options).curves_stored, 20);
}

TEST_F(SweepTest, MoreShardsThanTracesLeaveSomeEmpty) {
  Store store = store_with_traces("s.db", 2);
  SweepRequest request = all_signals();
  request.shard = {4, 5};
  const SweepPlan plan = plan_sweep(store, request);
  EXPECT_EQ(plan.selected, 2);
  EXPECT_EQ(plan.traces, 0);
  EXPECT_EQ(run_sweep(store, plan, {}).curves_stored, 0);
}

TEST_F(SweepTest, ProgressRisesToTheTotal) {
  Store store = store_with_traces("s.db", 6);
  std::vector<SweepProgress> seen;
  SweepOptions options;
  options.threads = 3;
  options.progress = [&](const SweepProgress& progress) { seen.push_back(progress); };
  const SweepPlan plan = plan_sweep(store, {{"zlib"}, {StreamKind::kText}, 50, {}});
  static_cast<void>(run_sweep(store, plan, options));
  ASSERT_THAT(seen, SizeIs(6));
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].curves_done, static_cast<std::int64_t>(i + 1));
    EXPECT_EQ(seen[i].curves_total, 6);
  }
  EXPECT_EQ(seen.back().bytes_done, plan.tokens) << "a byte a token here";
}

TEST_F(SweepTest, TheFilterSelectsAndUnfinishedTracesAreLeftOut) {
  Store store = store_with_traces("s.db", 4);
  const auto run = tests::minimal_run("{}", schemas::put_tokenizer(store, schemas::Vocabulary::bytes()));
  const schemas::Problem problem{"toys", "open", "?", "1", schemas::AnswerKind::kNumber};
  schemas::TraceWriter writer(store, tests::minimal_trace(run, schemas::put_run(store, run), problem,
                                                          schemas::put_problem(store, problem)));
  writer.append({std::vector<schemas::TokenId>(1000, 65), {}, {}, {}});

  SweepRequest request{{"zlib"}, {StreamKind::kText}, 50, {}};
  request.filter.complete_only = false;
  EXPECT_EQ(plan_sweep(store, request).traces, 4);
  request.filter.problem_id = "p2";
  const SweepPlan plan = plan_sweep(store, request);
  ASSERT_THAT(plan.tasks, SizeIs(1));
  EXPECT_EQ(plan.tasks[0].trace.problem_id, "p2");
}

TEST_F(SweepTest, RefusesUnknownSignalsAndGrids) {
  Store store = store_with_traces("s.db", 1);
  EXPECT_THROW(static_cast<void>(plan_sweep(store, {{"zip"}, {StreamKind::kText}, 50, {}})), Error);
  EXPECT_THROW(static_cast<void>(plan_sweep(store, {{"zlib"}, {StreamKind::kText}, 0, {}})), Error);
}

TEST(Replayer, MeasuresTimeWithTheClockItIsGiven) {
  std::int64_t now = 0;
  Replayer replayer([&] { return now += 250; });
  const schemas::TraceTokens tokens{{}, {65, 66, 67}, {}, {}, {}};
  const schemas::Vocabulary vocabulary = schemas::Vocabulary::bytes();
  TraceStreams streams(tokens, vocabulary);
  const ReplayedCurve curve = *replayer.replay(streams, curve_id(*make_signal("lz77"), StreamKind::kText, 1));
  EXPECT_EQ(curve.cpu_ns, 250);
  EXPECT_EQ(curve.bytes, 3);
  EXPECT_THAT(curve.curve.values, ElementsAre(0, 1, 2, 3));
}

TEST(Replayer, AnotherTraceIsAnotherStream) {
  Replayer replayer;
  const schemas::Vocabulary vocabulary = schemas::Vocabulary::bytes();
  TraceStreams first({{}, {65, 66}, {}, {}, {}}, vocabulary);
  TraceStreams second({{}, {65, 65, 65}, {}, {}, {}}, vocabulary);
  const auto id = curve_id(*make_signal("lz77"), StreamKind::kText, 1);
  EXPECT_THAT(replayer.replay(first, id)->curve.values, ElementsAre(0, 1, 2));
  EXPECT_THAT(replayer.replay(second, id)->curve.values, ElementsAre(0, 1, 2, 2));
}

TEST(Replayer, RefusesASignalOfAnotherVersion) {
  Replayer replayer;
  const schemas::Vocabulary vocabulary = schemas::Vocabulary::bytes();
  TraceStreams streams({}, vocabulary);
  EXPECT_THROW(static_cast<void>(replayer.replay(streams, {"lz77", "0", "text", 1})), Error);
}

}  // namespace
}  // namespace lil::replay
