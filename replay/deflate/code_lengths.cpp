#include "replay/deflate/code_lengths.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>

namespace lil::replay::deflate {
namespace {

constexpr std::size_t kMostSymbols = 286;
constexpr int kLongestCode = 15;

// A node of the tree being built, as one number that compares as (count, depth) when its lowest bits, which
// name the node, are set: leaves by their symbol, joined nodes by kFirstJoined + their number.
using Node = std::uint32_t;
constexpr int kNameBits = 10;
constexpr int kDepthBits = 5;  // a tree over 16384 counts is at most 19 deep
constexpr Node kNameMask = (1U << kNameBits) - 1;
constexpr Node kDepthMask = ((1U << kDepthBits) - 1) << kNameBits;
constexpr Node kCountMask = ~(kNameMask | kDepthMask);
constexpr Node kDepthOne = 1U << kNameBits;
constexpr Node kFirstJoined = 512;
constexpr Node kNone = ~Node{0};  // after every node
static_assert(kFirstJoined >= kMostSymbols && kFirstJoined + kMostSymbols <= kNameMask);

Node leaf(std::size_t symbol, std::uint16_t count) {
  return (static_cast<Node>(count) << (kNameBits + kDepthBits)) | static_cast<Node>(symbol);
}

/// Whether `a` leaves the heap before `b`: also where they compare equal.
bool goes_first(Node a, Node b) {
  return a <= (b | kNameMask);
}

/// The heap of nodes yet to be joined. Ties fall as in the textbook form, where a node sinks below the first
/// of its two children, the right one if they are equal, until it goes first itself. Here it is followed on
/// to the bottom, which moves nothing after that place: a fixed number of steps without a branch that could
/// be mispredicted. Unused places up to the end of the lowest level hold kNone.
class Heap {
 public:
  /// The nodes of the symbols with a count. Returns the highest of these symbols, or −1.
  int fill(std::span<const std::uint16_t> counts) {
    for (std::size_t symbol = 0; symbol < counts.size(); ++symbol) {
      nodes_[size_ + 1] = leaf(symbol, counts[symbol]);
      size_ += counts[symbol] != 0 ? 1 : 0;
    }
    return size_ == 0 ? -1 : static_cast<int>(nodes_[size_] & kNameMask);
  }
  void add_stand_in(int symbol) { nodes_[++size_] = leaf(static_cast<std::size_t>(symbol), 1); }
  [[nodiscard]] std::size_t size() const { return size_; }

  void arrange() {
    std::fill(nodes_.begin() + static_cast<std::ptrdiff_t>(size_) + 1,
              nodes_.begin() + static_cast<std::ptrdiff_t>(2 * std::bit_floor(size_)), kNone);
    for (std::size_t at = size_ / 2; at >= 1; --at) sink(at);
  }

  /// Takes the first two nodes and puts join(first, second) in, until one is left.
  ///
  /// Each time the last node sinks from the top in place of the first, then the joined one in place of the
  /// second. A step waits for the one above it, so two nodes sink at a time, at least two levels apart: what
  /// the lower one may still move is not read by the upper one. Where the joined node may yet end up in the
  /// very last place, it is finished first.
  template <class Join>
  void join_all(Join&& join) {
    constexpr std::size_t kTooFlatForTwo = 16;
    Sinking joined{};
    bool under_way = false;  // `joined` has two steps to go
    for (; size_ > kTooFlatForTwo; under_way = true) {
      if (under_way && joined.at == size_ / 4) under_way = finish(joined, 2);
      const Node first = nodes_[1];
      Sinking last = take_last();
      step(last);
      const Node second = nodes_[1];
      if (under_way) step(joined);
      step(last);
      if (under_way) finish(joined, 1);
      joined = {1, join(first, second)};
      for (int steps = levels_below(1) - 2; steps > 0; --steps) {
        step(last);
        step(joined);
      }
      finish(last, 0);
    }
    if (under_way) finish(joined, 2);
    while (size_ > 1) {
      const Node first = nodes_[1];
      finish(take_last(), levels_below(1));
      nodes_[1] = join(first, nodes_[1]);
      sink(1);
    }
  }

 private:
  /// A node on its way down, and the place it has come to.
  struct Sinking {
    std::size_t at;
    Node node;
  };

  [[nodiscard]] int levels_below(std::size_t at) const {
    return static_cast<int>(std::bit_width(size_)) - static_cast<int>(std::bit_width(at));
  }
  /// The last node, about to sink from the top.
  Sinking take_last() {
    const Node last = nodes_[size_];
    nodes_[size_--] = kNone;
    return {1, last};
  }
  void step(Sinking& sinking) {
    std::size_t child = 2 * sinking.at;
    child += goes_first(nodes_[child + 1], nodes_[child]) ? 1 : 0;
    const Node below = nodes_[child];
    const Node exchange = (sinking.node ^ below) & (Node{goes_first(sinking.node, below)} - 1);
    nodes_[sinking.at] = sinking.node ^ exchange;
    sinking = {child, below ^ exchange};
  }
  bool finish(Sinking sinking, int steps) {
    for (; steps > 0; --steps) step(sinking);
    nodes_[sinking.at] = sinking.node;
    return false;
  }
  void sink(std::size_t at) { finish({at, nodes_[at]}, levels_below(at)); }

  std::size_t size_ = 0;
  std::array<Node, 2 * kFirstJoined> nodes_;  // from 1 on; set by fill() and arrange()
};

/// A code being made: the nodes of its tree in the order in which they left the heap. The i-th pair of them
/// became the joined node i.
class Tree {
 public:
  /// Returns the highest symbol that has a code.
  int build(std::span<const std::uint16_t> counts) {
    Heap heap;
    int last_symbol = heap.fill(counts);
    while (heap.size() < 2) heap.add_stand_in(last_symbol < 2 ? ++last_symbol : 0);
    heap.arrange();
    heap.join_all([this](Node a, Node b) {
      order_[2 * joined_] = static_cast<std::uint16_t>(a & kNameMask);
      order_[2 * joined_ + 1] = static_cast<std::uint16_t>(b & kNameMask);
      const Node depth = std::max(a & kDepthMask, b & kDepthMask) + kDepthOne;
      return (a & kCountMask) + (b & kCountMask) + depth + kFirstJoined + static_cast<Node>(joined_++);
    });
    return last_symbol;
  }

  /// Lengths by symbol, none above `longest`.
  void assign_lengths(int longest, std::span<std::uint8_t> lengths) const {
    std::array<std::uint8_t, kFirstJoined + kMostSymbols> by_name;
    std::fill_n(by_name.begin(), lengths.size(), std::uint8_t{0});
    by_name[kFirstJoined + joined_ - 1] = 0;
    int too_deep = 0;
    for (std::size_t i = joined_; i-- > 0;) {
      const int length = by_name[kFirstJoined + i] + 1;
      too_deep += length > longest ? 2 : 0;
      by_name[order_[2 * i]] = by_name[order_[2 * i + 1]] =
          static_cast<std::uint8_t>(std::min(length, longest));
    }
    std::copy_n(by_name.begin(), lengths.size(), lengths.begin());
    if (too_deep > 0) repair(longest, too_deep, lengths);
  }

 private:
  /// Moves leaves down from above until those that were too deep have a place at `longest`, then hands the
  /// lengths out again, the longest to the leaves that left the heap first.
  void repair(int longest, int too_deep, std::span<std::uint8_t> lengths) const {
    std::array<int, kLongestCode + 1> leaves{};
    for (const std::uint8_t length : lengths) ++leaves[length];
    const auto deepest = static_cast<std::size_t>(longest);
    for (; too_deep > 0; too_deep -= 2) {
      std::size_t length = deepest - 1;
      while (leaves[length] == 0) --length;
      --leaves[length];
      leaves[length + 1] += 2;
      --leaves[deepest];
    }
    std::size_t length = deepest;
    for (std::size_t i = 0; i < 2 * joined_; ++i) {
      if (order_[i] >= kFirstJoined) continue;
      while (leaves[length] == 0) --length;
      --leaves[length];
      lengths[order_[i]] = static_cast<std::uint8_t>(length);
    }
  }

  std::size_t joined_ = 0;
  std::array<std::uint16_t, 2 * kMostSymbols> order_;  // names; the first 2 · joined_ are set
};

}  // namespace

CodeSummary code_lengths(std::span<const std::uint16_t> counts, int longest,
                         std::span<std::uint8_t> lengths) {
  assert(counts.size() == lengths.size() && counts.size() >= 3 && counts.size() <= kMostSymbols);
  Tree tree;
  const int last_symbol = tree.build(counts);
  tree.assign_lengths(longest, lengths);
  std::int32_t bits = 0;
  for (std::size_t symbol = 0; symbol < counts.size(); ++symbol) bits += counts[symbol] * lengths[symbol];
  return {last_symbol, bits};
}

}  // namespace lil::replay::deflate
