#include <bit>
#include <cstdint>
#include <memory>
#include <string_view>

#include "replay/signal.h"
#include "replay/signals/suffix_automaton.h"
#include "schemas/named_spec.h"

namespace lil::replay {
namespace {

/// Length of the Elias gamma code of x >= 1.
std::int64_t gamma_bits(std::int64_t x) {
  return 2 * static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(x))) - 1;
}

/// Bits that tell `choices` >= 1 apart.
std::int64_t index_bits(std::int64_t choices) {
  return static_cast<std::int64_t>(std::bit_width(static_cast<std::uint64_t>(choices - 1)));
}

/// `lz77`: the number of phrases of the greedy parse of the prefix. With x the stream and a phrase starting
/// at position i, let l be the greatest length for which x[i, i+l) = x[j, j+l) for some j < i; the two may
/// overlap, and j may lie any distance back. The phrase is x[i, i+l], that is the match and the byte after
/// it, and the next one starts at i+l+1. A last phrase that ends with the prefix before its extra byte
/// counts as one. This is the parse of [Ziv, Lempel 1977] without a bound on window and match, and the
/// number is the exhaustive complexity of [Lempel, Ziv 1976].
///
/// `lz77(unit=bits)`: the bits that write those phrases down. Each takes the Elias gamma code of l+1,
/// 2 floor(log2(l+1)) + 1 bits [Elias 1975]; if l > 0, ceil(log2 i) bits for j; and 8 bits for the byte after
/// the match, which a last phrase that ends with the prefix may lack.
///
/// With a byte appended, the open phrase w becomes wc. Some j < i begins wc if and only if wc ends before
/// the end of the text too, and wc is a suffix of the text: so if and only if it is no longer than the
/// longest repeated suffix. Amortised O(1) a byte, times the transitions of a state that are looked at.
class Lz77Signal : public Signal {
 public:
  /// The name leaves out a parameter at its default: `lz77` is older than its parameter.
  explicit Lz77Signal(const schemas::Arguments& arguments)
      : Signal(arguments.to_brief_string(), "1"), in_bits_(arguments.text("unit") == "bits") {}

  void feed(std::string_view bytes) override {
    for (const char byte : bytes) {
      text_.append(static_cast<std::uint8_t>(byte));
      ++open_phrase_bytes_;
      if (open_phrase_bytes_ > text_.repeated_suffix()) {
        finished_ += cost(open_phrase_bytes_ - 1, true);
        phrase_start_ += open_phrase_bytes_;
        open_phrase_bytes_ = 0;
      }
    }
  }

  std::int64_t value() override {
    return finished_ + (open_phrase_bytes_ > 0 ? cost(open_phrase_bytes_, false) : 0);
  }

  void reset() override {
    text_.clear();
    finished_ = 0;
    phrase_start_ = 0;
    open_phrase_bytes_ = 0;
  }

 private:
  /// Of the phrase at phrase_start_, in the signal's unit.
  [[nodiscard]] std::int64_t cost(std::int64_t match_bytes, bool has_extra_byte) const {
    if (!in_bits_) return 1;
    const std::int64_t source = match_bytes > 0 ? index_bits(phrase_start_) : 0;
    return gamma_bits(match_bytes + 1) + source + (has_extra_byte ? 8 : 0);
  }

  bool in_bits_;
  SuffixAutomaton text_;
  std::int64_t finished_ = 0;  // of the finished phrases, in the signal's unit
  std::int64_t phrase_start_ = 0;
  std::int64_t open_phrase_bytes_ = 0;  // all of them part of a match so far
};

}  // namespace

std::unique_ptr<Signal> make_lz77(const schemas::Arguments& arguments) {
  return std::make_unique<Lz77Signal>(arguments);
}

}  // namespace lil::replay
