#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lil::analyze {

/// One check of one trace, seen as a guess: "from here on nothing is gained", the lower its level the surer.
struct RocCheck {
  std::int64_t level = 0;       ///< what the guardian compares with t, see GuardianCheck
  std::size_t problem = 0;      ///< of the trace
  bool nothing_gained = false;  ///< stopping here does no harm: the answer is right, or the full one is not
};

/// What a threshold does to the checks, each taken on its own: whether earlier ones stopped does not count.
struct RocPoint {
  std::int64_t t = 0;        ///< checks with a level below t are flagged
  std::int64_t flagged = 0;  ///< of those where nothing is gained
  std::int64_t false_alarms = 0;

  bool operator==(const RocPoint&) const = default;
};

/// The receiver operating characteristic of a signal over the checks of many traces.
class Roc {
 public:
  explicit Roc(std::span<const RocCheck> checks);

  [[nodiscard]] std::int64_t positives() const { return positives_; }
  [[nodiscard]] std::int64_t negatives() const { return negatives_; }
  /// Every threshold at which another one holds, ascending; at the last all checks are flagged.
  [[nodiscard]] std::vector<RocPoint> points() const;
  /// P(level of a positive < level of a negative) + half of P(equal): the area under the curve [Hanley,
  /// McNeil 1982]. `times[p]` is how often the checks of problem p count; empty: once each. Nothing where
  /// there are no positives or no negatives.
  [[nodiscard]] std::optional<double> area(std::span<const std::int32_t> times = {}) const;

 private:
  /// Checks of one problem at one level.
  struct Group {
    std::int64_t level = 0;
    std::size_t problem = 0;
    std::int64_t positives = 0;
    std::int64_t negatives = 0;
  };
  std::vector<Group> groups_;  ///< by level, then problem
  std::int64_t positives_ = 0;
  std::int64_t negatives_ = 0;
};

}  // namespace lil::analyze
