#include <algorithm>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "small_tokenizers.h"

namespace lil::tests {
namespace {

std::string random_text(std::mt19937& random, std::string_view letters, std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i) text += letters[random() % letters.size()];
  return text;
}

/// The slow twin: joins the leftmost pair of the lowest rank until none has a rank.
template <class Rank>
std::vector<std::string> merge_slowly(const std::string& text, const Rank& rank) {
  constexpr int kNever = std::numeric_limits<int>::max();
  std::vector<std::string> parts;
  for (const char c : text) parts.emplace_back(1, c);
  while (true) {
    int lowest = kNever;
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      if (const int here = rank(parts[i], parts[i + 1]); here < lowest) {
        lowest = here;
        at = i;
      }
    }
    if (lowest == kNever) return parts;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

/// Lengths at both sides of where the merging changes its method.
constexpr std::size_t kLengths[] = {1, 2, 3, 5, 17, 63, 64, 65, 66, 300};

TEST(BytePair, MergesOfTokenizerJsonAgreeWithSlowTwin) {
  std::mt19937 random(1);
  for (int round = 0; round < 40; ++round) {
    std::vector<std::string> tokens = {"a", "b", "c"};
    MergeList merges;
    std::map<std::pair<std::string, std::string>, int> ranks;
    while (merges.size() < 25) {
      const std::pair pair(tokens[random() % tokens.size()], tokens[random() % tokens.size()]);
      if (!ranks.emplace(pair, static_cast<int>(merges.size())).second) continue;
      merges.push_back(pair);
      tokens.push_back(pair.first + pair.second);
    }
    std::shuffle(merges.begin(), merges.end(), random);
    for (std::size_t i = 0; i < merges.size(); ++i) ranks[merges[i]] = static_cast<int>(i);
    const nlohmann::json file = byte_level_json(merges);
    const auto tokenizer = load_text(file.dump());
    for (const std::size_t length : kLengths) {
      const std::string text = random_text(random, "abc", length);
      Ids expected;
      for (const std::string& part : merge_slowly(text, [&](const std::string&left, const std::string&right) {
             const auto found = ranks.find({left, right});
             return found == ranks.end() ? std::numeric_limits<int>::max() : found->second;
           })) {
        expected.push_back(file["model"]["vocab"][part].get<int>());
      }
      ASSERT_EQ(tokenizer->encode(text, Special::kAsText), expected)
          << "round " << round << ", text " << text;
    }
  }
}

TEST(BytePair, RanksOfTiktokenAgreeWithSlowTwin) {
  std::mt19937 random(2);
  for (int round = 0; round < 60; ++round) {
    // Pieces in any order: some come about only over pieces of a higher rank, some not at all.
    std::set<std::string> distinct;
    while (distinct.size() < 30) distinct.insert(random_text(random, "abc", 2 + random() % 5));
    std::vector<std::string> pieces(distinct.begin(), distinct.end());
    std::shuffle(pieces.begin(), pieces.end(), random);
    std::map<std::string, int> ranks;
    for (int byte = 0; byte < 256; ++byte) ranks[std::string(1, static_cast<char>(byte))] = byte;
    for (std::size_t i = 0; i < pieces.size(); ++i) ranks[pieces[i]] = 256 + static_cast<int>(i);
    const auto tokenizer = load_text(tiktoken_text(pieces));
    const auto slowly = [&](const std::string& text) {
      if (ranks.contains(text)) return Ids{ranks[text]};
      Ids ids;
      for (const std::string& part : merge_slowly(text, [&](const std::string&left, const std::string&right) {
             const auto found = ranks.find(left + right);
             return found == ranks.end() ? std::numeric_limits<int>::max() : found->second;
           })) {
        ids.push_back(ranks[part]);
      }
      return ids;
    };
    for (const std::size_t length : kLengths) {
      const std::string text = random_text(random, "abc", length);
      ASSERT_EQ(tokenizer->encode(text, Special::kAsText), slowly(text))
          << "round " << round << ", text " << text;
    }
    for (const std::string& piece : pieces) {
      ASSERT_EQ(tokenizer->encode(piece, Special::kAsText), slowly(piece)) << "round " << round;
    }
  }
}

class RoundTrip : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    const MergeList merges = {{"t", "h"}, {"th", "e"},  {"Ġ", "the"}, {"Ġ", "Ġ"}, {"ĠĠ", "ĠĠ"},
                              {"a", "a"}, {"aa", "aa"}, {"Ã", "¤"},   {"é", "»"}};
    tokenizer_ =
        GetParam() ? load_text(byte_level_json(merges, kQwenPattern).dump())
                   : load_text(tiktoken_text({"th", "the", " the", "  ", "    ", "aa", "aaaa", "\xC3\xA4"}));
  }
  void expect_same(const std::string& text) const {
    ASSERT_EQ(decode(*tokenizer_, tokenizer_->encode(text, Special::kAsText)), text);
  }
  std::unique_ptr<record::Tokenizer> tokenizer_;
};
INSTANTIATE_TEST_SUITE_P(Formats, RoundTrip, testing::Bool(),
                         [](const auto& form) { return form.param ? "TokenizerJson" : "Tiktoken"; });

TEST_P(RoundTrip, KeepsRandomBytes) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (std::size_t i = random() % 200; i > 0; --i) text += static_cast<char>(random());
    expect_same(text);
  }
}

TEST_P(RoundTrip, KeepsTextWithStrayBytes) {
  const std::vector<std::string> parts = {"the",
                                          " the",
                                          "  ",
                                          "\n",
                                          "a",
                                          "\xC3\xA4",
                                          "\xE8\xA8\x80",
                                          "\xF0\x9F\x99\x82",
                                          "\xC3",
                                          "\x80",
                                          "\xED\xA0\x80",
                                          "\xF4\x90\x80\x80",
                                          "\xC0\xAF",
                                          "\xFF",
                                          "7"};
  std::mt19937 random(4);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (std::size_t i = random() % 40; i > 0; --i) text += parts[random() % parts.size()];
    expect_same(text);
  }
}

TEST_P(RoundTrip, KeepsEveryCharacter) {
  std::string text;
  for (char32_t c = 0; c < 0x110000; c += c < 0x3100 ? 1 : 61) {
    if (c >= 0xD800 && c < 0xE000) continue;
    if (c < 0x80) {
      text += static_cast<char>(c);
    } else if (c < 0x800) {
      text += {static_cast<char>(0xC0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3F))};
    } else if (c < 0x10000) {
      text += {static_cast<char>(0xE0 | (c >> 12)), static_cast<char>(0x80 | ((c >> 6) & 0x3F)),
               static_cast<char>(0x80 | (c & 0x3F))};
    } else {
      text += {static_cast<char>(0xF0 | (c >> 18)), static_cast<char>(0x80 | ((c >> 12) & 0x3F)),
               static_cast<char>(0x80 | ((c >> 6) & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
    }
  }
  expect_same(text);
}

TEST_P(RoundTrip, MegabyteOfOneCharacterTakesNoTime) {
  constexpr std::size_t kBytes = 1 << 20;
  for (const char c : {' ', 'a', '\n', '.', '7', '\xFF'}) {
    expect_same("x" + std::string(kBytes, c) + "x");
  }
  EXPECT_EQ(tokenizer_->encode(std::string(kBytes, 'a'), Special::kAsText).size(), kBytes / 4);
}

TEST(Encoding, IsTheSameFromSeveralThreads) {
  const auto tokenizer =
      record::load_tokenizer(std::string(LIL_TOKENIZER_TEST_FILES) + "/small_byte_level.json");
  std::mt19937 random(5);
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) texts.push_back(random_text(random, "the counting of words 10,.\n", 300));
  const auto encode_all = [&] {
    std::vector<Ids> all;
    for (const std::string& text : texts) all.push_back(tokenizer->encode(text, Special::kAsText));
    return all;
  };
  const auto expected = encode_all();
  std::vector<std::vector<Ids>> results(4);
  std::vector<std::jthread> threads;
  for (auto& result : results) threads.emplace_back([&] { result = encode_all(); });
  threads.clear();
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

TEST(Bytes, EveryByteIsItsOwnToken) {
  const auto tokenizer = record::bytes_tokenizer();
  std::string text;
  for (int byte = 255; byte >= 0; --byte) text += static_cast<char>(byte);
  const Ids ids = tokenizer->encode(text, Special::kAsTokens);
  ASSERT_EQ(ids.size(), 256);
  EXPECT_EQ(ids[0], 255);
  EXPECT_EQ(ids[255], 0);
  EXPECT_EQ(decode(*tokenizer, ids), text);
  EXPECT_EQ(tokenizer->vocabulary().kind(), "bytes");
  EXPECT_EQ(tokenizer->prefix_token(), std::nullopt);
}

}  // namespace
}  // namespace lil::tests
