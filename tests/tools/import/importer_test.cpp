// Does an import put what a log says into the store, once, in the file's order, and keep account of the rest?
#include "tools/import/importer.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "schemas/error.h"
#include "schemas/run_store.h"
#include "schemas/trace_store.h"
#include "tests/support/import_support.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_data.h"

namespace lil::tools {
namespace {

using schemas::Access;
using schemas::Finish;
using schemas::Store;
using schemas::TokenId;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// The bytes, and an end-of-sequence token that spells nothing.
class ToyTokenizer : public record::Tokenizer {
 public:
  static constexpr TokenId kEnd = 256;

  ToyTokenizer() : vocabulary_("toy", tokens()) {}
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, SpecialTokens /*special*/) const override {
    std::vector<TokenId> ids;
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  [[nodiscard]] const schemas::Vocabulary& vocabulary() const override { return vocabulary_; }
  [[nodiscard]] std::optional<TokenId> prefix_token() const override { return std::nullopt; }

 private:
  static std::vector<schemas::Vocabulary::Token> tokens() {
    std::vector<schemas::Vocabulary::Token> tokens;
    for (int byte = 0; byte < 256; ++byte) tokens.push_back({std::string(1, static_cast<char>(byte)), false});
    tokens.push_back({"<end>", true});
    return tokens;
  }

  schemas::Vocabulary vocabulary_;
};

/// Everything of a store that an import writes, as text to compare.
std::vector<std::string> contents(const Store& store) {
  std::vector<std::string> lines;
  for (const auto& run : schemas::list_runs(store)) {
    const schemas::RunRecord& record = run.record;
    lines.push_back("run " + record.uid + " " + record.model + " " + record.policy + " " + record.sampler +
                    " " + record.problem_set + " " + record.source + " " + record.status);
  }
  schemas::TraceFilter all;
  all.complete_only = false;
  for (const auto& trace : schemas::list_traces(store, all)) {
    const schemas::Problem problem = schemas::read_problem(store, trace.problem);
    std::string line = "trace " + trace.run_uid + " " + problem.id + "/" + std::to_string(trace.repeat) +
                       " " + to_string(trace.finish) + (trace.complete ? " complete " : " open ") +
                       problem.text + " " + problem.gold + " " + to_string(problem.kind) + ":";
    const schemas::TraceTokens tokens = schemas::read_tokens(store, trace.key);
    for (const TokenId id : tokens.prompt_ids) line += " " + std::to_string(id);
    line += " |";
    for (const TokenId id : tokens.ids) line += " " + std::to_string(id);
    lines.push_back(line);
  }
  for (const auto& failure : schemas::list_failures(store)) {
    lines.push_back("failure " + failure.subject + " " + failure.stage + " " + failure.message);
  }
  return lines;
}

std::string text_of_trace(const Store& store, const schemas::TraceInfo& trace) {
  std::string text;
  schemas::read_vocabulary(store, trace.tokenizer)
      .append_text(schemas::read_tokens(store, trace.key).ids, text);
  return text;
}

class Import : public ::testing::Test {
 protected:
  ImportOptions options_for(const std::vector<std::filesystem::path>& files) {
    ImportOptions options;
    options.files = files;
    options.created = "2026-01-01T00:00:00Z";
    options.tool_version = "0.0.0";
    options.warning = [this](const std::string& warning) { warnings_.push_back(without_folder(warning)); };
    options.failure = [this](const ImportFailure& failure) {
      failures_.push_back(without_folder(failure.text()));
    };
    return options;
  }

  std::string without_folder(const std::string& text) const {
    const std::string folder = folder_.path().string() + "/";
    return text.starts_with(folder) ? text.substr(folder.size()) : text;
  }

  std::filesystem::path file(const std::string& name, const std::string& content) {
    return tests::write_file(folder_ / name, content);
  }

  Store open(const std::string& name = "store.db") { return Store::open(folder_ / name, Access::kCreate); }

  tests::TemporaryDirectory folder_;
  ToyTokenizer tokenizer_;
  std::vector<std::string> warnings_;
  std::vector<std::string> failures_;
};

TEST_F(Import, PutsRunsProblemsAndTracesIntoTheStore) {
  Store store = open();
  const auto log = file("R1__toys.jsonl",
                        "{\"id\":\"a\",\"question\":\"Q\",\"answer\":\"W\\n#### 2\",\"output\":\"hi\","
                        "\"finish_reason\":\"stop\",\"prompt\":\"P\"}\n"
                        "{\"id\":\"b\",\"question\":\"R\",\"answer\":\"x+1\",\"output\":\"\"}\n");
  const ImportResult result = import_files(store, options_for({log}));
  EXPECT_EQ(result.records, 2);
  EXPECT_EQ(result.traces_added, 2);
  EXPECT_EQ(result.tokens, 2);
  EXPECT_EQ(result.failed, 0);
  EXPECT_EQ(result.bytes, static_cast<std::int64_t>(std::filesystem::file_size(log)));
  ASSERT_EQ(result.run_uids.size(), 1U);
  const std::string& uid = result.run_uids[0];
  EXPECT_THAT(contents(store),
              ElementsAre("run " + uid + " R1__toys unknown unknown R1__toys imported:jsonl complete",
                          "trace " + uid + " a/0 stop complete Q 2 number: 80 | 104 105",
                          "trace " + uid + " b/0 partial complete R x+1 math: |"));
  const schemas::RunRecord run = schemas::list_runs(store).at(0).record;
  EXPECT_EQ(run.created, "2026-01-01T00:00:00Z");
  EXPECT_EQ(run.uid, schemas::run_uid(run.configuration));
  EXPECT_EQ(run.configuration.find(folder_.path().string()), std::string::npos);
  EXPECT_EQ(run.configuration.find("2026"), std::string::npos);
  EXPECT_THAT(schemas::check_store(store), IsEmpty());
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(Import, TwiceAddsNothing) {
  Store store = open();
  const std::string content =
      "{\"id\":1,\"output\":\"one\"}\n{\"id\":1,\"output\":\"two\"}\nbroken\n"
      "{\"id\":1,\"problem\":\"other\",\"output\":\"three\"}\n{\"output\":null,\"id\":2,\"text\":\"t\"}\n";
  const auto log = file("log.jsonl", content);
  const ImportResult first = import_files(store, options_for({log}));
  EXPECT_EQ(first.traces_added, 3);
  EXPECT_EQ(first.failed, 2);
  const auto before = contents(store);
  std::filesystem::create_directory(folder_ / "elsewhere");
  ImportOptions later = options_for({log, file("elsewhere/log.jsonl", content)});
  later.created = "2027-01-01T00:00:00Z";
  const ImportResult again = import_files(store, later);
  EXPECT_EQ(again.traces_added, 0);
  EXPECT_EQ(again.traces_skipped, 6);
  EXPECT_EQ(again.tokens, 0);
  EXPECT_EQ(again.failed, 4) << "they are still missing";
  EXPECT_EQ(contents(store), before);
}

TEST_F(Import, AnotherFileTokenizerOrFieldMakesAnotherRun) {
  Store store = open();
  const std::string content = "{\"output\":\"one\",\"other\":\"two\"}\n";
  import_files(store, options_for({file("log.jsonl", content)}));
  import_files(store, options_for({file("log.jsonl", content + "\n")}));
  ImportOptions tokenized = options_for({file("log.jsonl", content)});
  tokenized.tokenizer = &tokenizer_;
  import_files(store, tokenized);
  ImportOptions mapped = options_for({folder_ / "log.jsonl"});
  mapped.fields = {"output=other"};
  import_files(store, mapped);
  EXPECT_EQ(schemas::list_runs(store).size(), 4U);
  EXPECT_EQ(schemas::list_traces(store, {}).size(), 4U);
}

TEST_F(Import, RecordsOfAnotherModelPolicySamplerOrCapAreAnotherRun) {
  Store store = open();
  const auto log = file("log.jsonl",
                        "{\"output\":\"a\",\"model\":\"m\",\"policy\":\"full\"}\n"
                        "{\"output\":\"b\",\"model\":\"m\",\"policy\":\"sink\"}\n"
                        "{\"output\":\"c\",\"model\":\"n\",\"policy\":\"full\"}\n"
                        "{\"output\":\"d\",\"model\":\"m\",\"policy\":\"full\",\"temperature\":0}\n"
                        "{\"output\":\"e\",\"model\":\"m\",\"policy\":\"full\",\"max_tokens\":9}\n"
                        "{\"output\":\"f\",\"model\":\"m\",\"policy\":\"full\"}\n");
  const ImportResult result = import_files(store, options_for({log}));
  EXPECT_EQ(result.traces_added, 6);
  EXPECT_EQ(result.run_uids.size(), 5U);
  const auto runs = schemas::list_runs(store);
  ASSERT_EQ(runs.size(), 5U);
  EXPECT_EQ(runs[3].record.sampler, "greedy");
  EXPECT_EQ(runs[4].record.cap_tokens, 9);
}

TEST_F(Import, ReportsBadRecordsWithTheirPlaceAndGoesOn) {
  Store store = open();
  const auto log = file("log.jsonl",
                        "{\"id\":\"a\",\"output\":\"1\"}\n"
                        "{\"id\":\"b\" \"output\":\"2\"}\n"
                        "{\"id\":\"c\"}\r\n"
                        "{\"id\":\"d\",\"output\":[\"4\",7]}\n"
                        "\n"
                        "{\"id\":\"e\",\"output\":\"5\"}\n"
                        "{\"id\":\"f\",\"outp");
  const ImportResult result = import_files(store, options_for({log}));
  EXPECT_EQ(result.records, 6);
  EXPECT_EQ(result.traces_added, 2);
  EXPECT_EQ(result.failed, 4);
  ASSERT_EQ(failures_.size(), 4U);
  EXPECT_EQ(failures_[0], "log.jsonl:2:11: malformed JSON: missing a comma or '}' after an object member");
  EXPECT_EQ(
      failures_[1],
      "log.jsonl:3: the record has no output: tried 'output', 'outputs', 'model_answer', 'full_response', "
      "'model_output', 'response', 'responses', 'generation', 'generations', 'completion', 'completions', "
      "'generated_text', 'text'; its keys are id");
  EXPECT_THAT(failures_[2], ::testing::StartsWith("log.jsonl:4: the output ('output'"));
  EXPECT_EQ(failures_[3],
            "log.jsonl:7:16: the last record is half-written: missing a closing quotation mark in string");
  const auto stored = schemas::list_failures(store);
  ASSERT_EQ(stored.size(), 4U);
  EXPECT_EQ(stored[0].subject, "log.jsonl:2:11");
  EXPECT_EQ(stored[0].stage, "import");
  EXPECT_EQ(stored[0].message, "malformed JSON: missing a comma or '}' after an object member");
  EXPECT_EQ(stored[1].subject, "log.jsonl:3");
}

TEST_F(Import, ACarriageReturnBeforeTheNewlineChangesNothing) {
  Store store = open();
  const ImportResult result = import_files(
      store, options_for({file("log.jsonl", "{\"output\":\"a\"}\r\n\r\n{\"output\":\"b\\r\\n\"}\r\n")}));
  EXPECT_EQ(result.failed, 0);
  const auto traces = schemas::list_traces(store, {});
  ASSERT_EQ(traces.size(), 2U);
  EXPECT_EQ(text_of_trace(store, traces[0]), "a");
  EXPECT_EQ(text_of_trace(store, traces[1]), "b\r\n");
  EXPECT_EQ(traces[1].problem_id, "1") << "the index of the record, not of the line";
}

TEST_F(Import, SameIdAndTextAreRepeatsAndAnotherTextIsAConflict) {
  Store store = open();
  const auto log = file("log.jsonl",
                        "{\"id\":\"a\",\"problem\":\"P\",\"gold\":\"1\",\"output\":\"x\"}\n"
                        "{\"id\":\"a\",\"problem\":\"P\",\"gold\":\"1\",\"output\":[\"y\",\"z\"]}\n"
                        "{\"id\":\"a\",\"problem\":\"Q\",\"gold\":\"1\",\"output\":\"no\"}\n"
                        "{\"id\":\"a\",\"problem\":\"P\",\"gold\":\"2\",\"output\":\"no\"}\n"
                        "{\"id\":\"b\",\"problem\":\"P\",\"output\":\"u\",\"repeat\":5}\n"
                        "{\"id\":\"b\",\"problem\":\"P\",\"output\":\"no\",\"repeat\":5}\n"
                        "{\"id\":\"b\",\"problem\":\"P\",\"output\":\"v\"}\n");
  const ImportResult result = import_files(store, options_for({log}));
  EXPECT_EQ(result.traces_added, 5);
  std::vector<std::string> names;
  for (const auto& trace : schemas::list_traces(store, {})) {
    names.push_back(trace.problem_id + "/" + std::to_string(trace.repeat) + "=" +
                    text_of_trace(store, trace));
  }
  EXPECT_THAT(names, ElementsAre("a/0=x", "a/1=y", "a/2=z", "b/5=u", "b/6=v"));
  ASSERT_EQ(failures_.size(), 3U);
  EXPECT_EQ(failures_[0], "log.jsonl:3: problem 'a' stands on line 1 already, with another text");
  EXPECT_THAT(failures_[1],
              ::testing::HasSubstr("problem 'a' of set 'log' is there already with another gold"));
  EXPECT_EQ(failures_[2], "log.jsonl:6: problem 'b' has a repeat 5 already (first seen on line 5)");
  EXPECT_THAT(schemas::check_store(store), IsEmpty()) << "the conflicts leave nothing half-written";
}

std::string many_records(int count) {
  std::string content;
  for (int i = 0; i < count; ++i) {
    content += "{\"id\":" + std::to_string(i) + ",\"output\":\"" +
               std::string(static_cast<std::size_t>(i), 'x') + std::to_string(i) + "\"}\n";
    if (i % 100 == 50) content += "broken\n";
  }
  return content;
}

TEST_F(Import, CutOffIsCompletedByTheNextOne) {
  const auto log = file("log.jsonl", many_records(700));
  Store store = open();
  std::atomic<bool> cancel{false};
  ImportOptions cut = options_for({log});
  cut.cancel = &cancel;
  cut.progress = [&](const ImportProgress&) { cancel = true; };
  const ImportResult first = import_files(store, cut);
  EXPECT_TRUE(first.cancelled);
  EXPECT_GT(first.traces_added, 0);
  EXPECT_LT(first.traces_added, 700);
  EXPECT_EQ(schemas::list_runs(store).at(0).record.status, "open");

  const ImportResult rest = import_files(store, options_for({log}));
  EXPECT_EQ(rest.traces_skipped, first.traces_added);
  EXPECT_EQ(rest.traces_added, 700 - first.traces_added);
  Store undisturbed = open("undisturbed.db");
  import_files(undisturbed, options_for({log}));
  EXPECT_EQ(contents(store), contents(undisturbed));
}

TEST_F(Import, TheStoreDoesNotDependOnTheNumberOfThreads) {
  const auto log = file("log.jsonl", many_records(600));
  std::vector<std::vector<std::string>> stores;
  for (const int threads : {1, 2, 7}) {
    Store store = open("store" + std::to_string(threads) + ".db");
    ImportOptions options = options_for({log});
    options.tokenizer = &tokenizer_;
    options.threads = threads;
    EXPECT_EQ(import_files(store, options).traces_added, 600);
    stores.push_back(contents(store));
  }
  EXPECT_EQ(stores[1], stores[0]);
  EXPECT_EQ(stores[2], stores[0]);
}

TEST_F(Import, KeepsRecordedIdsOnlyWithTheirTokenizer) {
  const auto log =
      file("log.jsonl",
           "{\"output\":\"hi\",\"ids\":[104,105,256],\"prompt_ids\":[80],\"prompt\":\"never read\"}\n");
  Store with = open("with.db");
  ImportOptions options = options_for({log});
  options.tokenizer = &tokenizer_;
  const std::string recorded = import_files(with, options).run_uids.at(0);
  EXPECT_EQ(contents(with)[1], "trace " + recorded + " 0/0 partial complete   none: 80 | 104 105 256");
  EXPECT_THAT(warnings_,
              ElementsAre("log.jsonl: no record has a right answer, so none of these traces can be "
                          "graded (--field gold=KEY)"));

  warnings_.clear();
  Store without = open("without.db");
  import_files(without, options_for({log}));
  EXPECT_EQ(text_of_trace(without, schemas::list_traces(without, {}).at(0)), "hi");
  ASSERT_EQ(warnings_.size(), 2U);
  EXPECT_EQ(
      warnings_[0],
      "log.jsonl: 1 generations have token ids, which mean nothing without their tokenizer: their text is "
      "taken as bytes (--tokenizer FILE would keep the ids)");
}

TEST_F(Import, NeverMixesRecordedAndRetokenizedIdsInOneRun) {
  const auto log =
      file("log.jsonl",
           "{\"output\":\"hi\",\"ids\":[104,105],\"answer\":1}\n{\"output\":\"ho\",\"answer\":1}\n"
           "{\"output\":\"hu\",\"ids\":[104,104],\"prompt\":\"P\",\"answer\":1}\n");
  Store store = open();
  ImportOptions options = options_for({log});
  options.tokenizer = &tokenizer_;
  EXPECT_EQ(import_files(store, options).run_uids.size(), 2U);
  EXPECT_THAT(
      warnings_,
      ElementsAre("log.jsonl: 2 generations have token ids and 1 do not: they become separate runs, one of "
                  "recorded and one of retokenized ids",
                  "log.jsonl: the recorded ids of 1 generations do not spell the logged output with this "
                  "tokenizer: the ids are kept",
                  "log.jsonl: 1 generations have recorded ids, but a prompt in text alone, which is "
                  "retokenized"));
}

TEST_F(Import, IdsThatTheTokenizerOrTheTextCannotHaveAreFailures) {
  Store store = open();
  ImportOptions options =
      options_for({file("log.jsonl", "{\"ids\":[1,257],\"output\":\"a\"}\n{\"ids\":[65],\"id\":\"x\"}\n")});
  options.tokenizer = &tokenizer_;
  EXPECT_EQ(import_files(store, options).traces_added, 1);
  ASSERT_EQ(failures_.size(), 1U);
  EXPECT_THAT(failures_[0], ::testing::StartsWith("log.jsonl:1: problem '0': "));
  EXPECT_THAT(failures_[0], ::testing::HasSubstr("257"));

  failures_.clear();
  Store bytes = open("bytes.db");
  import_files(bytes, options_for({folder_ / "log.jsonl"}));
  EXPECT_THAT(failures_,
              ElementsAre("log.jsonl:2: there are token ids but no text: they need their tokenizer "
                          "(--tokenizer FILE)"));
}

TEST_F(Import, SaysWhenHalvesOfSurrogatePairsWereReplaced) {
  Store store = open();
  import_files(store, options_for({file("log.jsonl",
                                        "{\"output\":\"a\",\"answer\":1}\n"
                                        "{\"output\":\"\\ud800\\udc00\\ud800\",\"answer\":1}\n")}));
  EXPECT_THAT(warnings_,
              ElementsAre("log.jsonl: 1 escapes are half of a surrogate pair and are read as U+FFFD "
                          "(first on line 2)"));
  EXPECT_EQ(text_of_trace(store, schemas::list_traces(store, {}).at(1)), "\xf0\x90\x80\x80\xef\xbf\xbd");
}

TEST_F(Import, KeepsFailedRequestsAsFailures) {
  Store store = open();
  const auto log =
      file("batch.jsonl",
           "{\"custom_id\":\"p1\",\"response\":null,\"error\":{\"message\":\"context too long\"}}\n"
           "{\"custom_id\":\"p2\",\"response\":{\"body\":{\"model\":\"m\",\"choices\":[{\"message\":{"
           "\"content\":\"A\"},"
           "\"finish_reason\":\"length\"}]}}}\n");
  const ImportResult result = import_files(store, options_for({log}));
  EXPECT_EQ(result.traces_added, 1);
  EXPECT_THAT(
      failures_,
      ElementsAre("batch.jsonl:1: problem 'p1': the log says that the request failed: context too long"));
  EXPECT_EQ(schemas::list_runs(store).size(), 1U);
  const auto trace = schemas::list_traces(store, {}).at(0);
  EXPECT_EQ(trace.finish, Finish::kLength);
  EXPECT_EQ(trace.problem_id, "p2");
}

TEST_F(Import, WritesNothingWhereOneOfTheFilesIsNoLog) {
  Store store = open();
  const auto good = file("good.jsonl", "{\"output\":\"a\"}\n");
  for (const auto& bad :
       {folder_ / "missing.jsonl", file("bad.jsonl", "{\"a\":1}\n"), file("empty.jsonl", "")}) {
    EXPECT_THROW(import_files(store, options_for({good, bad})), Error);
    EXPECT_THAT(contents(store), IsEmpty()) << bad;
  }
}

TEST_F(Import, TakesALineOfManyMegabytesAndBytesThatAreNoUtf8) {
  Store store = open();
  const std::string big(std::size_t{2} << 20, 'y');
  const auto log = file("log.jsonl", "{\"output\":\"" + big + "\"}\n{\"output\":\"\xff\\u0000\xfe\"}\n");
  EXPECT_EQ(import_files(store, options_for({log})).traces_added, 2);
  const auto traces = schemas::list_traces(store, {});
  EXPECT_EQ(text_of_trace(store, traces[0]), big);
  EXPECT_EQ(text_of_trace(store, traces[1]), std::string("\xff\0\xfe", 3));
}

TEST_F(Import, ReportsProgressUpToTheWholeFile) {
  Store store = open();
  const auto log = file("log.jsonl", many_records(600));
  ImportOptions options = options_for({log, file("two.jsonl", "{\"output\":\"a\"}")});
  std::vector<ImportProgress> reports;
  options.progress = [&](const ImportProgress& progress) { reports.push_back(progress); };
  const ImportResult result = import_files(store, options);
  ASSERT_GE(reports.size(), 4U);
  for (std::size_t i = 1; i < reports.size(); ++i)
    EXPECT_GE(reports[i].bytes_read, reports[i - 1].bytes_read);
  EXPECT_EQ(reports.back().bytes_read, reports.back().bytes_total);
  EXPECT_EQ(reports.back().bytes_read, result.bytes);
  EXPECT_EQ(reports.back().records, result.records);
}

struct RealLog {
  const char* path;
  std::int64_t traces;
  const char* reader;
  const char* model;
};

class RealLogs : public ::testing::TestWithParam<RealLog> {};

TEST_P(RealLogs, BecomeTraces) {
  LIL_REAL_DATA_OR_SKIP(path, std::filesystem::path("traces") / GetParam().path);
  const tests::TemporaryDirectory folder;
  Store store = Store::open(folder / "store.db", Access::kCreate);
  ImportOptions options;
  options.files = {path};
  const ImportResult result = import_files(store, options);
  EXPECT_EQ(result.traces_added, GetParam().traces);
  EXPECT_EQ(result.failed, 0);
  const auto runs = schemas::list_runs(store);
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_EQ(runs[0].record.source, std::string("imported:") + GetParam().reader);
  EXPECT_EQ(runs[0].record.model, GetParam().model);
  EXPECT_EQ(import_files(store, options).traces_added, 0);
}

INSTANTIATE_TEST_SUITE_P(
    All, RealLogs,
    ::testing::Values(RealLog{"skythought/Sky-T1-math-correct-5K-14B__aime24.jsonl", 30, "qwen-math",
                              "Sky-T1-math-correct-5K-14B__aime24"},
                      RealLog{"skythought/Sky-T1-math-correct-5K-14B__amc23.jsonl", 40, "qwen-math",
                              "Sky-T1-math-correct-5K-14B__amc23"},
                      RealLog{"skythought/Sky-T1-math-correct-5K-32B-ckpts__checkpoint-140__aime24.jsonl", 30,
                              "qwen-math", "Sky-T1-math-correct-5K-32B-ckpts__checkpoint-140__aime24"},
                      RealLog{"skythought/Qwen__Qwen2.5-Math-7B__math500.jsonl", 500, "qwen-math",
                              "Qwen__Qwen2.5-Math-7B__math500"},
                      RealLog{"mip/formula__MiP__DSQ.json", 50, "jsonl", "formula__MiP__DSQ"},
                      RealLog{"mip/gsm8k__normal__DSQ.json", 582, "jsonl", "gsm8k__normal__DSQ"},
                      RealLog{"mip/math__MiP__DSQ.json", 52, "jsonl", "math__MiP__DSQ"},
                      RealLog{"mip/math__normal__DSQ.json", 52, "jsonl", "math__normal__DSQ"},
                      RealLog{"mip/math__normal__QwQ.json", 52, "jsonl", "math__normal__QwQ"},
                      RealLog{"topology/pilot_math500_llama8b.jsonl", 20, "jsonl",
                              "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"},
                      RealLog{"topology/pilot_math500_qwen7b.jsonl", 20, "jsonl",
                              "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"},
                      RealLog{"zeroeval/math-l5__Meta-Llama-3.1-8B-Instruct.json", 721, "jsonl",
                              "meta-llama/Meta-Llama-3.1-8B-Instruct"}));

TEST(RealLogsWithTokenizer, HaveTheDocumentedNumberOfTokens) {
  LIL_REAL_DATA_OR_SKIP(data, "");
  const auto tokenizer = record::load_tokenizer(data / "tokenizers/qwen.tiktoken");
  const tests::TemporaryDirectory folder;
  Store store = Store::open(folder / "store.db", Access::kCreate);
  ImportOptions options;
  options.tokenizer = tokenizer.get();
  options.threads = 2;
  options.files = {data / "traces/skythought/Sky-T1-math-correct-5K-14B__aime24.jsonl"};
  EXPECT_EQ(import_files(store, options).tokens, 742767);
  options.files = {data / "traces/skythought/Sky-T1-math-correct-5K-14B__amc23.jsonl"};
  EXPECT_EQ(import_files(store, options).tokens, 574570);
}

}  // namespace
}  // namespace lil::tools
