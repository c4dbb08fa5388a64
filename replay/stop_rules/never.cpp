#include <memory>

#include "replay/stop_rule.h"
#include "schemas/named_spec.h"

namespace lil::replay {
namespace {

class NeverWatcher : public StopWatcher {
 public:
  bool observe(std::int64_t /*token*/, std::int64_t /*value*/) override { return false; }
};

/// `never`: lets every generation end by itself. The baseline of all savings.
class NeverRule : public StopRule {
 public:
  explicit NeverRule(const schemas::Arguments& arguments) : StopRule(arguments.to_brief_string()) {}

  [[nodiscard]] LookSchedule schedule() const override { return {}; }
  [[nodiscard]] std::unique_ptr<StopWatcher> watch() const override {
    return std::make_unique<NeverWatcher>();
  }
};

}  // namespace

std::unique_ptr<StopRule> make_never(const schemas::Arguments& arguments) {
  return std::make_unique<NeverRule>(arguments);
}

}  // namespace lil::replay
