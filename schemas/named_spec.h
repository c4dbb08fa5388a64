#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lil::schemas {

class Arguments;

/// One parameter of an entry of a registry, with its default and range.
struct Parameter {
  enum class Type {
    kInteger,  ///< accepts `32k` (see parse_count); range [min, max]
    kReal,     ///< range [min, max]
    kChoice,   ///< one of `choices`
    kText,     ///< anything, a nested spec such as `zlib(level=6)` included
  };
  std::string name;
  Type type = Type::kInteger;
  std::string default_value;  ///< empty: the parameter must be given
  double min = 0;
  double max = 0;
  std::vector<std::string> choices;
  std::string description;
  /// The default where it depends on the parameters before this one; default_value then says it in words.
  std::int64_t (*derived_default)(const Arguments& earlier) = nullptr;
};

/// What a parameter takes, in words: `a whole number from 1 to 9`, `one of prompt, zero`.
[[nodiscard]] std::string allowed_values(const Parameter& parameter);

/// The parameters of one entry with their values: given ones checked, the others at their defaults.
class Arguments {
 public:
  struct Value {
    std::string parameter;
    std::string text;         ///< canonical
    bool at_default = false;  ///< the parameter may be left out, and this is what it is then
  };

  Arguments(std::string name, std::vector<Value> values)
      : name_(std::move(name)), values_(std::move(values)) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  /// The value of a declared parameter; asking for an undeclared one is a bug (assertion).
  [[nodiscard]] std::int64_t integer(std::string_view parameter) const;
  [[nodiscard]] double real(std::string_view parameter) const;
  [[nodiscard]] const std::string& text(std::string_view parameter) const;
  /// Canonical spelling that names every parameter, in the order of declaration: `sink(budget=64,sinks=4)`;
  /// the bare name where there are no parameters. Parsing it again gives the same arguments.
  [[nodiscard]] std::string to_string() const;
  /// The same without what stands at its default: `guardian(f=250,t=20)`. Parameters without a default are
  /// always there.
  [[nodiscard]] std::string to_brief_string() const;

 private:
  [[nodiscard]] const std::string& value_of(std::string_view parameter) const;
  [[nodiscard]] std::string spell(bool with_defaults) const;

  std::string name_;
  std::vector<Value> values_;
};

/// `name(key=value,…)` taken apart, nothing checked against a registry yet. A bare `name` has no values.
struct NamedSpec {
  std::string name;
  std::vector<std::pair<std::string, std::string>> values;
};

/// Reads `name(key=value,…)`; parentheses nest. Throws Error(kUsage) with the position of what is wrong.
[[nodiscard]] NamedSpec parse_named_spec(std::string_view text);

/// Checks `spec` against the parameters of the entry it names and fills in the defaults. `family` is for
/// messages ("signal"). Throws Error(kUsage) naming entry, key and allowed range.
[[nodiscard]] Arguments resolve_arguments(std::string_view family, const NamedSpec& spec,
                                          const std::vector<Parameter>& parameters);

/// The cross product of lists and ranges among the values: `guardian(f=50,250,t=20)` and
/// `guardian(f=50..250+50,t=20)` give one spec for each f. A piece without `=` continues the list of the
/// key before it; `a..b+s` counts from a to b by s (bare `a..b` by 1).
[[nodiscard]] std::vector<std::string> expand_named_spec(std::string_view text);

/// The same for several specs between commas, as `zlib(level=1,6),lz4`.
[[nodiscard]] std::vector<std::string> expand_named_specs(std::string_view text);

/// A non-negative count with an optional suffix: `32k` = 32768 (tokens come in powers of two), `5m`.
/// Throws Error(kUsage) that names `what`.
[[nodiscard]] std::int64_t parse_count(std::string_view what, std::string_view text);

/// `250`, `50,250`, `50..500+50` → the numbers, in the order given.
[[nodiscard]] std::vector<std::int64_t> parse_count_list(std::string_view what, std::string_view text);

}  // namespace lil::schemas
