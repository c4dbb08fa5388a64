#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "analyze/intervals.h"
#include "tools/table.h"

namespace lil::tools {

/// Decimals of shares and the like in csv and json.
inline constexpr int kShareDecimals = 6;

/// 0 of nothing.
[[nodiscard]] inline double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// `12.3 %`
[[nodiscard]] inline std::string percent(double share) {
  return fmt::format("{:.1f} %", 100 * share);
}

/// `12.3 to 45.6`, in per cent.
[[nodiscard]] inline std::string percent(const analyze::Interval& interval) {
  return fmt::format("{:.1f} to {:.1f}", 100 * interval.low, 100 * interval.high);
}

/// csv and json: every column, numbers as they are.
[[nodiscard]] inline bool for_programs(TableFormat format) {
  return format == TableFormat::kCsv || format == TableFormat::kJson;
}

/// In front of a line of text beside a table: LaTeX must not set it.
[[nodiscard]] inline const char* comment_mark(TableFormat format) {
  return format == TableFormat::kLatex ? "% " : "";
}

/// Between text and a table: without it Markdown takes both for one paragraph.
[[nodiscard]] inline const char* gap_before_table(TableFormat format) {
  return format == TableFormat::kMarkdown ? "\n" : "";
}

}  // namespace lil::tools
