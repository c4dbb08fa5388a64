#include "analyze/grading.h"

#include <gtest/gtest.h>

#include "analyze/verdict.h"
#include "schemas/answer_store.h"
#include "schemas/error.h"
#include "tests/analyze/written_store.h"
#include "tests/support/temporary_directory.h"

namespace lil::analyze {
namespace {

using schemas::Finish;
using tests::WrittenStore;

const std::string kName = "json+boxed+hash+phrase/1 number/3 math/2 choice/1 text/2";

Extraction extraction() {
  return Extraction::parse(kDefaultExtractors);
}

/// `token:answer:verdict` of every event, in one line a trace.
std::vector<std::string> stored_events(const WrittenStore& written, const schemas::Store& store) {
  std::vector<std::string> lines;
  for (const auto& trace : written.traces()) {
    std::string line;
    const auto events = schemas::read_answers(store, trace.key, kName);
    if (!events) line = "not graded";
    for (const auto& event : events.value_or(std::vector<schemas::AnswerEvent>{})) {
      line +=
          (line.empty() ? "" : " ") + std::to_string(event.token) + ":" + event.answer + ":" + event.verdict;
    }
    lines.push_back(line);
  }
  return lines;
}

TEST(Grading, StoresJudgedEvents) {
  const tests::TemporaryDirectory folder;
  WrittenStore written(folder / "store.db");
  const auto run = written.add_run("full");
  written.add_trace(run, {.problem = "1", .gold = "18", .text = "\\boxed{17} no, \\boxed{18.0}"});
  written.add_trace(run, {.problem = "2", .gold = "18", .text = "nothing"});
  written.add_trace(run,
                    {.problem = "3", .gold = "", .text = "\\boxed{1}", .kind = schemas::AnswerKind::kNone});
  const auto result = grade_store(written.store(), extraction(), {});
  EXPECT_EQ(result.traces, 3);
  EXPECT_EQ(result.graded, 3);
  EXPECT_EQ(result.graded_before, 0);
  EXPECT_TRUE(result.failures.empty());
  EXPECT_EQ(stored_events(written, written.store()),
            (std::vector<std::string>{"0::none 10:17:wrong 27:18.0:right", "0::none", "0::none 9:1:none"}));
}

TEST(Grading, OnlyAnEndThatTheModelMadeEndsAnAnswer) {
  const tests::TemporaryDirectory folder;
  WrittenStore written(folder / "store.db");
  const auto run = written.add_run("full");
  int problem = 0;
  for (const Finish finish :
       {Finish::kStop, Finish::kPartial, Finish::kLength, Finish::kGuardian, Finish::kError}) {
    written.add_trace(
        run,
        {.problem = std::to_string(problem++), .gold = "12", .text = "The answer is 12", .finish = finish});
  }
  (void)grade_store(written.store(), extraction(), {});
  EXPECT_EQ(stored_events(written, written.store()),
            (std::vector<std::string>{"0::none 16:12:right", "0::none 16:12:right", "0::none", "0::none",
                                      "0::none"}));
}

TEST(Grading, ASecondRunDoesOnlyWhatIsNew) {
  const tests::TemporaryDirectory folder;
  WrittenStore written(folder / "store.db");
  const auto run = written.add_run("full");
  written.add_trace(run, {.problem = "1", .gold = "1", .text = "\\boxed{1}"});
  (void)grade_store(written.store(), extraction(), {});
  written.add_trace(run, {.problem = "2", .gold = "1", .text = "\\boxed{1}"});
  const auto second = grade_store(written.store(), extraction(), {});
  EXPECT_EQ(second.graded, 1);
  EXPECT_EQ(second.graded_before, 1);
  const auto third = grade_store(written.store(), extraction(), {});
  EXPECT_EQ(third.graded, 0);
  EXPECT_EQ(third.graded_before, 2);
  EXPECT_EQ(grade_store(written.store(), Extraction::parse("boxed"), {}).graded, 2);
}

TEST(Grading, AFilterSelects) {
  const tests::TemporaryDirectory folder;
  WrittenStore written(folder / "store.db");
  const auto run = written.add_run("full");
  written.add_trace(run, {.problem = "1", .gold = "1", .text = "\\boxed{1}"});
  written.add_trace(run, {.problem = "2", .gold = "1", .text = "\\boxed{1}"});
  GradeOptions options;
  options.filter.problem_id = "2";
  EXPECT_EQ(grade_store(written.store(), extraction(), options).traces, 1);
  EXPECT_EQ(stored_events(written, written.store()),
            (std::vector<std::string>{"not graded", "0::none 9:1:right"}));
}

TEST(Grading, ATraceThatFailsIsListedAndTheOthersGoOn) {
  const tests::TemporaryDirectory folder;
  WrittenStore written(folder / "store.db");
  const auto run = written.add_run("full");
  written.add_trace(run, {.problem = "bad", .gold = "1", .text = ""}, {65, 256});  // no such token
  written.add_trace(run, {.problem = "good", .gold = "1", .text = "\\boxed{1}"});
  for (int round = 0; round < 2; ++round) {
    const auto result = grade_store(written.store(), extraction(), {});
    ASSERT_EQ(result.failures.size(), 1U);
    EXPECT_EQ(result.failures[0].subject, "bad");
    EXPECT_EQ(result.failures[0].stage, "grade");
    EXPECT_NE(result.failures[0].message.find("256"), std::string::npos) << result.failures[0].message;
    EXPECT_EQ(result.graded, round == 0 ? 1 : 0);
  }
  EXPECT_EQ(schemas::list_failures(written.store()).size(), 1U);
}

void add_many(WrittenStore& written, int count) {
  const auto run = written.add_run("full");
  for (int i = 0; i < count; ++i) {
    written.add_trace(run, {.problem = std::to_string(i),
                            .gold = std::to_string(i % 3),
                            .text = std::string(static_cast<std::size_t>(i % 7), '.') + "\\boxed{1}"});
  }
}

TEST(Grading, ThreadsChangeNothing) {
  const tests::TemporaryDirectory folder;
  WrittenStore one(folder / "one.db");
  WrittenStore four(folder / "four.db");
  add_many(one, 200);
  add_many(four, 200);
  std::vector<std::int64_t> done;
  GradeOptions options;
  options.threads = 4;
  options.progress = [&](const GradeProgress& progress) { done.push_back(progress.traces_done); };
  EXPECT_EQ(grade_store(one.store(), extraction(), {}).graded, 200);
  EXPECT_EQ(grade_store(four.store(), extraction(), options).graded, 200);
  EXPECT_EQ(stored_events(one, one.store()), stored_events(four, four.store()));
  EXPECT_EQ(done, (std::vector<std::int64_t>{128, 200}));
}

TEST(Grading, CancelledItKeepsWhatIsDone) {
  const tests::TemporaryDirectory folder;
  WrittenStore written(folder / "store.db");
  add_many(written, 100);
  std::atomic<bool> cancelled = false;
  GradeOptions options;
  options.cancelled = &cancelled;
  options.progress = [&](const GradeProgress&) { cancelled = true; };
  const auto first = grade_store(written.store(), extraction(), options);
  EXPECT_TRUE(first.cancelled);
  EXPECT_EQ(first.graded, 32);
  const auto second = grade_store(written.store(), extraction(), {});
  EXPECT_FALSE(second.cancelled);
  EXPECT_EQ(second.graded_before, 32);
  EXPECT_EQ(second.graded, 68);
}

}  // namespace
}  // namespace lil::analyze
