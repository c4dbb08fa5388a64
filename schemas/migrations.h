#pragma once

#include <span>
#include <string_view>

namespace lil::schemas {

/// The SQL that takes an empty store from version n to n + 1 at index n, in order; forward only.
[[nodiscard]] std::span<const std::string_view> migrations();

}  // namespace lil::schemas
