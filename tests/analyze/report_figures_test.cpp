#include "analyze/report/report_figures.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "analyze/calibration/p_values.h"
#include "analyze/cells.h"
#include "analyze/compare/compare_signals.h"
#include "analyze/frontier.h"
#include "analyze/grading.h"
#include "analyze/information.h"
#include "analyze/paper_rows.h"
#include "analyze/report/figure/numbers.h"
#include "analyze/report/figures/report_sources.h"
#include "analyze/report/figures/risk_bound.h"
#include "analyze/verdict.h"
#include "schemas/curve_store.h"
#include "schemas/error.h"
#include "tests/analyze/svg_reader.h"
#include "tests/analyze/written_store.h"
#include "tests/support/temporary_directory.h"

namespace lil::analyze {
namespace {

constexpr const char* kSignal = "zlib(level=6)";
constexpr const char* kOther = "lz4";
constexpr std::int64_t kGrid = 10;
const std::string kGrading = grading_name(Extraction::parse(kDefaultExtractors));

/// How a trace of the tests goes: a right answer at once or at the end or never, and from some token on a
/// loop.
struct Course {
  std::int64_t tokens = 0;
  std::int64_t answer_at = 0;  ///< tokens in front of its box
  bool right = true;
  std::int64_t loop_from = 0;
  schemas::Finish finish = schemas::Finish::kStop;
};

class ReportStore {
 public:
  ReportStore() : written_(folder_ / "store.db") {}

  schemas::RunKey add_run(const std::string& policy) { return written_.add_run(policy, 600); }

  void add(schemas::RunKey run, const std::string& problem, const Course& course,
           schemas::AnswerKind kind = schemas::AnswerKind::kNumber) {
    const std::string box = course.right ? "\\boxed{1}" : "\\boxed{2}";
    std::string text(static_cast<std::size_t>(course.answer_at), 'x');
    text += box;
    // What is not in the loop must not be one.
    while (static_cast<std::int64_t>(text.size()) < course.tokens) {
      const bool loops = static_cast<std::int64_t>(text.size()) >= course.loop_from;
      text += loops ? "again " : std::to_string(text.size() * text.size() + problem.size()) + " ";
    }
    text.resize(static_cast<std::size_t>(course.tokens));
    written_.add_trace(
        run, {problem, kind == schemas::AnswerKind::kNone ? "" : "1", text, course.finish, 0, kind});
    courses_.push_back(course);
  }

  /// Curves that grow by 30 or so each 10 tokens, and by 1 in the loop.
  void replay(const std::vector<std::string>& signals) {
    const auto traces = written_.traces();
    for (std::size_t i = 0; i < traces.size(); ++i) {
      for (std::size_t s = 0; s < signals.size(); ++s) {
        schemas::Curve curve{kGrid, {8}};
        for (std::int64_t k = kGrid; k <= traces[i].tokens; k += kGrid) {
          const std::int64_t prose =
              30 + (k * 7 + static_cast<std::int64_t>(i) * 13) % 11 - 4 * static_cast<std::int64_t>(s);
          curve.values.push_back(curve.values.back() + (k > courses_[i].loop_from ? 1 : prose));
        }
        schemas::put_curve(written_.store(), traces[i].key, {signals[s], "1 (test 1)", "text", kGrid}, curve,
                           0);
      }
    }
  }

  void grade() { (void)grade_store(written_.store(), Extraction::parse(kDefaultExtractors), {}); }
  [[nodiscard]] schemas::Store& store() { return written_.store(); }

 private:
  tests::TemporaryDirectory folder_;
  tests::WrittenStore written_;
  std::vector<Course> courses_;
};

/// Full attention and two policies with two budgets on 40 problems.
void fill(ReportStore& store) {
  std::vector<std::pair<std::string, int>> runs{{"full", 0},
                                                {"sink(budget=64)", 3},
                                                {"sink(budget=128)", 2},
                                                {"h2o(budget=64)", 3},
                                                {"h2o(budget=128)", 1}};
  std::vector<schemas::RunKey> keys;
  for (const auto& [policy, badness] : runs) keys.push_back(store.add_run(policy));
  for (std::size_t r = 0; r < runs.size(); ++r) {
    const int badness = runs[r].second;
    for (int i = 0; i < 40; ++i) {
      const std::string problem = "p" + std::to_string(i);
      if (i % 10 < 2 * badness) {  // loops without an answer in sight
        store.add(keys[r], problem, {600, 40, false, 150 + 3 * i, schemas::Finish::kLength});
      } else if (i == 19) {  // answers late, after what looks like a loop
        store.add(keys[r], problem, {400, 380, true, 200});
      } else {
        store.add(keys[r], problem, {300 + i, 250, i % 7 != 0, 1000});
      }
    }
  }
  store.replay({kSignal, kOther});
  store.grade();
}

ReportRequest request_for_tests() {
  ReportRequest request;
  request.grading = kGrading;
  request.rules = {"guardian(f=50,t=20)"};
  request.bootstrap.replicates = 50;
  return request;
}

const ReportFigure* find(const ReportFigures& report, const std::string& id) {
  for (const ReportFigure& figure : report.figures) {
    if (figure.id == id) return &figure;
  }
  return nullptr;
}

std::set<std::string> ids(const ReportFigures& report) {
  std::set<std::string> found;
  for (const ReportFigure& figure : report.figures) found.insert(figure.id);
  return found;
}

/// A row as column → cell.
using Row = std::map<std::string, std::string>;

std::vector<Row> rows_of(const ReportTable& table) {
  std::vector<Row> rows;
  for (const auto& cells : table.rows) {
    Row& row = rows.emplace_back();
    for (std::size_t c = 0; c < cells.size(); ++c) row[table.columns[c]] = cells[c];
  }
  return rows;
}

/// That the drawings can stand on a page together, and the tables are tables.
void expect_sound(const ReportFigures& report) {
  std::set<std::string> all_ids;
  for (const ReportFigure& figure : report.figures) {
    const tests::SvgReader reader(figure.svg);
    EXPECT_EQ(reader.wrong(), "") << figure.id;
    EXPECT_EQ(reader.count("svg"), 1);
    EXPECT_EQ(reader.count("desc"), 1);
    EXPECT_GE(reader.count("title"), 1);
    EXPECT_EQ(reader.count("style") + reader.count("script") + reader.count("image"), 0);
    for (const std::string& id : reader.ids()) EXPECT_TRUE(all_ids.insert(id).second) << id;
    EXPECT_FALSE(figure.title.empty());
    EXPECT_FALSE(figure.description.empty());
    EXPECT_FALSE(figure.table.rows.empty()) << figure.id;
    const std::set<std::string> columns(figure.table.columns.begin(), figure.table.columns.end());
    EXPECT_EQ(columns.size(), figure.table.columns.size()) << figure.id;
    for (const auto& row : figure.table.rows) {
      ASSERT_EQ(row.size(), figure.table.columns.size()) << figure.id;
      for (const std::string& cell : row)
        EXPECT_TRUE(cell != "nan" && cell != "inf" && cell != "-nan") << figure.id;
    }
  }
  for (const ReportNote& note : report.notes) EXPECT_FALSE(note.text.empty()) << note.figure;
}

bool has_note(const ReportFigures& report, const std::string& figure, const std::string& part) {
  return std::any_of(report.notes.begin(), report.notes.end(), [&](const ReportNote& note) {
    return note.figure == figure && note.text.find(part) != std::string::npos;
  });
}

std::string printed(const ReportFigures& report) {
  std::string all;
  for (const ReportFigure& figure : report.figures) {
    all += figure.id + figure.title + figure.description + figure.svg;
    for (const auto& row : figure.table.rows) {
      for (const std::string& cell : row) all += cell + ",";
    }
  }
  for (const ReportNote& note : report.notes) all += note.figure + note.text;
  return all;
}

/// Every cell of a row that a cell has a column for is what that column says.
int expect_columns_of(const Row& row, const Cell& cell, const std::string& what) {
  int compared = 0;
  for (const CellColumn& column : cell_columns()) {
    const auto found = row.find(column.name);
    if (found == row.end()) continue;
    EXPECT_EQ(found->second, column.value(cell)) << what << " " << column.name;
    ++compared;
  }
  return compared;
}

class FullReport : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    store_ = new ReportStore;
    fill(*store_);
    report_ = new ReportFigures(draw_report_figures(store_->store(), request_for_tests()));
  }
  static void TearDownTestSuite() {
    delete report_;
    delete store_;
  }
  static ReportStore* store_;
  static ReportFigures* report_;
};
ReportStore* FullReport::store_ = nullptr;
ReportFigures* FullReport::report_ = nullptr;

TEST_F(FullReport, HasEveryFigure) {
  EXPECT_EQ(ids(*report_), (std::set<std::string>{"budget", "lengths", "curves", "curves-lz4", "plane",
                                                  "pareto", "signals", "roc", "risk", "savings-split"}));
  expect_sound(*report_);
}

TEST_F(FullReport, IsTheSameToTheByteWithOtherThreads) {
  ReportRequest request = request_for_tests();
  EXPECT_EQ(printed(draw_report_figures(store_->store(), request)), printed(*report_));
  request.threads = 5;
  EXPECT_EQ(printed(draw_report_figures(store_->store(), request)), printed(*report_));
}

TEST_F(FullReport, HasTheCellsOfAnalyzeInItsPlane) {
  const ReportFigure* plane = find(*report_, "plane");
  ASSERT_NE(plane, nullptr);
  const auto rows = rows_of(plane->table);
  CellRequest request;
  request.grading = kGrading;
  request.signals = {kSignal};
  std::set<std::string> rules;
  for (const Row& row : rows) rules.insert(row.at("rule"));
  EXPECT_GT(rules.size(), 20U);
  request.rules.assign(rules.begin(), rules.end());
  request.bootstrap.replicates = 1;
  std::map<std::string, Cell> cells;
  for (const Cell& cell : analyze_cells(store_->store(), request)) cells[cell.run + cell.rule] = cell;
  for (const Row& row : rows) {
    const Cell& cell = cells.at(row.at("run") + row.at("rule"));
    EXPECT_GE(expect_columns_of(row, cell, row.at("rule")), 15);
    EXPECT_EQ(row.at("harm_bound"), figure::share_cell(harm_bound(cell.harm, cell.traces, 0.05)));
    EXPECT_EQ(row.at("rule"), "guardian(f=" + row.at("f") + ",t=" + row.at("t") + ")");
  }
}

TEST_F(FullReport, HasTheCellsOfAnalyzeInItsPareto) {
  const ReportFigure* pareto = find(*report_, "pareto");
  ASSERT_NE(pareto, nullptr);
  CellRequest request;
  request.grading = kGrading;
  request.rules = {"guardian(f=50,t=20)"};
  request.bootstrap.replicates = 50;
  const auto rows = rows_of(pareto->table);
  int compared = 0;
  for (const Cell& cell : analyze_cells(store_->store(), request)) {
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& one) {
      return one.at("run") == cell.run && one.at("rule") == cell.rule && one.at("signal") == cell.signal;
    });
    ASSERT_NE(row, rows.end()) << cell.rule;
    EXPECT_EQ(expect_columns_of(*row, cell, cell.rule), 17);
    ++compared;
  }
  EXPECT_GT(compared, 5 * 5);
}

TEST_F(FullReport, HasTheRowsOfThePaperInItsBudgetsAndSplits) {
  CellRequest request;
  request.grading = kGrading;
  request.rules = {"guardian(f=50,t=20)"};
  request.signals = {kSignal};
  request.bootstrap.replicates = 50;
  const auto budget = rows_of(find(*report_, "budget")->table);
  const auto split = rows_of(find(*report_, "savings-split")->table);
  std::size_t whole = 0;
  std::size_t stopped = 0;
  for (const PaperRow& row : paper_rows(store_->store(), request)) {
    if (row.cell.rule == "never") {
      const Row& shown = budget.at(whole++);
      EXPECT_GE(expect_columns_of(shown, row.cell, "budget"), 8);
      EXPECT_EQ(shown.at("budget"), row.budget ? std::to_string(*row.budget) : "");
      EXPECT_EQ(shown.at("right"), std::to_string(row.cell.right_full));
      EXPECT_EQ(shown.at("accuracy_low"),
                figure::share_cell(clopper_pearson(row.cell.right_full, row.cell.traces).low));
      EXPECT_EQ(shown.at("length_ratio"),
                row.against_full ? figure::share_cell(row.against_full->length_ratio->value) : "");
    } else {
      const Row& shown = split.at(stopped++);
      EXPECT_GE(expect_columns_of(shown, row.cell, "split"), 8);
      EXPECT_EQ(shown.at("right_stopped"), std::to_string(row.stopped_right));
      const Cell& cell = row.cell;
      const std::int64_t wrong = cell.tokens - cell.tokens_right;
      const std::int64_t kept_wrong = cell.kept - cell.kept_right;
      const auto share = [](std::int64_t part, std::int64_t of) {
        return of == 0 ? "" : figure::share_cell(static_cast<double>(part) / static_cast<double>(of));
      };
      EXPECT_EQ(shown.at("wrong_tokens"), std::to_string(wrong));
      EXPECT_EQ(shown.at("right_saved"), share(cell.tokens_right - cell.kept_right, cell.tokens_right));
      EXPECT_EQ(shown.at("wrong_saved"), share(wrong - kept_wrong, wrong));
      EXPECT_EQ(shown.at("from_wrong"), share(wrong - kept_wrong, cell.tokens - cell.kept));
    }
  }
  EXPECT_EQ(whole, 5U);
  EXPECT_EQ(stopped, 5U);
}

TEST_F(FullReport, HasTheGrowthOfTheTable) {
  InformationRequest request;
  request.grading = kGrading;
  request.signals = {kSignal};
  request.step_tokens = 50;
  request.bootstrap.replicates = 1;
  std::map<std::string, std::string> medians;
  measure_information(store_->store(), request, [&](const MeasuredGroup& measured) {
    for (const GrowthPoint& point : measured.growth) {
      medians[measured.group->run.uid + " " + std::to_string(point.token)] =
          fmt::format("{:.2f}", point.growth[1]);
    }
  });
  const auto rows = rows_of(find(*report_, "curves")->table);
  EXPECT_GT(rows.size(), 15U);
  for (const Row& row : rows)
    EXPECT_EQ(row.at("growth_median"), medians.at(row.at("run") + " " + row.at("token")));
}

TEST_F(FullReport, LinksCellsToTheirTraces) {
  const tests::SvgReader reader(find(*report_, "plane")->svg);
  const auto rows = rows_of(find(*report_, "plane")->table);
  ASSERT_EQ(reader.links().size(), 2 * rows.size()) << "both maps";
  EXPECT_EQ(reader.links().front(), "#traces?run=" + rows.front().at("run") +
                                        "&amp;set=set&amp;signal=zlib%28level%3D6%29&amp;stream=text&amp;f=" +
                                        rows.front().at("f") + "&amp;t=" + rows.front().at("t"));
}

TEST_F(FullReport, CountsEveryTraceOnceInItsLengths) {
  std::map<std::string, int> traces;
  for (const Row& row : rows_of(find(*report_, "lengths")->table))
    traces[row.at("run")] += std::stoi(row.at("traces"));
  EXPECT_EQ(traces.size(), 5U);
  for (const auto& [run, count] : traces) EXPECT_EQ(count, 40) << run;
}

TEST_F(FullReport, SaysWhichRunsAreLeftOut) {
  EXPECT_TRUE(has_note(*report_, "plane", "4 of 5 runs"));
  EXPECT_TRUE(has_note(*report_, "plane", "budget 64, which all policies have"));
  EXPECT_TRUE(has_note(*report_, "plane", "Not drawn for want of room: h2o(budget=128);"));
  ReportRequest request = request_for_tests();
  request.filter = schemas::parse_trace_filter("policy=sink");
  const auto report = draw_report_figures(store_->store(), request);
  expect_sound(report);
  EXPECT_FALSE(has_note(report, "plane", "runs are drawn"));
  EXPECT_TRUE(has_note(report, "budget", "no run of full attention"));
}

TEST_F(FullReport, ThrowsForWhatDoesNotExist) {
  ReportRequest request = request_for_tests();
  request.rules = {"guardian(f=50,t=20)", "nonsense(1)"};
  EXPECT_THROW((void)draw_report_figures(store_->store(), request), Error);
  request = request_for_tests();
  request.signals = {"zlob"};
  EXPECT_THROW((void)draw_report_figures(store_->store(), request), Error);
  request = request_for_tests();
  request.filter = schemas::parse_trace_filter("model=other");
  EXPECT_THROW((void)draw_report_figures(store_->store(), request), Error);
}

TEST(ReportFigures, OfOneTrace) {
  ReportStore store;
  store.add(store.add_run("full"), "p", {300, 40, true, 100});
  store.replay({kSignal});
  store.grade();
  const auto report = draw_report_figures(store.store(), request_for_tests());
  expect_sound(report);
  EXPECT_EQ(ids(report),
            (std::set<std::string>{"lengths", "curves", "plane", "pareto", "risk", "savings-split"}));
  EXPECT_TRUE(has_note(report, "budget", "no run has an attention policy with a budget"));
  EXPECT_TRUE(has_note(report, "signals", "no problem falls into the part"));
}

TEST(ReportFigures, OfNoGoldAnswers) {
  ReportStore store;
  const auto run = store.add_run("full");
  for (int i = 0; i < 12; ++i)
    store.add(run, "p" + std::to_string(i), {400, 40, true, 100 + 10 * i}, schemas::AnswerKind::kNone);
  store.replay({kSignal});
  store.grade();
  const auto report = draw_report_figures(store.store(), request_for_tests());
  expect_sound(report);
  EXPECT_EQ(ids(report), (std::set<std::string>{"lengths", "curves", "plane"}));
  for (const char* figure : {"pareto", "signals", "risk", "savings-split"})
    EXPECT_TRUE(has_note(report, figure, "gold answer")) << figure;
  const ReportFigure* plane = find(report, "plane");
  EXPECT_EQ(plane->svg.find("change of accuracy"), std::string::npos);
  EXPECT_EQ(rows_of(plane->table).front().at("harm_bound"), "");
  EXPECT_EQ(rows_of(find(report, "lengths")->table).front().at("outcome"), "no gold answer");
}

TEST(ReportFigures, OfNothingStopped) {
  ReportStore store;
  const auto run = store.add_run("full");
  for (int i = 0; i < 12; ++i) store.add(run, "p" + std::to_string(i), {300 + i, 40, true, 1000});
  store.replay({kSignal});
  store.grade();
  ReportRequest request = request_for_tests();
  request.rules = {"guardian(f=50,t=1)"};
  const auto report = draw_report_figures(store.store(), request);
  expect_sound(report);
  EXPECT_TRUE(has_note(report, "savings-split", "guardian(f=50,t=1) stops no trace"));
  EXPECT_NE(find(report, "plane"), nullptr) << "other t do stop";
}

TEST(ReportFigures, OfTracesTooShortForAnyCheck) {
  ReportStore store;
  const auto run = store.add_run("full");
  for (int i = 0; i < 12; ++i) store.add(run, "p" + std::to_string(i), {30, 10, true, 1000});
  store.replay({kSignal});
  store.grade();
  const auto report = draw_report_figures(store.store(), request_for_tests());
  expect_sound(report);
  EXPECT_TRUE(has_note(report, "plane", "checks at no value of f"));
  EXPECT_TRUE(has_note(report, "curves", "no trace has 50 tokens"));
  EXPECT_EQ(find(report, "plane"), nullptr);
  EXPECT_EQ(find(report, "curves"), nullptr);
}

TEST(ReportFigures, OfNoCurves) {
  ReportStore store;
  const auto run = store.add_run("full");
  for (int i = 0; i < 3; ++i) store.add(run, "p" + std::to_string(i), {300, 40, true, 1000});
  store.grade();
  const auto report = draw_report_figures(store.store(), request_for_tests());
  expect_sound(report);
  EXPECT_EQ(ids(report), (std::set<std::string>{"lengths"}));
  for (const char* figure : {"curves", "plane", "pareto", "signals", "risk", "savings-split"})
    EXPECT_TRUE(has_note(report, figure, "lil replay store.db --signal")) << figure;
}

TEST(ReportFigures, OfACurveOnTheWrongGrid) {
  ReportStore store;
  const auto run = store.add_run("full");
  for (int i = 0; i < 3; ++i) store.add(run, "p" + std::to_string(i), {300, 40, true, 1000});
  store.replay({kSignal});
  store.grade();
  ReportRequest request = request_for_tests();
  request.rules = {"guardian(f=75,t=20)"};
  const auto report = draw_report_figures(store.store(), request);
  expect_sound(report);
  EXPECT_TRUE(has_note(report, "savings-split", "has a grid that divides 75 tokens"));
  EXPECT_NE(find(report, "plane"), nullptr);
}

TEST(ReportFigures, ShowHostileNamesAsText) {
  ReportStore store;
  const std::string hostile = "</title><script>alert(1)</script>\xFF\x1b\xE2\x80\xAE\" onload=\"x";
  const auto run = store.add_run("</title><script>alert(1)</script>\xE2\x80\xAE");
  const auto other = store.add_run("sink(budget=64)");
  for (int i = 0; i < 6; ++i) {
    store.add(run, hostile + std::to_string(i), {400, 40, true, 100});
    store.add(other, hostile + std::to_string(i), {400, 40, i % 2 == 0, 100});
  }
  store.replay({kSignal});
  store.grade();
  const auto report = draw_report_figures(store.store(), request_for_tests());
  expect_sound(report);
  for (const ReportFigure& figure : report.figures) EXPECT_EQ(figure.svg.find("<script"), std::string::npos);
  SourceRequest sources;
  sources.grading = kGrading;
  const auto groups = load_groups(store.store(), sources);
  const ReportFigure paired = draw_paired_runs({{&groups[0], &groups[1], hostile, "sink"}});
  EXPECT_EQ(tests::SvgReader(paired.svg).wrong(), "");
}

TEST_F(FullReport, PairsRuns) {
  SourceRequest sources;
  sources.grading = kGrading;
  const auto groups = load_groups(store_->store(), sources);
  const ReportFigure figure = draw_paired_runs({{&groups[0], &groups[1], "full", "sink(budget=64)"}});
  EXPECT_EQ(tests::SvgReader(figure.svg).wrong(), "");
  const auto rows = rows_of(figure.table);
  ASSERT_EQ(rows.size(), 40U);
  double a = 0;
  double b = 0;
  std::size_t changed = 0;
  for (const Row& row : rows) {
    a += std::stod(row.at("tokens_a"));
    b += std::stod(row.at("tokens_b"));
    changed += row.at("right_a") != row.at("right_b") ? 1 : 0;
  }
  const PairedRuns runs = pair_runs(groups[0], groups[1], {});
  EXPECT_DOUBLE_EQ(b / a, runs.length_ratio->value);
  EXPECT_EQ(changed, runs.changed.size());
  EXPECT_NE(figure.svg.find(fmt::format("B / A = {:.2f}", b / a)), std::string::npos);
  EXPECT_EQ(draw_paired_runs({}).table.rows.size(), 0U);
  EXPECT_EQ(tests::SvgReader(draw_paired_runs({}).svg).wrong(), "");
}

/// Frontiers by run and signal.
std::map<std::string, Frontier> frontiers_of(ReportStore& store, const std::string& shape) {
  FrontierRequest request;
  request.grading = kGrading;
  request.rules = {shape};
  std::map<std::string, Frontier> found;
  analyze_frontiers(store.store(), request, [&](const Frontier& frontier) {
    found[frontier.cell.run + frontier.cell.signal] = frontier;
  });
  return found;
}

void expect_row_of(const Row& row, const FrontierRow& expected) {
  EXPECT_EQ(row.at("kept"), std::to_string(expected.kept));
  EXPECT_EQ(row.at("stopped"), std::to_string(expected.stopped));
  EXPECT_EQ(row.at("right_stop"), std::to_string(expected.right_stop));
  EXPECT_EQ(row.at("harm"), std::to_string(expected.harm));
  EXPECT_EQ(row.at("gain"), std::to_string(expected.gain));
}

TEST_F(FullReport, HasTheFrontiersOfAnalyzeInItsParetoAndEachRuleOnce) {
  const auto frontiers = frontiers_of(*store_, "guardian(f=50)");
  std::set<std::string> keys;
  int compared = 0;
  int paper = 0;
  for (const Row& row : rows_of(find(*report_, "pareto")->table)) {
    const std::string run_and_signal = row.at("run") + row.at("signal");
    EXPECT_TRUE(keys.insert(run_and_signal + row.at("stream") + row.at("rule")).second) << row.at("rule");
    paper += row.at("rule") == "guardian(f=250,t=20)" ? 1 : 0;
    if (row.at("rule").rfind("guardian(f=50,", 0) != 0 || row.at("saved_low") != "") continue;
    const Frontier& frontier = frontiers.at(run_and_signal);
    const auto found = std::find_if(frontier.rows.begin(), frontier.rows.end(), [&](const FrontierRow& one) {
      return frontier.shape.with_threshold(one.t) == row.at("rule");
    });
    ASSERT_NE(found, frontier.rows.end()) << row.at("rule");
    expect_row_of(row, *found);
    const double change = static_cast<double>(found->right_stop - frontier.cell.right_full) / 40;
    EXPECT_EQ(row.at("accuracy_difference"), figure::share_cell(change));
    ++compared;
  }
  EXPECT_GT(compared, 20);
  EXPECT_EQ(paper, 5 * 2) << "of every run on both signals";
  EXPECT_NE(find(*report_, "pareto")->svg.find("2: guardian(f=250,t=20)"), std::string::npos);
}

TEST_F(FullReport, HasTheFrontiersOfAnalyzeInItsRisk) {
  std::map<std::string, std::map<std::string, Frontier>> by_shape;
  const auto rows = rows_of(find(*report_, "risk")->table);
  EXPECT_GT(rows.size(), 10U);
  for (const Row& row : rows) {
    auto& frontiers = by_shape[row.at("rule")];
    if (frontiers.empty()) frontiers = frontiers_of(*store_, row.at("rule"));
    const Frontier& frontier = frontiers.at(row.at("run") + kSignal);
    const auto found = std::find_if(frontier.rows.begin(), frontier.rows.end(), [&](const FrontierRow& one) {
      return std::to_string(one.t) == row.at("t");
    });
    ASSERT_NE(found, frontier.rows.end()) << row.at("t");
    expect_row_of(row, *found);
    EXPECT_EQ(row.at("harm_share"), figure::share_cell(static_cast<double>(found->harm) / 40));
    EXPECT_EQ(row.at("harm_bound"), figure::share_cell(harm_bound(found->harm, 40, 0.05)));
  }
}

TEST_F(FullReport, HasTheSignalsOfCompare) {
  SignalComparisonRequest request;
  request.grading = kGrading;
  request.reference = kSignal;
  request.bootstrap.replicates = 50;
  for (int f = 50; f <= 500; f += 50) request.rules.push_back(fmt::format("guardian(f={})", f));
  std::map<std::string, ComparedSignal> signals;
  compare_signals(store_->store(), request, [&](const SignalComparison& comparison) {
    for (const ComparedSignal& signal : comparison.signals)
      signals[signal.test.run + signal.measure.signal] = signal;
  });
  const auto value = [](const std::optional<Estimate>& estimate) {
    return estimate ? figure::share_cell(estimate->value) : "";
  };
  const auto rows = rows_of(find(*report_, "signals")->table);
  EXPECT_EQ(rows.size(), 5U * 2U);
  for (const Row& row : rows) {
    const ComparedSignal& signal = signals.at(row.at("run") + row.at("signal"));
    EXPECT_EQ(row.at("shape"), signal.shape);
    EXPECT_EQ(row.at("p_value"), signal.p_value ? figure::share_cell(*signal.p_value) : "");
    EXPECT_EQ(row.at("hypotheses"), std::to_string(signal.hypotheses));
    EXPECT_EQ(row.at("saved_high"), figure::share_cell(signal.saved.high));
    EXPECT_EQ(row.at("harm_high"), figure::share_cell(signal.harm.high));
    EXPECT_EQ(row.at("auc"), value(signal.auc));
    EXPECT_EQ(row.at("auc_more"), value(signal.auc_difference));
    EXPECT_EQ(row.at("area"), figure::share_cell(signal.area.value));
    EXPECT_EQ(row.at("delay_median"), signal.delays.median ? figure::share_cell(*signal.delays.median) : "");
    for (const char* column : {"traces", "tokens", "kept", "saved", "stopped", "right_stop", "harm", "gain"})
      EXPECT_EQ(row.at(column), cell_values(signal.test, {column}).front()) << column;
  }
  std::map<std::string, std::size_t> points;
  for (const Row& row : rows_of(find(*report_, "roc")->table)) {
    const ComparedSignal& signal = signals.at(row.at("run") + row.at("signal"));
    const auto found = std::find_if(signal.roc.begin(), signal.roc.end(), [&](const RocPoint& point) {
      return std::to_string(point.t) == row.at("t");
    });
    ASSERT_NE(found, signal.roc.end()) << row.at("t");
    EXPECT_EQ(row.at("flagged"), std::to_string(found->flagged));
    EXPECT_EQ(row.at("false_alarms"), std::to_string(found->false_alarms));
    ++points[row.at("run") + row.at("signal")];
  }
  EXPECT_GT(points.size(), 4U);
}

TEST_F(FullReport, HatchesItsPlaneOnlyWhereACellCanBeWithout) {
  const auto hatches = [](const ReportFigure& figure) {
    return figure.svg.find("-hatch") != std::string::npos;
  };
  const ReportFigure* plane = find(*report_, "plane");
  EXPECT_FALSE(hatches(*plane)) << "40 problems cannot bound harm by 2 %";
  EXPECT_NE(plane->description.find("fewer than the 149 problems"), std::string::npos);
  ReportRequest request = request_for_tests();
  request.alpha = 0.1;
  const auto report = draw_report_figures(store_->store(), request);
  EXPECT_TRUE(hatches(*find(report, "plane")));
  EXPECT_EQ(find(report, "plane")->description.find("fewer than"), std::string::npos);
  EXPECT_EQ(find(report, "plane")->svg.find("too few problems"), std::string::npos);
}

TEST_F(FullReport, SaysOfLengthsWhatItsAxesAre) {
  EXPECT_NE(find(*report_, "budget")->svg.find("length against full"), std::string::npos);
  EXPECT_NE(find(*report_, "curves")->svg.find("growth, bytes"), std::string::npos);
  EXPECT_EQ(find(*report_, "lengths")->description.find("how a trace ended"), std::string::npos);
}

/// The x of the first text that is this.
double x_of_text(const std::string& svg, const std::string& text) {
  const std::size_t end = svg.find(">" + text + "<");
  EXPECT_NE(end, std::string::npos) << text;
  return end == std::string::npos ? 0 : std::stod(svg.substr(svg.rfind("x=\"", end) + 3));
}

TEST_F(FullReport, DrawsBudgetsNextToTheirTicks) {
  const std::string& svg = find(*report_, "budget")->svg;
  const double tick = x_of_text(svg, "64");
  const double step = x_of_text(svg, "128") - tick;
  const double first = std::stod(tests::SvgReader(svg).attribute("circle", "cx"));
  EXPECT_GT(step, 0);
  EXPECT_NE(first, tick) << "beside the other policy";
  EXPECT_LE(std::abs(first - tick), 0.04 * step + 0.1);
}

TEST_F(FullReport, MarksTheMedianFromLoopToStop) {
  const ReportFigure* signals = find(*report_, "signals");
  EXPECT_NE(signals->description.find("median tokens from a loop's first to the stop"), std::string::npos);
  EXPECT_NE(signals->svg.find(">median from"), std::string::npos);
}

TEST(ReportFigures, EndCurvesWhereLessThanAQuarterOfTheTracesAreLeft) {
  const auto draws_to_the_end = [](int short_ones) {
    ReportStore store;
    const auto run = store.add_run("full");
    for (int i = 0; i < short_ones + 5; ++i)
      store.add(run, "p" + std::to_string(i), {i < 5 ? 1000 : 100, 20, true, 2000});
    store.replay({kSignal});
    store.grade();
    const auto report = draw_report_figures(store.store(), request_for_tests());
    return find(report, "curves")->svg.find(">1,000<") != std::string::npos;
  };
  EXPECT_TRUE(draws_to_the_end(15)) << "5 of 20";
  EXPECT_FALSE(draws_to_the_end(16)) << "5 of 21";
}

TEST(ReportFigures, ShowHarmBeyondTheirAxes) {
  ReportStore store;
  const auto run = store.add_run("full");
  for (int i = 0; i < 30; ++i) store.add(run, "p" + std::to_string(i), {300, 280, true, 1000});
  store.replay({kSignal});
  store.grade();
  ReportRequest request = request_for_tests();
  request.rules = {"guardian(f=50,t=1000)"};
  const auto report = draw_report_figures(store.store(), request);
  expect_sound(report);
  const ReportFigure* risk = find(report, "risk");
  ASSERT_NE(risk, nullptr);
  EXPECT_NE(risk->svg.find(">off scale: up to 100 %<"), std::string::npos);
  EXPECT_EQ(risk->svg.find(">certified t<"), std::string::npos) << "nothing is certified";
  const ReportFigure* pareto = find(report, "pareto");
  ASSERT_NE(pareto, nullptr);
  EXPECT_NE(pareto->svg.find(">1: \xE2\x88\x92"
                             "100<"),
            std::string::npos)
      << "an arrow with its change";
}

TEST(ReportFigures, TakeSharesOfHarmOfTracesWithAGoldAnswer) {
  ReportStore store;
  const auto run = store.add_run("full");
  for (int i = 0; i < 40; ++i) {
    const bool has_gold = i % 2 == 0;
    store.add(run, "p" + std::to_string(i), {300, i % 4 == 0 ? 280 : 20, true, 1000},
              has_gold ? schemas::AnswerKind::kNumber : schemas::AnswerKind::kNone);
  }
  store.replay({kSignal});
  store.grade();
  ReportRequest request = request_for_tests();
  request.rules = {"guardian(f=50,t=1000)"};
  const auto report = draw_report_figures(store.store(), request);
  expect_sound(report);
  for (const char* id : {"plane", "risk", "pareto"}) {
    const ReportFigure* figure = find(report, id);
    ASSERT_NE(figure, nullptr) << id;
    bool any_harm = false;
    for (const Row& row : rows_of(figure->table)) {
      EXPECT_EQ(row.at("traces"), "40") << id;
      EXPECT_EQ(row.at("with_gold"), "20") << id;
      if (row.at("harm") != "10") continue;
      any_harm = true;
      const std::map<std::string, std::string> expected{
          {"harm_share", "0.500000"},
          {"harm_bound", figure::share_cell(harm_bound(10, 20, 0.05))},
          {"accuracy_difference", "-0.500000"}};
      for (const auto& [column, value] : expected) {
        const auto found = row.find(column);
        EXPECT_TRUE(found == row.end() || found->second == value) << id << " " << column;
      }
    }
    EXPECT_TRUE(any_harm) << id;
  }
}

TEST(ReportFigures, SayOfAPlaneThatItHasTooFewProblemsBesideOneThatHasEnough) {
  ReportStore store;
  const auto many = store.add_run("full");
  const auto few = store.add_run("sink(budget=64)");
  for (int i = 0; i < 30; ++i) {
    for (const auto run : {many, few}) {
      if (run == many || i < 10) store.add(run, "p" + std::to_string(i), {300, 280, true, 1000});
    }
  }
  store.replay({kSignal});
  store.grade();
  ReportRequest request = request_for_tests();
  request.alpha = 0.1;
  const auto report = draw_report_figures(store.store(), request);
  const ReportFigure* plane = find(report, "plane");
  ASSERT_NE(plane, nullptr);
  EXPECT_NE(plane->svg.find("(too few problems to bound harm)"), std::string::npos);
  EXPECT_NE(plane->description.find("fewer than the 29 problems"), std::string::npos);
  EXPECT_NE(plane->description.find("Hatched"), std::string::npos);
}

TEST(ReportFigures, LeaveOutRunsWithoutARightAnswerAndSayHowTracesEnded) {
  ReportStore store;
  const auto full = store.add_run("full");
  const auto lost = store.add_run("sink(budget=64)");
  for (int i = 0; i < 12; ++i) {
    const std::string problem = "p" + std::to_string(i);
    store.add(full, problem, {300 + i, 250, true, 1000, schemas::Finish::kPartial});
    store.add(lost, problem, {300 + i, 250, false, 1000, schemas::Finish::kPartial});
  }
  store.replay({kSignal});
  store.grade();
  const auto report = draw_report_figures(store.store(), request_for_tests());
  for (const char* id : {"pareto", "risk", "signals"})
    EXPECT_TRUE(has_note(report, id, "1 of 2 runs are drawn (1 without a right answer is left out).")) << id;
  const ReportFigure* lengths = find(report, "lengths");
  EXPECT_NE(lengths->description.find("no record says how a trace ended"), std::string::npos);
  const Row row = rows_of(lengths->table).front();
  EXPECT_EQ(row.at("tokens_q25"), "302.75") << "interpolated, as growth is";
  EXPECT_EQ(row.at("tokens_median"), "305.50");
  EXPECT_EQ(row.at("tokens_q75"), "308.25");
}

TEST(HarmBound, TakesProblemsForTracesWhereTheyHaveRepeats) {
  TraceGroup group;
  for (std::size_t i = 0; i < 12; ++i) {
    GradedTrace trace;
    trace.problem = i / 3;
    trace.info.kind = i < 9 ? schemas::AnswerKind::kNumber : schemas::AnswerKind::kNone;
    group.traces.push_back(trace);
  }
  const GoldCounts gold = count_gold(group);
  EXPECT_EQ(gold.traces, 9);
  EXPECT_EQ(gold.problems, 3);
  EXPECT_TRUE(gold.has_repeats());
  EXPECT_EQ(harm_bound(gold, 0, 0.05), harm_bound(0, 3, 0.05));
  EXPECT_EQ(harm_bound(gold, 1, 0.05), harm_bound(1, 3, 0.05));
  EXPECT_EQ(harm_bound(gold, 7, 0.05), 1) << "more harmed traces than problems";
  EXPECT_EQ(harm_bound(GoldCounts{20, 20}, 3, 0.05), harm_bound(3, 20, 0.05));
}

TEST(HarmBound, IsWhereTheBinomialTestTurns) {
  for (const std::int64_t traces : {1, 30, 149, 500}) {
    for (const std::int64_t harmed : {0, 1}) {
      const double bound = harm_bound(harmed, traces, 0.05);
      if (bound >= 1) continue;
      EXPECT_LE(binomial_p_value(harmed, traces, bound + 1e-6), 0.05);
      EXPECT_GT(binomial_p_value(harmed, traces, bound - 1e-6), 0.05);
    }
  }
  EXPECT_EQ(traces_without_harm(0.02, 0.05), 149);
  EXPECT_LE(harm_bound(0, 149, 0.05), 0.02);
  EXPECT_GT(harm_bound(0, 148, 0.05), 0.02);
  EXPECT_EQ(harm_bound(0, 0, 0.05), 1);
}

}  // namespace
}  // namespace lil::analyze
