#pragma once

#include <cstdint>

namespace lil::analyze::math {

/// How much work one comparison may take, counted in steps and not by a clock, so that the same pair gives
/// the same verdict on any machine. About a step for an addition or a product, kTranscendentalSteps for a
/// sine.
class Budget {
 public:
  explicit Budget(std::int64_t steps) : left_(steps) {}

  /// Takes `steps`; false once more was asked for than there was, and from then on.
  bool spend(std::int64_t steps = 1) {
    left_ = steps > left_ ? -1 : left_ - steps;
    return left_ >= 0;
  }
  [[nodiscard]] bool spent() const { return left_ < 0; }

 private:
  std::int64_t left_;  // negative: spent
};

inline constexpr std::int64_t kTranscendentalSteps = 60;
/// Under a tenth of a second in a release build.
inline constexpr std::int64_t kComparisonSteps = 60'000;

}  // namespace lil::analyze::math
