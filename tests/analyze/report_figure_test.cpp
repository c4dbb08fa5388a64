#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "analyze/report/figure/axis.h"
#include "analyze/report/figure/numbers.h"
#include "analyze/report/figure/panel.h"
#include "analyze/report/figure/style.h"
#include "analyze/report/figure/svg.h"
#include "analyze/report/figure/text_size.h"
#include "analyze/report/figure/xml.h"
#include "tests/analyze/svg_reader.h"

namespace lil::analyze::figure {
namespace {

using tests::SvgReader;

constexpr const char* kBroken = "\xEF\xBF\xBD";  // U+FFFD

std::vector<std::string> labels(const Axis& axis) {
  std::vector<std::string> found;
  for (const Tick& tick : axis.ticks) found.push_back(tick.label);
  return found;
}

using Labels = std::vector<std::string>;

TEST(ReportXml, EscapesMarkupInTextAndAttributes) {
  EXPECT_EQ(xml_text("<script>alert(\"a\" & 'b')</script>"),
            "&lt;script&gt;alert(&quot;a&quot; &amp; &#39;b&#39;)&lt;/script&gt;");
  EXPECT_EQ(xml_text("]]>"), "]]&gt;");
}

TEST(ReportXml, DropsControlCharactersAndKeepsTheRest) {
  EXPECT_EQ(xml_text(std::string("a\0b\x1b[31mc\x7f"
                                 "d\te\nf",
                                 15)),
            "ab[31mcd\te\nf");
  EXPECT_EQ(xml_text("\xC2\x85x\xC2\xA0y"), "x\xC2\xA0y")
      << "C1 controls go, the space that does not break stays";
  EXPECT_EQ(xml_text("\xEF\xBF\xBE\xEF\xBF\xBFz"), "z") << "U+FFFE and U+FFFF are no XML characters";
  const std::string kept = "\xC3\xA9 \xE2\x80\xAE \xD7\x90 \xF0\x9F\x98\x80 \xF4\x8F\xBF\xBD";
  EXPECT_EQ(xml_text(kept), kept);
}

TEST(ReportXml, ReplacesBrokenUtf8) {
  const std::string bad = kBroken;
  EXPECT_EQ(xml_text("a\xFF"
                     "b"),
            "a" + bad + "b");
  EXPECT_EQ(xml_text("\x80"), bad);
  EXPECT_EQ(xml_text("\xC0\xAF"), bad + bad) << "overlong slash";
  EXPECT_EQ(xml_text("\xE0\x80\xAF"), bad + bad + bad) << "overlong slash";
  EXPECT_EQ(xml_text("\xED\xA0\x80"), bad + bad + bad) << "surrogate";
  EXPECT_EQ(xml_text("\xF4\x90\x80\x80"), bad + bad + bad + bad) << "beyond U+10FFFF";
  EXPECT_EQ(xml_text("\xE2\x82"), bad) << "cut off: one for the maximal piece";
  EXPECT_EQ(xml_text("\xE2\x82<"), bad + "&lt;") << "a lead byte swallows no markup";
  EXPECT_EQ(xml_text("\xF0\x9F\x98<a>"), bad + "&lt;a&gt;");
  EXPECT_EQ(xml_text("\xED\x9F\xBF\xEE\x80\x80"), "\xED\x9F\xBF\xEE\x80\x80") << "beside the surrogates";
}

TEST(ReportXml, MakesUrlsAndNames) {
  EXPECT_EQ(url_component("zlib(level=6)"), "zlib%28level%3D6%29");
  EXPECT_EQ(url_component("prompt+text&x\xC3\xA9~"), "prompt%2Btext%26x%C3%A9~");
  EXPECT_EQ(slug("zlib(level=6) prompt+text"), "zlib-level-6-prompt-text");
  EXPECT_EQ(slug("../\xFF<>"), "x");
  EXPECT_EQ(slug(std::string(59, 'a') + "--" + std::string(9, 'b')), std::string(59, 'a'));
  EXPECT_EQ(slug(std::string(61, 'a')), std::string(60, 'a'));
}

TEST(ReportNumbers, AreTheSameEverywhere) {
  EXPECT_EQ(coordinate(1), "1");
  EXPECT_EQ(coordinate(1.26), "1.3");
  EXPECT_EQ(coordinate(-0.04), "0");
  EXPECT_EQ(coordinate(-0.06), "-0.1");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(-1234567),
            "\xE2\x88\x92"
            "1,234,567");
  EXPECT_EQ(spoken(1234.56, 1), "1,234.6");
  EXPECT_EQ(spoken(-0.001, 1), "0.0") << "no minus in front of nothing";
  EXPECT_EQ(spoken_percent(0.1234), "12.3");
  EXPECT_EQ(spoken_level(0.02), "2");
  EXPECT_EQ(spoken_level(0.025), "2.5");
  EXPECT_EQ(spoken_change(1.25, 1), "+1.2");
  EXPECT_EQ(spoken_change(-1.25, 1),
            "\xE2\x88\x92"
            "1.2");
  EXPECT_EQ(spoken_change(0.001, 1), "0.0");
  EXPECT_EQ(share_cell(1.0 / 3), "0.333333");
}

TEST(ReportAxis, LinearTicksAreRound) {
  EXPECT_EQ(labels(linear_axis(0, 1, 6, NumberForm::kPercent, "")),
            (Labels{"0", "20", "40", "60", "80", "100"}));
  EXPECT_EQ(labels(linear_axis(0, 1, 5, NumberForm::kPercent, "")), (Labels{"0", "50", "100"}));
  const Axis odd = linear_axis(3, 1187, 6, NumberForm::kPlain, "");
  EXPECT_EQ(labels(odd), (Labels{"0", "500", "1,000", "1,500"}));
  EXPECT_EQ(odd.low, 0);
  EXPECT_EQ(odd.high, 1500);
  EXPECT_EQ(labels(linear_axis(-0.2, 0.04, 7, NumberForm::kChange, "")), (Labels{"\xE2\x88\x92"
                                                                                 "20",
                                                                                 "\xE2\x88\x92"
                                                                                 "15",
                                                                                 "\xE2\x88\x92"
                                                                                 "10",
                                                                                 "\xE2\x88\x92"
                                                                                 "5",
                                                                                 "0", "+5"}));
  EXPECT_EQ(labels(linear_axis(0, 0.011, 4, NumberForm::kPercent, "")), (Labels{"0.0", "0.5", "1.0", "1.5"}));
}

TEST(ReportAxis, LinearTicksAtTheEdges) {
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{{0, 0},
                                                                        {5, 5},
                                                                        {-5, -5},
                                                                        {0, 1e-9},
                                                                        {0, 1e12},
                                                                        {-1e-3, 1e3},
                                                                        {0.1, 0.3},
                                                                        {0.3, 0.6},
                                                                        {-1, 0},
                                                                        {199, 201}}) {
    for (int most = 2; most <= 9; ++most) {
      const Axis axis = linear_axis(low, high, most, NumberForm::kPlain, "");
      const double rounding = 1e-9 * (high - low);
      EXPECT_LE(axis.low, low + rounding) << low << " " << high;
      EXPECT_GE(axis.high, high - rounding) << low << " " << high;
      EXPECT_LT(axis.low, axis.high);
      EXPECT_GE(axis.ticks.size(), 2U) << low << " " << high << " " << most;
      // Around 0 no step has fewer than three multiples.
      EXPECT_LE(axis.ticks.size(), static_cast<std::size_t>(std::max(most, 3)))
          << low << " " << high << " " << most;
      const auto all = labels(axis);
      EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size()) << "two ticks of one name";
      EXPECT_NEAR(axis.place(axis.low), 0, 1e-12);
      EXPECT_NEAR(axis.place(axis.high), 1, 1e-12);
    }
  }
}

TEST(ReportAxis, LogTicksArePowersOfTwo) {
  EXPECT_EQ(labels(log2_axis(64, 256, 6, "")), (Labels{"64", "128", "256"}));
  const Axis beyond = log2_axis(63, 257, 6, "");
  EXPECT_EQ(beyond.low, 32);
  EXPECT_EQ(beyond.high, 512);
  EXPECT_EQ(labels(log2_axis(1, 32768, 6, "")), (Labels{"1", "8", "64", "512", "4,096", "32,768"}));
  EXPECT_EQ(labels(log2_axis(0.5, 2, 6, "")), (Labels{"0.5", "1", "2"}));
  EXPECT_EQ(log2_axis(7, 7, 6, "").low, 4);
  EXPECT_EQ(log2_axis(8, 8, 6, "").high, 16) << "a domain of nothing has room";
  EXPECT_EQ(log2_axis(0, 0, 6, "").low, 1) << "what a log has no place for";
  const Axis axis = log2_axis(1, 16, 5, "");
  EXPECT_DOUBLE_EQ(axis.place(4), 0.5);
  EXPECT_EQ(axis.place(0), 0);
  EXPECT_EQ(axis.place(-1), 0);
  for (int most = 2; most <= 12; ++most)
    EXPECT_LE(log2_axis(3, 1e6, most, "").ticks.size(), static_cast<std::size_t>(most));
}

TEST(ReportText, IsWrappedWithinItsWidth) {
  EXPECT_EQ(wrapped("short", 200, 2), (Labels{"short"}));
  EXPECT_EQ(wrapped("", 200, 2), (Labels{""}));
  EXPECT_EQ(wrapped("one two", text_width("one two"), 2), (Labels{"one two"}));
  EXPECT_EQ(wrapped("one two", text_width("one two") - 0.1, 2), (Labels{"one", "two"}));
  const std::string long_name = "Sky-T1-math-correct-5K-32B-ckpts__checkpoint-140__aime24 h2o(budget=64)";
  for (const double width : {60.0, 90.0, 150.0, 400.0}) {
    std::string joined;
    for (const std::string& line : wrapped(long_name, width, 99)) {
      EXPECT_LE(text_width(line), width) << line;
      joined += line;
    }
    std::string bare = long_name;
    std::erase(bare, ' ');
    std::erase(joined, ' ');
    EXPECT_EQ(joined, bare) << "nothing is lost";
    const auto few = wrapped(long_name, width, 2);
    EXPECT_LE(few.size(), 2U);
    if (width < 200) {
      EXPECT_TRUE(few.back().ends_with("\xE2\x80\xA6")) << few.back();
    }
    EXPECT_LE(text_width(few.back()), width);
  }
  for (const std::string& line :
       wrapped("\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 20, 9))
    EXPECT_EQ(line.size() % 2, 0U) << "a character is not broken";
}

TEST(ReportLabels, AreMovedApartNoMoreThanTheyMust) {
  EXPECT_TRUE(spread({}, 10, 0, 100).empty());
  EXPECT_EQ(spread({50}, 10, 0, 100), (std::vector<double>{50}));
  EXPECT_EQ(spread({20, 60}, 10, 0, 100), (std::vector<double>{20, 60}));
  EXPECT_EQ(spread({50, 50}, 10, 0, 100), (std::vector<double>{45, 55}));
  EXPECT_EQ(spread({60, 20}, 10, 0, 100), (std::vector<double>{60, 20})) << "in the order of their ends";
  EXPECT_EQ(spread({0, 1}, 10, 0, 100), (std::vector<double>{0, 10}));
  EXPECT_EQ(spread({100, 99, 98}, 10, 0, 100), (std::vector<double>{100, 90, 80}));
  for (const auto& wanted :
       std::vector<std::vector<double>>{{5, 5, 5, 90, 91}, {0, 100, 50, 50, 51, 49, 100}}) {
    const auto places = spread(wanted, 10, 0, 100);
    auto sorted = places;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 1; i < sorted.size(); ++i) EXPECT_GE(sorted[i] - sorted[i - 1], 10 - 1e-9);
    EXPECT_GE(sorted.front(), 0);
    EXPECT_LE(sorted.back(), 100);
  }
  const auto tight = spread(std::vector<double>(21, 50.0), 10, 0, 100);
  EXPECT_DOUBLE_EQ(tight[1] - tight[0], 5) << "closer where there is no room";
}

TEST(ReportSteps, HoldTheirValueUpToTheNext) {
  const auto steps = as_steps({{0, 1}, {2, 3}});
  ASSERT_EQ(steps.size(), 3U);
  EXPECT_EQ(steps[1].x, 2);
  EXPECT_EQ(steps[1].y, 1);
}

/// One of everything.
std::string sample() {
  Svg svg("sample", FigureWidth::kNarrow);
  const double top = draw_legend(svg, {40, 12}, 340,
                                 {{"a <line>", {1}, Sample::kLineAndMarker},
                                  {"against", {0}, Sample::kReference},
                                  {"open", {2}, Sample::kHollow},
                                  {"best", {0}, Sample::kStar},
                                  {"pale", {3}, Sample::kPale},
                                  {"above the bound", {0}, Sample::kHatched}});
  Panel panel(svg, {40, top + 20, 240, 120}, log2_axis(64, 512, 6, "budget, tokens"),
              linear_axis(0, 1, 6, NumberForm::kPercent, "right, %"));
  panel.draw_axes();
  panel.draw_title({"model & set"});
  panel.band({{64, 0.1}, {128, 0.2}, {512, 0.5}}, {{64, 0.3}, {128, 0.4}, {512, 0.8}}, {1});
  panel.line({{64, 0.2}, {128, 0.3}, {512, 0.6}}, {1});
  panel.steps({{64, 0}, {256, 0.5}, {512, 0.7}}, {2}, "thin");
  panel.error_y({128, 0.3}, 0.2, 0.4, {1});
  panel.error_y({512, 0.9}, 0.8, 1.4, {1});
  panel.error_x({128, 0.3}, 100, 180, {1});
  panel.point({128, 0.3}, {1}, "sink: \"30\" %");
  panel.point({256, 0.5}, {2}, "", true);
  panel.star({256, 0.9}, {0}, "best");
  panel.level(0.95, "full");
  panel.upright(300, "cap");
  panel.label_end({512, 0.6}, "sink", {1});
  panel.label_end({512, 0.61}, "h2o", {2});
  panel.draw_labels();
  svg.begin_link("#traces?run=1&set=a%20b", "its traces");
  svg.rect({300, 150, 30, 18}, "cell f1 o5");
  svg.hatch({300, 150, 30, 18});
  svg.end_link();
  return svg.finish(top + 180, "A sample <title>", "Everything \"once\".");
}

TEST(ReportSvg, OfOneOfEverythingIsAsItWas) {
  const std::string path = std::string(LIL_GOLDEN_FOLDER) + "/report_sample.svg";
  if (std::getenv("LIL_UPDATE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << sample() << "\n";
  std::ifstream file(path, std::ios::binary);
  const std::string golden{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(sample() + "\n", golden)
      << "looked at and found good? Then run this test with LIL_UPDATE_GOLDEN=1";
}

TEST(ReportSvg, IsWellFormedAndSaysWhatItIs) {
  const SvgReader reader(sample());
  EXPECT_EQ(reader.wrong(), "");
  EXPECT_EQ(reader.attribute("svg", "role"), "img");
  EXPECT_EQ(reader.attribute("svg", "viewBox").substr(0, 8), "0 0 400 ");
  EXPECT_EQ(reader.count("script"), 0);
  EXPECT_EQ(reader.count("style"), 0);
  for (const std::string& id : reader.ids()) EXPECT_TRUE(id.starts_with("sample-")) << id;
  EXPECT_EQ(reader.ids().size(), std::set<std::string>(reader.ids().begin(), reader.ids().end()).size());
}

TEST(ReportSvg, DrawsNothingOfFewPointsAndLeavesOutStraightOnes) {
  Svg svg("x", FigureWidth::kWide);
  svg.polyline({{1, 1}, {1.01, 1.01}}, "line");
  svg.polygon({{1, 1}, {2, 2}, {2, 2}}, "band");
  EXPECT_EQ(SvgReader(svg.finish(10, "t", "d")).count("path"), 0);
  svg.polyline({{0, 0}, {1, 0}, {2, 0}, {5, 0}, {5, 5}, {5, 9}}, "line");
  EXPECT_NE(svg.finish(10, "t", "d").find("d=\"M0 0L5 0L5 9\""), std::string::npos);
}

TEST(ReportSvg, StandsAloneWithItsStyle) {
  ReportFigure figure;
  figure.svg = sample();
  const std::string alone = standalone_svg(figure);
  EXPECT_TRUE(alone.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns="));
  EXPECT_NE(alone.find("<style>"), std::string::npos);
  EXPECT_EQ(SvgReader(alone.substr(alone.find("<svg"))).wrong(), "");
  EXPECT_EQ(figure_style().find('<'), std::string::npos) << "it stands in an XML element";
  EXPECT_EQ(figure_style().find('&'), std::string::npos);
  for (const char* part : {"prefers-color-scheme:dark", "@media print", "--series-9", "--ink"})
    EXPECT_NE(figure_style().find(part), std::string::npos) << part;
}

TEST(ReportSvg, SpellsItsColoursOutWhereItStandsAlone) {
  ReportFigure figure;
  figure.svg = sample();
  const std::string alone = standalone_svg(figure);
  for (const char* part : {"var(", "prefers-color-scheme", "@media", "--"})
    EXPECT_EQ(alone.find(part), std::string::npos) << part;
  for (const char* part :
       {".fig .s1{stroke:#0072b2}", ".fig .f9{fill:#7a7a7a}", ".fig text{fill:#1a1a1a;", "fill-opacity:.14;"})
    EXPECT_NE(alone.find(part), std::string::npos) << part;
}

TEST(ReportPanel, PointsToWhatIsOffItsScale) {
  const auto drawn = [](double y, double low, double high) {
    Svg svg("x", FigureWidth::kNarrow);
    const Axis axis = linear_axis(0, 1, 3, NumberForm::kPlain, "");
    Panel panel(svg, {50, 10, 200, 100}, axis, axis);
    if (y < 0 || y > 1) panel.off_scale({0.5, y}, "beyond", {1}, "what");
    panel.error_y({0.5, 0.5}, low, high, {1});
    return svg.finish(150, "t", "d");
  };
  const std::string above = drawn(2, 0.2, 3);
  EXPECT_EQ(SvgReader(above).wrong(), "");
  EXPECT_NE(above.find(">beyond<"), std::string::npos);
  EXPECT_NE(above.find("d=\"M150 11L"), std::string::npos) << "an arrow with its tip at the upper edge";
  EXPECT_NE(above.find("L150 10L"), std::string::npos) << "an arrowhead where the interval is cut";
  EXPECT_NE(drawn(-2, 0.2, 0.8).find("d=\"M150 109L"), std::string::npos);
  EXPECT_EQ(SvgReader(drawn(0.5, 0.2, 1)).count("path"), 0) << "up to the edge is not beyond it";
}

TEST(ReportSeries, AreToldApartInGrey) {
  std::set<std::pair<std::string, std::string>> seen;
  for (int i = 0; i <= 40; ++i) {
    const Series series{i};
    EXPECT_TRUE(seen.emplace(series.stroke(), series.dash()).second || i > 40) << i;
  }
  std::set<std::string> dashes;
  for (int i = 1; i <= 8; ++i) dashes.insert(Series{i}.dash());
  EXPECT_EQ(dashes.size(), 8U);
}

}  // namespace
}  // namespace lil::analyze::figure
