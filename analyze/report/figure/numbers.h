#pragma once

#include <cstdint>
#include <string>

namespace lil::analyze::figure {

/// A coordinate with at most one decimal, never `-0`. The same in every locale.
[[nodiscard]] std::string coordinate(double value);

/// `12,345`; a true minus sign in front of what is below 0.
[[nodiscard]] std::string grouped(std::int64_t value);

/// For people: with `decimals` digits after the point, groups of three before it, and a true minus sign.
[[nodiscard]] std::string spoken(double value, int decimals);

/// The same in per cent, without the sign of per cent: 0.123 with one decimal is `12.3`.
[[nodiscard]] std::string spoken_percent(double share, int decimals = 1);

/// The same without digits that say nothing: 0.02 is `2`, 0.025 `2.5`.
[[nodiscard]] std::string spoken_level(double share);

/// With a sign in front, `+1.5` and `−1.5`; 0 has none.
[[nodiscard]] std::string spoken_change(double value, int decimals);

/// For tables: `lil analyze` writes shares with so many decimals.
[[nodiscard]] std::string share_cell(double value);

}  // namespace lil::analyze::figure
