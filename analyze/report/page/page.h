#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/report/report_figure.h"
#include "analyze/report/report_figures.h"

namespace lil::analyze::page {

/// A part of the page that the contents lead to. `html` is trusted, `title` is text.
struct Section {
  std::string id;
  std::string title;
  std::string html;
};

struct Page {
  std::string title;
  std::string lead;  ///< HTML under the title
  std::vector<Section> sections;
  std::string end;  ///< HTML before the script: what it reads
};

/// The page: one file that asks for nothing else, with a policy that allows its own style and script alone.
[[nodiscard]] std::string render(const Page& page);

/// A figure with its description, its notes and its table: all of it, or the first `most_rows` rows and where
/// the others are.
[[nodiscard]] Section figure_section(const ReportFigure& figure, const std::vector<ReportNote>& notes,
                                     std::size_t most_rows);

/// What is missing, and why; empty where nothing is.
[[nodiscard]] std::string notes_html(const std::vector<ReportNote>& notes);

/// What a cell says whose number nobody recorded.
inline constexpr const char* kNotKnown = "not known";

/// A table that scrolls within itself; columns of numbers are set to the right, uids in a column `run` are
/// shortened with the whole one in the title. `caption` is HTML.
[[nodiscard]] std::string table_html(const ReportTable& table, std::size_t most_rows,
                                     std::string_view caption);

/// The table as its CSV file has it: RFC 4180, lines end with a line feed.
[[nodiscard]] std::string csv(const ReportTable& table);

}  // namespace lil::analyze::page
