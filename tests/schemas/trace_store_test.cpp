#include "schemas/trace_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "schemas/answer_store.h"
#include "schemas/cell_store.h"
#include "schemas/cost_store.h"
#include "schemas/curve_store.h"
#include "schemas/error.h"
#include "tests/support/store_fixture.h"
#include "tests/support/temporary_directory.h"

namespace lil::schemas {
namespace {

using ::testing::HasSubstr;

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

class TraceStoreTest : public ::testing::Test {
 protected:
  TraceStoreTest() {
    run_ = tests::minimal_run("{}", put_tokenizer(store_, Vocabulary::bytes()));
    run_key_ = put_run(store_, run_);
    problem_key_ = put_problem(store_, problem_);
  }

  [[nodiscard]] NewTrace trace() const {
    NewTrace trace = tests::minimal_trace(run_, run_key_, problem_, problem_key_);
    trace.prompt_ids = {1, 2, 3};
    return trace;
  }

  [[nodiscard]] TraceInfo only_trace() const {
    TraceFilter filter;
    filter.complete_only = false;
    return list_traces(store_, filter).at(0);
  }

  static std::vector<TokenId> counting(std::int64_t count) {
    std::vector<TokenId> ids;
    for (std::int64_t i = 0; i < count; ++i) ids.push_back(static_cast<TokenId>(i % 200));
    return ids;
  }

  tests::TemporaryDirectory folder_;
  Store store_ = Store::open(folder_ / "s.db", Access::kCreate);
  Problem problem_{"toys", "p1", "text", "42", AnswerKind::kNumber};
  RunRecord run_;
  RunKey run_key_{};
  ProblemKey problem_key_{};
};

TEST_F(TraceStoreTest, TokensComeBackWithAllThatWasRecorded) {
  for (const std::int64_t count : {kBlockTokens - 1, kBlockTokens, kBlockTokens + 1}) {
    NewTrace one = trace();
    one.repeat = count;
    one.uid = std::to_string(count);
    TraceWriter writer(store_, one);
    const auto ids = counting(count);
    const std::vector<float> logprob(ids.size(), -0.5F);
    const std::vector<float> entropy(ids.size(), 1.25F);
    std::vector<std::int32_t> attended(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i)
      attended[i] = static_cast<std::int32_t>(std::min<std::size_t>(i, 64));
    for (std::size_t i = 0; i < ids.size(); ++i) {
      writer.append({std::span(ids).subspan(i, 1), std::span(logprob).subspan(i, 1),
                     std::span(entropy).subspan(i, 1), std::span(attended).subspan(i, 1)});
    }
    writer.finish(Finish::kLength, 11, 22);
    TraceFilter filter;
    filter.uid = one.uid;
    const TraceInfo info = list_traces(store_, filter).at(0);
    EXPECT_EQ(info.tokens, count);
    EXPECT_EQ(info.prompt_tokens, 3);
    EXPECT_EQ(info.finish, Finish::kLength);
    const TraceTokens tokens = read_tokens(store_, info.key);
    EXPECT_EQ(tokens.ids, ids);
    EXPECT_EQ(tokens.prompt_ids, (std::vector<TokenId>{1, 2, 3}));
    EXPECT_EQ(tokens.logprob, logprob);
    EXPECT_EQ(tokens.entropy, entropy);
    EXPECT_EQ(tokens.attended, attended);
  }
  EXPECT_TRUE(check_store(store_).empty());
}

TEST_F(TraceStoreTest, FullBlocksAreThereBeforeTheTraceEnds) {
  TraceWriter writer(store_, trace());
  const auto ids = counting(kBlockTokens * 2 + 5);
  writer.append({ids, {}, {}, {}});
  const Store reader = Store::open(folder_ / "s.db", Access::kRead);
  EXPECT_FALSE(only_trace().complete);
  EXPECT_EQ(static_cast<std::int64_t>(read_tokens(reader, only_trace().key).ids.size()), kBlockTokens * 2);
  EXPECT_TRUE(list_traces(reader, {}).empty()) << "an unfinished trace is not among the complete ones";
}

TEST_F(TraceStoreTest, ResumedTraceMustRepeatWhatIsStoredAndThenGoesOn) {
  const auto ids = counting(kBlockTokens + 50);
  {
    TraceWriter killed(store_, trace());
    killed.append({std::span(ids).first(kBlockTokens + 10), {}, {}, {}});
  }
  TraceWriter resumed(store_, trace());
  for (const TokenId& id : ids) resumed.append({std::span(&id, 1), {}, {}, {}});
  resumed.finish(Finish::kStop, 0, 0);
  EXPECT_EQ(read_tokens(store_, only_trace().key).ids, ids);
  EXPECT_TRUE(has_complete_trace(store_, trace().uid));
  EXPECT_THAT(message_of([&] { const TraceWriter again(store_, trace()); }),
              HasSubstr("is complete already"));
}

TEST_F(TraceStoreTest, ResumedTraceThatDiffersIsRefusedByItsFirstToken) {
  const auto stored = counting(kBlockTokens);
  auto ids = stored;
  {
    TraceWriter killed(store_, trace());
    killed.append({ids, {}, {}, {}});
  }
  ids[17] = 199;
  TraceWriter resumed(store_, trace());
  EXPECT_THAT(message_of([&] {
                resumed.append({ids, {}, {}, {}});
              }),
              HasSubstr("token 17 is 199 now and was 17"));

  TraceWriter shorter(store_, trace());
  shorter.append({std::span(stored).first(10), {}, {}, {}});
  EXPECT_THAT(message_of([&] { shorter.finish(Finish::kStop, 0, 0); }),
              HasSubstr("ends at token 10 now, but 256 tokens of it are stored"));

  NewTrace other_prompt = trace();
  other_prompt.prompt_ids = {9};
  EXPECT_THAT(message_of([&] { const TraceWriter writer(store_, other_prompt); }),
              HasSubstr("was started from another prompt"));
}

TEST_F(TraceStoreTest, DamagedBlockIsNamedAndTheOthersStillRead) {
  const TraceInfo sound = tests::put_text_trace(store_, "sound", "1", "abc");
  const TraceInfo hurt = tests::put_text_trace(store_, "hurt", "1", std::string(600, 'x'));
  store_.database().exec("UPDATE trace_block SET ids = zeroblob(256) WHERE block = 1 AND trace_id = " +
                         std::to_string(static_cast<std::int64_t>(hurt.key)));
  EXPECT_THAT(message_of([&] { (void)read_tokens(store_, hurt.key); }),
              HasSubstr("trace " + hurt.uid + ", block 1: its checksum does not match its bytes"));
  EXPECT_EQ(read_tokens(store_, sound.key).ids.size(), 3U);
  EXPECT_EQ(check_store(store_).size(), 1U);
  store_.database().exec("DELETE FROM trace_block WHERE block = 1");
  EXPECT_THAT(message_of([&] { (void)read_tokens(store_, hurt.key); }), HasSubstr("block 1: it is missing"));
}

TEST_F(TraceStoreTest, FiltersSelect) {
  const TraceInfo a = tests::put_text_trace(store_, "a", "1", "abc");
  const TraceInfo b = tests::put_text_trace(store_, "b", "1", "abc", Finish::kStop, "{\"other\":1}");
  EXPECT_EQ(list_traces(store_, parse_trace_filter("run=" + b.run_uid.substr(0, 9))).at(0).uid, b.uid);
  EXPECT_EQ(list_traces(store_, parse_trace_filter("problem_id=a,policy=full")).at(0).uid, a.uid);
  EXPECT_EQ(list_traces(store_, parse_trace_filter("problem_set=toys,model=toy")).size(), 2U);
  EXPECT_TRUE(list_traces(store_, parse_trace_filter("policy=sink(budget=64,sinks=4)")).empty());
  store_.database().exec("UPDATE run SET policy = 'sink(budget=64,sinks=4)' WHERE uid = '" + b.run_uid + "'");
  for (const char* policy : {"sink", "sink(budget=64)", "sink(sinks=4,budget=64)"}) {
    EXPECT_EQ(list_traces(store_, parse_trace_filter(std::string("policy=") + policy)).at(0).uid, b.uid)
        << policy;
  }
  EXPECT_TRUE(list_traces(store_, parse_trace_filter("policy=sink(budget=65)")).empty());
  EXPECT_THAT(message_of([] { (void)parse_trace_filter("color=red"); }),
              HasSubstr("'color'; known are: run, model"));
}

TEST_F(TraceStoreTest, UidsTellWhatIsDifferentApart) {
  EXPECT_EQ(trace_uid("r", "s", "1", 0).size(), 16U);
  EXPECT_NE(trace_uid("r", "s", "1", 0), trace_uid("r", "s", "1", 1));
  EXPECT_NE(trace_uid("r", "s1", "", 0), trace_uid("r", "s", "1", 0));
}

TEST_F(TraceStoreTest, CurvesComeBackAndPlainSqlReadsThem) {
  const TraceInfo info = tests::put_text_trace(store_, "a", "1", std::string(100, 'x'));
  const CurveId id{"zlib(level=6)", "1", "text", 50};
  put_curve(store_, info.key, id, {50, {8, 20, 18}}, 5);
  EXPECT_EQ(read_curve(store_, info.key, id)->values, (std::vector<std::int64_t>{8, 20, 18}));
  EXPECT_EQ(traces_with_curve(store_, id).count(info.key), 1U);
  EXPECT_EQ(list_curve_ids(store_), std::vector<CurveId>{id});
  CurveId other = id;
  other.grid_tokens = 25;
  EXPECT_EQ(read_curve(store_, info.key, other), std::nullopt);

  SQLite::Statement point(store_.database(),
                          "SELECT trace_uid, problem_id, signal, stream, token, value FROM v_curve_point");
  std::string points;
  while (point.executeStep())
    points += point.getColumn(4).getString() + ":" + point.getColumn(5).getString() + " ";
  EXPECT_EQ(points, "0:8 50:20 100:18 ");

  store_.database().exec("UPDATE curve SET deltas = '[1,true]'");
  EXPECT_THAT(message_of([&] { (void)read_curve(store_, info.key, id); }), HasSubstr("no whole number"));
}

TEST_F(TraceStoreTest, AnswersAreReplacedWhole) {
  const TraceInfo info = tests::put_text_trace(store_, "a", "1", "abc");
  EXPECT_EQ(read_answers(store_, info.key, "boxed/1"), std::nullopt);
  put_answers(store_, info.key, "boxed/1", {{0, "", "none"}, {3, "1", "right"}, {9, "2", "wrong"}});
  put_answers(store_, info.key, "boxed/1", {{0, "", "none"}, {4, "1", "right"}});
  const auto events = read_answers(store_, info.key, "boxed/1");
  ASSERT_EQ(events->size(), 2U);
  EXPECT_EQ(events->at(1).token, 4);
  EXPECT_EQ(events->at(1).verdict, "right");
  EXPECT_EQ(list_extractors(store_), std::vector<std::string>{"boxed/1"});
}

TEST_F(TraceStoreTest, CellsAreReplacedAndTheirViewGivesTheShareSaved) {
  CellRecord cell{"r", "p", "zlib(level=6)", "text", "never", 2, 1, 100, 100, 0, 1, 1, 0, 0, "{}", "h"};
  put_cell(store_, cell);
  cell.kept = 25;
  put_cell(store_, cell);
  ASSERT_EQ(list_cells(store_).size(), 1U);
  EXPECT_EQ(list_cells(store_)[0].kept, 25);
  SQLite::Statement view(store_.database(), "SELECT saved FROM v_cell");
  view.executeStep();
  EXPECT_DOUBLE_EQ(view.getColumn(0).getDouble(), 0.75);
}

TEST_F(TraceStoreTest, APolicyThatIsNoSpecIsSelectedByItsTextAndInNobodysWay) {
  const auto write = [&](const std::string& policy) {
    auto run = tests::minimal_run("{\"policy\":\"" + policy + "\"}", run_.tokenizer);
    run.policy = policy;
    TraceWriter writer(store_, tests::minimal_trace(run, put_run(store_, run), problem_, problem_key_));
    writer.append({counting(3), {}, {}, {}});
    writer.finish(Finish::kStop, 0, 0);
  };
  write("as the paper has it (64, see p. 3");
  write("sink(budget=64,sinks=4)");
  const auto selected = [&](const std::string& policy) {
    TraceFilter filter;
    filter.policy = policy;
    return list_traces(store_, filter).size();
  };
  EXPECT_EQ(selected("sink"), 1U);
  EXPECT_EQ(selected("sink(sinks=4)"), 1U);
  EXPECT_EQ(selected("sink(budget=64,sinks=4)"), 1U);
  EXPECT_EQ(selected("as the paper has it (64, see p. 3"), 1U);
  EXPECT_EQ(selected("as the paper"), 0U);
}

TEST_F(TraceStoreTest, AnswersCanBeReadWithTheirTraces) {
  TraceWriter writer(store_, trace());
  writer.append({counting(10), {}, {}, {}});
  writer.finish(Finish::kStop, 0, 0);
  const TraceInfo info = only_trace();
  put_answers(store_, info.key, "boxed/1", {{0, "", "none"}, {4, "7", "wrong"}, {9, "8", "right"}});
  put_answers(store_, info.key, "number/1", {{0, "", "none"}});
  SQLite::Statement view(
      store_.database(),
      "SELECT trace_uid, problem_id, token, answer, verdict, final, extractor FROM v_answer "
      "ORDER BY extractor, token");
  std::string rows;
  while (view.executeStep()) {
    EXPECT_EQ(view.getColumn(0).getString(), info.uid);
    EXPECT_EQ(view.getColumn(1).getString(), info.problem_id);
    for (int column = 2; column < 7; ++column) rows += view.getColumn(column).getString() + "|";
  }
  EXPECT_EQ(rows, "0||none|0|boxed/1|4|7|wrong|0|boxed/1|9|8|right|1|boxed/1|0||none|1|number/1|");
}

TEST_F(TraceStoreTest, CostsAreMeansOverWhatIsOnRecord) {
  const CurveId id{"lz4", "1", "text", 4};
  EXPECT_FALSE(decode_step_ns(store_, run_key_, problem_.set));
  EXPECT_FALSE(curve_point_ns(store_, run_key_, problem_.set, id));
  TraceWriter writer(store_, trace());
  writer.append({counting(10), {}, {}, {}});
  writer.finish(Finish::kStop, 5, 30);
  put_curve(store_, only_trace().key, id, {4, {0, 1, 2}}, 14);
  EXPECT_EQ(decode_step_ns(store_, run_key_, problem_.set), 3);
  EXPECT_EQ(curve_point_ns(store_, run_key_, problem_.set, id), 7);
  EXPECT_FALSE(curve_point_ns(store_, run_key_, problem_.set, {"lz4", "2", "text", 4}));
  EXPECT_FALSE(decode_step_ns(store_, run_key_, "another"));
}

TEST_F(TraceStoreTest, LengthInflationPairsEachRunWithFullAttention) {
  auto sink = tests::minimal_run("{\"policy\":\"sink\"}", run_.tokenizer);
  sink.policy = "sink(budget=64)";
  const auto write = [&](const RunRecord& run, std::int64_t tokens, Finish finish) {
    TraceWriter writer(store_, tests::minimal_trace(run, put_run(store_, run), problem_, problem_key_));
    writer.append({counting(tokens), {}, {}, {}});
    writer.finish(finish, 0, 0);
  };
  auto stopped = tests::minimal_run("{\"policy\":\"full\",\"stop\":1}", run_.tokenizer);
  stopped.stop_rule = "guardian(f=50,t=10)";
  write(stopped, 50, Finish::kGuardian);
  write(run_, 100, Finish::kStop);
  write(sink, 190, Finish::kLength);
  SQLite::Statement view(
      store_.database(),
      "SELECT policy, traces, ratio, capped FROM v_length_inflation ORDER BY policy, stop_rule");
  ASSERT_TRUE(view.executeStep());
  EXPECT_EQ(view.getColumn(0).getString(), "full");
  EXPECT_DOUBLE_EQ(view.getColumn(2).getDouble(), 1.0);
  ASSERT_TRUE(view.executeStep());
  EXPECT_EQ(view.getColumn(0).getString(), "full");
  EXPECT_DOUBLE_EQ(view.getColumn(2).getDouble(), 0.5) << "a run with a live stop is no baseline";
  ASSERT_TRUE(view.executeStep());
  EXPECT_EQ(view.getColumn(0).getString(), "sink(budget=64)");
  EXPECT_DOUBLE_EQ(view.getColumn(2).getDouble(), 1.9);
  EXPECT_EQ(view.getColumn(3).getInt(), 1);
}

}  // namespace
}  // namespace lil::schemas
