#pragma once

#include <cstdint>
#include <string_view>

#include "replay/signal.h"
#include "replay/stream.h"
#include "schemas/named_spec.h"

namespace lil::replay {

/// A sum over what was recorded of each token (build_recorded_stream), in thousandths, rounded down. The sum
/// itself is exact. Bytes that are not yet a whole number do not count.
class RecordedSum : public Signal {
 public:
  /// The sum is taken `sign` times, 1 or -1.
  RecordedSum(const schemas::Arguments& arguments, SignalInput input, std::int64_t sign)
      : Signal(arguments.to_string(), "1"), input_(input), sign_(sign) {}

  [[nodiscard]] SignalInput input() const override { return input_; }

  void feed(std::string_view bytes) override {
    for (const char byte : bytes) {
      open_number_ |= std::uint64_t{static_cast<std::uint8_t>(byte)} << open_bits_;
      open_bits_ += 8;
      if (open_bits_ < 64) continue;
      sum_ += open_number_;
      open_number_ = 0;
      open_bits_ = 0;
    }
  }

  std::int64_t value() override {
    const auto sum = static_cast<std::int64_t>(sign_ < 0 ? 0 - sum_ : sum_);
    const std::int64_t whole = sum >> kRecordedFractionBits;
    const std::int64_t fraction = sum - (whole << kRecordedFractionBits);
    return 1000 * whole + ((1000 * fraction) >> kRecordedFractionBits);
  }

  void reset() override {
    sum_ = 0;
    open_number_ = 0;
    open_bits_ = 0;
  }

 private:
  SignalInput input_;
  std::int64_t sign_;
  std::uint64_t sum_ = 0;  // two's complement, in units of 2^-kRecordedFractionBits
  std::uint64_t open_number_ = 0;
  int open_bits_ = 0;
};

}  // namespace lil::replay
