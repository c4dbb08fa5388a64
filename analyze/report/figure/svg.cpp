#include "analyze/report/figure/svg.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include "analyze/report/figure/numbers.h"
#include "analyze/report/figure/xml.h"

namespace lil::analyze::figure {
namespace {

std::string dash_attribute(std::string_view dash) {
  return dash.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", dash);
}

/// Points of a path to a tenth of a unit: whole numbers, so that what is equal is equal.
using Tenths = std::pair<long long, long long>;

Tenths tenths(Pixel point) {
  constexpr double kTenth = 10;
  return {std::llround(kTenth * point.x), std::llround(kTenth * point.y)};
}

bool between(const Tenths& a, const Tenths& b, const Tenths& c) {
  const bool level = a.second == b.second && b.second == c.second;
  const bool upright = a.first == b.first && b.first == c.first;
  if (level) return (a.first <= b.first) == (b.first <= c.first);
  if (upright) return (a.second <= b.second) == (b.second <= c.second);
  return false;
}

std::vector<Tenths> thinned(const std::vector<Pixel>& points) {
  std::vector<Tenths> kept;
  for (const Pixel& pixel : points) {
    const Tenths point = tenths(pixel);
    if (!kept.empty() && kept.back() == point) continue;
    if (kept.size() >= 2 && between(kept[kept.size() - 2], kept.back(), point)) kept.pop_back();
    kept.push_back(point);
  }
  return kept;
}

std::string path_of(const std::vector<Tenths>& points) {
  constexpr double kTenth = 10;
  std::string path;
  for (const auto& [x, y] : points) {
    path += fmt::format("{}{} {}", path.empty() ? "M" : "L", coordinate(static_cast<double>(x) / kTenth),
                        coordinate(static_cast<double>(y) / kTenth));
  }
  return path;
}

const char* name_of(Anchor anchor) {
  if (anchor == Anchor::kMiddle) return " text-anchor=\"middle\"";
  return anchor == Anchor::kEnd ? " text-anchor=\"end\"" : "";
}

struct WidthClass {
  double units;
  const char* name;
};

WidthClass class_of(FigureWidth width) {
  if (width == FigureWidth::kNarrow) return {400, "narrow"};
  return width == FigureWidth::kMiddle ? WidthClass{560, "middle"} : WidthClass{760, "wide"};
}

/// A polygon around the origin, as angles in turns and radii in units of the marker's.
std::vector<Pixel> corners(int shape) {
  constexpr double kTurn = 2 * std::numbers::pi;
  const auto ring = [](int count, double first, double radius) {
    std::vector<Pixel> points;
    for (int i = 0; i < count; ++i) {
      const double angle = kTurn * (first + static_cast<double>(i) / count);
      points.push_back({radius * std::cos(angle), radius * std::sin(angle)});
    }
    return points;
  };
  switch (shape) {
    case 1:
      return ring(4, 0.125, 1.25);  // square
    case 2:
      return ring(3, -0.25, 1.4);  // triangle
    case 3:
      return ring(4, 0, 1.35);  // diamond
    case 4:
      return ring(3, 0.25, 1.4);  // triangle, tip down
    case 5:
      return ring(6, 0, 1.15);  // hexagon
    case 6:
      return ring(5, -0.25, 1.2);  // pentagon
    case 7:
      return ring(3, 0, 1.4);  // triangle, tip right
    default:
      return ring(3, 0.5, 1.4);  // triangle, tip left
  }
}

}  // namespace

double units_of(FigureWidth width) {
  return class_of(width).units;
}

Svg::Svg(std::string id, FigureWidth width) : id_(std::move(id)), width_(width) {}

void Svg::shape(std::string_view element, std::string_view tooltip) {
  if (tooltip.empty()) {
    body_ += fmt::format("<{}/>\n", element);
    return;
  }
  const std::string_view name = element.substr(0, element.find(' '));
  body_ += fmt::format("<{}><title>{}</title></{}>\n", element, xml_text(tooltip), name);
}

void Svg::line(Pixel from, Pixel to, std::string_view classes, std::string_view dash) {
  shape(
      fmt::format("line class=\"{}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"{}", classes, coordinate(from.x),
                  coordinate(from.y), coordinate(to.x), coordinate(to.y), dash_attribute(dash)),
      "");
}

void Svg::rect(const Frame& frame, std::string_view classes, std::string_view tooltip) {
  shape(fmt::format("rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"", classes,
                    coordinate(frame.x), coordinate(frame.y), coordinate(frame.width),
                    coordinate(frame.height)),
        tooltip);
}

void Svg::hatch(const Frame& frame) {
  if (!hatched_) {
    definitions_ += fmt::format(
        "<pattern id=\"{}-hatch\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" "
        "patternTransform=\"rotate(45)\"><line class=\"hatch\" x1=\"0\" y1=\"0\" x2=\"0\" "
        "y2=\"5\"/></pattern>\n",
        id_);
    hatched_ = true;
  }
  body_ += fmt::format("<rect fill=\"url(#{}-hatch)\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n", id_,
                       coordinate(frame.x), coordinate(frame.y), coordinate(frame.width),
                       coordinate(frame.height));
}

void Svg::polyline(const std::vector<Pixel>& points, std::string_view classes, std::string_view dash) {
  const auto kept = thinned(points);
  if (kept.size() < 2) return;
  shape(fmt::format("path class=\"{}\" d=\"{}\"{}", classes, path_of(kept), dash_attribute(dash)), "");
}

void Svg::polygon(const std::vector<Pixel>& points, std::string_view classes) {
  const auto kept = thinned(points);
  if (kept.size() < 3) return;
  shape(fmt::format("path class=\"{}\" d=\"{}Z\"", classes, path_of(kept)), "");
}

std::string Svg::path_around(Pixel at, int shape, double radius) const {
  std::vector<Tenths> points;
  for (const Pixel& corner : corners(shape))
    points.push_back(tenths({at.x + radius * corner.x, at.y + radius * corner.y}));
  return path_of(points) + "Z";
}

void Svg::marker(Pixel at, const Series& series, double radius, bool hollow, std::string_view tooltip) {
  constexpr int kShapes = 9;
  const int shape_index = series.index <= 0 ? 0 : (series.index - 1) % kShapes;
  const std::string classes = hollow ? "open " + series.stroke() : "mark " + series.fill();
  if (shape_index == 0) {
    shape(fmt::format("circle class=\"{}\" cx=\"{}\" cy=\"{}\" r=\"{}\"", classes, coordinate(at.x),
                      coordinate(at.y), coordinate(radius)),
          tooltip);
    return;
  }
  shape(fmt::format("path class=\"{}\" d=\"{}\"", classes, path_around(at, shape_index, radius)), tooltip);
}

void Svg::star(Pixel at, const Series& series, double radius, std::string_view tooltip) {
  constexpr double kInner = 0.45;
  std::vector<Tenths> points;
  for (int i = 0; i < 10; ++i) {
    const double angle = std::numbers::pi * (i / 5.0 - 0.5);
    const double r = i % 2 == 0 ? radius : kInner * radius;
    points.push_back(tenths({at.x + r * std::cos(angle), at.y + r * std::sin(angle)}));
  }
  shape(fmt::format("path class=\"mark {}\" d=\"{}Z\"", series.fill(), path_of(points)), tooltip);
}

void Svg::arrow(Pixel tip, bool up, const Series& series, double height, std::string_view tooltip) {
  constexpr double kHalfWidth = 0.55;
  const double foot = tip.y + (up ? height : -height);
  const std::vector<Tenths> points{tenths(tip), tenths({tip.x + kHalfWidth * height, foot}),
                                   tenths({tip.x - kHalfWidth * height, foot})};
  shape(fmt::format("path class=\"mark {}\" d=\"{}Z\"", series.fill(), path_of(points)), tooltip);
}

void Svg::text(Pixel at, std::string_view text, std::string_view classes, Anchor anchor) {
  const std::string name = classes.empty() ? "" : fmt::format(" class=\"{}\"", classes);
  body_ += fmt::format("<text{} x=\"{}\" y=\"{}\"{}>{}</text>\n", name, coordinate(at.x), coordinate(at.y),
                       name_of(anchor), xml_text(text));
}

void Svg::upright_text(Pixel at, std::string_view text, std::string_view classes) {
  body_ += fmt::format(
      "<text class=\"{}\" text-anchor=\"middle\" transform=\"translate({} {}) rotate(-90)\">{}</text>\n",
      classes, coordinate(at.x), coordinate(at.y), xml_text(text));
}

double Svg::lines(Pixel at, const std::vector<std::string>& lines, double line_height,
                  std::string_view classes, Anchor anchor) {
  for (const std::string& line : lines) {
    text(at, line, classes, anchor);
    at.y += line_height;
  }
  return at.y;
}

void Svg::begin_clip(const Frame& frame) {
  ++clips_;
  definitions_ += fmt::format(
      "<clipPath id=\"{}-clip-{}\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/></clipPath>\n", id_,
      clips_, coordinate(frame.x), coordinate(frame.y), coordinate(frame.width), coordinate(frame.height));
  body_ += fmt::format("<g clip-path=\"url(#{}-clip-{})\">\n", id_, clips_);
}

void Svg::end_clip() {
  body_ += "</g>\n";
}

void Svg::begin_link(std::string_view href, std::string_view tooltip) {
  body_ += fmt::format("<a href=\"{}\"><title>{}</title>\n", xml_text(href), xml_text(tooltip));
}

void Svg::end_link() {
  body_ += "</a>\n";
}

std::string Svg::finish(double height, std::string_view title, std::string_view description) const {
  const std::string name = xml_text(id_);
  const std::string definitions = definitions_.empty() ? "" : "<defs>\n" + definitions_ + "</defs>\n";
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fig {0}\" viewBox=\"0 0 {1} {2}\" role=\"img\" "
      "aria-labelledby=\"{3}-title {3}-desc\">\n<title id=\"{3}-title\">{4}</title>\n<desc "
      "id=\"{3}-desc\">{5}</desc>\n"
      "{6}{7}</svg>",
      class_of(width_).name, coordinate(width()), coordinate(height), name, xml_text(title),
      xml_text(description), definitions, body_);
}

}  // namespace lil::analyze::figure
