// Does a recording come out the same whatever happens on the way?

#include "record/recorder.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <stdexcept>

#include "record/prompt_template.h"
#include "schemas/error.h"
#include "schemas/probe_store.h"
#include "schemas/trace_store.h"
#include "tests/record/tiny_model.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_data.h"

namespace lil::tests {
namespace {

using record::ProblemSet;
using record::RecordHooks;
using record::RecordOptions;
using record::RecordSummary;
using schemas::Finish;
using schemas::Store;
using schemas::TokenId;
using testing::ElementsAre;
using testing::HasSubstr;

/// Words `w3` … `w49`, cut at spaces; 1 is `<s>`, put first, 2 is `</s>`.
class WordTokenizer final : public record::Tokenizer {
 public:
  explicit WordTokenizer(int words = 50) : vocabulary_("wordlevel", tokens(words)) {}

  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, SpecialTokens /*special*/) const override {
    std::istringstream words{std::string(text)};
    std::vector<TokenId> ids;
    for (std::string word; words >> word;) ids.push_back(id_of(word));
    return ids;
  }
  [[nodiscard]] const schemas::Vocabulary& vocabulary() const override { return vocabulary_; }
  [[nodiscard]] std::optional<TokenId> prefix_token() const override { return 1; }

 private:
  static std::vector<schemas::Vocabulary::Token> tokens(int words) {
    std::vector<schemas::Vocabulary::Token> all{{"<unk>", true}, {"<s>", true}, {"</s>", true}};
    for (int i = 3; i < words; ++i) all.push_back({"w" + std::to_string(i), false});
    return all;
  }
  [[nodiscard]] TokenId id_of(const std::string& word) const {
    for (TokenId id = 0; id < vocabulary_.size(); ++id) {
      if (vocabulary_.token(id).bytes == word) return id;
    }
    throw Error(ErrorCode::kInput, "unknown word " + word);
  }

  schemas::Vocabulary vocabulary_;
};

/// A trace as the store has it, its row keys left out.
struct StoredTrace {
  schemas::TraceTokens tokens;
  Finish finish{};
  bool complete = false;

  bool operator==(const StoredTrace& other) const {
    return tokens.prompt_ids == other.tokens.prompt_ids && tokens.ids == other.tokens.ids &&
           tokens.logprob == other.tokens.logprob && tokens.entropy == other.tokens.entropy &&
           tokens.attended == other.tokens.attended && finish == other.finish && complete == other.complete;
  }
};

using Content = std::map<std::string, StoredTrace>;  ///< by problem id and repeat

class RecorderTest : public testing::Test {
 protected:
  RecorderTest() {
    // No end-of-sequence token but the cap: every trace has two blocks and a piece.
    make_tiny_model(4, {{"eos_token_id", nullptr}}).write(folder_ / "tiny");
    load("tiny");
    options_.sampler = "sample(temperature=1,top_p=0.95)";
    options_.policy = "sink(budget=12)";
    options_.cap_tokens = 600;
    options_.seed = 11;
  }

  void load(const std::string& name, int threads = 1) {
    model_.reset();
    device_ = record::make_cpu_device(threads);
    model_ = record::load_language_model(folder_ / name, *device_);
  }

  /// Prompts of 3 tokens and more.
  static ProblemSet problem_set(int problems) {
    ProblemSet set{"words", "0123", {}};
    for (int p = 0; p < problems; ++p) {
      std::string text = "w7 w" + std::to_string(8 + p);
      for (int i = 0; i < p / 2; ++i) text += " w" + std::to_string(20 + i + p);
      set.problems.push_back({"words", "p" + std::to_string(p), text, "4", schemas::AnswerKind::kNumber});
    }
    return set;
  }
  Store open(const std::string& name) { return Store::open(folder_ / name, schemas::Access::kCreate); }
  RecordSummary record_all(Store& store, const ProblemSet& set, const RecordHooks& hooks = {}) {
    return record::record(store, *model_, tokenizer_, set, options_, hooks);
  }
  [[nodiscard]] std::string spelled(TokenId id) const { return tokenizer_.vocabulary().token(id).bytes; }
  static Content content(const Store& store) {
    Content all;
    schemas::TraceFilter filter;
    filter.complete_only = false;
    for (const auto& trace : schemas::list_traces(store, filter)) {
      all[trace.problem_id + "/" + std::to_string(trace.repeat)] = {schemas::read_tokens(store, trace.key),
                                                                    trace.finish, trace.complete};
    }
    return all;
  }

  /// Prefill and decode nanoseconds, by problem id and repeat.
  static std::map<std::string, std::pair<std::int64_t, std::int64_t>> durations(const Store& store) {
    std::map<std::string, std::pair<std::int64_t, std::int64_t>> all;
    SQLite::Statement row(store.database(),
                          "SELECT problem_id || '/' || repeat, prefill_ns, decode_ns FROM v_trace");
    while (row.executeStep()) {
      all[row.getColumn(0).getString()] = {row.getColumn(1).getInt64(), row.getColumn(2).getInt64()};
    }
    return all;
  }

  TemporaryDirectory folder_;
  WordTokenizer tokenizer_;
  std::unique_ptr<record::Device> device_;
  std::unique_ptr<record::LanguageModel> model_;
  RecordOptions options_;
};

TEST_F(RecorderTest, StoresWholeTracesAndTheirRun) {
  options_.repeats = 2;
  Store store = open("a.db");
  std::int64_t clock = 0;
  std::vector<record::RecordProgress> reports;
  RecordHooks hooks;
  hooks.now_ns = [&clock] { return clock += 10; };
  hooks.progress = [&reports](const record::RecordProgress& progress) { reports.push_back(progress); };
  const RecordSummary summary = record_all(store, problem_set(2), hooks);
  EXPECT_EQ(summary.progress.traces_done, 4);
  EXPECT_EQ(summary.progress.tokens, 4 * 600);
  EXPECT_TRUE(summary.failures.empty());
  EXPECT_FALSE(summary.stopped);
  ASSERT_FALSE(reports.empty());
  EXPECT_EQ(reports.back().traces_done, 4);
  EXPECT_EQ(reports.back().traces_total, 4);
  const Content all = content(store);
  ASSERT_EQ(all.size(), 4U);
  const StoredTrace& trace = all.at("p1/1");
  EXPECT_TRUE(trace.complete);
  EXPECT_EQ(trace.finish, Finish::kLength);
  EXPECT_THAT(trace.tokens.prompt_ids, ElementsAre(1, 7, 9));
  ASSERT_EQ(trace.tokens.ids.size(), 600U);
  ASSERT_EQ(trace.tokens.logprob.size(), 600U);
  // The first token's distribution comes from the dense prompt; then the cache fills up to the budget.
  EXPECT_EQ(trace.tokens.attended[0], 3);
  EXPECT_EQ(trace.tokens.attended[1], 4);
  EXPECT_EQ(trace.tokens.attended[9], 12);
  EXPECT_EQ(trace.tokens.attended[599], 12);
  EXPECT_NE(trace.tokens.ids, all.at("p1/0").tokens.ids) << "a repeat draws other numbers";
  const auto runs = schemas::list_runs(store);
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_EQ(runs[0].record.uid, summary.run_uid);
  EXPECT_EQ(runs[0].record.status, "complete");
  EXPECT_THAT(runs[0].record.policy, HasSubstr("sink(budget=12,sinks=4"));
  EXPECT_TRUE(schemas::check_store(store).empty());
}

/// Some traces end early: a token of the tiny model's is the end of sequence.
class BatchTest : public RecorderTest {
 protected:
  BatchTest() {
    make_tiny_model(4, {{"eos_token_id", 17}}).write(folder_ / "ending");
    load("ending");
    options_.cap_tokens = 90;
    options_.repeats = 2;
  }
  Content recorded(const std::string& name, const ProblemSet& set) {
    Store store = open(name + ".db");
    const RecordSummary summary = record_all(store, set);
    EXPECT_TRUE(summary.failures.empty());
    EXPECT_EQ(summary.progress.traces_done, summary.progress.traces_total);
    return content(store);
  }
};

TEST_F(BatchTest, NeitherBatchNorOrderNorThreadsChangeTheContent) {
  for (const char* policy : {"full", "sink(budget=12)", "h2o(budget=12)"}) {
    options_.policy = policy;
    options_.batch = 1;
    const Content alone = recorded(std::string("1") + policy, problem_set(10));
    const auto early = std::count_if(alone.begin(), alone.end(),
                                     [](const auto& trace) { return trace.second.finish == Finish::kStop; });
    ASSERT_GT(early, 3) << "some end early";
    ASSERT_LT(early, 20) << "and some do not";
    for (const std::int64_t batch : {2, 5, 16}) {
      options_.batch = batch;
      EXPECT_EQ(recorded(std::to_string(batch) + policy, problem_set(10)), alone) << policy << batch;
    }
    ProblemSet shuffled = problem_set(10);
    std::rotate(shuffled.problems.begin(), shuffled.problems.begin() + 3, shuffled.problems.end());
    std::swap(shuffled.problems[0], shuffled.problems[5]);
    options_.batch = 5;
    for (const int threads : {2, 3}) {
      load("ending", threads);
      EXPECT_EQ(recorded("t" + std::to_string(threads) + policy, shuffled), alone) << policy << threads;
    }
    load("ending");
  }
}

TEST_F(BatchTest, SamplingAndGreedyDecodingDoNotDependOnNeighbours) {
  options_.sampler = "greedy";
  options_.batch = 1;
  const Content alone = recorded("alone", problem_set(6));
  options_.batch = 4;
  EXPECT_EQ(recorded("together", problem_set(6)), alone);
}

TEST_F(BatchTest, ASmallPoolTakesInFewerAtATimeAndChangesNothing) {
  options_.policy = "full";
  options_.batch = 1;
  const Content alone = recorded("alone", problem_set(8));
  options_.batch = 8;
  record::BatchPlan whole;
  record::BatchPlan limited;
  RecordHooks hooks;
  Store first = open("whole.db");
  hooks.planned = [&](const record::BatchPlan& plan) { whole = plan; };
  record_all(first, problem_set(8), hooks);
  EXPECT_EQ(whole.batch, 8);
  EXPECT_EQ(whole.resident, 8);
  EXPECT_EQ(whole.max_prompt_tokens, 6);
  EXPECT_EQ(whole.max_tokens, 96);
  options_.kv_bytes = whole.kv_bytes * 3 / 8;
  Store second = open("limited.db");
  hooks.planned = [&](const record::BatchPlan& plan) { limited = plan; };
  record_all(second, problem_set(8), hooks);
  EXPECT_EQ(limited.resident, 3);
  EXPECT_LE(limited.kv_bytes, options_.kv_bytes);
  EXPECT_EQ(content(second), alone);
}

TEST_F(BatchTest, SaysWhatAPoolLacksForOneTraceAndLeavesOutWhatIsTooLarge) {
  options_.policy = "full";
  options_.repeats = 1;
  options_.kv_bytes = 1000;
  Store store = open("a.db");
  try {
    record_all(store, problem_set(2));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(),
                testing::MatchesRegex("the KV pool may have 1000 bytes, and one sequence may need "
                                      "[0-9]+: .*"));
  }
  ProblemSet set = problem_set(2);
  for (int i = 0; i < 100; ++i) set.problems[1].text += " w9";
  RecordHooks hooks;
  hooks.planned = [&](const record::BatchPlan& plan) { options_.kv_bytes = plan.kv_bytes; };
  options_.kv_bytes = 0;
  Store small = open("small.db");
  record_all(small, problem_set(1), hooks);
  Store mixed = open("mixed.db");
  const RecordSummary summary = record_all(mixed, set);
  ASSERT_EQ(summary.failures.size(), 1U);
  EXPECT_EQ(summary.failures[0].subject, "p1");
  EXPECT_THAT(summary.failures[0].message, HasSubstr("with a prompt of 103 tokens it may need"));
  EXPECT_EQ(summary.progress.traces_done, 1);
}

TEST_F(BatchTest, DurationsAreThoseOfTheStepsATraceWasIn) {
  options_.repeats = 1;
  options_.batch = 2;
  Store store = open("a.db");
  std::int64_t clock = 0;
  RecordHooks hooks;
  hooks.now_ns = [&clock] { return clock += 10; };  // so a prompt takes 10, and a step too
  record_all(store, problem_set(5), hooks);
  for (const auto& [trace, duration] : durations(store)) {
    EXPECT_EQ(duration.first, 10) << trace;
    EXPECT_EQ(duration.second,
              10 * (static_cast<std::int64_t>(content(store).at(trace).tokens.ids.size()) - 1))
        << trace;
  }
}

TEST_F(BatchTest, EstimatesWhatIsLeftFromWhatHasEnded) {
  load("tiny");
  options_.batch = 2;
  options_.repeats = 1;
  Store store = open("a.db");
  std::vector<record::RecordProgress> reports;
  RecordHooks hooks;
  hooks.progress = [&reports](const record::RecordProgress& progress) { reports.push_back(progress); };
  record_all(store, problem_set(6), hooks);
  EXPECT_FALSE(reports[10].tokens_left.has_value()) << "nothing has ended";
  for (const auto& report : reports) {
    if (!report.tokens_left) continue;
    EXPECT_EQ(*report.tokens_left == 0, report.traces_done == report.traces_total);
    EXPECT_LE(*report.tokens_left, 90 * (report.traces_total - report.traces_done));
  }
  EXPECT_EQ(reports.back().tokens_left, 0);
}

TEST_F(RecorderTest, GoesOnWithMoreProblems) {
  Store store = open("a.db");
  const std::string uid = record_all(store, problem_set(1)).run_uid;
  const RecordSummary summary = record_all(store, problem_set(3));
  EXPECT_EQ(summary.run_uid, uid);
  EXPECT_EQ(summary.progress.traces_done, 3);
  EXPECT_EQ(summary.progress.tokens, 2 * 600) << "the complete trace is left alone";
  Store fresh = open("b.db");
  record_all(fresh, problem_set(3));
  EXPECT_EQ(content(store), content(fresh));
}

/// Throws at a token.
class Breaker final : public record::TokenObserver {
 public:
  explicit Breaker(int at) : left_(at) {}
  bool observe(TokenId /*id*/, std::string_view /*bytes*/) override {
    if (--left_ == 0) throw std::runtime_error("broken on purpose");
    return false;
  }

 private:
  int left_;
};

TEST_F(RecorderTest, ResumesAfterAnExceptionInTheMiddle) {
  Store store = open("a.db");
  RecordHooks hooks;
  hooks.make_observer = [](const schemas::Problem& problem,
                           std::span<const TokenId> /*prompt*/) -> std::unique_ptr<record::TokenObserver> {
    return problem.id == "p1" ? std::make_unique<Breaker>(400) : nullptr;
  };
  const RecordSummary broken = record_all(store, problem_set(3), hooks);
  ASSERT_EQ(broken.failures.size(), 1U);
  EXPECT_EQ(broken.failures[0].subject, "p1");
  EXPECT_EQ(broken.failures[0].stage, "decode");
  EXPECT_EQ(broken.progress.traces_done, 2);
  EXPECT_EQ(schemas::list_failures(store).size(), 1U);
  EXPECT_EQ(schemas::list_runs(store)[0].record.status, "failed");
  EXPECT_FALSE(content(store).at("p1/0").complete);
  EXPECT_EQ(content(store).at("p1/0").tokens.ids.size(), 256U) << "one block was committed";
  const RecordSummary resumed = record_all(store, problem_set(3));
  EXPECT_EQ(resumed.progress.tokens, 600);
  EXPECT_EQ(schemas::list_runs(store)[0].record.status, "complete");
  Store fresh = open("b.db");
  record_all(fresh, problem_set(3));
  EXPECT_EQ(content(store), content(fresh));
}

TEST_F(RecorderTest, StopsWhenAskedAndKeepsCommittedBlocks) {
  Store store = open("a.db");
  std::atomic<bool> stop = false;
  RecordHooks hooks;
  hooks.stop = &stop;
  hooks.progress = [&stop](const record::RecordProgress& progress) { stop = progress.tokens >= 900; };
  const RecordSummary summary = record_all(store, problem_set(3), hooks);
  EXPECT_TRUE(summary.stopped);
  EXPECT_EQ(summary.progress.traces_done, 0) << "all three are under way";
  EXPECT_EQ(schemas::list_runs(store)[0].record.status, "open");
  EXPECT_EQ(content(store).at("p1/0").tokens.ids.size(), 256U);
  record_all(store, problem_set(3));
  Store fresh = open("b.db");
  record_all(fresh, problem_set(3));
  EXPECT_EQ(content(store), content(fresh));
}

TEST_F(RecorderTest, NoticesAStoredPrefixThatDiffers) {
  Store fresh = open("b.db");
  record_all(fresh, problem_set(1));
  std::vector<TokenId> ids = content(fresh).at("p0/0").tokens.ids;
  ids.resize(256);
  ids[77] = ids[77] == 5 ? 6 : 5;
  Store store = open("a.db");
  ProblemSet none = problem_set(0);
  const RecordSummary empty = record_all(store, none);
  const auto problem = problem_set(1).problems[0];
  {
    schemas::NewTrace trace;
    trace.uid = schemas::trace_uid(empty.run_uid, "words", "p0", 0);
    trace.run = empty.run;
    trace.problem = schemas::put_problem(store, problem);
    trace.seed = 11;
    trace.prompt_ids = {1, 7, 8};
    schemas::TraceWriter writer(store, trace);
    const std::vector<float> numbers(256, 0.0F);
    const std::vector<std::int32_t> counts(256, 1);
    writer.append({ids, numbers, numbers, counts});
  }
  const RecordSummary summary = record_all(store, problem_set(1));
  ASSERT_EQ(summary.failures.size(), 1U);
  EXPECT_THAT(summary.failures[0].message, HasSubstr("77"));
  EXPECT_FALSE(content(store).at("p0/0").complete);
}

TEST_F(RecorderTest, NotesAProblemThatCannotBeEncodedAndGoesOn) {
  Store store = open("a.db");
  ProblemSet set = problem_set(3);
  set.problems[0].text = "w7 nonsense";
  const RecordSummary summary = record_all(store, set);
  ASSERT_EQ(summary.failures.size(), 1U);
  EXPECT_EQ(summary.failures[0].stage, "prefill");
  EXPECT_THAT(summary.failures[0].message, HasSubstr("nonsense"));
  EXPECT_EQ(summary.progress.traces_done, 2);
}

TEST_F(RecorderTest, ModelMayNotWriteWhatTheTokenizerLacks) {
  const WordTokenizer few(30);
  Store store = open("a.db");
  const RecordSummary summary = record::record(store, *model_, few, problem_set(1), options_);
  ASSERT_EQ(summary.failures.size(), 1U);
  EXPECT_THAT(summary.failures[0].message, HasSubstr("the tokenizer's 30 tokens do not have"));
}

TEST_F(RecorderTest, RefusesAProblemIdTwice) {
  ProblemSet set = problem_set(2);
  set.problems[1].id = "p0";
  Store store = open("a.db");
  EXPECT_THROW(record_all(store, set), Error);
  EXPECT_TRUE(schemas::list_runs(store).empty()) << "nothing is half-written";
}

TEST_F(RecorderTest, AnUnusableStoreEndsTheRecording) {
  Store store = open("a.db");
  RecordHooks hooks;
  hooks.make_observer = [](const schemas::Problem& /*problem*/,
                           std::span<const TokenId> /*prompt*/) -> std::unique_ptr<record::TokenObserver> {
    throw Error(ErrorCode::kEnvironment, "disk full");
  };
  EXPECT_THROW(record_all(store, problem_set(3), hooks), Error);
}

/// Ends a trace at a token, and notes what it saw.
class Ender final : public record::TokenObserver {
 public:
  Ender(std::size_t at, std::string& text) : at_(at), text_(text) {}
  bool observe(TokenId /*id*/, std::string_view bytes) override {
    text_ += bytes;
    return ++seen_ >= at_;
  }

 private:
  std::size_t at_;
  std::size_t seen_ = 0;
  std::string& text_;
};

TEST_F(RecorderTest, AnObserverEndsATraceAndSeesItsText) {
  Store whole = open("whole.db");
  record_all(whole, problem_set(1));
  const auto ids = content(whole).at("p0/0").tokens.ids;
  options_.stop_rule = "ender(at=300)";
  for (const std::size_t at : {300U, 600U}) {
    Store store = open("ended" + std::to_string(at) + ".db");
    std::string text;
    RecordHooks hooks;
    hooks.make_observer = [&](const schemas::Problem& /*problem*/, std::span<const TokenId> prompt) {
      EXPECT_EQ(prompt.size(), 3U);
      return std::make_unique<Ender>(at, text);
    };
    record_all(store, problem_set(1), hooks);
    const StoredTrace trace = content(store).at("p0/0");
    EXPECT_EQ(trace.finish, at == 600 ? Finish::kLength : Finish::kGuardian);
    EXPECT_TRUE(trace.complete);
    EXPECT_TRUE(std::equal(trace.tokens.ids.begin(), trace.tokens.ids.end(), ids.begin(), ids.begin() + at));
    std::string expected;
    tokenizer_.vocabulary().append_text(trace.tokens.ids, expected);
    EXPECT_EQ(text, expected);
  }
}

TEST_F(RecorderTest, EndOfSequenceTokenIsStoredAndEndsTheTrace) {
  Store whole = open("whole.db");
  record_all(whole, problem_set(1));
  const auto ids = content(whole).at("p0/0").tokens.ids;
  make_tiny_model(4, {{"eos_token_id", ids[9]}}).write(folder_ / "ending");
  load("ending");
  Store store = open("a.db");
  record_all(store, problem_set(1));
  const StoredTrace trace = content(store).at("p0/0");
  const auto end = std::find(ids.begin(), ids.end(), ids[9]) - ids.begin();
  EXPECT_EQ(trace.finish, Finish::kStop);
  ASSERT_EQ(trace.tokens.ids.size(), static_cast<std::size_t>(end) + 1);
  EXPECT_EQ(trace.tokens.ids.back(), ids[9]);
}

TEST_F(RecorderTest, UidDependsOnWhatChangesTokensAlone) {
  const auto uid = [&](const RecordOptions& options) {
    return record::resolve_run(*model_, tokenizer_, problem_set(1), options).uid;
  };
  const std::string base = uid(options_);
  RecordOptions same = options_;
  same.batch = 7;
  same.kv_bytes = 1 << 20;
  same.probes.every_tokens = 20;
  same.repeats = 3;
  same.host = "elsewhere";
  same.created = "2026-01-01T00:00:00Z";
  same.policy = "sink(sinks=4,budget=12)";
  EXPECT_EQ(uid(same), base);
  for (const auto& change : std::vector<std::function<void(RecordOptions&)>>{
           [](RecordOptions& o) { o.seed = 12; }, [](RecordOptions& o) { o.cap_tokens = 601; },
           [](RecordOptions& o) { o.policy = "full"; }, [](RecordOptions& o) { o.sampler = "greedy"; },
           [](RecordOptions& o) { o.prompt_template = "chatml"; },
           [](RecordOptions& o) { o.stop_rule = "x"; }}) {
    RecordOptions other = options_;
    change(other);
    EXPECT_NE(uid(other), base);
  }
  const auto run = record::resolve_run(*model_, tokenizer_, problem_set(1), options_);
  const auto configuration = nlohmann::json::parse(run.configuration);
  EXPECT_EQ(configuration.at("template"), "{problem}");
  EXPECT_EQ(configuration.at("dtype"), "fp32");
  EXPECT_EQ(configuration.dump(), run.configuration) << "sorted and without spaces";
}

TEST_F(RecorderTest, RefusesNumbersOutOfRange) {
  Store store = open("a.db");
  options_.cap_tokens = 0;
  EXPECT_THROW(record_all(store, problem_set(1)), Error);
  options_.cap_tokens = 1;
  options_.batch = -1;
  EXPECT_THROW(record_all(store, problem_set(1)), Error);
  options_.batch = 0;
  EXPECT_EQ(record_all(store, problem_set(1)).progress.tokens, 1);
}

class ProbeTest : public BatchTest {
 protected:
  ProbeTest() {
    options_.repeats = 1;
    options_.probes.every_tokens = 20;
    options_.probes.most_tokens = 6;
    options_.probes.closing = "w5 w6";
  }
  using Probes = std::map<std::string, std::vector<schemas::Probe>>;  ///< by problem id
  static Probes probes(const Store& store) {
    Probes all;
    schemas::TraceFilter filter;
    filter.complete_only = false;
    for (const auto& trace : schemas::list_traces(store, filter)) {
      all[trace.problem_id] = schemas::read_probes(store, trace.key);
    }
    return all;
  }
  void expect_probes_of_every_20_tokens(const Store& store) {
    const Probes all = probes(store);
    for (const auto& [trace, stored] : content(store)) {
      const auto tokens = static_cast<std::int64_t>(stored.tokens.ids.size());
      const auto& own = all.at(trace.substr(0, trace.find('/')));
      ASSERT_EQ(static_cast<std::int64_t>(own.size()), (tokens - 1) / 20) << trace << ", " << tokens;
      for (std::size_t i = 0; i < own.size(); ++i) {
        EXPECT_EQ(own[i].token, 20 * static_cast<std::int64_t>(i + 1));
        EXPECT_EQ(own[i].closing, "w5 w6");
        EXPECT_LE(own[i].ids.size(), 6U);
      }
    }
  }
};

TEST_F(ProbeTest, LeaveTheMainStreamAsItIs) {
  for (const char* policy : {"full", "sink(budget=12)", "h2o(budget=12)"}) {
    options_.policy = policy;
    options_.probes.every_tokens = 0;
    const Content without = recorded(std::string("without") + policy, problem_set(6));
    options_.probes.every_tokens = 20;
    Probes one_by_one;
    for (const std::int64_t batch : {1, 4}) {
      options_.batch = batch;
      Store store = open(std::string("with") + std::to_string(batch) + policy + ".db");
      EXPECT_TRUE(record_all(store, problem_set(6)).failures.empty());
      EXPECT_EQ(content(store), without) << policy << batch;
      expect_probes_of_every_20_tokens(store);
      if (batch == 1) one_by_one = probes(store);
      EXPECT_EQ(probes(store), one_by_one) << "a probe's answer depends on its trace alone";
    }
  }
}

/// The same problem, its prompt made of another's prompt, output and closing, decoded greedily under full
/// attention, must write the answer that a probe wrote.
TEST_F(ProbeTest, AnswersAsAPromptOfTheSameTokensWould) {
  options_.policy = "full";
  load("tiny");
  Store store = open("a.db");
  record_all(store, problem_set(2));
  const Content all = content(store);
  for (const auto& [problem, own] : probes(store)) {
    const auto& tokens = all.at(problem + "/0").tokens;
    for (const schemas::Probe& probe : own) {
      std::string text;
      for (std::size_t i = 1; i < tokens.prompt_ids.size(); ++i)
        text += "w" + std::to_string(tokens.prompt_ids[i]) + " ";
      for (std::int64_t i = 0; i < probe.token; ++i)
        text += spelled(tokens.ids[static_cast<std::size_t>(i)]) + " ";
      ProblemSet asked{"asked", "", {{"asked", "0", text + probe.closing, "", schemas::AnswerKind::kNone}}};
      options_.sampler = "greedy";
      options_.cap_tokens = 6;
      options_.probes.every_tokens = 0;
      Store other = open(problem + std::to_string(probe.token) + ".db");
      record_all(other, asked);
      EXPECT_EQ(content(other).at("0/0").tokens.ids, probe.ids) << problem << " at " << probe.token;
      EXPECT_EQ(probe.finish, schemas::ProbeFinish::kLength);
    }
  }
}

TEST_F(ProbeTest, WaitForALaneWithTheirOwnSequenceAlone) {
  load("tiny");  // so all are due at the same time
  options_.batch = 6;
  record::BatchPlan plan;
  RecordHooks hooks;
  hooks.planned = [&plan](const record::BatchPlan& planned) { plan = planned; };
  options_.probes.every_tokens = 30;
  options_.probes.most_tokens = 2;
  Store store = open("a.db");
  record_all(store, problem_set(6), hooks);
  EXPECT_EQ(plan.batch, 6);
  EXPECT_EQ(plan.probe_lanes, 1);  // 6 * (2 + 2 + 1) / 30
  for (const auto& [problem, own] : probes(store)) EXPECT_EQ(own.size(), 2U) << problem;
}

TEST_F(ProbeTest, ResumedTracesRepeatTheirsAndDoNotDoubleThem) {
  load("tiny");
  options_.cap_tokens = 400;
  Store store = open("a.db");
  std::atomic<bool> stop = false;
  RecordHooks hooks;
  hooks.stop = &stop;
  hooks.progress = [&stop](const record::RecordProgress& progress) { stop = progress.tokens >= 900; };
  EXPECT_TRUE(record_all(store, problem_set(3), hooks).stopped);
  const Probes before = probes(store);
  EXPECT_GT(before.at("p0").size(), 10U) << "some 300 tokens each";
  EXPECT_TRUE(record_all(store, problem_set(3)).failures.empty());
  Store fresh = open("b.db");
  record_all(fresh, problem_set(3));
  EXPECT_EQ(probes(store), probes(fresh));
  EXPECT_EQ(content(store), content(fresh));
}

TEST_F(ProbeTest, NoticesAStoredOneThatDiffersAndGoesOn) {
  load("tiny");
  Store store = open("a.db");
  std::atomic<bool> stop = false;
  RecordHooks hooks;
  hooks.stop = &stop;
  hooks.progress = [&stop](const record::RecordProgress& progress) { stop = progress.tokens >= 50; };
  record_all(store, problem_set(1), hooks);
  store.database().exec("UPDATE probe SET ids = x'03', text = 'other' WHERE token = 20");
  const RecordSummary summary = record_all(store, problem_set(1));
  ASSERT_EQ(summary.failures.size(), 1U);
  EXPECT_EQ(summary.failures[0].stage, "probe");
  EXPECT_THAT(summary.failures[0].message,
              HasSubstr("the probe after token 20 does not repeat what is stored"));
  EXPECT_EQ(summary.progress.traces_done, 1);
  EXPECT_EQ(summary.progress.traces_failed, 0);
}

TEST_F(ProbeTest, EndWithATraceThatFails) {
  load("tiny");
  RecordHooks hooks;
  hooks.make_observer = [](const schemas::Problem& problem,
                           std::span<const TokenId> /*prompt*/) -> std::unique_ptr<record::TokenObserver> {
    return problem.id == "p1" ? std::make_unique<Breaker>(43) : nullptr;  // three tokens after a probe began
  };
  Store store = open("a.db");
  EXPECT_EQ(record_all(store, problem_set(4), hooks).failures.size(), 1U);
  const Probes broken = probes(store);
  EXPECT_EQ(broken.at("p1").size(), 1U);
  EXPECT_EQ(broken.at("p3").size(), 4U);
  record_all(store, problem_set(4));
  Store fresh = open("b.db");
  record_all(fresh, problem_set(4));
  EXPECT_EQ(probes(store), probes(fresh));
  EXPECT_EQ(content(store), content(fresh));
}

TEST_F(ProbeTest, FitIntoALimitedPool) {
  options_.policy = "full";
  load("tiny");
  const Content whole = recorded("whole", problem_set(4));
  RecordHooks hooks;
  record::BatchPlan plan;
  hooks.planned = [&plan](const record::BatchPlan& planned) { plan = planned; };
  Store first = open("first.db");
  record_all(first, problem_set(4), hooks);
  options_.kv_bytes = 2 * plan.probe_bytes / plan.probe_lanes;  // a trace and its probe
  Store small = open("small.db");
  record_all(small, problem_set(4), hooks);
  EXPECT_EQ(plan.resident, 1);
  EXPECT_EQ(content(small), whole);
  EXPECT_EQ(probes(small), probes(first));
  options_.kv_bytes -= 1;
  Store none = open("none.db");
  EXPECT_THROW(record_all(none, problem_set(4)), Error);
}

TEST(PromptTemplate, RendersEveryPlaceAndNothingWithinTheProblem) {
  EXPECT_EQ(record::render_prompt("a{problem}b{problem}", "x{problem}"), "ax{problem}bx{problem}");
  EXPECT_EQ(record::render_prompt("{problem}", ""), "");
}

TEST(PromptTemplate, EmbeddedTextsAreTheFiles) {
  EXPECT_EQ(record::find_prompt_template("plain"), "{problem}");
  EXPECT_THAT(record::find_prompt_template("deepseek-r1"),
              testing::EndsWith("{problem}\nPlease reason step by step, and put your final answer within "
                                "\\boxed{}.<｜Assistant｜><think>\n"));
  EXPECT_THAT(record::find_prompt_template("chatml"), testing::EndsWith("<|im_start|>assistant\n"));
}

TEST(PromptTemplate, TakesFilesAndRefusesOthers) {
  const TemporaryDirectory folder;
  write_text(folder / "own.txt", "Q: {problem}\n");
  EXPECT_EQ(record::find_prompt_template(folder / "own.txt"), "Q: {problem}\n");
  write_text(folder / "bare.txt", "Q: {Problem}\n");
  EXPECT_THROW((void)record::find_prompt_template(folder / "bare.txt"), Error);
  try {
    (void)record::find_prompt_template("chatlm");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("chatml, deepseek-r1, plain"));
  }
}

TEST(PromptTemplate, PutsThePrefixTokenFirstOnce) {
  const WordTokenizer tokenizer;
  EXPECT_THAT(record::encode_prompt(tokenizer, "{problem}", "w7"), ElementsAre(1, 7));
  EXPECT_THAT(record::encode_prompt(tokenizer, "<s> {problem}", "w7"), ElementsAre(1, 7));
  EXPECT_THAT(record::encode_prompt(tokenizer, "{problem}", ""), ElementsAre(1));
}

/// The lines of the data's README that are quoted with "> ", without that mark.
std::string quoted_text(const std::filesystem::path& readme) {
  std::ifstream in(readme);
  std::string text;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("> ")) text += (text.empty() ? "" : "\n") + line.substr(2);
  }
  return text;
}

TEST(RealModel, StoriesWritesWordForWordWhatTheReadmeSays) {
  LIL_REAL_DATA_OR_SKIP(data, "models/stories260K");
  const auto device = record::make_cpu_device(2);
  const auto model = record::load_language_model(data, *device);
  const auto tokenizer = record::load_tokenizer(data);
  const TemporaryDirectory folder;
  Store store = Store::open(folder / "a.db", schemas::Access::kCreate);
  RecordOptions options;
  options.cap_tokens = 256;
  const ProblemSet set{"empty", "", {{"empty", "0", "", "", schemas::AnswerKind::kNone}}};
  const RecordSummary summary = record::record(store, *model, *tokenizer, set, options);
  EXPECT_TRUE(summary.failures.empty());
  const auto traces = schemas::list_traces(store, {});
  ASSERT_EQ(traces.size(), 1U);
  const auto tokens = schemas::read_tokens(store, traces[0].key);
  EXPECT_THAT(tokens.prompt_ids, ElementsAre(1));
  std::string text;
  tokenizer->vocabulary().append_text(tokens.ids, text);
  const std::string expected = quoted_text(data_root.value() / "README.md");
  ASSERT_FALSE(expected.empty());
  const std::size_t start = text.find_first_not_of(' ');
  EXPECT_EQ(text.substr(start), expected);
}

}  // namespace
}  // namespace lil::tests
