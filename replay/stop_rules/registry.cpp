#include "replay/stop_rules/registry.h"

#include <limits>
#include <vector>

namespace lil::replay {

std::unique_ptr<StopRule> make_guardian_rule(const schemas::Arguments& arguments);
std::unique_ptr<StopRule> make_never(const schemas::Arguments& arguments);
std::unique_ptr<StopRule> make_cap(const schemas::Arguments& arguments);
std::unique_ptr<StopRule> make_oracle(const schemas::Arguments& arguments);
std::unique_ptr<StopRule> make_ratio(const schemas::Arguments& arguments);
std::unique_ptr<StopRule> make_slope(const schemas::Arguments& arguments);
std::unique_ptr<StopRule> make_cusum(const schemas::Arguments& arguments);
std::unique_ptr<StopRule> make_repetition(const schemas::Arguments& arguments);

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

std::vector<Parameter> ratio_parameters() {
  return {
      tokens_parameter("f", "250", 1, "tokens from one check to the next"),
      {"t", Parameter::Type::kReal, "2.4", 0, kInfinity, {}, "ratio above which it stops"},
      tokens_parameter("window", "0", 0, "how many of the last tokens are compressed; 0 takes all"),
  };
}

std::vector<Parameter> slope_parameters() {
  return {
      tokens_parameter("f", "250", 1, "tokens in a window, and from one check to the next"),
      {"share",
       Parameter::Type::kReal,
       "0.1",
       0,
       kInfinity,
       {},
       "of the first growth, below which one is low"},
      tokens_parameter("windows", "2", 1, "first windows whose mean growth is the measure"),
      tokens_parameter("patience", "1", 1, "low checks in a row that make a stop"),
  };
}

std::vector<Parameter> cusum_parameters() {
  return {
      tokens_parameter("f", "", 1, "tokens from one check to the next"),
      {"reference", Parameter::Type::kReal, "", -kInfinity, kInfinity, {}, "growth that counts neither way"},
      {"interval", Parameter::Type::kReal, "", 0, kInfinity, {}, "what must be missing in all for a stop"},
  };
}

std::vector<Parameter> repetition_parameters() {
  constexpr double kMost = 1 << 30;
  const auto number = [](const char* name, const char* default_value, double min, const char* description) {
    return Parameter{name, Parameter::Type::kInteger, default_value, min, kMost, {}, description};
  };
  return {
      number("max_pattern_size", "", 0, "most tokens in a pattern; 0 looks for none"),
      number("min_pattern_size", "0", 0, "fewest tokens in a pattern; 0 means 1"),
      number("min_count", "", 2, "times that the pattern stands at the end"),
  };
}

}  // namespace

std::span<const StopRuleRow> stop_rule_rows() {
  static const std::vector<StopRuleRow> rows = {
      {"guardian", make_guardian_rule, "stops when the signal grew by less than t over the last f tokens",
       guardian_parameters()},
      {"ratio", make_ratio, "stops when zlib makes the text more than t times smaller (Whisper)",
       ratio_parameters()},
      {"slope", make_slope, "stops when the signal grows by a small share of what it grew by at first",
       slope_parameters()},
      {"cusum", make_cusum, "stops when the signal's growth has stayed below a reference for long (Page)",
       cusum_parameters()},
      {"repetition", make_repetition,
       "stops when the last tokens are one pattern over and over (vLLM's repetition_detection)",
       repetition_parameters()},
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
