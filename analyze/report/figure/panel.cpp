#include "analyze/report/figure/panel.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <utility>

#include "analyze/report/figure/text_size.h"

namespace lil::analyze::figure {
namespace {

constexpr double kMarker = 3.6;
constexpr double kWhisker = 2.5;
constexpr double kLineHeight = 13.5;
constexpr double kBaseline = 4;  // from a line's middle down to its letters' foot
constexpr double kSlack = 0.05;  // of a unit: what SVG coordinates round away
constexpr const char* kReferenceDash = "5 3";

/// Beyond this a coordinate means nothing, and SVG readers differ.
double bounded(double value) {
  return std::clamp(value, -1e5, 1e5);
}

}  // namespace

Panel::Panel(Svg& svg, const Frame& frame, Axis x, Axis y)
    : svg_(svg), frame_(frame), x_(std::move(x)), y_(std::move(y)) {}

Pixel Panel::at(const Point& point) const {
  return {bounded(frame_.x + frame_.width * x_.place(point.x)),
          bounded(frame_.bottom() - frame_.height * y_.place(point.y))};
}

std::vector<Pixel> Panel::pixels(const std::vector<Point>& points) const {
  std::vector<Pixel> found;
  found.reserve(points.size());
  for (const Point& point : points) found.push_back(at(point));
  return found;
}

void Panel::draw_axes(const AxisParts& parts) {
  for (const Tick& tick : y_.ticks) {
    const double y = at({x_.low, tick.value}).y;
    svg_.line({frame_.x, y}, {frame_.right(), y}, "grid");
    if (parts.y_numbers) svg_.text({frame_.x - 6, y + kBaseline}, tick.label, "small muted", Anchor::kEnd);
  }
  double last_end = -1e9;
  for (const Tick& tick : x_.ticks) {
    const double x = at({tick.value, y_.low}).x;
    svg_.line({x, frame_.bottom()}, {x, frame_.bottom() + 4}, "edge");
    const double half = text_width(tick.label, kSmallSize) / 2;
    // At an end of the axis it stays within, or it would touch that of the panel beside.
    const double middle = std::clamp(x, frame_.x + half - 6, frame_.right() - half + 6);
    if (!parts.x_numbers || middle - half < last_end + 4) continue;
    svg_.text({middle, frame_.bottom() + 16}, tick.label, "small muted", Anchor::kMiddle);
    last_end = middle + half;
  }
  svg_.line({frame_.x, frame_.bottom()}, {frame_.right(), frame_.bottom()}, "edge");
  const double middle = frame_.x + frame_.width / 2;
  if (parts.x_title) svg_.text({middle, frame_.bottom() + 31}, x_.title, "small", Anchor::kMiddle);
  if (!parts.y_title) return;
  constexpr double kNumbers = 36;  // as wide as `1,000`: so titles of panels below each other stand in line
  double widest = kNumbers;
  for (const Tick& tick : y_.ticks) widest = std::max(widest, text_width(tick.label, kSmallSize));
  svg_.upright_text({frame_.x - widest - 12, frame_.y + frame_.height / 2}, y_.title, "small");
}

void Panel::draw_title(const std::vector<std::string>& lines) {
  const double first = frame_.y - 6 - kLineHeight * static_cast<double>(lines.size() - 1);
  svg_.lines({frame_.x, first}, lines, kLineHeight, "head small");
}

void Panel::band(const std::vector<Point>& low, const std::vector<Point>& high, const Series& series) {
  assert(low.size() == high.size());
  std::vector<Pixel> around = pixels(low);
  const std::vector<Pixel> back = pixels(high);
  around.insert(around.end(), back.rbegin(), back.rend());
  svg_.begin_clip(frame_);
  svg_.polygon(around, "band " + series.fill());
  svg_.end_clip();
}

void Panel::step_band(const std::vector<Point>& low, const std::vector<Point>& high, const Series& series) {
  band(as_steps(low), as_steps(high), series);
}

void Panel::line(const std::vector<Point>& points, const Series& series, std::string_view weight) {
  svg_.begin_clip(frame_);
  svg_.polyline(pixels(points), std::string(weight) + " " + series.stroke(), series.dash());
  svg_.end_clip();
}

void Panel::steps(const std::vector<Point>& points, const Series& series, std::string_view weight,
                  Dash dash) {
  const std::string own = dash == Dash::kOfSeries ? series.dash() : "";
  svg_.begin_clip(frame_);
  svg_.polyline(pixels(as_steps(points)), std::string(weight) + " " + series.stroke(),
                dash == Dash::kReference ? kReferenceDash : own);
  svg_.end_clip();
}

void Panel::point(const Point& where, const Series& series, std::string_view tooltip, bool hollow) {
  svg_.marker(at(where), series, kMarker, hollow, tooltip);
}

void Panel::star(const Point& where, const Series& series, std::string_view tooltip) {
  svg_.star(at(where), series, 2 * kMarker, tooltip);
}

void Panel::off_scale(const Point& where, std::string_view text, const Series& series,
                      std::string_view tooltip, int line) {
  constexpr double kRoom = 5;
  const Pixel pixel = at(where);
  const bool above = pixel.y < frame_.y;
  const double inwards = kLineHeight * line;
  const Pixel tip{std::clamp(pixel.x, frame_.x + kRoom, frame_.right() - kRoom),
                  above ? frame_.y + 1 : frame_.bottom() - 1};
  svg_.arrow(tip, above, series, 2 * kMarker, tooltip);
  const double width = text_width(text, kSmallSize) + kRoom + 3;
  const double y = tip.y + (above ? 2 * kBaseline + 2 + inwards : -2 - inwards);
  const std::string classes = "small halo " + series.fill();
  if (tip.x + width <= frame_.right()) {
    svg_.text({tip.x + kRoom + 1, y}, text, classes);
  } else {
    const bool fits = tip.x - width >= frame_.x;
    svg_.text({fits ? tip.x - kRoom - 1 : frame_.right() - 3, y}, text, classes, Anchor::kEnd);
  }
}

void Panel::error_y(const Point& where, double low, double high, const Series& series) {
  const double x = at(where).x;
  const double top = std::clamp(at({where.x, high}).y, frame_.y, frame_.bottom());
  const double foot = std::clamp(at({where.x, low}).y, frame_.y, frame_.bottom());
  const std::string classes = "thin " + series.stroke();
  svg_.line({x, top}, {x, foot}, classes);
  const auto end = [&](double y, bool is_cut, double inwards) {
    if (is_cut) {
      svg_.polyline({{x - kWhisker, y + inwards}, {x, y}, {x + kWhisker, y + inwards}}, classes);
    } else {
      svg_.line({x - kWhisker, y}, {x + kWhisker, y}, classes);
    }
  };
  end(top, at({where.x, high}).y < frame_.y - kSlack, 2 * kWhisker);
  end(foot, at({where.x, low}).y > frame_.bottom() + kSlack, -2 * kWhisker);
}

void Panel::error_x(const Point& where, double low, double high, const Series& series) {
  const double y = at(where).y;
  const double left = std::clamp(at({low, where.y}).x, frame_.x, frame_.right());
  const double right = std::clamp(at({high, where.y}).x, frame_.x, frame_.right());
  const std::string classes = "thin " + series.stroke();
  svg_.line({left, y}, {right, y}, classes);
  const auto end = [&](double x, bool is_cut, double inwards) {
    if (is_cut) {
      svg_.polyline({{x + inwards, y - kWhisker}, {x, y}, {x + inwards, y + kWhisker}}, classes);
    } else {
      svg_.line({x, y - kWhisker}, {x, y + kWhisker}, classes);
    }
  };
  end(left, at({low, where.y}).x < frame_.x - kSlack, 2 * kWhisker);
  end(right, at({high, where.y}).x > frame_.right() + kSlack, -2 * kWhisker);
}

void Panel::level(double y, std::string_view name, const Series& series) {
  const Pixel left = at({x_.low, y});
  if (left.y < frame_.y - 1 || left.y > frame_.bottom() + 1) return;
  svg_.line(left, {frame_.right(), left.y}, "thin " + series.stroke(), kReferenceDash);
  if (!name.empty()) svg_.text({frame_.right() - 3, left.y - 4}, name, "small halo", Anchor::kEnd);
}

void Panel::upright(double x, std::string_view name, const Series& series) {
  const Pixel foot = at({x, y_.low});
  if (foot.x < frame_.x - 1 || foot.x > frame_.right() + 1) return;
  svg_.line(foot, {foot.x, frame_.y}, "thin " + series.stroke(), kReferenceDash);
  if (name.empty()) return;
  const bool leftwards = foot.x + text_width(name, kSmallSize) + 5 > frame_.right();
  svg_.text({foot.x + (leftwards ? -4 : 4), frame_.y + 11}, name, "small halo",
            leftwards ? Anchor::kEnd : Anchor::kStart);
}

void Panel::label_end(const Point& end, const std::string& text, const Series& series) {
  Pixel pixel = at(end);
  pixel.x = std::clamp(pixel.x, frame_.x, frame_.right());
  pixel.y = std::clamp(pixel.y, frame_.y, frame_.bottom());
  labels_.push_back({pixel, text, series});
}

void Panel::draw_labels() {
  constexpr double kFar = 0.5;  // of the frame: a line that ends before that is named where it ends
  const auto ends_early = [&](const Label& label) { return label.end.x < frame_.x + kFar * frame_.width; };
  for (const Label& label : labels_) {
    if (ends_early(label))
      svg_.text({label.end.x + 3, label.end.y - 5}, label.text, "small halo " + label.series.fill());
  }
  std::erase_if(labels_, ends_early);
  std::vector<double> wanted;
  for (const Label& label : labels_) wanted.push_back(label.end.y);
  const auto places = spread(wanted, kLineHeight, frame_.y + kBaseline, frame_.bottom());
  const double x = frame_.right() + 14;
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    const Label& label = labels_[i];
    svg_.polyline({{label.end.x + 1, label.end.y}, {frame_.right() + 3, label.end.y}, {x - 3, places[i]}},
                  "lead");
    svg_.text({x, places[i] + kBaseline}, label.text, "small " + label.series.fill());
  }
  labels_.clear();
}

std::vector<double> spread(const std::vector<double>& wanted, double gap, double low, double high) {
  const std::size_t count = wanted.size();
  if (count == 0) return {};
  if (count > 1) gap = std::min(gap, (high - low) / static_cast<double>(count - 1));
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return wanted[a] < wanted[b]; });
  // Pool neighbours that overlap into blocks around the mean of what they want.
  struct Block {
    double sum = 0;  // of what the members want, less their offsets in the block
    std::size_t members = 0;
  };
  std::vector<Block> blocks;
  const auto start_of = [&](const Block& block) {
    const double length = gap * static_cast<double>(block.members - 1);
    return std::clamp(block.sum / static_cast<double>(block.members), low, std::max(low, high - length));
  };
  for (const std::size_t i : order) {
    blocks.push_back({wanted[i], 1});
    while (blocks.size() > 1) {
      const Block last = blocks.back();
      Block& before = blocks[blocks.size() - 2];
      const double length = gap * static_cast<double>(before.members);
      if (start_of(before) + length <= start_of(last)) break;
      before.sum += last.sum - static_cast<double>(last.members) * length;
      before.members += last.members;
      blocks.pop_back();
    }
  }
  std::vector<double> places(count);
  std::size_t next = 0;
  for (const Block& block : blocks) {
    for (std::size_t k = 0; k < block.members; ++k)
      places[order[next++]] = start_of(block) + gap * static_cast<double>(k);
  }
  return places;
}

std::vector<Point> as_steps(const std::vector<Point>& points) {
  std::vector<Point> corners;
  for (const Point& point : points) {
    if (!corners.empty()) corners.push_back({point.x, corners.back().y});
    corners.push_back(point);
  }
  return corners;
}

double PanelGrid::panel_width() const {
  return (width - left - right - gap_x * (columns - 1)) / columns;
}

Frame PanelGrid::frame(int row, int column) const {
  return {left + column * (panel_width() + gap_x), top + title + row * (title + panel_height + below),
          panel_width(), panel_height};
}

double PanelGrid::height(int rows) const {
  return top + rows * (title + panel_height + below) + bottom;
}

namespace {

void draw_sample(Svg& svg, Pixel at, double width, const LegendEntry& entry) {
  const Pixel middle{at.x + width / 2, at.y};
  const Frame box{at.x, at.y - 5, width, 10};
  switch (entry.sample) {
    case Sample::kLine:
    case Sample::kLineAndMarker:
      svg.line(at, {at.x + width, at.y}, "line " + entry.series.stroke(), entry.series.dash());
      if (entry.sample == Sample::kLineAndMarker) svg.marker(middle, entry.series, kMarker);
      break;
    case Sample::kSolidLine:
      svg.line(at, {at.x + width, at.y}, "line " + entry.series.stroke());
      break;
    case Sample::kReference:
      svg.line(at, {at.x + width, at.y}, "thin " + entry.series.stroke(), kReferenceDash);
      break;
    case Sample::kMarker:
      svg.marker(middle, entry.series, kMarker);
      break;
    case Sample::kHollow:
      svg.marker(middle, entry.series, kMarker, true);
      break;
    case Sample::kStar:
      svg.star(middle, entry.series, 2 * kMarker);
      break;
    case Sample::kSolid:
      svg.rect(box, "solid " + entry.series.fill());
      break;
    case Sample::kPale:
      svg.rect(box, "pale " + entry.series.fill());
      break;
    case Sample::kHatched:
      svg.rect(box, "edge");
      svg.hatch(box);
      break;
  }
}

}  // namespace

double draw_legend(Svg& svg, Pixel at, double width, const std::vector<LegendEntry>& entries) {
  constexpr double kSample = 24;
  double x = at.x;
  for (const LegendEntry& entry : entries) {
    const bool is_line = entry.sample == Sample::kLine || entry.sample == Sample::kLineAndMarker ||
                         entry.sample == Sample::kSolidLine || entry.sample == Sample::kReference;
    const double sample = is_line ? kSample : kSample / 2;
    const double entry_width = sample + 6 + text_width(entry.name, kSmallSize) + 16;
    if (x > at.x && x + entry_width > at.x + width) {
      x = at.x;
      at.y += kLineHeight + 3;
    }
    draw_sample(svg, {x, at.y}, sample, entry);
    svg.text({x + sample + 6, at.y + kBaseline}, entry.name, "small");
    x += entry_width;
  }
  return at.y + kLineHeight;
}

}  // namespace lil::analyze::figure
