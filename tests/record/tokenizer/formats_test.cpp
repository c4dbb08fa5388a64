#include "schemas/error.h"
#include "small_tokenizers.h"

namespace lil::tests {
namespace {

nlohmann::json added(int id, const std::string& content, bool special) {
  return {{"id", id}, {"content", content}, {"special", special}, {"normalized", false}};
}

/// Metaspace by normalizer and bytes as fallback: ids 0 to 255 are the bytes.
nlohmann::json byte_fallback_json() {
  nlohmann::json vocab;
  constexpr char kDigits[] = "0123456789ABCDEF";
  for (int byte = 0; byte < 256; ++byte) {
    vocab[std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">"] = byte;
  }
  for (const std::string token : {"▁", "a", "b", "▁a", "ab", "<s>"}) vocab[token] = vocab.size();
  return nlohmann::json::parse(R"({
      "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                     {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
      "post_processor": {"type": "TemplateProcessing", "pair": [],
                         "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
                         "special_tokens": {"<s>": {"id": "<s>", "ids": [261], "tokens": ["<s>"]}}},
      "model": {"type": "BPE", "byte_fallback": true, "merges": ["▁ a", "a b"]}})")
      .patch({{{"op", "add"}, {"path", "/model/vocab"}, {"value", vocab}},
              {{"op", "add"}, {"path", "/added_tokens"}, {"value", {added(261, "<s>", true)}}}});
}

nlohmann::json word_json() {
  return nlohmann::json::parse(R"({
      "added_tokens": [{"id": 0, "content": "<eos>", "special": true}],
      "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "<eos>|Cork|[a-z]+|."}, "behavior": "Isolated"},
      "model": {"type": "WordLevel", "vocab": {"<eos>": 0, "Cork": 1, " ": 2, "to": 3, "?": 4}}})");
}

TEST(TokenizerJson, MergesMayBeStringsOrPairs) {
  nlohmann::json file = byte_level_json({{"a", "b"}, {"b", "c"}, {"ab", "c"}});
  const Ids ids = load_text(file.dump())->encode("abcbc", Special::kAsText);
  EXPECT_EQ(ids, (Ids{258, 257}));
  file["model"]["merges"] = {"a b", "b c", "ab c"};
  EXPECT_EQ(load_text(file.dump())->encode("abcbc", Special::kAsText), ids);
  file["model"]["merges"] = {"b c", "a b", "ab c"};
  EXPECT_EQ(load_text(file.dump())->encode("abcbc", Special::kAsText), (Ids{'a', 257, 257}));
}

TEST(TokenizerJson, IgnoreMergesTakesWholePiecesFirst) {
  nlohmann::json file = byte_level_json({{"a", "b"}});
  file["model"]["vocab"]["abc"] = 257;
  EXPECT_EQ(load_text(file.dump())->encode("abc", Special::kAsText), (Ids{256, 'c'}));
  file["model"]["ignore_merges"] = true;
  EXPECT_EQ(load_text(file.dump())->encode("abc", Special::kAsText), (Ids{257}));
}

TEST(TokenizerJson, SpecialTokensAreTextOrTokens) {
  nlohmann::json file = byte_level_json({});
  file["added_tokens"] = {added(256, "<eos>", true), added(257, "<think>", false), added(258, "<e", true)};
  const auto tokenizer = load_text(file.dump());
  EXPECT_EQ(tokenizer->encode("a<eos><think>", Special::kAsTokens), (Ids{'a', 256, 257}));
  EXPECT_EQ(tokenizer->encode("<eo", Special::kAsTokens), (Ids{258, 'o'}));
  EXPECT_EQ(tokenizer->encode("<eos><think>", Special::kAsText), (Ids{'<', 'e', 'o', 's', '>', 257}));
  EXPECT_TRUE(tokenizer->vocabulary().token(256).special);
  EXPECT_FALSE(tokenizer->vocabulary().token(257).special);
  EXPECT_EQ(tokenizer->vocabulary().token(257).bytes, "<think>");
}

TEST(TokenizerJson, AddedTokensTakeSpacesAlongAndStandAlone) {
  nlohmann::json file = byte_level_json({});
  file["added_tokens"] = {added(256, "<l>", false), added(257, "<r>", false), added(258, "word", false)};
  file["added_tokens"][0]["lstrip"] = true;
  file["added_tokens"][1]["rstrip"] = true;
  file["added_tokens"][2]["single_word"] = true;
  const auto tokenizer = load_text(file.dump());
  EXPECT_EQ(tokenizer->encode("a \xC2\xA0<l> b", Special::kAsText), (Ids{'a', 256, ' ', 'b'}));
  EXPECT_EQ(tokenizer->encode("a <r> \n<l>b", Special::kAsText), (Ids{'a', ' ', 257, 256, 'b'}));
  EXPECT_EQ(tokenizer->encode("word words", Special::kAsText), (Ids{258, ' ', 'w', 'o', 'r', 'd', 's'}));
}

TEST(TokenizerJson, ByteFallbackGivesRealBytes) {
  const auto tokenizer = load_text(byte_fallback_json().dump());
  EXPECT_EQ(tokenizer->encode("ab b", Special::kAsText), (Ids{259, 258, 256, 258}));
  EXPECT_EQ(tokenizer->encode("ä\xFF", Special::kAsText), (Ids{256, 0xC3, 0xA4, 0xFF}));
  EXPECT_EQ(tokenizer->encode("<s>a", Special::kAsTokens), (Ids{261, 259}));
  EXPECT_EQ(tokenizer->vocabulary().token(10).bytes, "\n");
  EXPECT_EQ(tokenizer->vocabulary().token(259).bytes, " a");
  EXPECT_EQ(tokenizer->vocabulary().token(261).bytes, "<s>");
  EXPECT_EQ(tokenizer->prefix_token(), 261);
  EXPECT_EQ(decode(*tokenizer, tokenizer->encode("a b\xF0\x9F\x99\x82", Special::kAsText)),
            " a b\xF0\x9F\x99\x82");
}

TEST(TokenizerJson, UnknownCharactersFuseOrNot) {
  nlohmann::json file = {{"model",
                          {{"type", "BPE"},
                           {"unk_token", "?"},
                           {"merges", nlohmann::json::array()},
                           {"vocab", {{"?", 0}, {"a", 1}}}}}};
  EXPECT_EQ(load_text(file.dump())->encode("xxaxä", Special::kAsText), (Ids{0, 0, 1, 0, 0}));
  file["model"]["fuse_unk"] = true;
  EXPECT_EQ(load_text(file.dump())->encode("xxaxä", Special::kAsText), (Ids{0, 1, 0}));
  file["model"]["unk_token"] = nullptr;
  EXPECT_THROW((void)load_text(file.dump())->encode("ax", Special::kAsText), Error);
}

TEST(TokenizerJson, WordLevelLooksWordsUp) {
  nlohmann::json file = word_json();
  auto tokenizer = load_text(file.dump());
  EXPECT_EQ(tokenizer->encode("to Cork<eos>", Special::kAsTokens), (Ids{3, 2, 1, 0}));
  EXPECT_EQ(tokenizer->vocabulary().kind(), "wordlevel");
  EXPECT_THROW((void)tokenizer->encode("to York", Special::kAsTokens), Error);
  EXPECT_THROW((void)tokenizer->encode("<eos>", Special::kAsText), Error);
  file["model"]["unk_token"] = "?";
  tokenizer = load_text(file.dump());
  EXPECT_EQ(tokenizer->encode("to xx<eos>", Special::kAsText), (Ids{3, 2, 4, 4}));
}

TEST(TokenizerJson, CompositionJoinsMarks) {
  nlohmann::json file = byte_level_json({});
  file["normalizer"] = {{"type", "NFC"}};
  const auto tokenizer = load_text(file.dump());
  const auto composed = [&](const std::string& text) {
    return decode(*tokenizer, tokenizer->encode(text, Special::kAsText));
  };
  EXPECT_EQ(composed("xe\u0301y"), "x\u00e9y");
  EXPECT_EQ(composed("q\u0307\u0323"), "q\u0323\u0307");
  EXPECT_EQ(composed("\u1112\u1161\u11ab"), "\ud55c");
  EXPECT_EQ(composed("\u212b"), "\u00c5");
  EXPECT_EQ(composed("e\xFF\u0301"), "e\xFF\u0301");
  EXPECT_EQ(composed("言葉 \u2264 ä"), "言葉 \u2264 ä");
}

TEST(TokenizerJson, StepsCutInOrder) {
  nlohmann::json file = byte_level_json({{"1", "2"}, {"Ġ", "a"}, {"a", "a"}});
  const nlohmann::json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"use_regex", true}};
  const auto with = [&](const nlohmann::json& first) {
    file["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {first, byte_level}}};
    return decode(*load_text(file.dump()), load_text(file.dump())->encode("aa12", Special::kAsText));
  };
  EXPECT_EQ(with({{"type", "Digits"}, {"individual_digits", true}}), " aa 1 2");
  EXPECT_EQ(with({{"type", "Digits"}, {"individual_digits", false}}), " aa 12");
  EXPECT_EQ(with({{"type", "Split"}, {"pattern", {{"String", "a"}}}, {"behavior", "Removed"}}), " 12");
  EXPECT_EQ(
      with({{"type", "Split"}, {"pattern", {{"Regex", "a|1"}}}, {"behavior", "Removed"}, {"invert", true}}),
      " a a 1");
  EXPECT_EQ(with({{"type", "Split"}, {"pattern", {{"Regex", "x*"}}}, {"behavior", "Isolated"}}), " a a 1 2");
}

TEST(Tiktoken, HolesAndBlankLinesAreAllowed) {
  const auto tokenizer = load_text("YQ== 0\r\n\nYg== 3\nYWI= 5");
  EXPECT_EQ(tokenizer->encode("abb", Special::kAsText), (Ids{5, 3}));
  EXPECT_EQ(tokenizer->vocabulary().size(), 6);
  EXPECT_THROW((void)tokenizer->encode("abc", Special::kAsText), Error);
}

}  // namespace
}  // namespace lil::tests
