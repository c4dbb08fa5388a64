#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace lil::tools {

/// A number that is shown with a fixed count of decimals, the same on every machine.
struct Fixed {
  double value = 0;
  int decimals = 0;
};

/// What stands in one place of a table; monostate: nothing to say (empty, null in JSON).
using Value = std::variant<std::monostate, std::string, std::int64_t, Fixed>;

enum class TableFormat { kTable, kCsv, kJson, kMarkdown, kLatex };

/// Throws Error(kUsage) that lists the formats.
[[nodiscard]] TableFormat parse_table_format(const std::string& name);

/// Rows under named columns, for people and for programs.
class Table {
 public:
  explicit Table(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  /// One value for each column.
  void add_row(std::vector<Value> row);
  [[nodiscard]] bool empty() const { return rows_.empty(); }

  /// The whole table as text that ends in a newline. CSV as RFC 4180; JSON as an array of objects; in
  /// terminal tables, Markdown and LaTeX numbers stand flush right.
  [[nodiscard]] std::string render(TableFormat format) const;

 private:
  [[nodiscard]] std::string render_aligned(bool markdown) const;
  [[nodiscard]] std::string render_csv() const;
  [[nodiscard]] std::string render_json() const;
  [[nodiscard]] std::string render_latex() const;
  [[nodiscard]] bool is_numeric(std::size_t column) const;

  std::vector<std::string> columns_;
  std::vector<std::vector<Value>> rows_;
};

}  // namespace lil::tools
