#include "tools/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "schemas/error.h"

namespace lil::tools {
namespace {

constexpr std::array<std::pair<std::string_view, TableFormat>, 5> kFormats{
    {{"table", TableFormat::kTable},
     {"csv", TableFormat::kCsv},
     {"json", TableFormat::kJson},
     {"markdown", TableFormat::kMarkdown},
     {"latex", TableFormat::kLatex}}};

std::string text_of(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  if (const auto* fixed = std::get_if<Fixed>(&value))
    return fmt::format("{:.{}f}", fixed->value, fixed->decimals);
  return "";
}

nlohmann::ordered_json json_of(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return *whole;
  if (std::holds_alternative<Fixed>(value)) return nlohmann::ordered_json::parse(text_of(value));
  return nullptr;
}

/// Characters, not bytes: what stands beside continuation bytes does not widen a column.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::string fill(width - std::min(width, width_of(text)), ' ');
  return right ? fill + text : text + fill;
}

std::string replace_all(const std::string& text,
                        const std::vector<std::pair<char, std::string>>& replacements) {
  std::string out;
  for (const char c : text) {
    const auto found =
        std::find_if(replacements.begin(), replacements.end(), [c](const auto& r) { return r.first == c; });
    out += found == replacements.end() ? std::string(1, c) : found->second;
  }
  return out;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return '"' + replace_all(text, {{'"', "\"\""}}) + '"';
}

std::string latex_text(const std::string& text) {
  return replace_all(text, {{'_', "\\_"},
                            {'%', "\\%"},
                            {'&', "\\&"},
                            {'#', "\\#"},
                            {'$', "\\$"},
                            {'{', "\\{"},
                            {'}', "\\}"},
                            {'\\', "\\textbackslash{}"},
                            {'^', "\\^{}"},
                            {'~', "\\~{}"}});
}

}  // namespace

TableFormat parse_table_format(const std::string& name) {
  std::string known;
  for (const auto& [candidate, format] : kFormats) {
    if (candidate == name) return format;
    known += (known.empty() ? "" : ", ") + std::string(candidate);
  }
  throw Error(ErrorCode::kUsage, fmt::format("--format: unknown format '{}'; known are: {}", name, known));
}

void Table::add_row(std::vector<Value> row) {
  assert(row.size() == columns_.size());
  rows_.push_back(std::move(row));
}

bool Table::is_numeric(std::size_t column) const {
  bool numbers = false;
  for (const auto& row : rows_) {
    const auto* text = std::get_if<std::string>(&row[column]);
    if (text != nullptr && *text != "-") return false;
    numbers = numbers || std::holds_alternative<std::int64_t>(row[column]) ||
              std::holds_alternative<Fixed>(row[column]);
  }
  return numbers;
}

std::string Table::render(TableFormat format) const {
  switch (format) {
    case TableFormat::kTable:
      return render_aligned(false);
    case TableFormat::kMarkdown:
      return render_aligned(true);
    case TableFormat::kCsv:
      return render_csv();
    case TableFormat::kJson:
      return render_json();
    case TableFormat::kLatex:
      return render_latex();
  }
  return "";
}

std::string Table::render_aligned(bool markdown) const {
  const auto shown = [markdown](const Value& value) {
    return markdown ? replace_all(text_of(value), {{'|', "\\|"}, {'\n', " "}})
                    : replace_all(text_of(value), {{'\n', " "}});
  };
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = std::max<std::size_t>(width_of(columns_[c]), markdown ? 3 : 0);
    for (const auto& row : rows_) width = std::max(width, width_of(shown(row[c])));
    widths.push_back(width);
  }
  const auto line = [&](const auto& text_at) {
    std::string out;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      out += (c == 0 ? (markdown ? "| " : "") : (markdown ? " | " : "  ")) +
             padded(text_at(c), widths[c], is_numeric(c));
    }
    if (!markdown) out.erase(out.find_last_not_of(' ') + 1);
    return out + (markdown ? " |\n" : "\n");
  };
  std::string out = line([&](std::size_t c) { return columns_[c]; });
  out += line([&](std::size_t c) {
    const bool right = markdown && is_numeric(c);
    return std::string(widths[c] - (right ? 1 : 0), '-') + (right ? ":" : "");
  });
  for (const auto& row : rows_) out += line([&](std::size_t c) { return shown(row[c]); });
  return out;
}

std::string Table::render_csv() const {
  std::string out;
  for (std::size_t c = 0; c < columns_.size(); ++c) out += (c == 0 ? "" : ",") + csv_field(columns_[c]);
  out += '\n';
  for (const auto& row : rows_) {
    for (std::size_t c = 0; c < row.size(); ++c) out += (c == 0 ? "" : ",") + csv_field(text_of(row[c]));
    out += '\n';
  }
  return out;
}

std::string Table::render_json() const {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  for (const auto& row : rows_) {
    nlohmann::ordered_json object;
    for (std::size_t c = 0; c < row.size(); ++c) object[columns_[c]] = json_of(row[c]);
    array.push_back(std::move(object));
  }
  return array.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string Table::render_latex() const {
  std::string alignment;
  for (std::size_t c = 0; c < columns_.size(); ++c) alignment += is_numeric(c) ? 'r' : 'l';
  std::string out = fmt::format("\\begin{{tabular}}{{{}}}\n\\hline\n", alignment);
  const auto line = [&](const auto& text_at) {
    std::string text;
    for (std::size_t c = 0; c < columns_.size(); ++c) text += (c == 0 ? "" : " & ") + latex_text(text_at(c));
    return text + " \\\\\n";
  };
  out += line([&](std::size_t c) { return columns_[c]; }) + "\\hline\n";
  for (const auto& row : rows_) out += line([&](std::size_t c) { return text_of(row[c]); });
  return out + "\\hline\n\\end{tabular}\n";
}

}  // namespace lil::tools
