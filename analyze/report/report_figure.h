#pragma once

#include <string>
#include <vector>

namespace lil::analyze {

/// The numbers of a figure, as text: what the page shows under it and what its CSV holds.
struct ReportTable {
  std::vector<std::string> columns;            ///< snake_case, those of `lil analyze` where the number is its
  std::vector<std::vector<std::string>> rows;  ///< as many cells as columns; empty where unknown
};

/// A figure with its table. Text is plain UTF-8 everywhere but in `svg`, where it is escaped already.
struct ReportFigure {
  std::string id;           ///< anchor and file name, kebab-case
  std::string title;        ///< what it says, in a line
  std::string description;  ///< how to read it: marks, bands, how many traces; a sentence or three
  std::string
      svg;  ///< one <svg> with viewBox, <title> and <desc>, without a style of its own, see figure_style()
  ReportTable table;
};

}  // namespace lil::analyze
