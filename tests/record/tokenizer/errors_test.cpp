#include <gmock/gmock.h>

#include "schemas/error.h"
#include "small_tokenizers.h"

namespace lil::tests {
namespace {

using testing::HasSubstr;

/// The message with which load_tokenizer refuses `content`; it must name the file.
std::string refusal(const std::string& content) {
  try {
    (void)load_text(content);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInput);
    EXPECT_THAT(error.what(), HasSubstr("/tokenizer.json"));
    return error.what();
  }
  return "not refused";
}

/// The same for a good tokenizer.json with one change.
std::string refusal_with(const std::string& pointer, const nlohmann::json& value) {
  nlohmann::json file = byte_level_json({{"a", "b"}});
  file[nlohmann::json::json_pointer(pointer)] = value;
  return refusal(file.dump());
}

TEST(Refusals, NameTheUnsupportedPart) {
  EXPECT_THAT(refusal_with("/model/type", "Unigram"), HasSubstr("model.type: 'Unigram' is not supported"));
  EXPECT_THAT(refusal_with("/model/type", "WordPiece"), HasSubstr("'WordPiece'"));
  EXPECT_THAT(refusal_with("/normalizer", {{"type", "Lowercase"}}),
              HasSubstr("normalizer.type: 'Lowercase'"));
  EXPECT_THAT(
      refusal_with("/normalizer",
                   nlohmann::json::parse(
                       R"({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "NFKC"}]})")),
      HasSubstr("normalizer.normalizers[1].type: 'NFKC'"));
  EXPECT_THAT(
      refusal_with("/normalizer", nlohmann::json::parse(
                                      R"({"type": "Replace", "pattern": {"String": "x"}, "content": "y"})")),
      HasSubstr("only the space"));
  EXPECT_THAT(refusal_with("/pre_tokenizer", {{"type", "Metaspace"}}),
              HasSubstr("pre_tokenizer.type: 'Metaspace'"));
  EXPECT_THAT(refusal_with("/pre_tokenizer",
                           nlohmann::json::parse(
                               R"({"type": "Split", "pattern": {"String": "x"}, "behavior": "Contiguous"})")),
              HasSubstr("pre_tokenizer.behavior: 'Contiguous'"));
  EXPECT_THAT(
      refusal_with(
          "/pre_tokenizer",
          nlohmann::json::parse(
              R"({"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]})")),
      HasSubstr("pretokenizers[1]: nothing is supported after ByteLevel"));
  EXPECT_THAT(refusal_with("/post_processor", {{"type", "BertProcessing"}}), HasSubstr("'BertProcessing'"));
  EXPECT_THAT(refusal_with("/model/dropout", 0.1), HasSubstr("model.dropout"));
  EXPECT_THAT(refusal_with("/model/end_of_word_suffix", "</w>"), HasSubstr("model.end_of_word_suffix"));
}

TEST(Refusals, SayWhereTheJsonIsBroken) {
  EXPECT_THAT(refusal("{\n\"model\": }"), HasSubstr("line 2, column 10"));
  EXPECT_THAT(refusal("{\"a\": \"\xFF\"}"), HasSubstr("is not JSON"));
  EXPECT_THAT(refusal("{}"), HasSubstr("'model' is missing"));
  EXPECT_THAT(refusal("{\"model\": 7}"), HasSubstr("model: an object is wanted"));
  EXPECT_THAT(refusal(std::string(100'000, '[').insert(0, "{\"a\":")), HasSubstr("is not JSON"));
  EXPECT_THAT(refusal_with("/model/merges", "a b"), HasSubstr("model.merges: an array is wanted"));
  EXPECT_THAT(refusal_with("/added_tokens", {{{"id", 300}}}),
              HasSubstr("added_tokens[0]: 'content' is missing"));
}

TEST(Refusals, CatchBadIds) {
  EXPECT_THAT(refusal_with("/model/vocab/xx", -1), HasSubstr("vocab['xx']: id -1 is negative"));
  EXPECT_THAT(refusal_with("/model/vocab/xx", 7), HasSubstr("id 7 has another token already"));
  EXPECT_THAT(refusal_with("/model/vocab/xx", 2'000'000'000), HasSubstr("too far beyond"));
  EXPECT_THAT(refusal_with("/model/vocab/xx", 18'446'744'073'709'551'615U),
              HasSubstr("an integer is wanted"));
  EXPECT_THAT(refusal_with("/model/vocab/xx", 1.5), HasSubstr("an integer is wanted, and this is 1.5"));
  EXPECT_THAT(refusal_with("/added_tokens", {{{"id", 2'147'483'648}, {"content", "x"}}}),
              HasSubstr("out of range"));
  EXPECT_THAT(refusal_with("/added_tokens", {{{"id", 7}, {"content", "<x>"}}}),
              HasSubstr("added_tokens['<x>']"));
  EXPECT_THAT(refusal_with("/added_tokens", {{{"id", 300}, {"content", "ab"}}}),
              HasSubstr("two ids, 256 and 300"));
}

TEST(Refusals, CatchBadMerges) {
  EXPECT_THAT(refusal_with("/model/merges/0", "a"), HasSubstr("model.merges[0]: two tokens"));
  EXPECT_THAT(refusal_with("/model/merges/0", "a b c"), HasSubstr("this is 'a b c'"));
  EXPECT_THAT(refusal_with("/model/merges/0", {"a", "zz"}), HasSubstr(": 'zz' is not in the vocabulary"));
  EXPECT_THAT(refusal_with("/model/merges/0", {"a", "c"}), HasSubstr("'ac' is not in the vocabulary"));
  EXPECT_THAT(refusal_with("/model/merges/0", {"a"}), HasSubstr("two tokens are wanted"));
  EXPECT_THAT(refusal_with("/model/merges/1", {"a", "b"}),
              HasSubstr("merges[1]: the pair 'a' and 'b' is there"));
}

TEST(Refusals, CatchPatternsThatWouldCutElsewhere) {
  const auto with_pattern = [](const std::string& pattern) {
    return refusal_with("/pre_tokenizer",
                        {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}});
  };
  EXPECT_THAT(with_pattern("(a"), HasSubstr("is not a regular expression"));
  EXPECT_THAT(with_pattern(R"(x\h)"), HasSubstr("the pattern has '\\h' at offset 1"));
  EXPECT_THAT(with_pattern(R"([\W])"), HasSubstr("in a class"));
  EXPECT_THAT(with_pattern("[a&&b]"), HasSubstr("'&&'"));
  EXPECT_THAT(with_pattern("[a[b]]"), HasSubstr("'[' in a class"));
  EXPECT_THAT(with_pattern("a{1,3}+"), HasSubstr("'+' after '}'"));
  EXPECT_THAT(with_pattern("a{,3}"), HasSubstr("'{,'"));
  EXPECT_THAT(with_pattern("(?m:a)"), HasSubstr("'(?m'"));
  EXPECT_THAT(with_pattern("(*UTF)a"), HasSubstr("'(*'"));
  EXPECT_THAT(with_pattern("a\\"), HasSubstr("is not a regular expression"));
}

TEST(Refusals, NameTheLineOfARankFile) {
  EXPECT_THAT(refusal("YQ== 0\nnonsense\n"), HasSubstr("line 2: a piece in base64, a space and a rank"));
  EXPECT_THAT(refusal("YQ== 0\nY== 1\n"), HasSubstr("line 2: 'Y==' is not a piece"));
  EXPECT_THAT(refusal("YQ== 0\nY*== 1\n"), HasSubstr("line 2: 'Y*==' is not a piece"));
  EXPECT_THAT(refusal("YQ== 0\n 1\n"), HasSubstr("line 2"));
  EXPECT_THAT(refusal("YQ== 0\nYg== x\n"), HasSubstr("line 2: 'x' is not a rank"));
  EXPECT_THAT(refusal("YQ== 0\nYg== 1 2\n"), HasSubstr("line 2: '1 2' is not a rank"));
  EXPECT_THAT(refusal("YQ== 0\nYg== -1\n"), HasSubstr("line 2: id -1 is negative"));
  EXPECT_THAT(refusal("YQ== 0\nYg== 0\n"), HasSubstr("line 2: id 0 has another token"));
  EXPECT_THAT(refusal("YQ== 0\nYQ== 1\n"), HasSubstr("line 2: the piece has a rank already"));
  EXPECT_THAT(refusal("YQ== 0\nYg== 99999999\n"), HasSubstr("line 2: id 99999999 is too far"));
  EXPECT_THAT(refusal("YQ== 0\nYg== 99999999999999999999\n"), HasSubstr("line 2"));
  EXPECT_THAT(refusal(base64(std::string(4097, 'a')) + " 0"), HasSubstr("4097 bytes is too long"));
  EXPECT_THAT(refusal(" \n"), HasSubstr("is empty"));
}

TEST(Refusals, SayThatAFileIsNotThere) {
  try {
    (void)record::load_tokenizer("no-such-folder/tokenizer.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_THAT(error.what(), HasSubstr("no-such-folder/tokenizer.json"));
  }
}

TEST(Encoding, EndsARunawayPatternWithAnError) {
  nlohmann::json file = byte_level_json({}, R"((?:a|a)+$|(?:a|a)+b)");
  EXPECT_THROW((void)load_text(file.dump())->encode(std::string(64, 'a') + "c", Special::kAsText), Error);
}

}  // namespace
}  // namespace lil::tests
