// Does a recording come out the same whatever happens on the way?

#include "record/recorder.h"

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
    model_ = record::load_language_model(folder_ / "tiny");
    options_.sampler = "sample(temperature=1,top_p=0.95)";
    options_.policy = "sink(budget=12)";
    options_.cap_tokens = 600;
    options_.seed = 11;
  }

  static ProblemSet problem_set(int problems) {
    ProblemSet set{"words", "0123", {}};
    for (int p = 0; p < problems; ++p) {
      set.problems.push_back({"words", "p" + std::to_string(p), "w7 w" + std::to_string(8 + p), "4",
                              schemas::AnswerKind::kNumber});
    }
    return set;
  }
  Store open(const std::string& name) { return Store::open(folder_ / name, schemas::Access::kCreate); }
  RecordSummary record_all(Store& store, const ProblemSet& set, const RecordHooks& hooks = {}) {
    return record::record(store, *model_, tokenizer_, set, options_, hooks);
  }
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

  TemporaryDirectory folder_;
  WordTokenizer tokenizer_;
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

TEST_F(RecorderTest, ThreadsDoNotChangeTheContent) {
  Store one = open("one.db");
  record_all(one, problem_set(5));
  options_.threads = 3;
  Store three = open("three.db");
  record_all(three, problem_set(5));
  EXPECT_EQ(content(one), content(three));
}

TEST_F(RecorderTest, GoesOnWithMoreProblems) {
  Store store = open("a.db");
  const std::string uid = record_all(store, problem_set(1)).run_uid;
  options_.threads = 2;
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
  EXPECT_EQ(summary.progress.traces_done, 1);
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
  options_.threads = 2;
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
  model_ = record::load_language_model(folder_ / "ending");
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
  same.threads = 7;
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
  options_.threads = 0;
  EXPECT_THROW(record_all(store, problem_set(1)), Error);
  options_.threads = 1;
  EXPECT_EQ(record_all(store, problem_set(1)).progress.tokens, 1);
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
  const auto model = record::load_language_model(data);
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
