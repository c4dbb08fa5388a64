#include <fstream>
#include <iterator>
#include <sstream>

#include "small_tokenizers.h"
#include "tests/support/test_data.h"

namespace lil::tests {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Conformance, SmallByteLevelGivesTheIdsOfHuggingFace) {
  const std::filesystem::path folder = LIL_TOKENIZER_TEST_FILES;
  const auto tokenizer = record::load_tokenizer(folder / "small_byte_level.json");
  const auto golden = nlohmann::json::parse(read_file(folder / "small_byte_level_ids.json"));
  ASSERT_EQ(golden.size(), 17);
  for (const auto& row : golden) {
    const auto text = row["text"].get<std::string>();
    EXPECT_EQ(tokenizer->encode(text, Special::kAsTokens), row["with_special"].get<Ids>()) << text;
    EXPECT_EQ(tokenizer->encode(text, Special::kAsText), row["as_text"].get<Ids>()) << text;
  }
}

/// Texts, each followed by a line of its own that says `__ggml_vocab_test__`, and a line of ids for each; the
/// last line has no end.
void expect_pairs_agree(const record::Tokenizer& tokenizer, const std::filesystem::path& stem) {
  constexpr std::string_view kEnd = "\n__ggml_vocab_test__\n";
  const std::string texts = read_file(stem.string() + ".inp");
  std::istringstream lines(read_file(stem.string() + ".out"));
  std::string line;
  std::size_t begin = 0;
  std::size_t pairs = 0;
  for (std::size_t end = 0; (end = texts.find(kEnd, begin)) != std::string::npos; begin = end + kEnd.size()) {
    ASSERT_TRUE(std::getline(lines, line));
    std::istringstream numbers(line);
    const Ids expected{std::istream_iterator<schemas::TokenId>(numbers), {}};
    const std::string text = texts.substr(begin, end - begin);
    EXPECT_EQ(tokenizer.encode(text, Special::kAsText), expected) << "'" << text << "'";
    EXPECT_EQ(decode(tokenizer, expected), text);
    ++pairs;
  }
  EXPECT_EQ(begin, texts.size());
  EXPECT_EQ(pairs, 46);
  EXPECT_FALSE(std::getline(lines, line));
}

std::size_t count_tokens(const record::Tokenizer& tokenizer, const std::filesystem::path& path) {
  std::ifstream file(path);
  std::size_t tokens = 0;
  for (std::string line; std::getline(file, line);) {
    const auto text = nlohmann::json::parse(line)["code"][0].get<std::string>();
    const Ids ids = tokenizer.encode(text, Special::kAsText);
    EXPECT_EQ(decode(tokenizer, ids), text);
    tokens += ids.size();
  }
  return tokens;
}

TEST(Conformance, QwenRanksAgreeWithPairsAndTokenCounts) {
  LIL_REAL_DATA_OR_SKIP(data, "");
  const auto tokenizer = record::load_tokenizer(data / "tokenizers/qwen.tiktoken");
  EXPECT_EQ(tokenizer->vocabulary().size(), 151'643);
  EXPECT_EQ(tokenizer->vocabulary().kind(), "bpe");
  expect_pairs_agree(*tokenizer, data / "tokenizers/ggml-vocab-qwen2.gguf");
  expect_pairs_agree(*tokenizer, data / "tokenizers/ggml-vocab-deepseek-r1-qwen.gguf");
  const auto traces = data / "traces/skythought";
  EXPECT_EQ(count_tokens(*tokenizer, traces / "Sky-T1-math-correct-5K-14B__aime24.jsonl"), 742'767);
  EXPECT_EQ(count_tokens(*tokenizer, traces / "Sky-T1-math-correct-5K-14B__amc23.jsonl"), 574'570);
}

TEST(Conformance, Stories260KGivesTheIdsOfHuggingFace) {
  LIL_REAL_DATA_OR_SKIP(folder, "models/stories260K");
  const auto tokenizer = record::load_tokenizer(folder);
  const auto encode = [&](const std::string& text) { return tokenizer->encode(text, Special::kAsTokens); };
  EXPECT_EQ(encode("Once upon a time, there was a little girl named Lily."),
            (Ids{403, 407, 261, 378, 432, 383, 286, 261, 376, 298, 315, 421, 395, 317, 426}));
  EXPECT_EQ(encode(""), Ids{});
  EXPECT_EQ(encode("  two  spaces"), (Ids{410, 410, 259, 424, 414, 410, 262, 427, 412, 331, 419}));
  EXPECT_EQ(encode("naïve 🙂\n"), (Ids{297, 412, 198, 178, 360, 410, 243, 162, 156, 133, 13}));
  EXPECT_EQ(encode("</s><s>Lily"), (Ids{2, 1, 317}));
  EXPECT_EQ(decode(*tokenizer, encode("naïve \xFF🙂\n")), " naïve \xFF🙂\n");
  EXPECT_EQ(tokenizer->prefix_token(), 1);
  EXPECT_TRUE(tokenizer->vocabulary().token(1).special);
}

}  // namespace
}  // namespace lil::tests
