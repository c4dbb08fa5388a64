#include "analyze/report/figures/multiples.h"

#include <fmt/format.h>

#include <algorithm>

#include "analyze/report/figure/text_size.h"

namespace lil::analyze {

Multiples::Multiples(figure::Svg& svg, const std::vector<std::string>& titles,
                     const std::vector<figure::LegendEntry>& legend, const Form& form) {
  constexpr double kTitleLine = 13.5;
  grid_.width = svg.width();
  grid_.left = form.left;
  grid_.right = form.right;
  grid_.columns = std::min(form.most_columns, static_cast<int>(titles.size()));
  grid_.panel_height = form.panel_height;
  grid_.below = 24;
  grid_.bottom = 16;
  grid_.top =
      legend.empty() ? 4 : figure::draw_legend(svg, {grid_.left, 12}, svg.width() - grid_.left, legend) + 2;
  std::size_t most = 1;
  for (const std::string& title : titles) {
    titles_.push_back(figure::wrapped(title, grid_.panel_width() - 4, form.title_lines, figure::kSmallSize));
    most = std::max(most, titles_.back().size());
  }
  grid_.title = kTitleLine * static_cast<double>(most) + 6;
}

figure::Frame Multiples::frame(std::size_t panel) const {
  const auto columns = static_cast<std::size_t>(grid_.columns);
  return grid_.frame(static_cast<int>(panel / columns), static_cast<int>(panel % columns));
}

figure::AxisParts Multiples::parts(std::size_t panel) const {
  const auto columns = static_cast<std::size_t>(grid_.columns);
  const bool lowest = panel + columns >= titles_.size();
  const bool first = panel % columns == 0;
  return {true, lowest, first, first};
}

double Multiples::height() const {
  const auto columns = static_cast<std::size_t>(grid_.columns);
  return grid_.height(static_cast<int>((titles_.size() + columns - 1) / columns));
}

std::vector<std::string> names_of(const ReportSources& sources, const std::vector<std::size_t>& runs) {
  const auto& all = sources.runs();
  const bool policies_do = std::all_of(runs.begin(), runs.end(), [&](std::size_t run) {
    return all[run].setting == all[runs.front()].setting && !all[run].policy.empty() && runs.size() > 1;
  });
  std::vector<std::string> names;
  names.reserve(runs.size());
  for (const std::size_t run : runs) names.push_back(policies_do ? all[run].policy : all[run].name());
  return names;
}

std::string common_setting(const ReportSources& sources, const std::vector<std::size_t>& runs) {
  const auto& all = sources.runs();
  const auto names = names_of(sources, runs);
  if (runs.empty() || names.front() == all[runs.front()].name()) return "";
  return fmt::format(" All runs are of {}.", all[runs.front()].setting);
}

std::string measure_name(const std::string& signal, const std::string& stream) {
  return stream == "text" ? signal : signal + " " + stream;
}

figure::FigureWidth width_for(std::size_t panels) {
  if (panels <= 1) return figure::FigureWidth::kNarrow;
  return panels == 2 ? figure::FigureWidth::kMiddle : figure::FigureWidth::kWide;
}

}  // namespace lil::analyze
