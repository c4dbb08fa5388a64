#include "analyze/report/page/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "analyze/report/figure/style.h"
#include "analyze/report/figure/xml.h"
#include "analyze/report/page/packed_numbers.h"
#include "analyze/report/page/page_assets.h"
#include "schemas/sha256.h"

namespace lil::analyze::page {
namespace {

using figure::xml_text;

/// Longer ones may break where the page is wide.
constexpr std::size_t kLongCellBytes = 24;

/// Of a run's uid in a table; the whole of it is in the cell's title.
constexpr std::size_t kUidDigits = 10;

/// As a content security policy names a style or a script: 'sha256-…'.
std::string hash_source(std::string_view text) {
  const std::string hex = schemas::sha256_hex(text);
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return "'sha256-" + base64(bytes) + "'";
}

bool is_number(const std::string& cell) {
  const bool digits = cell.find_first_of("0123456789") != std::string::npos;
  return digits && cell.find_first_not_of("0123456789.,+-eE %") == std::string::npos;
}

/// Of each column, whether all its cells that say anything are numbers.
std::vector<bool> number_columns(const ReportTable& table) {
  std::vector<bool> numbers(table.columns.size(), true);
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (!row[i].empty() && row[i] != kNotKnown && !is_number(row[i])) numbers[i] = false;
    }
  }
  return numbers;
}

bool is_long_uid(const std::string& cell) {
  return cell.size() > kUidDigits && cell.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// Escaped, with the places where a long one may break: behind what separates its words.
std::string breakable(const std::string& cell) {
  std::string html;
  for (const char c : xml_text(cell)) {
    html += c;
    if (c == ',' || c == '(' || c == '/' || c == '_') html += "<wbr>";
  }
  return html;
}

std::string cell_html(const std::string& column, const std::string& cell, bool is_number) {
  if (column == "run" && is_long_uid(cell))
    return fmt::format("<td title=\"{}\">{}</td>", cell, cell.substr(0, kUidDigits));
  if (is_number) return fmt::format("<td class=\"n\">{}</td>", xml_text(cell));
  if (cell.size() > kLongCellBytes) return fmt::format("<td class=\"long\">{}</td>", breakable(cell));
  return fmt::format("<td>{}</td>", xml_text(cell));
}

std::string row_html(const ReportTable& table, std::size_t row, const std::vector<bool>& numbers) {
  std::string html = "<tr>";
  for (std::size_t i = 0; i < table.rows[row].size(); ++i)
    html += cell_html(table.columns[i], table.rows[row][i], numbers[i]);
  return html + "</tr>\n";
}

std::string csv_cell(const std::string& cell) {
  if (cell.find_first_of(",\"\n\r") == std::string::npos) return cell;
  std::string quoted = "\"";
  for (const char c : cell) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv_line(const std::vector<std::string>& row) {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) line += (i == 0 ? "" : ",") + csv_cell(row[i]);
  return line + "\n";
}

std::string navigation(const std::vector<Section>& sections) {
  std::string html = "<nav aria-label=\"Contents\"><ol>\n";
  for (const Section& section : sections)
    html += fmt::format("<li><a href=\"#{}\">{}</a></li>\n", xml_text(section.id), xml_text(section.title));
  return html + "</ol></nav>\n";
}

}  // namespace

std::string table_html(const ReportTable& table, std::size_t most_rows, std::string_view caption) {
  const std::vector<bool> numbers = number_columns(table);
  std::string html = "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table\"><table>";
  if (!caption.empty()) html += fmt::format("<caption>{}</caption>", caption);
  html += "<thead><tr>";
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    html += fmt::format("<th scope=\"col\"{}>{}</th>", numbers[i] ? " class=\"n\"" : "",
                        xml_text(table.columns[i]));
  }
  html += "</tr></thead><tbody>\n";
  for (std::size_t i = 0; i < std::min(most_rows, table.rows.size()); ++i)
    html += row_html(table, i, numbers);
  return html + "</tbody></table></div>\n";
}

std::string csv(const ReportTable& table) {
  std::string text = csv_line(table.columns);
  for (const auto& row : table.rows) text += csv_line(row);
  return text;
}

std::string notes_html(const std::vector<ReportNote>& notes) {
  if (notes.empty()) return "";
  std::string html = "<ul class=\"notes\">\n";
  for (const ReportNote& note : notes) html += fmt::format("<li>{}</li>\n", xml_text(note.text));
  return html + "</ul>\n";
}

Section figure_section(const ReportFigure& figure, const std::vector<ReportNote>& notes,
                       std::size_t most_rows) {
  const std::size_t rows = figure.table.rows.size();
  const std::string where =
      rows <= most_rows
          ? ""
          : fmt::format(
                ": the first {} here, as the page would grow too large; all of them in {}.csv by --assets",
                most_rows, figure.id);
  std::string html =
      fmt::format("<figure>\n<div class=\"scroll drawing\">{}</div>\n<figcaption>{}</figcaption>\n",
                  figure.svg, xml_text(figure.description));
  html += notes_html(notes);
  html += fmt::format(
      "<details class=\"numbers\"><summary>The numbers: {} row{}{}</summary>\n{}</details>\n</figure>\n",
      rows, rows == 1 ? "" : "s", xml_text(where), table_html(figure.table, most_rows, ""));
  return {figure.id, figure.title, std::move(html)};
}

std::string render(const Page& page) {
  const std::string style = figure_style() + std::string(page_style());
  const std::string script(page.end.empty() ? std::string_view() : page_script());
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src {}; script-src "
      "{}; "
      "base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>{} · Lil "
      "report</title>\n<style>{}</style>\n</head>\n",
      hash_source(style), script.empty() ? "'none'" : hash_source(script), xml_text(page.title), style);
  html += fmt::format(
      "<body>\n<a class=\"skip\" href=\"#content\">Skip to the "
      "content</a>\n<header><h1>{}</h1>\n{}</header>\n{}"
      "<main id=\"content\">\n",
      xml_text(page.title), page.lead, navigation(page.sections));
  for (const Section& section : page.sections) {
    html += fmt::format(
        "<section id=\"{0}\" aria-labelledby=\"heading-{0}\">\n<h2 "
        "id=\"heading-{0}\">{1}</h2>\n{2}</section>\n",
        xml_text(section.id), xml_text(section.title), section.html);
  }
  html += "</main>\n" + page.end;
  if (!script.empty()) html += fmt::format("<script>{}</script>\n", script);
  return html + "</body>\n</html>\n";
}

}  // namespace lil::analyze::page
