#include <cstdint>
#include <memory>

#include "replay/stop_rule.h"
#include "schemas/named_spec.h"

namespace lil::replay {
namespace {

class CapWatcher : public StopWatcher {
 public:
  explicit CapWatcher(std::int64_t cap_tokens) : cap_tokens_(cap_tokens) {}

  bool observe(std::int64_t token, std::int64_t /*value*/) override { return token >= cap_tokens_; }

 private:
  std::int64_t cap_tokens_;
};

/// `cap(tokens=…)`: stops after so many generated tokens, whatever they are. The baseline that any rule
/// with the same mean length has to beat.
class CapRule : public StopRule {
 public:
  explicit CapRule(const schemas::Arguments& arguments)
      : StopRule(arguments.to_brief_string()), cap_tokens_(arguments.integer("tokens")) {}

  [[nodiscard]] LookSchedule schedule() const override {
    return {.every_tokens = cap_tokens_, .first_token = cap_tokens_, .reads_signal = false};
  }
  [[nodiscard]] std::unique_ptr<StopWatcher> watch() const override {
    return std::make_unique<CapWatcher>(cap_tokens_);
  }

 private:
  std::int64_t cap_tokens_;
};

}  // namespace

std::unique_ptr<StopRule> make_cap(const schemas::Arguments& arguments) {
  return std::make_unique<CapRule>(arguments);
}

}  // namespace lil::replay
