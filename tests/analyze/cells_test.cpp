#include "analyze/cells.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "analyze/grading.h"
#include "analyze/verdict.h"
#include "schemas/answer_store.h"
#include "schemas/error.h"
#include "tests/analyze/written_store.h"
#include "tests/support/temporary_directory.h"

namespace lil::analyze {
namespace {

using schemas::CurveId;
using schemas::Finish;
using tests::WrittenStore;

const std::string kSignal = "zlib(level=6)";
const std::string kGuardian = "guardian(f=10,t=20)";

std::string dots(std::size_t count) {
  return std::string(count, '.');
}

void grade(WrittenStore& written) {
  (void)grade_store(written.store(), Extraction::parse(kDefaultExtractors), {});
}

CellRequest request_for(std::vector<std::string> rules) {
  CellRequest request;
  request.rules = std::move(rules);
  request.grading = grading_name(Extraction::parse(kDefaultExtractors));
  return request;
}

const Cell& cell_of(const std::vector<Cell>& cells, const std::string& rule) {
  const auto found =
      std::find_if(cells.begin(), cells.end(), [&](const Cell& cell) { return cell.rule == rule; });
  if (found == cells.end()) throw std::runtime_error("no cell of " + rule);
  return *found;
}

/// Five traces whose every count below is worked out by hand. A box takes 9 tokens.
///
/// trace  tokens  right from    finish   signal at 10, 20, 30   guardian(f=10,t=20) keeps
/// a      20      9 on          stop     10                     10: right
/// b      20      9 to 19       stop     5                      10: right, and wrong in full
/// c      20      20 on         stop     3                      10: not yet right
/// d      40      never         length   100, 200, 215          30
/// a'     9       9 on          partial  -                      9
class HandWorked : public testing::Test {
 protected:
  HandWorked() : written_(folder_ / "store.db") {
    const auto run = written_.add_run("full", 40);
    written_.add_trace(run, {.problem = "a", .gold = "1", .text = "\\boxed{1}" + dots(11)});
    written_.add_trace(
        run, {.problem = "a", .gold = "1", .text = "\\boxed{1}", .finish = Finish::kPartial, .repeat = 1});
    written_.add_trace(run, {.problem = "b", .gold = "1", .text = "\\boxed{1}..\\boxed{2}"});
    written_.add_trace(run, {.problem = "c", .gold = "1", .text = dots(11) + "\\boxed{1}"});
    written_.add_trace(run, {.problem = "d", .gold = "1", .text = dots(40), .finish = Finish::kLength});
  }

  void add_curves() {
    const std::vector<std::vector<std::int64_t>> values = {{0, 50, 10, 50, 100},
                                                           {0, 90},
                                                           {0, 50, 5, 50, 100},
                                                           {0, 50, 3, 50, 100},
                                                           {0, 50, 100, 150, 200, 205, 215, 300, 400}};
    const auto traces = written_.traces();
    for (std::size_t i = 0; i < traces.size(); ++i) {
      // Coarser, but of an older version; then finer ones of the newest: neither ever stops.
      put_growing(traces[i], "1 (zlib 0)", 10);
      put_growing(traces[i], "1 (zlib 1)", 2);
      schemas::put_curve(written_.store(), traces[i].key, {kSignal, "1 (zlib 1)", "text", 5}, {5, values[i]},
                         0);
      put_growing(traces[i], "1 (zlib 1)", 1);
    }
  }

  void put_growing(const schemas::TraceInfo& trace, const std::string& version, std::int64_t grid) {
    schemas::Curve curve{grid, {}};
    for (std::int64_t k = 0; k <= trace.tokens / grid; ++k) curve.values.push_back(100 * k);
    schemas::put_curve(written_.store(), trace.key, {kSignal, version, "text", grid}, curve, 0);
  }

  [[nodiscard]] std::string error_of(const CellRequest& request, ErrorCode code) {
    try {
      (void)analyze_cells(written_.store(), request);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  tests::TemporaryDirectory folder_;
  WrittenStore written_;
};

TEST_F(HandWorked, RunsMayHaveBeenReplayedWithOtherSignals) {
  add_curves();
  const auto other = written_.add_run("sink");
  written_.add_trace(other, {.problem = "a", .gold = "1", .text = dots(20)});
  const auto trace = written_.traces().back();
  schemas::put_curve(written_.store(), trace.key, {"lz77", "1", "text", 5}, {5, {0, 10, 20, 30, 40}}, 0);
  grade(written_);
  CellRequest request = request_for({"guardian(f=10,t=7)"});
  std::set<std::pair<std::string, std::string>> seen;
  for (const Cell& cell : analyze_cells(written_.store(), request)) seen.insert({cell.run, cell.signal});
  EXPECT_EQ(seen.count({trace.run_uid, "lz77"}), 1U);
  EXPECT_EQ(seen.count({trace.run_uid, kSignal}), 0U) << "that run has no curve of it";
  request.signals = {kSignal};
  EXPECT_NE(error_of(request, ErrorCode::kNotFound).find("has no curve of"), std::string::npos);
}

TEST_F(HandWorked, GuardianCountsAsWorkedOut) {
  grade(written_);
  add_curves();
  const auto cells = analyze_cells(written_.store(), request_for({"guardian(f=10,t=20)"}));
  const Cell& cell = cell_of(cells, kGuardian);
  EXPECT_EQ(cell.problem_set, "set");
  EXPECT_EQ(cell.signal, kSignal);
  EXPECT_EQ(cell.stream, "text");
  EXPECT_EQ(cell.traces, 5);
  EXPECT_EQ(cell.problems, 4);
  EXPECT_EQ(cell.capped, 1);
  EXPECT_EQ(cell.finish_known, 4);
  EXPECT_EQ(cell.tokens, 20 + 9 + 20 + 20 + 40);
  EXPECT_EQ(cell.kept, 10 + 9 + 10 + 10 + 30);
  EXPECT_EQ(cell.stopped, 4);
  EXPECT_EQ(cell.right_full, 3);  // a, a', c
  EXPECT_EQ(cell.right_stop, 3);  // a, a', b
  EXPECT_EQ(cell.harm, 1);        // c
  EXPECT_EQ(cell.gain, 1);        // b
  EXPECT_EQ(cell.tokens_right, 20 + 9 + 20);
  EXPECT_EQ(cell.kept_right, 10 + 9 + 10);
  EXPECT_DOUBLE_EQ(cell.mean_saved, (0.5 + 0 + 0.5 + 0.5 + 0.25) / 5);
  EXPECT_LE(cell.saved_interval.low, 40.0 / 109);
  EXPECT_GE(cell.saved_interval.high, 40.0 / 109);
  EXPECT_EQ(cell.cap_tokens, 40);
  EXPECT_EQ(cell.signal_version, "1 (zlib 1)");
  EXPECT_EQ(cell.grid_tokens, 5);
}

TEST_F(HandWorked, RulesOnIdsAndTextNeedNoCurves) {
  grade(written_);
  const auto cells = analyze_cells(
      written_.store(), request_for({"repetition(max_pattern_size=1,min_count=5)", "ratio(f=10,t=1)"}));
  const Cell& repetition = cell_of(cells, "repetition(max_pattern_size=1,min_count=5)");
  EXPECT_EQ(repetition.signal, "-");
  EXPECT_EQ(repetition.stream, "-");
  EXPECT_EQ(repetition.kept, (9 + 5) + 9 + 20 + 5 + 5) << "the fifth dot in a row";
  EXPECT_EQ(repetition.stopped, 3);
  EXPECT_EQ(repetition.harm, 1);  // c
  const Cell& ratio = cell_of(cells, "ratio(f=10,t=1)");
  EXPECT_EQ(ratio.kept, 20 + 9 + 20 + 20 + 20) << "d: 10 dots take 11 bytes compressed, and so do 20";
  EXPECT_EQ(ratio.stopped, 1);
}

TEST_F(HandWorked, BaselinesStandBeside) {
  grade(written_);
  add_curves();
  const auto cells = analyze_cells(written_.store(), request_for({"guardian(f=10,t=20)"}));
  std::vector<std::string> rules;
  for (const auto& cell : cells) rules.push_back(cell.rule);
  // Four times 15 and 9 are the 69 tokens that the guardian keeps.
  EXPECT_EQ(rules,
            (std::vector<std::string>{"never", kGuardian, "cap(tokens=15)", kRepetitionBaseline, "oracle"}));

  const Cell& never = cell_of(cells, "never");
  EXPECT_EQ(never.signal, "-");
  EXPECT_EQ(never.stream, "-");
  EXPECT_EQ(never.kept, 109);
  EXPECT_EQ(never.stopped, 0);
  EXPECT_EQ(never.right_stop, 3);
  EXPECT_EQ(never.harm + never.gain, 0);

  const Cell& cap = cell_of(cells, "cap(tokens=15)");
  EXPECT_EQ(cap.kept, 69);
  EXPECT_EQ(cap.stopped, 4);
  EXPECT_EQ(cap.harm, 1);
  EXPECT_EQ(cap.gain, 1);

  const Cell& oracle = cell_of(cells, "oracle");
  EXPECT_EQ(oracle.kept, 9 + 9 + 9 + 20 + 1);
  EXPECT_EQ(oracle.stopped, 3);  // not a', right at its very end, nor c
  EXPECT_EQ(oracle.right_stop, 4);
  EXPECT_EQ(oracle.harm, 0);
  EXPECT_EQ(oracle.gain, 1);
}

TEST_F(HandWorked, TheCapBesideKeepsAsMuchOrTheNextLess) {
  grade(written_);
  add_curves();
  // t so high that every first check stops: a, b, c and d keep 10, a' 9.
  auto cells = analyze_cells(written_.store(), request_for({"guardian(f=10,t=1000)"}));
  EXPECT_EQ(cells[1].kept, 49);
  EXPECT_EQ(cells[2].rule, "cap(tokens=10)");
  // Never low: all 109 are kept.
  cells = analyze_cells(written_.store(), request_for({"guardian(f=10,t=-1000)"}));
  EXPECT_EQ(cells[1].kept, 109);
  EXPECT_EQ(cells[2].rule, kRepetitionBaseline) << "that is `never`: no cap beside it";
  // 20 + 9 + 20 + 20 + 30 = 99 lies between cap(tokens=30) with 99 and the one before.
  cells = analyze_cells(written_.store(), request_for({"guardian(f=10,t=20,warmup=25)"}));
  EXPECT_EQ(cells[1].kept, 99);
  EXPECT_EQ(cells[2].rule, "cap(tokens=30)");
  // 10 + 9 + 10 + 10 + 40 = 79: cap(tokens=17) keeps 77, cap(tokens=18) 81.
  cells = analyze_cells(written_.store(), request_for({"guardian(f=10,t=15)"}));
  EXPECT_EQ(cells[1].kept, 79);
  EXPECT_EQ(cells[2].rule, "cap(tokens=17)");
  EXPECT_EQ(cells[2].kept, 77);
}

TEST_F(HandWorked, NoRuleComesTwice) {
  grade(written_);
  add_curves();
  const auto cells =
      analyze_cells(written_.store(), request_for({"never", "oracle", "cap(tokens=15)", "guardian(f=10,t=20)",
                                                   "guardian(t=20,f=10,patience=1)"}));
  std::vector<std::string> rules;
  for (const auto& cell : cells) rules.push_back(cell.rule);
  EXPECT_EQ(rules,
            (std::vector<std::string>{"never", "cap(tokens=15)", kGuardian, kRepetitionBaseline, "oracle"}));
}

TEST_F(HandWorked, RulesWithoutASignalHaveTheirCapBesideThem) {
  const auto run = written_.add_run("full", 40);
  std::string cycle;
  for (int i = 0; i < 6; ++i) cycle += "sixteen letters.";
  written_.add_trace(run, {.problem = "e", .gold = "1", .text = cycle});
  grade(written_);
  const auto cells = analyze_cells(
      written_.store(), request_for({"repetition(max_pattern_size=1,min_count=5)", "cap(tokens=7)"}));
  std::vector<std::pair<std::string, std::int64_t>> kept;
  for (const auto& cell : cells) kept.emplace_back(cell.rule, cell.kept);
  EXPECT_EQ(kept, (std::vector<std::pair<std::string, std::int64_t>>{
                      {"never", 109 + 96},
                      {"repetition(max_pattern_size=1,min_count=5)", 14 + 9 + 20 + 5 + 5 + 96},
                      {"cap(tokens=40)", 20 + 9 + 20 + 20 + 40 + 40},
                      {"cap(tokens=7)", 6 * 7},
                      {kRepetitionBaseline, 109 + 64},
                      {"cap(tokens=64)", 109 + 64},
                      {"oracle", 48 + 1}}));
}

TEST_F(HandWorked, SavingsAreHeldAgainstAReference) {
  grade(written_);
  add_curves();
  auto request = request_for({kGuardian, "cap(tokens=10)"});
  request.reference = "guardian(f=10, t=20, patience=1)";
  const auto cells = analyze_cells(written_.store(), request);
  const Estimate& itself = *cell_of(cells, kGuardian).saved_more;
  EXPECT_EQ(itself.value, 0);
  EXPECT_EQ(itself.interval.low, 0);
  EXPECT_EQ(itself.interval.high, 0);
  // d alone differs: 30 tokens kept, and 10 by the cap. Problems are drawn, not traces, so of its 40 tokens.
  const Estimate& cap = *cell_of(cells, "cap(tokens=10)").saved_more;
  EXPECT_DOUBLE_EQ(cap.value, 20.0 / 109);
  EXPECT_EQ(cap.interval.low, 0) << "a resample may be without d";
  EXPECT_GT(cap.interval.high, 20.0 / 109);
  EXPECT_LE(cap.interval.high, 0.5);
  EXPECT_DOUBLE_EQ(cell_of(cells, "never").saved_more->value, -40.0 / 109);
  std::map<std::string, std::string> values;
  for (const auto& column : cell_columns()) values[column.name] = column.value(cell_of(cells, "never"));
  EXPECT_EQ(values["saved_more"], "-0.366972");
  EXPECT_FALSE(analyze_cells(written_.store(), request_for({kGuardian})).front().saved_more);
  request.reference = "gardian";
  (void)error_of(request, ErrorCode::kUsage);
  request.reference = "guardian(f=3,t=1)";  // there are curves every 1, 2, 5 and 10 tokens
  EXPECT_DOUBLE_EQ(cell_of(analyze_cells(written_.store(), request), "never").saved_more->value, 0)
      << "on the finest, which never stops";
}

TEST_F(HandWorked, WithoutBaselinesOnlyWhatIsAskedFor) {
  grade(written_);
  auto request = request_for({"oracle", "cap(tokens=15)"});
  request.baselines = false;
  const auto cells = analyze_cells(written_.store(), request);  // needs no curve
  ASSERT_EQ(cells.size(), 2U);
  EXPECT_EQ(cells[0].rule, "oracle");
  EXPECT_EQ(cells[1].rule, "cap(tokens=15)");
}

TEST_F(HandWorked, APhaseNeedsAGridThatHoldsIt) {
  grade(written_);
  add_curves();
  const auto cells = analyze_cells(written_.store(), request_for({"guardian(f=10,t=20,phase=4)"}));
  EXPECT_EQ(cells[1].grid_tokens, 2);
}

TEST_F(HandWorked, EachRunIsItsOwnGroup) {
  const auto second = written_.add_run("sink(budget=64)");
  written_.add_trace(second, {.problem = "a", .gold = "1", .text = "\\boxed{1}"});
  grade(written_);
  const auto cells = analyze_cells(written_.store(), request_for({}));
  ASSERT_EQ(cells.size(), 6U);
  EXPECT_EQ(cells[0].policy, "full");
  EXPECT_EQ(cells[0].cap_tokens, 40);
  EXPECT_EQ(cells[3].policy, "sink(budget=64)");
  EXPECT_EQ(cells[3].rule, "never");
  EXPECT_EQ(cells[3].traces, 1);
  EXPECT_FALSE(cells[3].cap_tokens);
  EXPECT_NE(cells[0].run, cells[3].run);
}

TEST_F(HandWorked, WhatIsMissingIsSaidWithTheCommandThatMakesIt) {
  const std::string db = (folder_ / "store.db").string();
  EXPECT_NE(error_of(request_for({"never"}), ErrorCode::kNotFound)
                .find("`lil grade " + db + " --extract json+boxed+hash+phrase`"),
            std::string::npos);
  grade(written_);
  const auto rules = request_for({"guardian(f=10,t=20)"});
  EXPECT_NE(error_of(rules, ErrorCode::kNotFound).find("`lil replay " + db + " --signal 'zlib(level=6)'`"),
            std::string::npos);
  const auto traces = written_.traces();
  put_growing(traces[0], "1", 4);
  std::string message = error_of(rules, ErrorCode::kNotFound);
  EXPECT_NE(message.find("--signal 'zlib(level=6)' --stream text --every 10`"), std::string::npos) << message;
  for (std::size_t i = 0; i + 1 < traces.size(); ++i) put_growing(traces[i], "1", 5);
  message = error_of(rules, ErrorCode::kNotFound);
  EXPECT_NE(message.find("trace " + traces.back().uid), std::string::npos) << message;
  EXPECT_NE(message.find("--stream text --every 5`"), std::string::npos) << message;
  put_growing(traces.back(), "1", 5);
  EXPECT_EQ(analyze_cells(written_.store(), rules)[1].stopped, 0);
}

TEST_F(HandWorked, ATraceThatCouldNotBeGradedIsLeftOutAndNamed) {
  grade(written_);
  add_curves();
  const auto request = [&](std::vector<std::string>& left_out) {
    auto asked = request_for({kGuardian});
    asked.left_out = [&](const std::string& trace) { left_out.push_back(trace); };
    return asked;
  };
  std::vector<std::string> left_out;
  const std::int64_t all = analyze_cells(written_.store(), request(left_out))[0].traces;
  EXPECT_TRUE(left_out.empty());

  const auto traces = schemas::list_traces(written_.store(), {});
  schemas::put_answers(written_.store(), traces[0].key, request(left_out).grading, {});
  (void)error_of(request(left_out), ErrorCode::kNotFound);
  schemas::put_failure(written_.store(), {traces[0].run, traces[0].problem_id, "grade", "a damaged block"});
  EXPECT_EQ(analyze_cells(written_.store(), request(left_out))[0].traces, all - 1);
  ASSERT_EQ(left_out.size(), 1U);
  EXPECT_NE(left_out[0].find(traces[0].uid), std::string::npos);
}

TEST_F(HandWorked, WhatDoesNotExistIsAUsageError) {
  grade(written_);
  add_curves();
  (void)error_of(request_for({"gardian"}), ErrorCode::kUsage);
  (void)error_of(request_for({"guardian(f=0)"}), ErrorCode::kUsage);
  auto request = request_for({kGuardian});
  request.signals = {"zlob"};
  (void)error_of(request, ErrorCode::kUsage);
  request.signals = {"zlib"};
  request.streams = {"txt"};
  (void)error_of(request, ErrorCode::kUsage);
  request = request_for({"never"});
  request.filter.problem_id = "z";
  (void)error_of(request, ErrorCode::kNotFound);
}

TEST_F(HandWorked, ColumnsBeginWithThePromisedOnes) {
  grade(written_);
  add_curves();
  const auto cells = analyze_cells(written_.store(), request_for({"guardian(f=10,t=20)"}));
  std::string names;
  std::string values;
  for (const auto& column : cell_columns().first(15)) {
    names += (names.empty() ? "" : ",") + column.name;
    values += (values.empty() ? "" : "|") + column.value(cells[1]);
  }
  EXPECT_EQ(names,
            "run,problem_set,signal,stream,rule,traces,capped,tokens,kept,saved,stopped,right_full,right_"
            "stop,harm,gain");
  EXPECT_EQ(values, cells[1].run + "|set|zlib(level=6)|text|" + kGuardian + "|5|1|109|69|0.366972|4|3|3|1|1");
}

TEST_F(HandWorked, DerivedColumnsAreAsWorkedOut) {
  grade(written_);
  add_curves();
  const auto cells = analyze_cells(written_.store(), request_for({"guardian(f=10,t=20)"}));
  std::map<std::string, std::string> values;
  for (const auto& column : cell_columns()) {
    EXPECT_TRUE(values.emplace(column.name, column.value(cells[1])).second) << column.name << " comes twice";
    EXPECT_FALSE(column.description.empty());
  }
  EXPECT_EQ(values["problems"], "4");
  EXPECT_EQ(values["finish_known"], "4");
  EXPECT_EQ(values["capped_share"], "0.250000");
  EXPECT_EQ(values["mean_saved"], "0.350000");
  EXPECT_EQ(values["saved_right"], "0.408163");  // 20 of 49
  EXPECT_EQ(values["saved_wrong"], "0.333333");  // 20 of 60
  EXPECT_EQ(values["accuracy_full"], "0.600000");
  EXPECT_EQ(values["accuracy_stop"], "0.600000");
  EXPECT_EQ(values["accuracy_stop_low"], "0.146633");  // Clopper-Pearson of 3 in 5
  EXPECT_EQ(values["accuracy_stop_high"], "0.947255");
  EXPECT_EQ(values["harm_share"], "0.200000");
  EXPECT_EQ(values["harm_low"], "0.005051");  // of 1 in 5
  EXPECT_EQ(values["harm_high"], "0.716418");
  EXPECT_EQ(values["with_gold"], "5");
  EXPECT_EQ(values["cap_tokens"], "40");
  EXPECT_EQ(values["grid_tokens"], "5");
  std::map<std::string, std::string> never;
  for (const auto& column : cell_columns()) never[column.name] = column.value(cells[0]);
  EXPECT_EQ(never["saved"], "0.000000");
  EXPECT_EQ(never["grid_tokens"], "");
  EXPECT_EQ(never["signal_version"], "");
}

TEST(CellColumns, HarmIsOfTheTracesWithAGoldAnswer) {
  Cell cell;
  cell.traces = 10;
  cell.with_gold = 5;
  cell.harm = 1;
  std::map<std::string, std::string> values;
  for (const auto& column : cell_columns()) values[column.name] = column.value(cell);
  EXPECT_EQ(cell_columns().back().name, "with_gold");
  EXPECT_EQ(values["with_gold"], "5");
  EXPECT_EQ(values["harm_share"], "0.200000");
  EXPECT_EQ(values["harm_high"], "0.716418");  // of 1 in 5
  cell.harm = 0;
  cell.with_gold = 0;
  for (const auto& column : cell_columns()) values[column.name] = column.value(cell);
  EXPECT_EQ(values["harm_share"], "") << "of nothing";
}

TEST_F(HandWorked, ATraceWithoutGoldIsCountedApart) {
  const auto run = written_.add_run("other");
  written_.add_trace(run, {.problem = "a", .gold = "1", .text = "\\boxed{1}"});
  written_.add_trace(
      run, {.problem = "free", .gold = "", .text = "\\boxed{1}", .kind = schemas::AnswerKind::kNone});
  grade(written_);
  CellRequest request = request_for({"never"});
  request.filter.policy = "other";
  const Cell cell = analyze_cells(written_.store(), request).front();
  EXPECT_EQ(cell.traces, 2);
  EXPECT_EQ(cell.with_gold, 1);
}

/// Where a guardian stops, by its definition, on a curve of every token.
std::int64_t slow_guardian(const std::vector<std::int64_t>& values, std::int64_t f, std::int64_t t) {
  const auto tokens = static_cast<std::int64_t>(values.size()) - 1;
  for (std::int64_t k = f; k < tokens; k += f) {
    if (values[static_cast<std::size_t>(k)] - values[static_cast<std::size_t>(k - f)] < t) return k;
  }
  return tokens;
}

TEST(Cells, AgreeWithASlowTwinOnRandomTraces) {
  const tests::TemporaryDirectory folder;
  WrittenStore written(folder / "store.db");
  const auto run = written.add_run("full");
  const std::vector<std::string> pieces = {"\\boxed{1}", "\\boxed{2}", "The answer is 1. ", "...",
                                           "\n#### 1\n"};
  std::mt19937_64 random(4);
  std::vector<std::string> texts;
  std::vector<std::vector<std::int64_t>> curves;
  for (int i = 0; i < 60; ++i) {
    std::string text;
    for (auto n = 1 + random() % 12; n > 0; --n) text += pieces[random() % pieces.size()];
    texts.push_back(text);
    written.add_trace(run, {.problem = std::to_string(i), .gold = "1", .text = text});
    std::vector<std::int64_t> values = {0};
    for (std::size_t k = 0; k < text.size(); ++k)
      values.push_back(values.back() + static_cast<std::int64_t>(random() % 9) - 1);
    curves.push_back(values);
  }
  grade(written);
  const auto traces = written.traces();
  for (std::size_t i = 0; i < traces.size(); ++i) {
    schemas::put_curve(written.store(), traces[i].key, {kSignal, "1", "text", 1}, {1, curves[i]}, 0);
  }
  const auto extraction = Extraction::parse(kDefaultExtractors);
  const auto right = [&](const std::string& text, bool finished) {
    const auto found = extraction.find(text, finished);
    return !found.empty() && judge(found.back().answer, "1", schemas::AnswerKind::kNumber) == Verdict::kRight;
  };
  for (const auto& [f, t] : {std::pair<int, int>{1, 0}, {5, 10}, {7, 15}, {20, 60}, {300, 1}}) {
    std::int64_t kept = 0;
    std::int64_t harm = 0;
    std::int64_t gain = 0;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const std::int64_t stop = slow_guardian(curves[i], f, t);
      const bool ended = stop == static_cast<std::int64_t>(texts[i].size());
      const bool at_stop = right(texts[i].substr(0, static_cast<std::size_t>(stop)), ended);
      kept += stop;
      harm += right(texts[i], true) && !at_stop ? 1 : 0;
      gain += at_stop && !right(texts[i], true) ? 1 : 0;
    }
    const auto rule = "guardian(f=" + std::to_string(f) + ",t=" + std::to_string(t) + ")";
    const Cell cell = analyze_cells(written.store(), request_for({rule}))[1];
    EXPECT_EQ(cell.kept, kept) << rule;
    EXPECT_EQ(cell.harm, harm) << rule;
    EXPECT_EQ(cell.gain, gain) << rule;
  }
}

}  // namespace
}  // namespace lil::analyze
