#include <cstdint>
#include <memory>

#include "replay/stop_rule.h"
#include "schemas/named_spec.h"

namespace lil::replay {
namespace {

class CusumWatcher : public StopWatcher {
 public:
  CusumWatcher(double reference, double interval) : reference_(reference), interval_(interval) {}

  bool observe(std::int64_t token, std::int64_t value) override {
    const std::int64_t growth = value - last_;
    last_ = value;
    if (token == 0) return false;
    ++checks_;
    growth_ += growth;
    const double missing = reference_ * static_cast<double>(checks_) - static_cast<double>(growth_);
    if (missing >= interval_) return true;
    if (missing > 0) return false;
    checks_ = 0;
    growth_ = 0;
    return false;
  }

 private:
  double reference_;
  double interval_;
  std::int64_t last_ = 0;
  // Since the sum was last 0, kept apart so that it is rounded once however long it gets.
  std::int64_t checks_ = 0;
  std::int64_t growth_ = 0;
};

/// `cusum(f=…,reference=…,interval=…)`: the one-sided cumulative sum [Page 1954, Continuous inspection
/// schemes, Biometrika 41] on the signal's growth, downwards. With S the signal, at k = f, 2f, …:
/// C(k) = max(0, C(k-f) + reference - (S(k) - S(k-f))), C(0) = 0; stops at the first k where, before the
/// maximum with 0, the sum is at least `interval`. Both are in the signal's unit: `reference` is the growth
/// over f tokens that counts neither way, halfway between that of a text that goes on and that of a loop;
/// `interval` is how much must be missing in all. With interval 0 the first check at or below it stops.
/// Reads a curve whose grid divides f; S(0) is the signal of the prompt part alone.
class CusumRule : public StopRule {
 public:
  explicit CusumRule(const schemas::Arguments& arguments)
      : StopRule(arguments.to_brief_string()),
        every_tokens_(arguments.integer("f")),
        reference_(arguments.real("reference")),
        interval_(arguments.real("interval")) {}

  [[nodiscard]] LookSchedule schedule() const override {
    return {.every_tokens = every_tokens_, .first_token = 0, .reads_signal = true};
  }
  [[nodiscard]] std::unique_ptr<StopWatcher> watch() const override {
    return std::make_unique<CusumWatcher>(reference_, interval_);
  }

 private:
  std::int64_t every_tokens_;
  double reference_;
  double interval_;
};

}  // namespace

std::unique_ptr<StopRule> make_cusum(const schemas::Arguments& arguments) {
  return std::make_unique<CusumRule>(arguments);
}

}  // namespace lil::replay
