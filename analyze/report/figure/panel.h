#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analyze/report/figure/axis.h"
#include "analyze/report/figure/svg.h"

namespace lil::analyze::figure {

/// A point in the numbers of a panel's axes.
struct Point {
  double x = 0;
  double y = 0;
};

/// Which parts of its axes a panel spells: in small multiples only those at the left and below do.
struct AxisParts {
  bool x_numbers = true;
  bool x_title = true;
  bool y_numbers = true;
  bool y_title = true;
};

/// How a line is broken.
enum class Dash {
  kOfSeries,
  kSolid,
  kReference,  ///< as those of level() and upright()
};

/// One plot: axes in a frame of an SVG, and what is drawn in their numbers. Marks are cut at the frame. Draw
/// the axes first, then bands, lines, points, and end with draw_labels(). The SVG must outlive it.
class Panel {
 public:
  Panel(Svg& svg, const Frame& frame, Axis x, Axis y);

  void draw_axes(const AxisParts& parts = {});
  /// Lines above the frame, the last one next to it.
  void draw_title(const std::vector<std::string>& lines);

  /// Between two lines with the same x.
  void band(const std::vector<Point>& low, const std::vector<Point>& high, const Series& series);
  void line(const std::vector<Point>& points, const Series& series, std::string_view weight = "line");
  /// Each value holds up to the next point.
  void steps(const std::vector<Point>& points, const Series& series, std::string_view weight = "line",
             Dash dash = Dash::kOfSeries);
  /// Between two lines of steps with the same x.
  void step_band(const std::vector<Point>& low, const std::vector<Point>& high, const Series& series);
  void point(const Point& at, const Series& series, std::string_view tooltip = "", bool hollow = false);
  void star(const Point& at, const Series& series, std::string_view tooltip = "");
  /// What lies above or below the frame: an arrow at its edge that points there, and the text beside it, so
  /// many lines further in.
  void off_scale(const Point& at, std::string_view text, const Series& series, std::string_view tooltip = "",
                 int line = 0);
  /// An end that is cut off has an arrowhead in place of its crossbar.
  void error_y(const Point& at, double low, double high, const Series& series);
  void error_x(const Point& at, double low, double high, const Series& series);
  /// Dashed across the frame, its name at its right end above it, or at the top.
  void level(double y, std::string_view name, const Series& series = {0});
  void upright(double x, std::string_view name, const Series& series = {0});

  /// Names a line at its end; all are drawn by draw_labels().
  void label_end(const Point& end, const std::string& text, const Series& series);
  /// To the right of the frame: next to their ends where they fit, moved apart where they would overlap.
  void draw_labels();

  [[nodiscard]] Pixel at(const Point& point) const;
  [[nodiscard]] const Frame& frame() const { return frame_; }

 private:
  struct Label {
    Pixel end;
    std::string text;
    Series series;
  };
  [[nodiscard]] std::vector<Pixel> pixels(const std::vector<Point>& points) const;

  Svg& svg_;
  Frame frame_;
  Axis x_;
  Axis y_;
  std::vector<Label> labels_;
};

/// Where labels of a height stand whose ends are at `wanted`: in the order of their ends, apart by at least
/// `gap` (less where `low` to `high` has no room), each as near to its end as the others let it.
[[nodiscard]] std::vector<double> spread(const std::vector<double>& wanted, double gap, double low,
                                         double high);

/// Points that hold each value up to the next, as corners of a line.
[[nodiscard]] std::vector<Point> as_steps(const std::vector<Point>& points);

/// Small multiples of equal frames in rows.
struct PanelGrid {
  double left = 52;    ///< beside the first column
  double right = 8;    ///< beside the last
  double top = 8;      ///< above the first row
  double gap_x = 18;   ///< between columns
  double title = 18;   ///< above the frames of a row
  double below = 20;   ///< below the frames of every row: room for numbers
  double bottom = 18;  ///< below the last row: room for titles
  double panel_height = 150;
  int columns = 1;
  double width = 760;

  [[nodiscard]] double panel_width() const;
  [[nodiscard]] Frame frame(int row, int column) const;
  [[nodiscard]] double height(int rows) const;
};

/// How a legend shows a series.
enum class Sample {
  kLine,
  kSolidLine,  ///< whatever the dash of the series is
  kLineAndMarker,
  kReference,
  kMarker,
  kHollow,
  kStar,
  kSolid,
  kPale,
  kHatched
};

/// One entry of a legend.
struct LegendEntry {
  std::string name;
  Series series;
  Sample sample = Sample::kLine;
};

/// Names of series in rows from the left, at most `width` wide; returns the y below.
double draw_legend(Svg& svg, Pixel at, double width, const std::vector<LegendEntry>& entries);

}  // namespace lil::analyze::figure
