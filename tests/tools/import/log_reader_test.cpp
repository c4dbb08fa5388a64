// Does every reader find in its format what the store needs, and tell its format from the others'?
#include "tools/import/log_reader.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "schemas/error.h"
#include "tests/support/import_support.h"
#include "tests/support/temporary_directory.h"
#include "tools/import/choose_reader.h"
#include "tools/import/json_records.h"

namespace lil::tools {
namespace {

using schemas::Finish;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

const std::string kQwenMath =
    R"({"idx":7,"question":"1+1?","gt":"2","answer":"2.0","code":["one","two"],"pred":["1","2"],"score":[false,true]})";
const std::string kChat =
    R"({"id":"chatcmpl-9","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"It is 2."},"finish_reason":"stop"}]})";
const std::string kJsonl = R"({"question":"1+1?","answer":"so\n#### 2","model_answer":"It is 2."})";

class LogReaders : public ::testing::Test {
 protected:
  std::vector<LogRecord> read(const std::string& format, const std::string& record,
                              const std::vector<std::string>& fields = {}) {
    fields_ = FieldMap::parse(fields);
    RecordParser::Failure failure;
    const rapidjson::Value* value = parser_.parse(record, failure);
    if (value == nullptr) throw Error(ErrorCode::kInput, "the test's record: " + failure.reason);
    const auto [row, arguments] = schemas::resolve_row("format", log_readers(), format);
    return row->make(arguments, fields_)->read(*value);
  }

  LogRecord read_one(const std::string& format, const std::string& record,
                     const std::vector<std::string>& fields = {}) {
    const std::vector<LogRecord> logs = read(format, record, fields);
    EXPECT_EQ(logs.size(), 1U);
    return logs.at(0);
  }

  std::string read_error(const std::string& format, const std::string& record,
                         const std::vector<std::string>& fields = {}) {
    try {
      read(format, record, fields);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInput);
      return error.what();
    }
    return "no error";
  }

  std::string choose(const std::string& content, const std::string& format = "",
                     const std::vector<std::string>& fields = {}) {
    try {
      const InputFile file = InputFile::open(tests::write_file(folder_ / "log", content));
      fields_ = FieldMap::parse(fields);
      return choose_reader(file, format, fields_).name;
    } catch (const Error& error) {
      const std::string message = error.what();
      const std::string path = (folder_ / "log").string();
      const std::size_t at = message.find(path);
      return at == std::string::npos ? message : std::string(message).replace(at, path.size(), "LOG");
    }
  }

  tests::TemporaryDirectory folder_;
  RecordParser parser_;
  FieldMap fields_;
};

// ---- jsonl

TEST_F(LogReaders, JsonlFindsTheUsualKeys) {
  const LogRecord log = read_one(
      "jsonl",
      R"json({"item_id":"math_7","problem":"P","prompt":"<user>P","ground_truth":"\\frac12","full_response":"R",
              "model_name":"M","temperature":0.6,"max_tokens":512,"policy":"sink(budget=64,sinks=4)",
              "finish_reason":"length","repeat":3})json");
  EXPECT_EQ(log.problem_id, "math_7");
  EXPECT_EQ(log.problem, "P");
  EXPECT_EQ(log.prompt, "<user>P");
  EXPECT_EQ(log.gold, "\\frac12");
  EXPECT_EQ(log.output, "R");
  EXPECT_EQ(log.run.model, "M");
  EXPECT_EQ(log.run.policy, "sink(budget=64,sinks=4)");
  EXPECT_EQ(log.run.sampler, "sample(temperature=0.6)");
  EXPECT_THAT(log.run.cap_tokens, Optional(512));
  EXPECT_EQ(log.finish, Finish::kLength);
  EXPECT_THAT(log.repeat, Optional(3));
}

TEST_F(LogReaders, JsonlLeavesEmptyWhatTheLogDoesNotSay) {
  const LogRecord log = read_one("jsonl", R"({"output":"R"})");
  EXPECT_EQ(log.run, LogRun{});
  EXPECT_EQ(log.problem_id, "");
  EXPECT_EQ(log.gold, "");
  EXPECT_EQ(log.finish, Finish::kPartial);
  EXPECT_EQ(log.ids, std::nullopt);
  EXPECT_EQ(log.repeat, std::nullopt);
}

TEST_F(LogReaders, JsonlTakesGsm8kAnswersFromBehindTheMark) {
  EXPECT_EQ(read_one("jsonl", kJsonl).gold, "2");
  EXPECT_EQ(read_one("jsonl", R"({"output":"R","answer":27.0})").gold, "27");
  EXPECT_EQ(read_one("jsonl", R"({"output":"R","answer":0.125})").gold, "0.125");
  EXPECT_EQ(read_one("jsonl", R"({"output":"R","answer":NaN})").gold, "");
}

TEST_F(LogReaders, JsonlFollowsGivenKeysAndPointers) {
  const LogRecord log =
      read_one("jsonl", R"({"output":"no","gen":{"texts":["a","b"]},"meta":{"a/b":"9"},"answer":"no","n":4})",
               {"output=/gen/texts/1", "gold=/meta/a~1b", "id=n"});
  EXPECT_EQ(log.output, "b");
  EXPECT_EQ(log.gold, "9");
  EXPECT_EQ(log.problem_id, "4");
}

TEST_F(LogReaders, JsonlTakesAListOfOutputsForRepeats) {
  const auto logs =
      read("jsonl", R"({"generations":["a",null,"c"],"finish_reasons":["stop","stop","length"]})");
  ASSERT_EQ(logs.size(), 3U);
  EXPECT_EQ(logs[0].output, "a");
  EXPECT_EQ(logs[0].finish, Finish::kStop);
  EXPECT_EQ(logs[1].failure, "the log has null as output");
  EXPECT_EQ(logs[2].output, "c");
  EXPECT_EQ(logs[2].finish, Finish::kLength);
}

TEST_F(LogReaders, JsonlReadsWhatLilExports) {
  const LogRecord log =
      read_one("jsonl", R"({"uid":"u","run":"r","policy":"full","problem_set":"s","problem_id":"p","repeat":1,
                   "prompt_ids":[1,2],"ids":[3,4],"text":"T","finish":"guardian","complete":true})");
  EXPECT_EQ(log.run.problem_set, "s");
  EXPECT_EQ(log.problem_id, "p");
  EXPECT_EQ(log.output, "T");
  EXPECT_THAT(log.ids, Optional(ElementsAre(3, 4)));
  EXPECT_THAT(log.prompt_ids, Optional(ElementsAre(1, 2)));
  EXPECT_EQ(log.finish, Finish::kGuardian);
}

TEST_F(LogReaders, JsonlSaysWhichKeysThereAre) {
  EXPECT_EQ(read_error("jsonl", R"({"a":1,"b":2})", {"output=reply"}),
            "the record has no output: tried 'reply'; its keys are a, b");
  EXPECT_THAT(read_error("jsonl", "{}"), HasSubstr("tried 'output', 'outputs', 'model_answer'"));
  EXPECT_EQ(
      read_error("jsonl", R"({"output":{"text":"T"}})"),
      "the output ('output', 'outputs', 'model_answer', 'full_response', 'model_output', 'response', "
      "'responses', 'generation', 'generations', 'completion', 'completions', 'generated_text', 'text') is "
      "an object, where a text is expected");
  EXPECT_EQ(read_error("jsonl", R"({"output":"R","ids":[1,-2]})"), "ids[1] is no token id");
  EXPECT_EQ(read_error("jsonl", R"({"output":"R","repeat":0.5})"),
            "repeat is no whole number that is 0 or more");
  EXPECT_EQ(read_error("jsonl", R"({"output":"R","g":{}})", {"gold=g"}),
            "gold ('g') is an object, where a text or a number is expected");
}

TEST(FieldMapTest, RefusesWhatIsNoField) {
  const auto message = [](const std::vector<std::string>& specs) -> std::string {
    try {
      static_cast<void>(FieldMap::parse(specs));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message({"outptu=a"}),
            "--field outptu=a: there is no field 'outptu'; known are: output, gold, id, problem, prompt, "
            "problem_set, model, policy, sampler, cap, finish, repeat, ids, prompt_ids");
  EXPECT_EQ(message({"output"}), "--field output: expected field=key or field=/json/pointer");
  EXPECT_EQ(message({"output="}), "--field output=: expected field=key or field=/json/pointer");
  EXPECT_EQ(message({"id=a", "id=b"}), "--field id=b: this field is given twice");
  EXPECT_EQ(message({"id=/a~7"}), "--field id=/a~7: no valid JSON pointer (error at byte 3)");
}

// ---- qwen-math

TEST_F(LogReaders, QwenMathMakesEveryCodeARepeat) {
  const auto logs = read("qwen-math", kQwenMath);
  ASSERT_EQ(logs.size(), 2U);
  for (const LogRecord& log : logs) {
    EXPECT_EQ(log.problem_id, "7");
    EXPECT_EQ(log.problem, "1+1?");
    EXPECT_EQ(log.gold, "2.0") << "the problem set's own answer goes before what the evaluation made of it";
    EXPECT_EQ(log.finish, Finish::kPartial) << "the format does not say how a generation ended";
  }
  EXPECT_EQ(logs[0].output, "one");
  EXPECT_EQ(logs[1].output, "two");
}

TEST_F(LogReaders, QwenMathSaysWhatIsMissing) {
  EXPECT_EQ(read_error("qwen-math", R"({"idx":1,"gt":"2"})"),
            "the record has no array 'code' of generations; its keys are idx, gt");
  EXPECT_EQ(read_one("qwen-math", R"({"idx":1,"gt":"2","code":[null]})").failure,
            "code[0] is null, where a text is expected");
}

// ---- openai

TEST_F(LogReaders, OpenaiReadsBatchLines) {
  const auto logs = read("openai",
                         R"({"id":"batch_req_1","custom_id":"aime-3","error":null,
          "request":{"body":{"temperature":0,"max_completion_tokens":100,"metadata":{"answer":"#### 33"},
                             "messages":[{"role":"system","content":"S"},{"role":"user","content":"P?"}]}},
          "response":{"status_code":200,"body":{"model":"m/x","prompt_token_ids":[5,6],"choices":[
            {"index":1,"message":{"content":"B"},"finish_reason":"length","token_ids":[8,9]},
            {"index":0,"message":{"content":[{"type":"text","text":"A"},{"type":"text","text":"!"}]},
             "finish_reason":"stop","token_ids":[7]}]}}})");
  ASSERT_EQ(logs.size(), 2U);
  for (const LogRecord& log : logs) {
    EXPECT_EQ(log.problem_id, "aime-3");
    EXPECT_EQ(log.problem, "P?");
    EXPECT_EQ(log.gold, "33");
    EXPECT_EQ(log.run.model, "m/x");
    EXPECT_EQ(log.run.sampler, "greedy");
    EXPECT_THAT(log.run.cap_tokens, Optional(100));
    EXPECT_THAT(log.prompt_ids, Optional(ElementsAre(5, 6)));
  }
  EXPECT_EQ(logs[0].output, "A!") << "in order of index";
  EXPECT_THAT(logs[0].ids, Optional(ElementsAre(7)));
  EXPECT_EQ(logs[0].finish, Finish::kStop);
  EXPECT_EQ(logs[1].output, "B");
  EXPECT_EQ(logs[1].finish, Finish::kLength);
}

TEST_F(LogReaders, OpenaiReadsBareBodies) {
  const LogRecord chat = read_one("openai", kChat);
  EXPECT_EQ(chat.output, "It is 2.");
  EXPECT_EQ(chat.run.model, "m");
  EXPECT_EQ(chat.problem_id, "") << "the id of a response is no id of a problem";
  const LogRecord text = read_one(
      "openai",
      R"({"id":"cmpl-1","model":"m","prompt":"Q:","choices":[{"text":"A","finish_reason":"abort","prompt_token_ids":[1]}]})");
  EXPECT_EQ(text.output, "A");
  EXPECT_EQ(text.prompt, "Q:");
  EXPECT_THAT(text.prompt_ids, Optional(ElementsAre(1)));
  EXPECT_EQ(text.finish, Finish::kPartial);
}

TEST_F(LogReaders, OpenaiJoinsReasoningAndContentAsTheModelEmittedThem) {
  const auto output = [&](const std::string& message) {
    return read_one("openai", R"({"choices":[{"message":)" + message + "}]}").output;
  };
  EXPECT_EQ(output(R"({"reasoning_content":"\nHm.\n","content":"\n\n2"})"), "<think>\nHm.\n</think>\n\n2");
  EXPECT_EQ(output(R"({"reasoning":"Hm.","content":"2"})"), "<think>Hm.</think>2");
  EXPECT_EQ(output(R"({"reasoning_content":"Hm.","reasoning":"Hm.","content":"2"})"), "<think>Hm.</think>2");
  EXPECT_EQ(output(R"({"reasoning":"Hm, so","content":null})"), "<think>Hm, so") << "never closed";
  EXPECT_EQ(output(R"({"reasoning":null,"content":"2"})"), "2");
  EXPECT_EQ(output(R"({"reasoning":"","content":"2"})"), "2");
}

TEST_F(LogReaders, OpenaiKeepsWhatTheLogSaysOfFailedRequests) {
  EXPECT_EQ(
      read_one("openai", R"({"custom_id":"a","response":null,"error":{"code":"x","message":"too long"}})")
          .failure,
      "the log says that the request failed: too long");
  EXPECT_EQ(read_one("openai",
                     R"({"custom_id":"a","response":{"status_code":400,"body":{"error":{"message":"bad"}}}})")
                .failure,
            "the log says that the request failed: bad");
  EXPECT_EQ(read_one("openai", R"({"custom_id":"a","response":{"status_code":503,"body":{}}})").failure,
            "the log says that the request failed with status 503");
  EXPECT_EQ(read_error("openai", R"({"custom_id":"a","response":{"status_code":200,"body":{}}})"),
            "the record has no 'choices', neither its own nor in 'response.body'; its keys are custom_id, "
            "response");
}

// ---- choosing

TEST_F(LogReaders, FormatIsToldByContent) {
  EXPECT_EQ(choose(kQwenMath + "\n"), "qwen-math");
  EXPECT_EQ(choose(kChat + "\n"), "openai");
  EXPECT_EQ(choose("[" + kJsonl + "]"), "jsonl");
  EXPECT_EQ(choose(R"({"custom_id":"a","response":null,"error":{"message":"m"}})"), "openai");
  EXPECT_EQ(choose("not json\n" + kQwenMath + "\n"), "qwen-math") << "a malformed line is no hindrance";
}

TEST_F(LogReaders, GivenGenerationFieldMeansJsonl) {
  EXPECT_EQ(choose(kQwenMath, "", {"output=/code/0"}), "jsonl");
  EXPECT_EQ(choose(kQwenMath, "", {"gold=answer"}), "qwen-math");
  EXPECT_EQ(choose(kQwenMath, "qwen-math", {"output=/code/0"}),
            "format qwen-math knows where output stands: --field output goes with other formats");
}

TEST_F(LogReaders, NothingOrTooMuchThatFitsIsAnError) {
  EXPECT_EQ(choose(R"({"a":1,"b":2})"),
            "LOG: no known format fits its first record (line 1), which has the keys a, b; known are jsonl, "
            "openai, "
            "qwen-math: name one with --format, or say with --field output=KEY what holds the output");
  const std::string both = R"({"code":["c"],"gt":"1","pred":["1"],"choices":[]})";
  EXPECT_EQ(choose(both), "LOG looks like format openai and like format qwen-math: name one with --format");
  EXPECT_EQ(choose(both, "openai"), "openai");
  EXPECT_EQ(choose(""), "LOG holds no JSON record");
  EXPECT_EQ(choose("hello\n"), "LOG holds no JSON record (line 1, column 1: malformed JSON: invalid value)");
}

TEST_F(LogReaders, WrongFormatOrFieldIsAnError) {
  EXPECT_EQ(choose(kJsonl, "xml"), "unknown format 'xml'; known are: jsonl, openai, qwen-math");
  EXPECT_EQ(
      choose(kJsonl, "qwen-math"),
      "LOG:1: not of format qwen-math: the record has no array 'code' of generations; its keys are question, "
      "answer, model_answer");
  EXPECT_EQ(
      choose(kJsonl, "", {"output=reply"}),
      "LOG: none of its first 1 records has 'reply', which --field output names; their keys are question, "
      "answer, model_answer");
}

TEST(LogReaderRegistry, HasARowForEveryFile) {
  const auto folder =
      std::filesystem::path(__FILE__).parent_path().parent_path().parent_path().parent_path() /
      "tools/import/readers";
  ASSERT_TRUE(std::filesystem::is_directory(folder));
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::string name = entry.path().stem().string();
    std::replace(name.begin(), name.end(), '_', '-');
    if (name != "registry") files.insert(name);
  }
  std::set<std::string> rows;
  for (const auto& row : log_readers()) {
    rows.insert(row.name);
    EXPECT_FALSE(row.description.empty()) << row.name;
  }
  EXPECT_EQ(rows, files);
}

/// Of every row, unasked: no record crashes it or is taken for its own.
TEST(LogReaderRegistry, EveryReaderRefusesRecordsOfOddShapes) {
  const FieldMap fields;
  const std::vector<std::string> odd = {"{}",
                                        R"({"choices":null})",
                                        R"({"choices":{}})",
                                        R"({"choices":[1,null,{}]})",
                                        R"({"response":{"body":7}})",
                                        R"({"code":{},"gt":1,"pred":2})",
                                        R"({"code":[],"gt":[],"score":{}})",
                                        R"({"output":[]})",
                                        R"({"output":[[]]})",
                                        R"({"output":7,"ids":[[],{}]})",
                                        R"({"messages":7,"choices":[{"message":{"content":3}}]})",
                                        R"({"error":[],"custom_id":[]})"};
  for (const auto& row : log_readers()) {
    const auto reader = row.make(schemas::Arguments(row.name, {}), fields);
    for (const std::string& text : odd) {
      RecordParser parser;
      RecordParser::Failure failure;
      const rapidjson::Value* record = parser.parse(text, failure);
      ASSERT_NE(record, nullptr) << text;
      static_cast<void>(reader->fit(*record));
      try {
        for (const LogRecord& log : reader->read(*record)) {
          EXPECT_TRUE(log.output.empty()) << row.name << ": " << text;
        }
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kInput) << row.name << ": " << text;
      }
    }
  }
}

}  // namespace
}  // namespace lil::tools
