#include <cstdint>
#include <memory>
#include <string_view>

#include "replay/signal.h"
#include "replay/signals/suffix_automaton.h"
#include "schemas/named_spec.h"

namespace lil::replay {
namespace {

/// `ngram(n=16)`: the number of distinct strings of n bytes in the prefix. The growth from one prefix to a
/// longer one is thus the number of n-grams that are new, and divided by the bytes in between their share.
///
/// The n bytes that end the text are new if and only if they are longer than the longest repeated suffix,
/// so any n costs the same.
class NgramSignal : public Signal {
 public:
  explicit NgramSignal(const schemas::Arguments& arguments)
      : Signal(arguments.to_string(), "1"), n_(arguments.integer("n")) {}

  void feed(std::string_view bytes) override {
    for (const char byte : bytes) {
      text_.append(static_cast<std::uint8_t>(byte));
      if (text_.length() >= n_ && text_.repeated_suffix() < n_) ++distinct_;
    }
  }

  std::int64_t value() override { return distinct_; }

  void reset() override {
    text_.clear();
    distinct_ = 0;
  }

 private:
  std::int64_t n_;
  SuffixAutomaton text_;
  std::int64_t distinct_ = 0;
};

}  // namespace

std::unique_ptr<Signal> make_ngram(const schemas::Arguments& arguments) {
  return std::make_unique<NgramSignal>(arguments);
}

}  // namespace lil::replay
