// Does every record come out, with its place, and nothing else? Is every malformed one reported, with its
// place, and the rest kept?
#include "tools/import/json_records.h"

#include <gmock/gmock.h>

#include <boost/iostreams/copy.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filter/lzma.hpp>
#include <boost/iostreams/filter/zstd.hpp>
#include <boost/iostreams/filtering_streambuf.hpp>
#include <cmath>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "schemas/error.h"
#include "tests/support/import_support.h"
#include "tests/support/temporary_directory.h"
#include "tools/import/json_value.h"

namespace lil::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Gives out at most `piece` bytes a call, so that records cross every edge of the buffer.
class StringSource : public ByteSource {
 public:
  StringSource(std::string text, std::size_t piece) : text_(std::move(text)), piece_(piece) {}
  std::size_t read(std::span<char> buffer) override {
    const std::size_t count = text_.copy(buffer.data(), std::min(piece_, buffer.size()), position_);
    position_ += count;
    return count;
  }
  [[nodiscard]] std::int64_t file_bytes_read() const override { return static_cast<std::int64_t>(position_); }

 private:
  std::string text_;
  std::size_t piece_;
  std::size_t position_ = 0;
};

struct Outcome {
  std::vector<std::string> records;  ///< `line:index:a`, a being the text of member a
  std::vector<std::string> bad;      ///< `line:column@offset reason`
  std::int64_t surrogates = 0;
};

Outcome read_all(const std::string& text, std::size_t piece = 1 << 16) {
  Outcome outcome;
  JsonRecordReader reader(std::make_unique<StringSource>(text, piece), [&](const BadRecord& bad) {
    outcome.bad.push_back(std::to_string(bad.line) + ":" + std::to_string(bad.column) + "@" +
                          std::to_string(bad.offset) + " " + bad.reason);
  });
  while (const JsonRecord* record = reader.next()) {
    const rapidjson::Value* a = member(*record->value, "a");
    outcome.records.push_back(std::to_string(record->line) + ":" + std::to_string(record->index) + ":" +
                              (a == nullptr ? "-" : text_of(*a).value_or("?")));
    outcome.surrogates += record->lone_surrogates;
  }
  return outcome;
}

TEST(JsonRecords, ReadsJsonLinesWithTheirLineNumbers) {
  const Outcome outcome = read_all("{\"a\":1}\n{\"a\":\"two\"}\n{\"a\":3.5}\n");
  EXPECT_THAT(outcome.records, ElementsAre("1:0:1", "2:1:two", "3:2:3.5"));
  EXPECT_THAT(outcome.bad, IsEmpty());
}

TEST(JsonRecords, SkipsByteOrderMarkEmptyLinesAndCarriageReturns) {
  const Outcome outcome = read_all("\xef\xbb\xbf{\"a\":1}\r\n\r\n  \t\n{\"a\":2}\r\n");
  EXPECT_THAT(outcome.records, ElementsAre("1:0:1", "4:1:2"));
  EXPECT_THAT(outcome.bad, IsEmpty());
}

TEST(JsonRecords, NeedsNoNewlineAtTheEnd) {
  EXPECT_THAT(read_all("{\"a\":1}\n{\"a\":2}").records, ElementsAre("1:0:1", "2:1:2"));
}

TEST(JsonRecords, HasNoRecordInAnEmptyFile) {
  for (const char* text : {"", "\n\n", "\xef\xbb\xbf", "[]", " [ ] \n"}) {
    const Outcome outcome = read_all(text);
    EXPECT_THAT(outcome.records, IsEmpty()) << text;
    EXPECT_THAT(outcome.bad, IsEmpty()) << text;
  }
}

TEST(JsonRecords, ReportsAMalformedLineAndGoesOn) {
  const Outcome outcome = read_all("{\"a\":1}\n{\"a\":2,\"b\" 3}\n{\"a\":3}\n");
  EXPECT_THAT(outcome.records, ElementsAre("1:0:1", "3:2:3"));
  EXPECT_THAT(outcome.bad,
              ElementsAre("2:12@19 malformed JSON: missing a colon after a name of object member"));
}

TEST(JsonRecords, ReportsAHalfWrittenLastLine) {
  const Outcome outcome = read_all("{\"a\":1}\n{\"a\":\"tw");
  EXPECT_THAT(outcome.records, ElementsAre("1:0:1"));
  EXPECT_THAT(outcome.bad, ElementsAre("2:9@16 the last record is half-written: missing a closing quotation "
                                       "mark in string"));
}

TEST(JsonRecords, ReportsWhatIsNoObject) {
  const Outcome outcome = read_all("{\"a\":1}\n 7\n\"x\"\n");
  EXPECT_THAT(outcome.records, ElementsAre("1:0:1"));
  EXPECT_THAT(outcome.bad, ElementsAre("2:2@9 a record is an object, and this is a number",
                                       "3:1@11 a record is an object, and this is a string"));
}

TEST(JsonRecords, ReadsAnArrayOverManyLines) {
  const Outcome outcome = read_all("[\n  {\"a\": 1,\n   \"b\": \"]},{\\\"\"},\n  {\"a\": 2}, {\"a\":3}\n]\n");
  EXPECT_THAT(outcome.records, ElementsAre("2:0:1", "4:1:2", "4:2:3"));
  EXPECT_THAT(outcome.bad, IsEmpty());
}

TEST(JsonRecords, ReportsAMalformedArrayOnceAfterWhatCameBefore) {
  const Outcome outcome = read_all("[{\"a\":1},\n {\"a\":2,\n  \"b\": tru},\n {\"a\":3}]");
  EXPECT_THAT(outcome.records, ElementsAre("1:0:1"));
  EXPECT_THAT(outcome.bad, ElementsAre("3:11@29 malformed JSON: invalid value"));
}

TEST(JsonRecords, ReportsAnArrayThatIsNotClosed) {
  EXPECT_THAT(read_all("[{\"a\":1},\n").bad,
              ElementsAre("2:1@10 malformed JSON: the file ends inside the array"));
  EXPECT_THAT(read_all("[{\"a\":1}").bad,
              ElementsAre("1:9@8 malformed JSON: the file ends inside the array"));
  EXPECT_THAT(read_all("[{\"a\":1},{\"a\":").bad,
              ElementsAre("1:15@14 the last record is half-written: invalid value"));
}

TEST(JsonRecords, ReportsWhatIsWrongBetweenTheRecordsOfAnArray) {
  EXPECT_THAT(read_all("[{\"a\":1} {\"a\":2}]").bad,
              ElementsAre("1:10@9 malformed JSON: missing a comma or ']' before '{'"));
  EXPECT_THAT(read_all("[{\"a\":1},]").bad,
              ElementsAre("1:10@9 malformed JSON: a record is missing before ']'"));
  EXPECT_THAT(read_all("[,]").bad, ElementsAre("1:2@1 malformed JSON: a record is missing before ','"));
  EXPECT_THAT(read_all("[{\"a\":1}]\n{\"a\":2}\n").bad,
              ElementsAre("2:1@10 malformed JSON: the array has ended, but more follows"));
  EXPECT_THAT(read_all("[{\"a\":1}}]").bad,
              ElementsAre("1:9@8 malformed JSON: missing a comma or ']' before '}'"));
}

TEST(JsonRecords, ReadsPrettyPrintedObjectsThatFollowOneAnother) {
  EXPECT_THAT(read_all("{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}\n").records, ElementsAre("1:0:1", "4:1:2"));
}

TEST(JsonRecords, GivesTheSameWhateverThePiecesInWhichTheFileComes) {
  const std::string lines = "{\"a\":\"x\\\\\"}\n{\"a\":\"\\\"\"}\r\n\n{\"a\" 1}\n{\"a\":[1,{\"b\":\"]\"}]}";
  const std::string array = "[{\"a\":\"x\\\\\"},{\"a\":\"\\\"\"},\n\n{\"a\":2},{\"a\" 1}]";
  for (const std::string& text : {lines, array}) {
    const Outcome whole = read_all(text);
    for (std::size_t piece = 1; piece < text.size(); ++piece) {
      const Outcome pieces = read_all(text, piece);
      EXPECT_EQ(pieces.records, whole.records) << piece;
      EXPECT_EQ(pieces.bad, whole.bad) << piece;
    }
  }
}

TEST(JsonRecords, CutsRandomArraysWhereAWholeParserDoes) {
  std::mt19937 random(7);
  const std::vector<std::string> values = {"1",      "\"\\\\\"",      "\"\\\"\"",     "[]",
                                           "{}",     "[{},[1]]",      "\"[{\"",       "null",
                                           "-1.5e3", "{\"b\":\"}\"}", "\"\\\\\\\"\"", "\"a\\\\\\\\\"",
                                           "true"};
  for (int trial = 0; trial < 300; ++trial) {
    std::string text = "[";
    const int count = 1 + static_cast<int>(random() % 5);
    for (int i = 0; i < count; ++i) {
      text += (i == 0 ? "" : ",") + std::string(random() % 3, '\n') +
              "{\"a\":" + values[random() % values.size()] + std::string(random() % 2, ' ') +
              ",\"n\":" + values[random() % values.size()] + "}";
    }
    text += "]";
    rapidjson::Document whole;
    const std::string padded = text + std::string(32, '\0');  // the library reads ahead
    ASSERT_FALSE(whole.Parse(padded.c_str()).HasParseError()) << text;
    std::size_t index = 0;
    JsonRecordReader reader(std::make_unique<StringSource>(text, 1 + random() % 9),
                            [&](const BadRecord& bad) { ADD_FAILURE() << text << ": " << bad.reason; });
    while (const JsonRecord* record = reader.next()) {
      ASSERT_LT(index, whole.Size());
      EXPECT_EQ(*record->value, whole[static_cast<rapidjson::SizeType>(index++)]) << text;
    }
    EXPECT_EQ(index, whole.Size()) << text;
  }
}

TEST(JsonRecords, KeepsInvalidUtf8AsBytes) {
  const Outcome outcome = read_all("{\"a\":\"\xff\xc3(\"}\n");
  EXPECT_THAT(outcome.records, ElementsAre("1:0:\xff\xc3("));
}

TEST(JsonRecords, TakesNanAndInfinityForNull) {
  JsonRecordReader reader(
      std::make_unique<StringSource>("{\"a\": NaN, \"b\": -Infinity, \"c\": Infinity, \"d\": 0}\n", 1000),
      [](const BadRecord& bad) { ADD_FAILURE() << bad.reason; });
  const JsonRecord* record = reader.next();
  ASSERT_NE(record, nullptr);
  for (const char* key : {"a", "b", "c"}) EXPECT_EQ(member(*record->value, key), nullptr) << key;
  EXPECT_NE(member(*record->value, "d"), nullptr);
}

TEST(JsonRecords, ReadsHalfASurrogatePairAsReplacementCharacterAndCountsIt) {
  const std::string replacement = "\xef\xbf\xbd";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\\ud800", replacement},
      {"x\\uDC80y", "x" + replacement + "y"},
      {"\\udc00\\ud800", replacement + replacement},
      {"\\ud800\\ud83d\\ude00", replacement + "\xf0\x9f\x98\x80"},
      {"\\ud800\\n", replacement + "\n"}};
  for (const auto& [escaped, text] : cases) {
    const Outcome outcome = read_all("{\"a\":\"" + escaped + "\"}\n");
    EXPECT_THAT(outcome.records, ElementsAre("1:0:" + text)) << escaped;
    EXPECT_GT(outcome.surrogates, 0) << escaped;
  }
  for (const auto& [escaped, text] :
       std::vector<std::pair<std::string, std::string>>{{"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
                                                        {"\\\\ud800", "\\ud800"},
                                                        {"\\\\\\\\uD800", "\\\\uD800"}}) {
    const Outcome outcome = read_all("{\"a\":\"" + escaped + "\"}\n");
    EXPECT_THAT(outcome.records, ElementsAre("1:0:" + text)) << escaped;
    EXPECT_EQ(outcome.surrogates, 0) << escaped;
  }
}

TEST(JsonRecords, ReportsBareControlCharactersAndNulBytes) {
  using std::string_literals::operator""s;
  const Outcome outcome = read_all("{\"a\":\"x\0y\"}\n{\"a\":1}\0\n{\"a\":\"\x01\"}\n{\"a\":\"\\u0000\"}\n"s);
  EXPECT_THAT(outcome.bad,
              ElementsAre("1:8@7 malformed JSON: a NUL byte", "2:8@19 malformed JSON: a NUL byte",
                          "3:7@27 malformed JSON: a bare control character (0x01) in a string"));
  EXPECT_THAT(outcome.records, ElementsAre("4:3:\0"s));
}

TEST(JsonRecords, ReadsALineOfManyMegabytes) {
  const std::string text(std::size_t{10} << 20, 'x');
  const Outcome outcome = read_all("{\"a\":\"" + text + "\"}\n{\"a\":2}\n");
  EXPECT_THAT(outcome.records, ElementsAre("1:0:" + text, "2:1:2"));
}

TEST(JsonRecords, DoesNotOverflowTheStackOnDeepNesting) {
  const std::size_t depth = 100000;
  const std::string deep = std::string(depth, '[') + std::string(depth, ']');
  std::string objects;
  for (std::size_t i = 0; i < depth; ++i) objects += "{\"b\":";
  objects += "1" + std::string(depth, '}');
  const Outcome outcome = read_all("{\"a\":1,\"b\":" + deep + "}\n{\"a\":2,\"b\":" + objects +
                                   "}\n{\"a\":" + deep.substr(1) + "}\n");
  EXPECT_THAT(outcome.records, ElementsAre("1:0:1", "2:1:2"));
  EXPECT_EQ(outcome.bad.size(), 1U);
  EXPECT_THAT(read_all("[{\"a\":1,\"b\":" + deep + "}]").records, ElementsAre("1:0:1"));
}

template <class Compressor>
std::string compressed(const std::string& text, Compressor compressor) {
  std::istringstream input(text);
  std::ostringstream output;
  boost::iostreams::filtering_streambuf<boost::iostreams::input> stream;
  stream.push(compressor);
  stream.push(input);
  boost::iostreams::copy(stream, output);
  return output.str();
}

class CompressedFile : public ::testing::Test {
 protected:
  Outcome read(const std::string& bytes) {
    const InputFile file = InputFile::open(tests::write_file(folder_ / "log.jsonl", bytes));
    Outcome outcome;
    JsonRecordReader reader(file.reader(), [&](const BadRecord& bad) { outcome.bad.push_back(bad.reason); });
    while (const JsonRecord* record = reader.next()) {
      outcome.records.push_back(text_of(*member(*record->value, "a")).value_or("?"));
    }
    return outcome;
  }

  tests::TemporaryDirectory folder_;
};

TEST_F(CompressedFile, IsReadAsItIs) {
  namespace io = boost::iostreams;
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "{\"a\":" + std::to_string(i) + "}\n";
  const Outcome plain = read(text);
  EXPECT_EQ(plain.records.size(), 20000U);
  const std::string gzip = compressed(text, io::gzip_compressor());
  const std::string xz = compressed(text, io::lzma_compressor());
  const std::string zstd = compressed(text, io::zstd_compressor());
  for (const std::string& bytes : {gzip, xz, zstd}) {
    ASSERT_LT(bytes.size(), text.size());
    EXPECT_EQ(read(bytes).records, plain.records);
    EXPECT_EQ(read(bytes + bytes).records.size(), 40000U) << "one compressed file after another";
  }
}

TEST_F(CompressedFile, SaysThatItIsDamagedOrCutOff) {
  namespace io = boost::iostreams;
  std::mt19937 random(3);
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "{\"a\":" + std::to_string(random()) + "}\n";
  const std::string gzip = compressed(text, io::gzip_compressor());
  const std::string xz = compressed(text, io::lzma_compressor());
  for (const std::string& bytes : {gzip.substr(0, gzip.size() / 2), xz.substr(0, xz.size() / 2)}) {
    try {
      read(bytes);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInput);
      EXPECT_THAT(error.what(), HasSubstr("log.jsonl: the compressed data is damaged or cut off after"));
    }
  }
  // The zstd filter takes a cut for the end; what is left of the last line still gives it away.
  const std::string zstd = compressed(text, io::zstd_compressor());
  EXPECT_THAT(read(zstd.substr(0, zstd.size() / 2)).bad, ElementsAre(HasSubstr("half-written")));
}

TEST(InputFileTest, NamesItsStem) {
  const tests::TemporaryDirectory folder;
  for (const auto& [name, stem] : std::vector<std::pair<std::string, std::string>>{
           {"Qwen2.5-Math-7B__math500.jsonl", "Qwen2.5-Math-7B__math500"},
           {"a.jsonl.gz", "a"},
           {"b.json.zst", "b"},
           {"c", "c"}}) {
    EXPECT_EQ(InputFile::open(tests::write_file(folder / name, "{}")).stem(), stem);
  }
}

TEST(InputFileTest, SaysWhatIsWrongWithAPath) {
  const tests::TemporaryDirectory folder;
  const auto message = [](const std::filesystem::path& path) -> std::string {
    try {
      static_cast<void>(InputFile::open(path));
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing";
  };
  EXPECT_EQ(message(folder / "none.jsonl"), (folder / "none.jsonl").string() + ": no such file");
  EXPECT_EQ(message(folder.path()), folder.path().string() + " is a folder, not a file");
}

}  // namespace
}  // namespace lil::tools
