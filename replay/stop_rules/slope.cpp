#include <cstdint>
#include <memory>

#include "replay/stop_rule.h"
#include "schemas/named_spec.h"

namespace lil::replay {
namespace {

struct SlopeParameters {
  std::int64_t every_tokens = 0;
  double share = 0;
  std::int64_t windows = 0;
  std::int64_t patience = 0;
};

class SlopeWatcher : public StopWatcher {
 public:
  explicit SlopeWatcher(const SlopeParameters& parameters) : parameters_(parameters) {}

  bool observe(std::int64_t token, std::int64_t value) override {
    const std::int64_t window = token / parameters_.every_tokens;
    const std::int64_t growth = value - last_;
    last_ = value;
    if (window == 0) start_ = value;
    if (window == parameters_.windows) first_growth_ = value - start_;
    if (window <= parameters_.windows) return false;
    const bool is_low = static_cast<double>(growth) * static_cast<double>(parameters_.windows) <
                        parameters_.share * static_cast<double>(first_growth_);
    low_in_a_row_ = is_low ? low_in_a_row_ + 1 : 0;
    return low_in_a_row_ >= parameters_.patience;
  }

 private:
  SlopeParameters parameters_;
  std::int64_t start_ = 0;
  std::int64_t first_growth_ = 0;  // over all the first windows
  std::int64_t last_ = 0;
  std::int64_t low_in_a_row_ = 0;
};

/// `slope(f=250,share=0.1,windows=2,patience=1)` [Lil 2026]: a guardian whose threshold is the trace's own.
/// With S the signal and n = windows, the measure is g = (S(n f) - S(0)) / n, the mean growth over the first
/// n windows of f tokens; S(0) is the signal of the prompt part alone. A check comes at k = (n+1) f, (n+2) f,
/// … and is low if S(k) - S(k-f) < share * g. Stops at the k of the first `patience` low checks in a row.
/// Free of the signal's unit, as the others are not. A trace that does not grow at first, g <= 0, is stopped
/// by nothing but falling sizes: what loops from its first token on is not seen. Reads a curve whose grid
/// divides f.
class SlopeRule : public StopRule {
 public:
  explicit SlopeRule(const schemas::Arguments& arguments)
      : StopRule(arguments.to_brief_string()),
        parameters_{.every_tokens = arguments.integer("f"),
                    .share = arguments.real("share"),
                    .windows = arguments.integer("windows"),
                    .patience = arguments.integer("patience")} {}

  [[nodiscard]] LookSchedule schedule() const override {
    return {.every_tokens = parameters_.every_tokens, .first_token = 0, .reads_signal = true};
  }
  [[nodiscard]] std::unique_ptr<StopWatcher> watch() const override {
    return std::make_unique<SlopeWatcher>(parameters_);
  }

 private:
  SlopeParameters parameters_;
};

}  // namespace

std::unique_ptr<StopRule> make_slope(const schemas::Arguments& arguments) {
  return std::make_unique<SlopeRule>(arguments);
}

}  // namespace lil::replay
