#include <cassert>
#include <cstdint>
#include <memory>

#include "replay/stop_rule.h"
#include "schemas/named_spec.h"

namespace lil::replay {
namespace {

struct GuardianParameters {
  std::int64_t every_tokens = 0;
  double threshold = 0;  // in the signal's unit
  std::int64_t patience = 0;
  std::int64_t warmup_tokens = 0;
  std::int64_t phase_tokens = 0;
  bool first_from_zero = false;
};

class GuardianWatcher : public StopWatcher {
 public:
  explicit GuardianWatcher(const GuardianParameters& parameters) : parameters_(parameters) {}

  bool observe(std::int64_t token, std::int64_t value) override {
    const std::int64_t growth = value - last_;
    const bool is_start = token == parameters_.phase_tokens;
    last_ = is_start && parameters_.first_from_zero ? 0 : value;
    if (is_start || token < parameters_.warmup_tokens) return false;
    low_in_a_row_ = static_cast<double>(growth) < parameters_.threshold ? low_in_a_row_ + 1 : 0;
    return low_in_a_row_ >= parameters_.patience;
  }

 private:
  GuardianParameters parameters_;
  std::int64_t last_ = 0;
  std::int64_t low_in_a_row_ = 0;
};

/// `guardian(f=…,t=…,patience=1,warmup=0,phase=0,first=prompt)` [Lil 2026]. With S the signal, a check
/// comes at k = phase+f, phase+2f, … and is low if S(k) - S(k-f) < t; t is any real number, in the signal's
/// unit, and growth may be negative. Stops at the k of the first `patience` low checks in a row. A check at
/// k < warmup does not take place: it neither stops nor counts, but S(k) is what the next one compares with.
/// The first check, at phase+f, compares with S(phase) by `first=prompt`: with phase 0 that is the signal of
/// the prompt part alone, of the empty prefix where the stream has none. By `first=zero` it compares with 0.
/// Reads a curve whose grid divides both f and phase.
class GuardianRule : public StopRule {
 public:
  explicit GuardianRule(const schemas::Arguments& arguments)
      : StopRule(arguments.to_brief_string()),
        parameters_{.every_tokens = arguments.integer("f"),
                    .threshold = arguments.real("t"),
                    .patience = arguments.integer("patience"),
                    .warmup_tokens = arguments.integer("warmup"),
                    .phase_tokens = arguments.integer("phase"),
                    .first_from_zero = arguments.text("first") == "zero"} {}

  [[nodiscard]] LookSchedule schedule() const override {
    return {.every_tokens = parameters_.every_tokens,
            .first_token = parameters_.phase_tokens,
            .reads_signal = true};
  }
  [[nodiscard]] std::unique_ptr<StopWatcher> watch() const override {
    return std::make_unique<GuardianWatcher>(parameters_);
  }

 private:
  GuardianParameters parameters_;
};

}  // namespace

std::unique_ptr<StopRule> make_guardian_rule(const schemas::Arguments& arguments) {
  return std::make_unique<GuardianRule>(arguments);
}

}  // namespace lil::replay
