#pragma once

#include <string>
#include <vector>

namespace lil::analyze::figure {

enum class ScaleKind { kLinear, kLog2 };

/// How an axis spells its numbers.
enum class NumberForm {
  kPlain,    ///< `1,024`, `0.25`
  kPercent,  ///< of shares, without the sign: 0.2 is `20`
  kChange,   ///< of differences of shares, in points with their sign: -0.2 is `−20`
};

struct Tick {
  double value = 0;
  std::string label;
};

/// A scale with its ticks; `low` < `high`, and both above 0 where it is logarithmic.
struct Axis {
  ScaleKind kind = ScaleKind::kLinear;
  double low = 0;
  double high = 1;
  std::vector<Tick> ticks;  ///< ascending, within [low, high]
  std::string title;        ///< with the unit

  /// 0 at `low`, 1 at `high`, beyond these outside; what a log scale has no place for is at 0.
  [[nodiscard]] double place(double value) const;
};

/// From a round number at or below `low` to one at or above `high`, with at most `most_ticks` ticks (2 or
/// more) at multiples of 1, 2 or 5 times a power of ten. Where low == high it makes room around it. Both must
/// be finite.
[[nodiscard]] Axis linear_axis(double low, double high, int most_ticks, NumberForm form, std::string title);

/// From a power of two at or below `low` to one at or above `high`, at least two apart; ticks at every power,
/// or every second, third… so that they are at most `most_ticks`. What is not above 0 counts as 1.
[[nodiscard]] Axis log2_axis(double low, double high, int most_ticks, std::string title);

/// Ticks at these values alone, from `low` to `high`.
[[nodiscard]] Axis axis_at(ScaleKind kind, double low, double high, std::vector<Tick> ticks,
                           std::string title);

}  // namespace lil::analyze::figure
