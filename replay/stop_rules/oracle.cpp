#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>

#include "replay/stop_rule.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"

namespace lil::replay {
namespace {

constexpr const char* kRight = "right";

/// Where the verdict last turns right; nothing where it never is.
std::optional<std::int64_t> last_turn_to_right(std::span<const schemas::AnswerEvent> events) {
  std::optional<std::int64_t> turn;
  bool was_right = false;
  for (const schemas::AnswerEvent& event : events) {
    const bool is_right = event.verdict == kRight;
    if (is_right && !was_right) turn = event.token;
    was_right = is_right;
  }
  return turn;
}

/// `oracle`: knows the gold answer. Stops right after the last change to the right answer; where no prefix
/// of the trace is right there is nothing to lose, and it stops after the first token.
///
/// It is the bound on what stopping can give. Accuracy: it is right on every trace that has a right prefix,
/// so no rule is right on more, and it harms none. Tokens: a rule keeps fewer on a trace only by giving up a
/// right answer, or by stopping while the answer is right for a while that the trace itself goes back on,
/// which is luck and not knowledge of having arrived.
class OracleRule : public StopRule {
 public:
  explicit OracleRule(const schemas::Arguments& arguments) : StopRule(arguments.to_brief_string()) {}

  [[nodiscard]] LookSchedule schedule() const override { return {}; }
  [[nodiscard]] std::unique_ptr<StopWatcher> watch() const override { return nullptr; }

  [[nodiscard]] std::optional<std::int64_t> stop(const RuleInput& input) const override {
    if (input.events.empty()) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("rule {} reads graded answers, and this trace was not graded; "
                              "run `lil grade` first",
                              name()));
    }
    const std::int64_t first_stop = 1;
    const std::int64_t token = std::max(first_stop, last_turn_to_right(input.events).value_or(first_stop));
    return token < input.tokens ? std::optional(token) : std::nullopt;
  }
};

}  // namespace

std::unique_ptr<StopRule> make_oracle(const schemas::Arguments& arguments) {
  return std::make_unique<OracleRule>(arguments);
}

}  // namespace lil::replay
