#include "replay/stop_rules/registry.h"

#include <limits>
#include <vector>

namespace lil::replay {

std::unique_ptr<StopRule> make_guardian_rule(const schemas::Arguments& arguments);
std::unique_ptr<StopRule> make_never(const schemas::Arguments& arguments);
std::unique_ptr<StopRule> make_cap(const schemas::Arguments& arguments);
std::unique_ptr<StopRule> make_oracle(const schemas::Arguments& arguments);

namespace {

using schemas::Parameter;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Parameter tokens_parameter(const char* name, const char* default_value, double min, const char* description) {
  return {name, Parameter::Type::kInteger, default_value, min, kInfinity, {}, description};
}

std::vector<Parameter> guardian_parameters() {
  return {
      tokens_parameter("f", "", 1, "tokens from one check to the next"),
      {"t", Parameter::Type::kReal, "", -kInfinity, kInfinity, {}, "growth below which a check is low"},
      tokens_parameter("patience", "1", 1, "low checks in a row that make a stop"),
      tokens_parameter("warmup", "0", 0, "no check before so many tokens"),
      tokens_parameter("phase", "0", 0, "checks come at phase+f, phase+2f, …"),
      {"first",
       Parameter::Type::kChoice,
       "prompt",
       0,
       0,
       {"prompt", "zero"},
       "what the first check compares with"},
  };
}

}  // namespace

std::span<const StopRuleRow> stop_rule_rows() {
  static const std::vector<StopRuleRow> rows = {
      {"guardian", make_guardian_rule, "stops when the signal grew by less than t over the last f tokens",
       guardian_parameters()},
      {"never", make_never, "lets every generation end by itself", {}},
      {"cap",
       make_cap,
       "stops after a fixed number of tokens",
       {tokens_parameter("tokens", "", 1, "tokens kept at most")}},
      {"oracle",
       make_oracle,
       "stops where the readable answer last turns right, at once if it never does",
       {}},
  };
  return rows;
}

std::unique_ptr<StopRule> make_stop_rule(const schemas::NamedSpec& spec) {
  const StopRuleRow& row = schemas::find_row("stop rule", stop_rule_rows(), spec.name);
  return row.make(schemas::resolve_arguments("stop rule", spec, row.parameters));
}

std::unique_ptr<StopRule> make_stop_rule(std::string_view spec) {
  return make_stop_rule(schemas::parse_named_spec(spec));
}

}  // namespace lil::replay
