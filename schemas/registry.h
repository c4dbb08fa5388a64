#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/error.h"
#include "schemas/named_spec.h"

namespace lil::schemas {

/// One row of a family's registry. `Factory` is a plain function pointer that takes the checked
/// Arguments (and whatever else the family needs) and makes the thing.
template <class Factory>
struct RegistryRow {
  std::string name;
  Factory make;
  std::string description;  ///< one line, for help and `lil list`
  std::vector<Parameter> parameters;
};

/// The row called `name`. Throws Error(kUsage) that lists the known names.
template <class Factory>
const RegistryRow<Factory>& find_row(std::string_view family, std::span<const RegistryRow<Factory>> rows,
                                     std::string_view name) {
  std::string known;
  for (const auto& row : rows) {
    if (row.name == name) return row;
    known += (known.empty() ? "" : ", ") + row.name;
  }
  throw Error(ErrorCode::kUsage,
              "unknown " + std::string(family) + " '" + std::string(name) + "'; known are: " + known);
}

/// A row with the arguments of `text`, a `name(key=value,…)`. Throws Error(kUsage).
template <class Factory>
std::pair<const RegistryRow<Factory>*, Arguments> resolve_row(std::string_view family,
                                                              std::span<const RegistryRow<Factory>> rows,
                                                              std::string_view text) {
  const NamedSpec spec = parse_named_spec(text);
  const auto& row = find_row(family, rows, spec.name);
  return {&row, resolve_arguments(family, spec, row.parameters)};
}

}  // namespace lil::schemas
