#include <cstdint>
#include <memory>
#include <string_view>

#include "replay/signal.h"
#include "replay/signals/fixed_log2.h"
#include "replay/signals/suffix_automaton.h"
#include "schemas/named_spec.h"

namespace lil::replay {
namespace {

/// `matchlen`: the information in the prefix, in bits, as match lengths estimate it. With l(i) the greatest
/// length for which the l bytes that end with byte i (counted from 1) also end before it, the two overlapping
/// or not, it is the sum over i = 1 .. n of log2(i) / (l(i) + 1), each term rounded down to 2^-16 bits and
/// the sum to bits.
///
/// Divided by n this is the increasing-window match-length estimate of the entropy per byte, the mean of
/// log2(i) / L(i), of [Kontoyiannis, Algoet, Suhov, Wyner 1998] in the form with overlap of [Gao,
/// Kontoyiannis, Bienenstock 2008], after [Grassberger 1989] and read backwards in time: theirs matches what
/// follows a byte, which a prefix does not know yet. The entropy rate of a stationary source is the same in
/// both directions, and a sum over the past grows by every byte's own term.
class MatchLengthSignal : public Signal {
 public:
  explicit MatchLengthSignal(const schemas::Arguments& arguments) : Signal(arguments.to_string(), "1") {}

  void feed(std::string_view bytes) override {
    for (const char byte : bytes) {
      text_.append(static_cast<std::uint8_t>(byte));
      fixed_bits_ += log2_fixed(static_cast<std::uint64_t>(text_.length())) / (text_.repeated_suffix() + 1);
    }
  }

  std::int64_t value() override { return fixed_bits_ >> kLog2FractionBits; }

  void reset() override {
    text_.clear();
    fixed_bits_ = 0;
  }

 private:
  SuffixAutomaton text_;
  std::int64_t fixed_bits_ = 0;
};

}  // namespace

std::unique_ptr<Signal> make_matchlen(const schemas::Arguments& arguments) {
  return std::make_unique<MatchLengthSignal>(arguments);
}

}  // namespace lil::replay
