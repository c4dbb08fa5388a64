#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "analyze/report/figure/panel.h"
#include "analyze/report/figures/report_sources.h"

namespace lil::analyze {

/// Panels of equal size with their titles in rows from the left, under a legend.
class Multiples {
 public:
  struct Form {
    int most_columns = 3;
    double panel_height = 150;
    double left = 62;
    double right = 12;
    int title_lines = 3;
  };

  Multiples(figure::Svg& svg, const std::vector<std::string>& titles,
            const std::vector<figure::LegendEntry>& legend, const Form& form);

  [[nodiscard]] figure::Frame frame(std::size_t panel) const;
  [[nodiscard]] const std::vector<std::string>& title(std::size_t panel) const { return titles_[panel]; }
  /// Numbers at the left and below alone.
  [[nodiscard]] figure::AxisParts parts(std::size_t panel) const;
  [[nodiscard]] double height() const;

 private:
  std::vector<std::vector<std::string>> titles_;
  figure::PanelGrid grid_;
};

/// Names of runs as panels have them: by their policies alone where all are of one setting.
[[nodiscard]] std::vector<std::string> names_of(const ReportSources& sources,
                                                const std::vector<std::size_t>& runs);
/// That setting, as a sentence with a space before it; empty where the names have it.
[[nodiscard]] std::string common_setting(const ReportSources& sources, const std::vector<std::size_t>& runs);

/// `zlib(level=6)`, with the stream where it is not the text.
[[nodiscard]] std::string measure_name(const std::string& signal, const std::string& stream);

/// The width for so many panels in at most three columns.
[[nodiscard]] figure::FigureWidth width_for(std::size_t panels);

}  // namespace lil::analyze
