#pragma once

#include <string>

#include "analyze/report/report_figure.h"

namespace lil::analyze {

/// The CSS of every figure: variables on `:root` (`--ink`, `--muted`, `--paper`, `--grid`, `--series-1` to
/// `--series-9`), light and dark by prefers-color-scheme and light in print, and the classes that the
/// drawings use, all below `.fig`. A figure is as wide as the element it stands in, and not narrower than its
/// class says, so that its text can be read: on a phone the element around it must scroll (`overflow-x:
/// auto`).
[[nodiscard]] const std::string& figure_style();

/// The figure's SVG as a file of its own, with its style in it: light, and every colour spelled out, as
/// programs want it that know no CSS variables.
[[nodiscard]] std::string standalone_svg(const ReportFigure& figure);

}  // namespace lil::analyze

namespace lil::analyze::figure {

/// How a series is drawn everywhere: its colour by class, and a dash and a marker of its own so that it is
/// told apart in grey, too. 0 is the ink, for what the others are held against; 1 to 9 have colours, and
/// further ones repeat these with another dash.
struct Series {
  int index = 1;

  [[nodiscard]] std::string stroke() const;  ///< class
  [[nodiscard]] std::string fill() const;    ///< class
  [[nodiscard]] std::string dash() const;    ///< value of stroke-dasharray; empty: none
};

/// What becomes of an answer has the same series in every figure.
inline constexpr Series kRight{1};
inline constexpr Series kWrong{2};
inline constexpr Series kCut{0};

}  // namespace lil::analyze::figure
