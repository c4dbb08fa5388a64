#include "analyze/report/figure/style.h"

#include <fmt/format.h>

#include <array>
#include <cassert>
#include <string_view>

namespace lil::analyze {
namespace {

/// Okabe and Ito's colours, told apart with any colour vision, and two more; the yellow one, which paper
/// swallows, is left out. [Okabe, Ito 2008, "Color Universal Design"]
constexpr std::array kLight{"#0072b2", "#d55e00", "#009e73", "#b3528f", "#c98a00",
                            "#3a9fd8", "#6b5b2e", "#882255", "#7a7a7a"};
constexpr std::array kDark{"#56a9e8", "#f0803c", "#2cc295", "#e295c3", "#f0b63c",
                           "#9ad2f5", "#cdbb7e", "#dc7fa8", "#a2a2a2"};

std::string variables(const std::array<const char*, kLight.size()>& series, const char* rest) {
  std::string text = rest;
  for (std::size_t i = 0; i < series.size(); ++i) text += fmt::format("--series-{}:{};", i + 1, series[i]);
  return text;
}

constexpr const char* kLightRest =
    "--ink:#1a1a1a;--muted:#5c5c5c;--paper:#ffffff;--grid:#e3e3e3;--edge:#8a8a8a;--band:.14;";
constexpr const char* kDarkRest =
    "--ink:#ececec;--muted:#a8a8a8;--paper:#15171a;--grid:#30343a;--edge:#7c8088;--band:.26;";

constexpr const char* kClasses = R"(
.fig{display:block;width:100%;height:auto;background:var(--paper);color:var(--ink);
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"DejaVu Sans",sans-serif;font-size:12px}
.fig.wide{min-width:680px;max-width:960px}
.fig.middle{min-width:520px;max-width:720px}
.fig.narrow{min-width:330px;max-width:520px}
.fig text{fill:var(--ink);stroke:none}
.fig .small{font-size:11px}
.fig .muted{fill:var(--muted)}
.fig .head{font-weight:600}
.fig .halo{paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}
.fig .grid{stroke:var(--grid);stroke-width:1;fill:none}
.fig .edge{stroke:var(--edge);stroke-width:1;fill:none}
.fig .ref{stroke:var(--ink);stroke-width:1;fill:none}
.fig .lead{stroke:var(--muted);stroke-width:.6;fill:none}
.fig .line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:butt}
.fig .thin{fill:none;stroke-width:1.1}
.fig .mark{stroke:var(--paper);stroke-width:.8}
.fig .open{fill:var(--paper);stroke-width:1.5}
.fig .band{fill-opacity:var(--band);stroke:none}
.fig .pale{fill-opacity:.28;stroke:none}
.fig .solid{stroke:none}
.fig .hatch{stroke:var(--ink);stroke-width:.8;stroke-opacity:.55}
.fig .cell{stroke:var(--paper);stroke-width:1}
.fig .chosen{fill:none;stroke:var(--ink);stroke-width:1.8}
.fig .tiny{font-size:10px}
.fig a{cursor:pointer}
.fig a:hover .cell,.fig a:focus .cell{stroke:var(--ink);stroke-width:1.6}
.fig a:focus{outline:none}
.fig .s0{stroke:var(--ink)}
.fig .f0{fill:var(--ink)}
)";

std::string make_rules() {
  std::string style = kClasses;
  for (std::size_t i = 1; i <= kLight.size(); ++i)
    style += fmt::format(".fig .s{0}{{stroke:var(--series-{0})}}\n.fig .f{0}{{fill:var(--series-{0})}}\n", i);
  for (int tenth = 0; tenth <= 10; ++tenth)
    style += fmt::format(".fig .o{}{{fill-opacity:{:.3f}}}\n", tenth, 0.062 * tenth);
  return style;
}

/// The rules with the light values in place of their variables, which few readers of SVG files know.
std::string make_literal_style() {
  const std::string values = variables(kLight, kLightRest);
  std::string style = make_rules();
  constexpr std::string_view kOpen = "var(";
  for (std::size_t at = style.find(kOpen); at != std::string::npos; at = style.find(kOpen, at)) {
    const std::size_t end = style.find(')', at);
    const std::string name = style.substr(at + kOpen.size(), end - at - kOpen.size()) + ":";
    const std::size_t value = values.find(name);
    assert(value != std::string::npos);
    const std::size_t first = value + name.size();
    style.replace(at, end + 1 - at, values.substr(first, values.find(';', first) - first));
  }
  return style;
}

std::string make_style() {
  std::string style = fmt::format(":root{{{}}}\n", variables(kLight, kLightRest));
  style += fmt::format("@media (prefers-color-scheme:dark){{:root{{{}}}}}\n", variables(kDark, kDarkRest));
  style += fmt::format("@media print{{:root{{{}}}}}", variables(kLight, kLightRest));
  return style + make_rules();
}

}  // namespace

const std::string& figure_style() {
  static const std::string style = make_style();
  return style;
}

std::string standalone_svg(const ReportFigure& figure) {
  const std::string_view svg = figure.svg;
  const std::size_t open = svg.find('>');
  if (open == std::string_view::npos) return figure.svg;
  static const std::string style = make_literal_style();
  return fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}<style>\n{}</style>{}\n",
                     svg.substr(0, open + 1), style, svg.substr(open + 1));
}

namespace figure {
namespace {

/// Which colour, and how often all have been used before.
int colour_of(const Series& series) {
  return series.index <= 0 ? 0 : (series.index - 1) % static_cast<int>(kLight.size()) + 1;
}

}  // namespace

std::string Series::stroke() const {
  return fmt::format("s{}", colour_of(*this));
}

std::string Series::fill() const {
  return fmt::format("f{}", colour_of(*this));
}

std::string Series::dash() const {
  constexpr std::array kDashes{"", "7 2.5", "2 2", "9 2.5 2 2.5", "4 2", "12 3", "1.2 2", "6 2 1.5 2 1.5 2"};
  return index <= 0 ? "" : kDashes[static_cast<std::size_t>(index - 1) % kDashes.size()];
}

}  // namespace figure
}  // namespace lil::analyze
