#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analyze/report/figure/style.h"

namespace lil::analyze::figure {

/// A rectangle in the units of the SVG; y goes down.
struct Frame {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;

  [[nodiscard]] double right() const { return x + width; }
  [[nodiscard]] double bottom() const { return y + height; }
};

struct Pixel {
  double x = 0;
  double y = 0;
};

enum class Anchor { kStart, kMiddle, kEnd };

/// How much room a figure takes: its width in units, and so the class that bounds its size.
enum class FigureWidth { kNarrow, kMiddle, kWide };
[[nodiscard]] double units_of(FigureWidth width);

/// Writes one SVG. Text is escaped here and nowhere else; all classes, dashes and paths are of the program.
class Svg {
 public:
  /// `id` must be unique on the page: all ids within begin with it.
  Svg(std::string id, FigureWidth width);

  [[nodiscard]] double width() const { return units_of(width_); }

  void line(Pixel from, Pixel to, std::string_view classes, std::string_view dash = "");
  void rect(const Frame& frame, std::string_view classes, std::string_view tooltip = "");
  /// Diagonal lines over a frame, told from its colour in grey and in print.
  void hatch(const Frame& frame);
  /// Repeated and (to a tenth) straight points are left out. Fewer than two points draw nothing.
  void polyline(const std::vector<Pixel>& points, std::string_view classes, std::string_view dash = "");
  void polygon(const std::vector<Pixel>& points, std::string_view classes);
  /// The series' own shape around a point. Hollow ones are filled with paper.
  void marker(Pixel at, const Series& series, double radius, bool hollow = false,
              std::string_view tooltip = "");
  /// A shape that no series has: a star, for what is best.
  void star(Pixel at, const Series& series, double radius, std::string_view tooltip = "");
  /// Points up or down, with its tip there.
  void arrow(Pixel tip, bool up, const Series& series, double height, std::string_view tooltip = "");
  void text(Pixel at, std::string_view text, std::string_view classes = "", Anchor anchor = Anchor::kStart);
  /// Reading upwards, around a middle.
  void upright_text(Pixel at, std::string_view text, std::string_view classes = "");
  /// Lines below each other; returns the y of the next one.
  double lines(Pixel at, const std::vector<std::string>& lines, double line_height,
               std::string_view classes = "", Anchor anchor = Anchor::kStart);

  /// What is drawn between the two is cut at the frame.
  void begin_clip(const Frame& frame);
  void end_clip();
  /// What is drawn between the two is a link; `tooltip` says where to.
  void begin_link(std::string_view href, std::string_view tooltip);
  void end_link();

  /// The whole SVG, so many units high.
  [[nodiscard]] std::string finish(double height, std::string_view title, std::string_view description) const;

 private:
  void shape(std::string_view element, std::string_view tooltip);
  [[nodiscard]] std::string path_around(Pixel at, int shape, double radius) const;

  std::string id_;
  FigureWidth width_;
  std::string body_;
  std::string definitions_;
  int clips_ = 0;
  bool hatched_ = false;
};

}  // namespace lil::analyze::figure
