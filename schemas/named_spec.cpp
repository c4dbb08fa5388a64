#include "schemas/named_spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "schemas/error.h"

namespace lil::schemas {
namespace {

constexpr std::string_view kSpaces = " \t";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

[[noreturn]] void fail_at(std::string_view text, std::size_t position, std::string_view what) {
  throw Error(ErrorCode::kUsage, fmt::format("'{}': {} at character {}", text, what, position + 1));
}

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

/// Pieces of `inside` between commas that stand outside parentheses, as (offset, piece).
std::vector<std::pair<std::size_t, std::string_view>> split_at_commas(std::string_view inside) {
  std::vector<std::pair<std::size_t, std::string_view>> pieces;
  int depth = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i <= inside.size(); ++i) {
    if (i == inside.size() || (inside[i] == ',' && depth == 0)) {
      pieces.emplace_back(start, inside.substr(start, i - start));
      start = i + 1;
    } else if (inside[i] == '(') {
      ++depth;
    } else if (inside[i] == ')') {
      --depth;
    }
  }
  return pieces;
}

void check_parentheses(std::string_view text) {
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')' && --depth < 0) fail_at(text, i, "a ')' without its '('");
    if (text[i] == ')' && depth == 0 && i + 1 != text.size()) fail_at(text, i + 1, "text after the last ')'");
  }
  if (depth > 0) fail_at(text, text.size(), "a ')' is missing");
}

template <class Number>
std::optional<Number> parse_whole(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_suffixed(std::string_view text) {
  std::int64_t unit = 1;
  if (!text.empty()) {
    const char last = text.back();
    if (last == 'k' || last == 'K') unit = std::int64_t{1} << 10;
    if (last == 'm' || last == 'M') unit = std::int64_t{1} << 20;
    if (unit != 1) text.remove_suffix(1);
  }
  const auto value = parse_whole<std::int64_t>(text);
  if (!value || *value > std::numeric_limits<std::int64_t>::max() / unit ||
      *value < std::numeric_limits<std::int64_t>::min() / unit) {
    return std::nullopt;
  }
  return *value * unit;
}

/// The canonical spelling of a value, or nothing where it is not one.
std::optional<std::string> canonical_value(const Parameter& parameter, const std::string& text) {
  switch (parameter.type) {
    case Parameter::Type::kInteger: {
      const auto value = parse_suffixed(text);
      const bool fits = value && static_cast<double>(*value) >= parameter.min &&
                        static_cast<double>(*value) <= parameter.max;
      return fits ? std::optional(std::to_string(*value)) : std::nullopt;
    }
    case Parameter::Type::kReal: {
      const auto value = parse_whole<double>(text);
      const bool fits = value && std::isfinite(*value) && *value >= parameter.min && *value <= parameter.max;
      return fits ? std::optional(fmt::format("{}", *value)) : std::nullopt;
    }
    case Parameter::Type::kChoice: {
      const bool known = std::count(parameter.choices.begin(), parameter.choices.end(), text) > 0;
      return known ? std::optional(text) : std::nullopt;
    }
    case Parameter::Type::kText:
      return text;
  }
  return std::nullopt;
}

/// `a..b+s` or a plain value.
std::vector<std::string> expand_value(const std::string& value) {
  if (value.find('(') != std::string::npos) return expand_named_spec(value);
  const auto dots = value.find("..");
  if (dots == std::string::npos) return {value};
  std::vector<std::string> numbers;
  for (const std::int64_t number : parse_count_list("range", value))
    numbers.push_back(std::to_string(number));
  return numbers;
}

}  // namespace

std::string allowed_values(const Parameter& parameter) {
  if (parameter.type == Parameter::Type::kChoice)
    return fmt::format("one of {}", fmt::join(parameter.choices, ", "));
  const char* type = parameter.type == Parameter::Type::kInteger ? "a whole number" : "a number";
  const bool open_low = std::isinf(parameter.min);
  const bool open_high = std::isinf(parameter.max);
  if (open_low && open_high) return type;
  if (open_high) return fmt::format("{} from {}", type, parameter.min);
  if (open_low) return fmt::format("{} up to {}", type, parameter.max);
  return fmt::format("{} from {} to {}", type, parameter.min, parameter.max);
}

std::int64_t Arguments::integer(std::string_view parameter) const {
  return *parse_whole<std::int64_t>(value_of(parameter));
}

double Arguments::real(std::string_view parameter) const {
  return *parse_whole<double>(value_of(parameter));
}

const std::string& Arguments::text(std::string_view parameter) const {
  return value_of(parameter);
}

std::string Arguments::to_string() const {
  return spell(true);
}

std::string Arguments::to_brief_string() const {
  return spell(false);
}

const std::string& Arguments::value_of(std::string_view parameter) const {
  const auto found = std::find_if(values_.begin(), values_.end(),
                                  [&](const Value& value) { return value.parameter == parameter; });
  assert(found != values_.end() && "an undeclared parameter was asked for");
  return found->text;
}

std::string Arguments::spell(bool with_defaults) const {
  std::string inside;
  for (const Value& value : values_) {
    if (value.at_default && !with_defaults) continue;
    inside += fmt::format("{}{}={}", inside.empty() ? "" : ",", value.parameter, value.text);
  }
  return inside.empty() ? name_ : fmt::format("{}({})", name_, inside);
}

NamedSpec parse_named_spec(std::string_view whole) {
  const std::string_view text = trimmed(whole);
  check_parentheses(text);
  const auto open = text.find('(');
  NamedSpec spec{std::string(trimmed(text.substr(0, open))), {}};
  if (!is_name(spec.name)) fail_at(text, 0, "a name is missing");
  if (open == std::string_view::npos) return spec;
  if (text.back() != ')') fail_at(text, text.size(), "a ')' is missing");
  const std::string_view inside = text.substr(open + 1, text.size() - open - 2);
  if (trimmed(inside).empty()) return spec;
  for (const auto& [offset, piece] : split_at_commas(inside)) {
    const auto equals = piece.find('=');
    const std::string key(trimmed(piece.substr(0, equals)));
    if (equals == std::string_view::npos || !is_name(key))
      fail_at(text, open + 1 + offset, "expected key=value");
    spec.values.emplace_back(key, trimmed(piece.substr(equals + 1)));
  }
  return spec;
}

Arguments resolve_arguments(std::string_view family, const NamedSpec& spec,
                            const std::vector<Parameter>& parameters) {
  const std::string entry = fmt::format("{} '{}'", family, spec.name);
  for (std::size_t i = 0; i < spec.values.size(); ++i) {
    const std::string& key = spec.values[i].first;
    const bool known =
        std::any_of(parameters.begin(), parameters.end(), [&](const auto& p) { return p.name == key; });
    if (!known) {
      std::string names;
      for (const auto& p : parameters) names += (names.empty() ? "" : ", ") + p.name;
      throw Error(ErrorCode::kUsage, fmt::format("{} has no parameter '{}'; it has: {}", entry, key,
                                                 names.empty() ? "none" : names));
    }
    const bool twice = std::any_of(spec.values.begin(), spec.values.begin() + static_cast<std::ptrdiff_t>(i),
                                   [&](const auto& other) { return other.first == key; });
    if (twice) throw Error(ErrorCode::kUsage, fmt::format("{}: parameter '{}' is given twice", entry, key));
  }
  std::vector<Arguments::Value> resolved;
  for (const Parameter& parameter : parameters) {
    const auto given = std::find_if(spec.values.begin(), spec.values.end(),
                                    [&](const auto& value) { return value.first == parameter.name; });
    const std::string standard = parameter.derived_default == nullptr
                                     ? parameter.default_value
                                     : std::to_string(parameter.derived_default({spec.name, resolved}));
    const std::string& text = given != spec.values.end() ? given->second : standard;
    if (given == spec.values.end() && text.empty()) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("{} needs {}=…, {}", entry, parameter.name, allowed_values(parameter)));
    }
    const auto value = canonical_value(parameter, text);
    if (!value) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("{}: {}={} is not {}", entry, parameter.name, text, allowed_values(parameter)));
    }
    const bool optional = !standard.empty();
    resolved.push_back({parameter.name, *value, optional && *value == canonical_value(parameter, standard)});
  }
  return {spec.name, std::move(resolved)};
}

std::vector<std::string> expand_named_spec(std::string_view whole) {
  const std::string_view text = trimmed(whole);
  check_parentheses(text);
  const auto open = text.find('(');
  if (open == std::string_view::npos) return {std::string(text)};
  const std::string_view inside = text.substr(open + 1, text.size() - open - 2);
  std::vector<std::pair<std::string, std::vector<std::string>>> choices;  // key → its values
  for (const auto& [offset, piece] : split_at_commas(inside)) {
    const auto equals = piece.find('=');
    const auto parenthesis = piece.find('(');
    const bool continues = equals == std::string_view::npos || parenthesis < equals;
    if (continues && choices.empty()) {
      if (trimmed(inside).empty()) return {std::string(text)};
      fail_at(text, open + 1 + offset, "expected key=value");
    }
    if (!continues) choices.emplace_back(trimmed(piece.substr(0, equals)), std::vector<std::string>{});
    const std::string_view value = continues ? piece : piece.substr(equals + 1);
    for (std::string& one : expand_value(std::string(trimmed(value))))
      choices.back().second.push_back(std::move(one));
  }
  std::vector<std::string> insides{""};
  for (const auto& [key, values] : choices) {
    std::vector<std::string> longer;
    for (const std::string& prefix : insides) {
      for (const std::string& value : values) {
        longer.push_back(fmt::format("{}{}{}={}", prefix, prefix.empty() ? "" : ",", key, value));
      }
    }
    insides = std::move(longer);
  }
  std::vector<std::string> specs;
  specs.reserve(insides.size());
  for (const std::string& one : insides) specs.push_back(fmt::format("{}({})", text.substr(0, open), one));
  return specs;
}

std::vector<std::string> expand_named_specs(std::string_view text) {
  std::vector<std::string> specs;
  for (const auto& [offset, piece] : split_at_commas(text)) {
    for (std::string& one : expand_named_spec(piece)) specs.push_back(std::move(one));
  }
  return specs;
}

std::int64_t parse_count(std::string_view what, std::string_view text) {
  const auto value = parse_suffixed(trimmed(text));
  if (!value || *value < 0) {
    throw Error(ErrorCode::kUsage, fmt::format("{}: '{}' is not a count such as 250 or 32k", what, text));
  }
  return *value;
}

std::vector<std::int64_t> parse_count_list(std::string_view what, std::string_view text) {
  constexpr std::int64_t kMost = 100000;
  std::vector<std::int64_t> numbers;
  for (const auto& [offset, piece] : split_at_commas(text)) {
    const auto dots = piece.find("..");
    if (dots == std::string_view::npos) {
      numbers.push_back(parse_count(what, piece));
      continue;
    }
    const auto plus = piece.find('+', dots);
    const std::int64_t first = parse_count(what, piece.substr(0, dots));
    const std::int64_t last = parse_count(
        what,
        piece.substr(dots + 2, plus == std::string_view::npos ? std::string_view::npos : plus - dots - 2));
    const std::int64_t step = plus == std::string_view::npos ? 1 : parse_count(what, piece.substr(plus + 1));
    if (step < 1 || last < first || (last - first) / step >= kMost) {
      throw Error(ErrorCode::kUsage, fmt::format("{}: '{}' is not a range such as 50..500+50", what, piece));
    }
    for (std::int64_t number = first; number <= last; number += step) numbers.push_back(number);
  }
  return numbers;
}

}  // namespace lil::schemas
