// Do the lengths fall as in the textbook form of zlib's construction, ties and repairs included?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "replay/deflate/code_lengths.h"
#include "tests/replay/sample_texts.h"

namespace lil::replay::deflate {
namespace {

using tests::below;
using tests::Random;

struct Node {
  std::int64_t count;
  int depth;
  std::vector<int> leaves;
};

/// A binary heap of nodes, the first at 1, which sinks a node only as far as it must.
class TextbookHeap {
 public:
  explicit TextbookHeap(std::vector<Node> nodes) : nodes_(std::move(nodes)) {
    nodes_.insert(nodes_.begin(), Node{});
    for (std::size_t at = size() / 2; at >= 1; --at) sink(at);
  }
  [[nodiscard]] std::size_t size() const { return nodes_.size() - 1; }
  Node& first() { return nodes_[1]; }
  Node take_first() {
    Node taken = nodes_[1];
    nodes_[1] = nodes_.back();
    nodes_.pop_back();
    if (size() > 0) sink(1);
    return taken;
  }
  void sink(std::size_t at) {
    for (std::size_t child = 2 * at; child <= size(); at = child, child = 2 * at) {
      if (child < size() && goes_first(nodes_[child + 1], nodes_[child])) ++child;
      if (goes_first(nodes_[at], nodes_[child])) return;
      std::swap(nodes_[at], nodes_[child]);
    }
  }

 private:
  static bool goes_first(const Node& a, const Node& b) {
    return std::pair(a.count, a.depth) <= std::pair(b.count, b.depth);
  }
  std::vector<Node> nodes_;
};

/// Every leaf's length is how many joins it was in. Too long ones are not repaired.
std::vector<int> textbook_lengths(const std::vector<std::uint16_t>& counts) {
  std::vector<Node> leaves;
  for (std::size_t symbol = 0; symbol < counts.size(); ++symbol) {
    if (counts[symbol] > 0) leaves.push_back({counts[symbol], 0, {static_cast<int>(symbol)}});
  }
  TextbookHeap heap(std::move(leaves));
  std::vector<int> lengths(counts.size());
  while (heap.size() > 1) {
    Node joined = heap.take_first();
    const Node& second = heap.first();
    joined.leaves.insert(joined.leaves.end(), second.leaves.begin(), second.leaves.end());
    for (const int leaf : joined.leaves) ++lengths[static_cast<std::size_t>(leaf)];
    heap.first() = {joined.count + second.count, std::max(joined.depth, second.depth) + 1, joined.leaves};
    heap.sink(1);
  }
  return lengths;
}

struct Code {
  CodeSummary summary;
  std::vector<int> lengths;
};

Code lengths_of(const std::vector<std::uint16_t>& counts, int longest = 15) {
  std::vector<std::uint8_t> lengths(counts.size(), 77);
  const CodeSummary summary = code_lengths(counts, longest, lengths);
  return {summary, {lengths.begin(), lengths.end()}};
}

std::int64_t bits(const std::vector<std::uint16_t>& counts, const std::vector<int>& lengths) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) sum += counts[i] * lengths[i];
  return sum;
}

/// The least bits of any code with at most `longest` bits, by package-merge [Larmore, Hirschberg 1990].
std::int64_t fewest_bits(const std::vector<std::uint16_t>& counts, int longest) {
  std::vector<std::int64_t> leaves;
  for (const std::uint16_t count : counts) {
    if (count > 0) leaves.push_back(count);
  }
  std::sort(leaves.begin(), leaves.end());
  std::vector<std::int64_t> row = leaves;
  for (int level = 1; level < longest; ++level) {
    std::vector<std::int64_t> packages;
    for (std::size_t i = 0; i + 1 < row.size(); i += 2) packages.push_back(row[i] + row[i + 1]);
    row.clear();
    std::merge(packages.begin(), packages.end(), leaves.begin(), leaves.end(), std::back_inserter(row));
  }
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < 2 * leaves.size() - 2; ++i) sum += row[i];
  return sum;
}

double kraft_sum(const std::vector<int>& lengths) {
  double sum = 0;
  for (const int length : lengths) sum += length > 0 ? std::ldexp(1, -length) : 0;
  return sum;
}

TEST(DeflateCodeLengths, EqualTheTextbookForEverySizeOfAlphabet) {
  Random random(1);
  for (std::size_t used = 2; used <= 286; ++used) {
    for (const std::size_t bound : {2U, 4U, 56U}) {  // many ties, some, few
      std::vector<std::uint16_t> counts(used + below(random, 287 - used));
      counts.resize(std::max<std::size_t>(counts.size(), 3));
      for (std::size_t i = 0; i < used; ++i) counts[i] = static_cast<std::uint16_t>(1 + below(random, bound));
      std::shuffle(counts.begin(), counts.end(), random);
      const Code code = lengths_of(counts);
      ASSERT_EQ(code.lengths, textbook_lengths(counts)) << used << " symbols, counts below " << bound;
      ASSERT_EQ(code.summary.bits, bits(counts, code.lengths));
      ASSERT_EQ(code.summary.bits, fewest_bits(counts, 15));
    }
  }
}

TEST(DeflateCodeLengths, FewSymbolsGetStandIns) {
  EXPECT_THAT(lengths_of({0, 0, 0}).lengths, testing::ElementsAre(1, 1, 0));
  EXPECT_THAT(lengths_of({5, 0, 0, 0}).lengths, testing::ElementsAre(1, 1, 0, 0));
  EXPECT_THAT(lengths_of({0, 5, 0, 0}).lengths, testing::ElementsAre(0, 1, 1, 0));
  EXPECT_THAT(lengths_of({0, 0, 0, 5}).lengths, testing::ElementsAre(1, 0, 0, 1));
  EXPECT_EQ(lengths_of({0, 5, 0, 0}).summary.last_symbol, 2);
  EXPECT_EQ(lengths_of({0, 0, 0, 5}).summary.last_symbol, 3);
  EXPECT_EQ(lengths_of({0, 0, 0, 5}).summary.bits, 5) << "a stand-in costs nothing";
}

TEST(DeflateCodeLengths, CodesThatWouldBeTooLongAreRepaired) {
  for (const int longest : {7, 15}) {
    for (int symbols = longest - 1; symbols <= 19; ++symbols) {  // 1, 1, 2, 3, 5 … sum to less than 16384
      std::vector<std::uint16_t> fibonacci = {1, 1};
      while (fibonacci.size() < static_cast<std::size_t>(symbols)) {
        fibonacci.push_back(static_cast<std::uint16_t>(fibonacci.back() + fibonacci[fibonacci.size() - 2]));
      }
      const std::vector<int> unlimited = textbook_lengths(fibonacci);
      const Code code = lengths_of(fibonacci, longest);
      EXPECT_EQ(kraft_sum(code.lengths), 1);
      EXPECT_EQ(*std::max_element(code.lengths.begin(), code.lengths.end()), std::min(longest, symbols - 1));
      EXPECT_TRUE(std::is_sorted(code.lengths.rbegin(), code.lengths.rend()));
      EXPECT_GE(code.summary.bits, fewest_bits(fibonacci, longest));
      if (symbols - 1 <= longest) {
        EXPECT_EQ(code.lengths, unlimited);
      }
    }
  }
}

}  // namespace
}  // namespace lil::replay::deflate
