#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <vector>

#include "replay/signal.h"
#include "replay/signals/fixed_log2.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"

namespace lil::replay {
namespace {

/// log2_fixed, with the small numbers, which are most, looked up.
class Log2Table {
 public:
  Log2Table() {
    for (std::size_t x = 1; x < small_.size(); ++x) small_[x] = log2_fixed(x);
  }
  std::int64_t operator()(std::uint64_t x) const { return x < small_.size() ? small_[x] : log2_fixed(x); }

 private:
  std::array<std::int64_t, 1024> small_{};
};

/// What some contexts have ruled out for the next byte.
class Exclusions {
 public:
  void clear() {
    ++round_;
    size_ = 0;
  }
  void add(std::uint8_t byte) {
    if (has(byte)) return;
    marks_[byte] = round_;
    ++size_;
  }
  [[nodiscard]] bool has(std::uint8_t byte) const { return marks_[byte] == round_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  std::array<std::uint64_t, 256> marks_{};
  std::uint64_t round_ = 1;
  std::uint64_t size_ = 0;
};

/// `ppm(order=5)`: the length in bits of the arithmetic code of the prefix under prediction by partial match,
/// PPMC [Cleary, Witten 1984; Moffat 1990], without counting the end. A byte is coded in the longest context,
/// at most `order` bytes, that has occurred: with c its count there, t the sum of the counts and d the number
/// of different bytes, its probability is c / (t + d). A byte that has not occurred there is preceded by an
/// escape of probability d / (t + d), and the context shorter by one byte is tried, without the bytes that
/// the longer ones have and that are thereby ruled out; where nothing is left in a context, the escape
/// is certain. After the context of no bytes, all bytes not ruled out are equally likely. Then the byte's
/// count is raised by one in the context that coded it and in the longer ones.
///
/// Each -log2 p is a difference of logarithms rounded down to 2^-16 bits; their sum is rounded down to bits.
/// Counts are never halved, so it is additive and the same on every machine. Memory: 24 bytes a node, at
/// most order+1 nodes a byte.
class PpmSignal : public Signal {
 public:
  explicit PpmSignal(const schemas::Arguments& arguments)
      : Signal(arguments.to_string(), "1"), order_(arguments.integer("order")) {
    PpmSignal::reset();
  }

  void feed(std::string_view bytes) override {
    for (const char byte : bytes) append(static_cast<std::uint8_t>(byte));
  }

  std::int64_t value() override { return fixed_bits_ >> kLog2FractionBits; }

  void reset() override {
    nodes_.assign(1, Node{});
    context_ = kRoot;
    context_bytes_ = 0;
    fixed_bits_ = 0;
  }

 private:
  using Index = std::uint32_t;
  static constexpr Index kRoot = 0;
  static constexpr Index kNone = 0;  // the root is nobody's child or sibling

  /// A string w that has occurred. As the context w it has children wc with their counts; as a child it is
  /// the last byte of w after the rest of it.
  struct Node {
    Index first_child = kNone;
    Index next_sibling = kNone;
    Index shorter = kRoot;    // w without its first byte
    std::uint32_t count = 0;  // of its last byte after the rest
    std::uint32_t total = 0;  // of its children's counts
    std::uint16_t children = 0;
    std::uint8_t byte = 0;  // the last of w
  };

  struct Counts {
    std::uint64_t total = 0;
    std::uint64_t different = 0;
  };

  void append(std::uint8_t byte) {
    excluded_.clear();
    escaped_.clear();
    Index coded_in = context_;
    Index child = kNone;
    for (;; coded_in = nodes_[coded_in].shorter) {
      child = child_of(coded_in, byte);
      const Counts counts = counts_left(coded_in);
      const std::uint64_t whole = counts.total + counts.different;
      if (child != kNone) {
        add_bits(whole, nodes_[child].count);
        break;
      }
      if (whole > 0) add_bits(whole, counts.different);
      exclude_children(coded_in);
      escaped_.push_back(coded_in);
      if (coded_in == kRoot) {
        add_bits(256 - excluded_.size(), 1);
        break;
      }
    }
    move_on(count_byte(coded_in, child, byte));
  }

  void add_bits(std::uint64_t whole, std::uint64_t part) { fixed_bits_ += log2_(whole) - log2_(part); }

  [[nodiscard]] Index child_of(Index context, std::uint8_t byte) const {
    Index child = nodes_[context].first_child;
    while (child != kNone && nodes_[child].byte != byte) child = nodes_[child].next_sibling;
    return child;
  }

  [[nodiscard]] Counts counts_left(Index context) const {
    const Node& node = nodes_[context];
    Counts left{node.total, node.children};
    if (excluded_.size() == 0) return left;
    for (Index child = node.first_child; child != kNone; child = nodes_[child].next_sibling) {
      if (!excluded_.has(nodes_[child].byte)) continue;
      left.total -= nodes_[child].count;
      --left.different;
    }
    return left;
  }

  void exclude_children(Index context) {
    for (Index child = nodes_[context].first_child; child != kNone; child = nodes_[child].next_sibling) {
      excluded_.add(nodes_[child].byte);
    }
  }

  /// Raises the counts in `coded_in`, where `child` is the byte unless it is new, and in the escaped ones,
  /// the shortest first. Returns the child of the longest context.
  Index count_byte(Index coded_in, Index child, std::uint8_t byte) {
    if (child != kNone) {
      ++nodes_[child].count;
      ++nodes_[coded_in].total;
    }
    for (std::size_t i = escaped_.size(); i-- > 0;) child = add_child(escaped_[i], byte, child);
    return child;
  }

  Index add_child(Index context, std::uint8_t byte, Index shorter) {
    if (nodes_.size() >= std::numeric_limits<Index>::max()) {
      throw Error(ErrorCode::kInput, "ppm: the stream is too long, its contexts number 2^32");
    }
    const auto added = static_cast<Index>(nodes_.size());
    nodes_.push_back({kNone, nodes_[context].first_child, shorter, 1, 0, 0, byte});
    Node& parent = nodes_[context];
    parent.first_child = added;
    ++parent.children;
    ++parent.total;
    return added;
  }

  /// To the context that ends with the byte just coded, `child` of the longest one.
  void move_on(Index child) {
    if (context_bytes_ < order_) {
      ++context_bytes_;
      context_ = child;
    } else {
      context_ = nodes_[child].shorter;
    }
  }

  std::int64_t order_;
  Log2Table log2_;
  std::vector<Node> nodes_;
  Index context_ = kRoot;  // the last context_bytes_ bytes
  std::int64_t context_bytes_ = 0;
  std::int64_t fixed_bits_ = 0;
  Exclusions excluded_;
  std::vector<Index> escaped_;
};

}  // namespace

std::unique_ptr<Signal> make_ppm(const schemas::Arguments& arguments) {
  return std::make_unique<PpmSignal>(arguments);
}

}  // namespace lil::replay
