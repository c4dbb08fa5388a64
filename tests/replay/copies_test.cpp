#include "replay/copies.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "replay/signals/registry.h"

namespace lil::replay {
namespace {

/// The parse as its definition has it, in cubic time; every match, also the empty ones.
std::vector<Copy> slow_copies(std::string_view text) {
  std::vector<Copy> copies;
  for (std::size_t i = 0; i < text.size();) {
    Copy best{static_cast<std::int64_t>(i), 0, 0};
    for (std::size_t j = i; j-- > 0;) {
      std::size_t bytes = 0;
      while (i + bytes < text.size() && text[i + bytes] == text[j + bytes]) ++bytes;
      if (static_cast<std::int64_t>(bytes) > best.bytes) {
        best.bytes = static_cast<std::int64_t>(bytes);
        best.distance = static_cast<std::int64_t>(i - j);
      }
    }
    copies.push_back(best);
    i += static_cast<std::size_t>(best.bytes) + 1;
  }
  return copies;
}

void expect_as_slow(const std::string& text) {
  const std::vector<Copy> all = slow_copies(text);
  for (const std::int64_t least : {1, 2, 7, 8, 9, 20}) {
    std::vector<Copy> expected;
    std::copy_if(all.begin(), all.end(), std::back_inserter(expected),
                 [&](const Copy& copy) { return copy.bytes >= least; });
    EXPECT_EQ(find_copies(text, least), expected) << "at least " << least << " bytes of: " << text;
  }
  const auto signal = make_signal("lz77");
  signal->feed(text);
  EXPECT_EQ(signal->value(), static_cast<std::int64_t>(all.size())) << text;
}

TEST(Copies, AreTheMatchesOfTheParseThatTheSignalCounts) {
  for (const char* text : {"", "a", "aa", "ab", "aaaaaaaaaaaa", "abcabcabcabcabcabcabcabcabc", "abaabbaaabbb",
                           "wait, let me see. wait, let me see. no", "\xff\xff\x80\xff\xff\x80\xff"}) {
    expect_as_slow(text);
  }
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    std::string text;
    const std::size_t bytes = 1 + random() % 160;
    const unsigned letters = 1 + random() % 4;
    while (text.size() < bytes) {
      const bool again = !text.empty() && random() % 8 == 0;
      text += again ? text.substr(random() % text.size())
                    : std::string(1, static_cast<char>('a' + random() % letters));
    }
    expect_as_slow(text);
  }
}

TEST(Copies, OfALoopComeFromOnePeriodBefore) {
  const std::string period = "So the answer is 18. Let me check that again.\n";
  std::string text = "First: 3 + 15. ";
  const auto onset = static_cast<std::int64_t>(text.size());
  for (int i = 0; i < 40; ++i) text += period;
  const std::vector<Copy> copies = find_copies(text, 30);
  ASSERT_EQ(copies.size(), 1U);
  EXPECT_EQ(copies.front().distance, static_cast<std::int64_t>(period.size()));
  EXPECT_EQ(copies.front().start + copies.front().bytes, static_cast<std::int64_t>(text.size()));
  EXPECT_GE(copies.front().start, onset + copies.front().distance);
  EXPECT_LT(copies.front().start, onset + copies.front().distance + 3);
}

}  // namespace
}  // namespace lil::replay
