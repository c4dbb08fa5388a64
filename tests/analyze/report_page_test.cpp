#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "analyze/grading.h"
#include "analyze/report/figure/numbers.h"
#include "analyze/report/page/packed_numbers.h"
#include "analyze/report/page/page.h"
#include "analyze/report/page/page_assets.h"
#include "analyze/report/page/page_text.h"
#include "analyze/report/page/run_names.h"
#include "analyze/report/page/trace_sample.h"
#include "analyze/report/report.h"
#include "analyze/verdict.h"
#include "replay/curve.h"
#include "replay/signals/registry.h"
#include "schemas/sha256.h"
#include "tests/analyze/written_store.h"
#include "tests/support/temporary_directory.h"

namespace lil::analyze::page {
namespace {

using Json = nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(ReportPageNumbers, Base64OfRfc4648) {
  const std::vector<std::pair<std::string, std::string>> vectors{{"", ""},
                                                                 {"f", "Zg=="},
                                                                 {"fo", "Zm8="},
                                                                 {"foo", "Zm9v"},
                                                                 {"foob", "Zm9vYg=="},
                                                                 {"fooba", "Zm9vYmE="},
                                                                 {"foobar", "Zm9vYmFy"},
                                                                 {"\xff\xfe", "//4="}};
  for (const auto& [bytes, text] : vectors) EXPECT_EQ(base64(bytes), text);
}

TEST(ReportPageNumbers, PackedAsTheScriptReadsThem) {
  PackedNumbers packed;
  for (const std::uint64_t number : {0U, 127U, 128U, 16383U, 16384U}) packed.add(number);
  EXPECT_EQ(packed.base64(), base64(std::string("\x00\x7f\x80\x01\xff\x7f\x80\x80\x01", 9)));
  PackedNumbers with_sign;
  for (const std::int64_t number : {0, -1, 1, -64, 64}) with_sign.add_signed(number);
  EXPECT_EQ(with_sign.base64(), base64(std::string("\x00\x01\x02\x7f\x80\x01", 6)));
  EXPECT_EQ(packed_differences(std::vector<std::int64_t>{5, 3, 3}), base64(std::string("\x0a\x03\x00", 3)));
  EXPECT_EQ(packed_runs(std::vector<std::int64_t>{1, 2, 3, 3, 7}),
            base64(std::string("\x03\x03\x00\x08", 4)));
  EXPECT_EQ(packed_runs(std::vector<std::int64_t>{}), "");
}

/// The replacement of nlohmann's library, which has Unicode's maximal pieces too.
std::string replaced(const std::string& bytes) {
  return Json::parse(Json(bytes).dump(-1, ' ', false, Json::error_handler_t::replace)).get<std::string>();
}

std::int64_t units_of(const std::string& utf8) {
  std::int64_t units = 0;
  for (const char c : utf8) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 || byte >= 0xc0) units += byte >= 0xf0 ? 2 : 1;
  }
  return units;
}

TEST(ReportPageText, BrokenPiecesAreReplacedAndEveryByteHasAPlace) {
  EXPECT_EQ(PageText("a\xffz").utf8(), "a\xef\xbf\xbdz");
  EXPECT_EQ(PageText("\xe2\x82").utf8(), "\xef\xbf\xbd");                              // one piece, cut off
  EXPECT_EQ(PageText("\xed\xa0\x80").utf8(), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");  // a surrogate: three
  EXPECT_EQ(PageText("\xc0\xaf").utf8(), "\xef\xbf\xbd\xef\xbf\xbd");                  // overlong
  EXPECT_EQ(PageText("\xf4\x90\x80\x80").utf8().size(), 12U);                          // beyond U+10FFFF
  const PageText mixed("\xc3\xa9\xf0\x9f\x98\x80z");
  std::vector<std::int64_t> units;
  for (std::int64_t byte = 0; byte <= 7; ++byte) units.push_back(mixed.unit_at(byte));
  EXPECT_THAT(units, ElementsAre(0, 0, 1, 1, 1, 1, 3, 4));
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    const std::string interesting =
        "a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc2\xdf\xe0\xe1\xed\xef\xf0\xf1\xf4\xf5\xff";
    while (bytes.size() < 1 + random() % 9) bytes += interesting[random() % interesting.size()];
    const PageText text(bytes);
    const auto size = static_cast<std::int64_t>(bytes.size());
    EXPECT_EQ(replaced(text.utf8()), text.utf8()) << "is UTF-8";
    EXPECT_EQ(text.unit_at(size), units_of(text.utf8()));
    for (std::int64_t byte = 1; byte <= size; ++byte) EXPECT_LE(text.unit_at(byte - 1), text.unit_at(byte));
  }
}

TEST(ReportPageText, NothingInJsonEndsItsElement) {
  const std::string json = json_in_html(Json("</script><!--<script>").dump());
  EXPECT_THAT(json, Not(HasSubstr("<")));
  EXPECT_EQ(Json::parse(json), "</script><!--<script>");
}

TEST(ReportPage, AssetsCanStandInTheirElements) {
  EXPECT_THAT(std::string(page_script()), Not(HasSubstr("</script")));
  EXPECT_THAT(std::string(page_script()), Not(HasSubstr("<!--")));
  EXPECT_THAT(std::string(page_style()), Not(HasSubstr("</style")));
  EXPECT_EQ(page_script().rfind("\"use strict\";", 0), 0U);
  for (const char* word :
       {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch("})
    EXPECT_THAT(std::string(page_script()), Not(HasSubstr(word)));
}

TEST(ReportPage, NamesAreTextAndThePolicyNamesWhatThePageHas) {
  ReportFigure figure{"some-figure",
                      "A <b>title</b>",
                      "Said & done",
                      "<svg><title>t</title></svg>",
                      {{"run", "kept"}, {{"<i>", "12"}, {"b\"", "-3.5"}}}};
  Page page{"<script>alert(1)</script>",
            "",
            {figure_section(figure, {{"some-figure", "a <note>"}}, 2)},
            "<!-- data -->"};
  const std::string html = render(page);
  for (const char* raw : {"<b>title", "<note>", "<i>", "<script>alert"})
    EXPECT_THAT(html, Not(HasSubstr(raw)));
  EXPECT_THAT(html, HasSubstr("<td>&lt;i&gt;</td><td class=\"n\">12</td>"));
  const std::size_t start = html.find("<script>") + 8;
  const std::string script = html.substr(start, html.find("</script>", start) - start);
  std::string digest;
  const std::string hex = schemas::sha256_hex(script);
  for (std::size_t i = 0; i < hex.size(); i += 2)
    digest += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  EXPECT_THAT(html, HasSubstr("script-src 'sha256-" + base64(digest) + "'"));
  page.end.clear();
  EXPECT_THAT(render(page), Not(HasSubstr("<script>")));
  EXPECT_THAT(render(page), HasSubstr("script-src 'none'"));
}

TEST(ReportPage, LongTablesShowTheirBeginning) {
  for (const std::size_t rows : {50U, 51U}) {
    ReportFigure figure{"long", "t", "d", "<svg></svg>", {{"row"}, {}}};
    for (std::size_t i = 0; i < rows; ++i) figure.table.rows.push_back({std::to_string(i)});
    const std::string html = figure_section(figure, {}, 50).html;
    EXPECT_THAT(html, HasSubstr("<td class=\"n\">49</td>"));
    EXPECT_THAT(html, Not(HasSubstr("<td class=\"n\">50</td>")));
    EXPECT_EQ(html.find("long.csv") != std::string::npos, rows == 51);
  }
}

/// Two figures' tables, of which `long` has so many rows.
std::string page_with_rows(std::size_t rows) {
  ReportFigure figure{"long", "t", "d", "<svg></svg>", {{"row"}, {}}};
  for (std::size_t i = 0; i < rows; ++i) figure.table.rows.push_back({std::to_string(i)});
  ReportFigure other{"other", "t", "d", "<svg></svg>", {{"row"}, {}}};
  for (std::size_t i = 0; i < 1000; ++i) other.table.rows.push_back({std::to_string(i)});
  return build_figure_page("t", {}, {{figure, other}, {}});
}

TEST(ReportPage, TablesAreWholeWhereThePageHoldsThem) {
  const std::string all = page_with_rows(10'000);
  EXPECT_THAT(all, HasSubstr("<td class=\"n\">9999</td>"));
  EXPECT_THAT(all, Not(HasSubstr("--assets")));
  const std::string cut = page_with_rows(400'000);
  EXPECT_LT(cut.size(), 1'000'000U) << "the largest table is cut";
  EXPECT_THAT(cut, HasSubstr("400000 rows: the first 50 here"));
  EXPECT_THAT(cut, HasSubstr("<td class=\"n\">999</td>")) << "the other one is whole";
  EXPECT_THAT(cut, Not(HasSubstr("other.csv")));
}

TEST(ReportPage, UidsAreShortAndLongCellsBreakBetweenWords) {
  const std::string html =
      table_html({{"run", "policy", "uid"},
                  {{"0123456789abcdef", "sink(budget=64,sinks=4,pos=cache)", "0123456789abcdef"},
                   {"unknown", "unknown", ""}}},
                 2, "");
  EXPECT_THAT(html, HasSubstr("<td title=\"0123456789abcdef\">0123456789</td>"));
  EXPECT_THAT(html, HasSubstr("<td class=\"long\">sink(<wbr>budget=64,<wbr>sinks=4,<wbr>pos=cache)</td>"));
  EXPECT_THAT(html, HasSubstr("<td>0123456789abcdef</td>")) << "of another column";
  EXPECT_THAT(html, HasSubstr("<td>unknown</td><td>unknown</td>"));
}

TEST(ReportPage, FiguresOfReportsAreKnownByTheirIds) {
  for (const char* id : {"budget", "plane", "curves", "curves-lz77-on-text", "savings-split"})
    EXPECT_TRUE(is_report_figure(id)) << id;
  for (const char* id : {"", "curvesx", "curves-", "plane-old", "notes", "paired-runs"})
    EXPECT_EQ(is_report_figure(id), std::string(id) == "curves-") << id;
}

TEST(ReportPage, CsvQuotesWhatItMust) {
  EXPECT_EQ(csv({{"a", "b"}, {{"plain", "1,2"}, {"say \"so\"", "two\nlines"}, {"", "x"}}}),
            "a,b\nplain,\"1,2\"\n\"say \"\"so\"\"\",\"two\nlines\"\n,x\n");
}

TEST(ReportPage, PoliciesAreNamedByTheirBudget) {
  EXPECT_EQ(brief_policy("sink(budget=64,sinks=4,pos=cache)"), "sink(budget=64)");
  EXPECT_EQ(brief_policy("full"), "full");
  EXPECT_EQ(brief_policy("H2O (4 bit"), "H2O (4 bit");
}

/// Traces that all end right or wrong, and may be stopped before or after their answer.
GroupCells group_of(const std::vector<std::pair<bool, std::optional<std::int64_t>>>& traces) {
  GroupCells group;
  group.cells.resize(1);
  group.stops.resize(1);
  for (const auto& [right, stop] : traces) {
    GradedTrace trace;
    trace.info.tokens = 100;
    trace.events = {{0, "", "none"}, {50, "1", right ? "right" : "wrong"}};
    group.group.traces.push_back(std::move(trace));
    group.stops[0].push_back(stop);
  }
  return group;
}

TEST(ReportPageSample, HarmedAndStoppedOnesFirstInEveryGroup) {
  const std::vector<GroupCells> groups{
      group_of({{true, {}}, {false, {}}, {true, 60}, {true, 40}, {false, 60}}),
      group_of({{false, {}}, {true, 10}})};
  const std::vector<TracePlace> order = sampling_order(groups);
  EXPECT_THAT(order, ElementsAre(TracePlace{0, 3}, TracePlace{1, 1}, TracePlace{0, 4}, TracePlace{1, 0},
                                 TracePlace{0, 2}, TracePlace{0, 1}, TracePlace{0, 0}));
}

TEST(ReportPageSample, TakesEveryTraceOnceAndSpreadsThem) {
  const GroupCells group =
      group_of(std::vector<std::pair<bool, std::optional<std::int64_t>>>(1000, {true, {}}));
  const std::vector<TracePlace> order = sampling_order({group});
  EXPECT_EQ(std::set<TracePlace>(order.begin(), order.end()).size(), 1000U);
  std::vector<std::size_t> first;
  for (std::size_t i = 0; i < 20; ++i) first.push_back(order[i].trace);
  std::sort(first.begin(), first.end());
  std::size_t widest = first.front();
  for (std::size_t i = 1; i < first.size(); ++i) widest = std::max(widest, first[i] - first[i - 1]);
  EXPECT_LT(widest, 150U) << "no gap of thrice the even one";
}

/// A store with two runs of graded traces with curves.
class ReportPageStore : public testing::Test {
 protected:
  void SetUp() override {
    const std::string loop(2001, 'x');
    for (const char* policy : {"full", "sink(budget=64)"}) {
      const schemas::RunKey run = written_.add_run(policy, 4096);
      written_.add_trace(run, {"1", "3", "So it is \\boxed{3}. " + loop});
      written_.add_trace(run, {"2", "4", loop + " \\boxed{4}", schemas::Finish::kLength});
      written_.add_trace(run, {"3", "5", "</script>\xff \\boxed{6}"});
    }
    const GradeResult graded = grade_store(written_.store(), Extraction::parse(kDefaultExtractors), {});
    ASSERT_EQ(graded.graded, 6);
    for (const auto& trace : written_.traces()) {
      const auto signal = replay::make_signal("zlib(level=6)");
      const auto stream =
          replay::build_stream(replay::StreamKind::kText, schemas::read_tokens(written_.store(), trace.key),
                               schemas::Vocabulary::bytes());
      schemas::put_curve(written_.store(), trace.key, {signal->name(), signal->version(), "text", 50},
                         replay::compute_curve(*signal, stream, 50), 0);
    }
    request_.grading = grading_name(Extraction::parse(kDefaultExtractors));
    request_.rules = {"guardian(f=250,t=20)", "guardian(f=100,t=20,patience=2)", "cap(tokens=30)"};
  }

  static Json element(const std::string& html, const std::string& id) {
    const std::string open = "<script type=\"application/json\" id=\"" + id + "\">";
    const std::size_t start = html.find(open) + open.size();
    return Json::parse(html.substr(start, html.find("</script>", start) - start));
  }

  tests::TemporaryDirectory folder_;
  tests::WrittenStore written_{folder_.path() / "some.db"};
  ReportRequest request_;
};

TEST_F(ReportPageStore, SameStoreSameBytesWithAnyThreads) {
  const std::string once = build_report(written_.store(), request_).html;
  request_.threads = 3;
  EXPECT_EQ(build_report(written_.store(), request_).html, once);
  EXPECT_THAT(once, Not(HasSubstr(folder_.path().string())));
  EXPECT_THAT(once, HasSubstr("<h1>some.db</h1>"));
}

/// The cells of the runs' table of a page, a row a line, as `a|b`.
std::string runs_of(const std::string& html) {
  const std::size_t start = html.find("<section id=\"runs\"");
  const std::string table = html.substr(start, html.find("</section>", start) - start);
  std::string text;
  bool in_tag = false;
  for (std::size_t i = table.find("<thead>"); i < table.size(); ++i) {
    if (table.compare(i, 5, "</td>") == 0 || table.compare(i, 5, "</th>") == 0) text += '|';
    if (table[i] == '<') in_tag = true;
    if (!in_tag) text += table[i];
    if (table[i] == '>') in_tag = false;
  }
  return text;
}

TEST_F(ReportPageStore, RunsAreCountedAgainstTheirGoldAnswersAndMeansAreRounded) {
  const std::string runs = runs_of(build_report(written_.store(), request_).html);
  EXPECT_THAT(runs,
              HasSubstr("run|policy|right|with gold|right of those with gold|traces|problems|mean tokens|"))
      << "model and problem set are those of all runs";
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < 3; ++i)
    tokens += static_cast<std::int64_t>(
        schemas::read_tokens(written_.store(), written_.traces()[i].key).ids.size());
  ASSERT_EQ(tokens % 3, 2) << "the mean is to be rounded up";
  EXPECT_THAT(runs, HasSubstr("|full|2|3|66.7 %|3|3|" + figure::grouped(tokens / 3 + 1) + "|4,096|"));
}

TEST_F(ReportPageStore, TracesThatAreNotCompleteAreCountedOnTop) {
  EXPECT_THAT(build_report(written_.store(), request_).html, Not(HasSubstr("not complete")));
  schemas::NewTrace open;
  open.uid = "0123456789abcdef";
  open.run = schemas::list_runs(written_.store()).front().key;
  open.problem = schemas::put_problem(written_.store(), {"set", "4", "?", "7", schemas::AnswerKind::kNumber});
  { const schemas::TraceWriter writer(written_.store(), open); }
  std::vector<std::string> heard;
  request_.warning = [&](const std::string& sentence) { heard.push_back(sentence); };
  const std::string html = build_report(written_.store(), request_).html;
  EXPECT_THAT(runs_of(html), HasSubstr("|traces|not complete, left out|"));
  EXPECT_THAT(runs_of(html), HasSubstr("|3|1|3|"));
  const std::string top = html.substr(html.find("<header>"), html.find("</header>") - html.find("<header>"));
  EXPECT_THAT(top, HasSubstr("1 of 4 traces are not complete and left out"));
  EXPECT_THAT(heard, testing::Contains(HasSubstr("1 of 4 traces"))) << "the caller is told as well";
}

TEST_F(ReportPageStore, SaysHowFarItIs) {
  std::vector<int> done;
  static_cast<void>(build_report(written_.store(), request_, [&](int at, int total, const std::string& next) {
    EXPECT_EQ(total, kReportStages);
    EXPECT_EQ(next.empty(), at == total);
    done.push_back(at);
  }));
  EXPECT_THAT(done, ElementsAre(0, 1, 2, 3));
}

TEST_F(ReportPageStore, StopsAreThoseOfTheCells) {
  const Json index = element(build_report(written_.store(), request_).html, "data-index");
  CellRequest cells;
  cells.grading = request_.grading;
  cells.rules = request_.rules;
  cells.baselines = false;
  std::map<std::string, std::int64_t> kept;
  for (const Cell& cell : analyze_cells(written_.store(), cells)) kept[cell.rule] += cell.kept;
  ASSERT_EQ(index["rules"].size(), 3U);
  for (std::size_t rule = 0; rule < 3; ++rule) {
    std::int64_t sum = 0;
    for (const Json& trace : index["traces"]) {
      const auto stop = trace["stops"][0][rule].get<std::int64_t>();
      sum += stop < 0 ? trace["tokens"].get<std::int64_t>() : stop;
    }
    EXPECT_EQ(sum, kept.at(index["rules"][rule]["name"])) << rule;
  }
  EXPECT_EQ(index["rules"][1]["guardian"]["patience"], 2);
  EXPECT_FALSE(index["rules"][2].contains("guardian"));
}

TEST_F(ReportPageStore, TextsAreThoseOfTheStore) {
  const std::string html = build_report(written_.store(), request_).html;
  EXPECT_EQ(element(html, "data-trace-2")["text"], "</script>\xef\xbf\xbd \\boxed{6}");
  EXPECT_EQ(element(html, "data-trace-2")["gold"], "5");
  EXPECT_EQ(element(html, "data-index")["traces"][2]["verdicts"].back()[1], "wrong");
  EXPECT_EQ(element(html, "data-index")["traces"][0]["loop"][1], 1);
}

TEST_F(ReportPageStore, HoldsNoMoreThanItMay) {
  const Report all = build_report(written_.store(), request_);
  EXPECT_EQ(all.traces, 6);
  EXPECT_EQ(all.traces_held, 6);
  request_.most_bytes = static_cast<std::int64_t>(all.html.size());
  const Report fewer = build_report(written_.store(), request_);
  EXPECT_LT(fewer.traces_held, 6);
  EXPECT_GT(fewer.traces_held, 0);
  EXPECT_LE(static_cast<std::int64_t>(fewer.html.size()), request_.most_bytes);
  EXPECT_THAT(fewer.html, HasSubstr(" of 6 traces"));
  request_.most_traces = 1;
  const Report one = build_report(written_.store(), request_);
  EXPECT_EQ(one.traces_held, 1);
  EXPECT_EQ(element(one.html, "data-index")["traces"][0]["stops"][0][0].get<std::int64_t>() > 0, true);
  request_.most_bytes = 1000;
  EXPECT_THROW(static_cast<void>(build_report(written_.store(), request_)), Error);
}

}  // namespace
}  // namespace lil::analyze::page
