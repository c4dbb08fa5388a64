#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "replay/stop_rule.h"
#include "schemas/registry.h"

namespace lil::replay {

using StopRuleFactory = std::unique_ptr<StopRule> (*)(const schemas::Arguments& arguments);
using StopRuleRow = schemas::RegistryRow<StopRuleFactory>;

/// Every stop rule, in the order in which lists show them.
[[nodiscard]] std::span<const StopRuleRow> stop_rule_rows();

/// The rule that `spec` describes. Throws Error(kUsage) that says what is known or allowed.
[[nodiscard]] std::unique_ptr<StopRule> make_stop_rule(const schemas::NamedSpec& spec);
[[nodiscard]] std::unique_ptr<StopRule> make_stop_rule(std::string_view spec);

}  // namespace lil::replay
