#include "analyze/report/figure/axis.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "analyze/report/figure/numbers.h"

namespace lil::analyze::figure {
namespace {

/// mantissa * 10^exponent.
struct Step {
  int mantissa = 1;
  int exponent = 0;

  [[nodiscard]] double value() const { return mantissa * std::pow(10.0, exponent); }
  /// The next larger of 1, 2, 5, 10, 20…
  [[nodiscard]] Step next() const {
    if (mantissa == 1) return {2, exponent};
    return mantissa == 2 ? Step{5, exponent} : Step{1, exponent + 1};
  }
};

/// What holds a multiple of a step against rounding.
constexpr double kSlack = 1e-9;

double steps_below(double value, double step) {
  return std::floor(value / step + kSlack);
}
double steps_above(double value, double step) {
  return std::ceil(value / step - kSlack);
}

std::string spell(double value, const Step& step, NumberForm form) {
  const int hidden = form == NumberForm::kPlain ? 0 : 2;  // of per cent
  const int decimals = std::max(0, -(step.exponent + hidden));
  const double shown = form == NumberForm::kPlain ? value : 100 * value;
  return form == NumberForm::kChange ? spoken_change(shown, decimals) : spoken(shown, decimals);
}

int exponent_below(double value) {
  int exponent = 0;
  const double mantissa = std::frexp(value, &exponent);  // in [1/2, 1)
  assert(mantissa >= 0.5);
  static_cast<void>(mantissa);
  return exponent - 1;
}

}  // namespace

double Axis::place(double value) const {
  if (kind == ScaleKind::kLinear) return (value - low) / (high - low);
  if (value <= 0) return 0;
  return std::log2(value / low) / std::log2(high / low);
}

Axis linear_axis(double low, double high, int most_ticks, NumberForm form, std::string title) {
  assert(std::isfinite(low) && std::isfinite(high) && low <= high && most_ticks >= 2);
  if (low == high) {
    const double room = low == 0 ? 1 : std::abs(low) / 2;
    low = std::min(low, low > 0 ? low - room : low);
    high = high + room;
  }
  Step step{1, static_cast<int>(std::floor(std::log10((high - low) / most_ticks)))};
  while (steps_above(high, step.value()) - steps_below(low, step.value()) + 1 > most_ticks) {
    const Step next = step.next();
    // Two round numbers around 0 stay two whatever the step.
    if (steps_above(high, next.value()) - steps_below(low, next.value()) < 1) break;
    if (next.value() > 2 * (high - low)) break;
    step = next;
  }
  const double unit = step.value();
  const double first = steps_below(low, unit);
  const double last = std::max(first + 1, steps_above(high, unit));
  Axis axis{ScaleKind::kLinear, first * unit, last * unit, {}, std::move(title)};
  const int ticks = static_cast<int>(last - first) + 1;
  axis.ticks.reserve(static_cast<std::size_t>(ticks));
  for (int i = 0; i < ticks; ++i) {
    const double value = (first + i) * unit;
    axis.ticks.push_back({value, spell(value, step, form)});
  }
  return axis;
}

Axis log2_axis(double low, double high, int most_ticks, std::string title) {
  assert(most_ticks >= 2);
  if (!(low > 0)) low = 1;
  if (!(high >= low)) high = low;
  const int first = exponent_below(low);
  int last = exponent_below(high);
  if (std::ldexp(1.0, last) < high) ++last;
  last = std::max(last, first + 1);
  int stride = 1;
  while (last / stride - (first + stride - 1) / stride + 1 > most_ticks) ++stride;
  Axis axis{ScaleKind::kLog2, std::ldexp(1.0, first), std::ldexp(1.0, last), {}, std::move(title)};
  for (int exponent = first; exponent <= last; ++exponent) {
    if (exponent % stride != 0) continue;
    const double value = std::ldexp(1.0, exponent);
    axis.ticks.push_back({value, spoken(value, std::max(0, -exponent))});
  }
  return axis;
}

Axis axis_at(ScaleKind kind, double low, double high, std::vector<Tick> ticks, std::string title) {
  assert(low < high && (kind == ScaleKind::kLinear || low > 0));
  return {kind, low, high, std::move(ticks), std::move(title)};
}

}  // namespace lil::analyze::figure
