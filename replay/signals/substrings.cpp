#include <cstdint>
#include <memory>
#include <string_view>

#include "replay/signal.h"
#include "replay/signals/suffix_automaton.h"
#include "schemas/named_spec.h"

namespace lil::replay {
namespace {

/// `substrings`: the number of distinct substrings of the prefix that are not empty. A text of n bytes has at
/// most n(n+1)/2, so the growth is to be read against the length: byte n adds n less the longest repeated
/// suffix.
class SubstringsSignal : public Signal {
 public:
  explicit SubstringsSignal(const schemas::Arguments& arguments) : Signal(arguments.to_string(), "1") {}

  void feed(std::string_view bytes) override {
    for (const char byte : bytes) {
      text_.append(static_cast<std::uint8_t>(byte));
      distinct_ += text_.length() - text_.repeated_suffix();
    }
  }

  std::int64_t value() override { return distinct_; }

  void reset() override {
    text_.clear();
    distinct_ = 0;
  }

 private:
  SuffixAutomaton text_;
  std::int64_t distinct_ = 0;
};

}  // namespace

std::unique_ptr<Signal> make_substrings(const schemas::Arguments& arguments) {
  return std::make_unique<SubstringsSignal>(arguments);
}

}  // namespace lil::replay
