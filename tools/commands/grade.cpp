#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "analyze/grading.h"
#include "analyze/verdict.h"
#include "schemas/answer_store.h"
#include "schemas/error.h"
#include "tools/command_line.h"
#include "tools/commands/command.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/progress.h"

namespace lil::tools {
namespace {

using nlohmann::ordered_json;

std::string member_text(const ordered_json& pair, const char* key) {
  const auto found = pair.find(key);
  if (found == pair.end() || found->is_null()) return "";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

/// `{"gold": …, "kind": …, "answer": …}` or a whole `text` → the same with `extracted` and `verdict`. Without
/// a kind it is guessed from the gold answer.
ordered_json graded_pair(ordered_json pair, const analyze::Extraction& extraction) {
  if (!pair.is_object()) throw Error(ErrorCode::kInput, "not a JSON object");
  if (!pair.contains("gold")) throw Error(ErrorCode::kInput, "no 'gold' is there");
  const std::string gold = member_text(pair, "gold");
  const schemas::AnswerKind kind = pair.contains("kind")
                                       ? schemas::answer_kind_from(member_text(pair, "kind"))
                                       : analyze::guess_answer_kind(gold);
  std::string answer = member_text(pair, "answer");
  if (!pair.contains("answer")) {
    if (!pair.contains("text")) throw Error(ErrorCode::kInput, "neither 'answer' nor 'text' is there");
    const auto found = extraction.find(member_text(pair, "text"), true);
    answer = found.empty() ? "" : found.back().answer;
  }
  pair["extracted"] = answer;
  pair["verdict"] = analyze::to_string(analyze::judge(answer, gold, kind));
  return pair;
}

int grade_pairs(const std::string& path, const analyze::Extraction& extraction,
                const std::string& output_path) {
  std::ifstream file;
  if (path != "-") {
    file.open(path);
    if (!file) throw Error(ErrorCode::kNotFound, fmt::format("--pairs: cannot read {}", path));
  }
  std::istream& input = path == "-" ? std::cin : file;
  Output output(output_path);
  std::vector<std::string> failures;
  std::string line;
  for (std::int64_t number = 1; std::getline(input, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      const ordered_json pair = ordered_json::parse(line, nullptr, false);
      if (pair.is_discarded()) throw Error(ErrorCode::kInput, "malformed JSON");
      const ordered_json graded = graded_pair(pair, extraction);
      output.stream() << graded.dump(-1, ' ', false, ordered_json::error_handler_t::replace) << '\n';
    } catch (const std::exception& error) {
      failures.push_back(fmt::format("{}:{}: {}", path, number, error.what()));
    }
  }
  output.finish();
  print_failures("lines that could not be graded", failures);
  return failures.empty() ? kDone : kSomeFailed;
}

/// What came out, so that a format that no extractor reads does not pass for wrong answers.
void print_outcome(const schemas::Store& store, const schemas::TraceFilter& filter,
                   const std::string& grading) {
  std::int64_t graded = 0;
  std::int64_t with_gold = 0;
  std::int64_t answered = 0;
  std::int64_t silent = 0;  ///< not cut by the cap, and yet without a readable answer
  std::int64_t right = 0;
  for (const schemas::TraceInfo& trace : schemas::list_traces(store, filter)) {
    const auto events = schemas::read_answers(store, trace.key, grading);
    if (!events) continue;
    ++graded;
    if (trace.gold.empty()) continue;
    ++with_gold;
    const bool answers = !events->back().answer.empty();
    if (answers) ++answered;
    if (!answers && trace.finish != schemas::Finish::kLength) ++silent;
    if (events->back().verdict == analyze::to_string(analyze::Verdict::kRight)) ++right;
  }
  fmt::print("{} of {} have a gold answer; of these {} end with a readable answer, {} of them right\n",
             with_gold, graded, answered, right);
  if (silent * 2 > with_gold) {
    fmt::print(stderr,
               "lil grade: warning: most traces have no answer that {} reads; see `lil list extractors`\n",
               grading.substr(0, grading.find('/')));
  }
}

int grade_traces(const CommandLine& line, const analyze::Extraction& extraction) {
  schemas::Store store = schemas::Store::open(line.store(), schemas::Access::kWrite);
  catch_interrupts();
  Progress progress(line.text("progress"), "traces graded");
  analyze::GradeOptions options;
  options.filter = line.where();
  options.threads = line.threads();
  options.cancelled = &interrupted();
  options.progress = [&](const analyze::GradeProgress& at) {
    progress.update(at.traces_done, at.traces_total);
  };
  const analyze::GradeResult result = analyze::grade_store(store, extraction, options);
  progress.finish();
  if (result.traces == 0) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("{}: no complete trace is selected", store.path().string()));
  }
  fmt::print("{} traces: {} graded, {} graded before, {} failed\n", result.traces, result.graded,
             result.graded_before, result.failures.size());
  print_outcome(store, line.where(), analyze::grading_name(extraction));
  std::vector<std::string> failures;
  for (const auto& failure : result.failures) failures.push_back(failure.subject + ": " + failure.message);
  print_failures("traces that could not be graded", failures);
  if (result.cancelled) return interrupt_exit_code();
  return failures.empty() ? kDone : kSomeFailed;
}

}  // namespace

int run_grade(const std::vector<std::string>& arguments) {
  CommandLine line(
      "grade store.db [options] | grade --pairs FILE",
      "Finds the answer readable at every token of every complete trace and compares it with the gold\n"
      "answer. With --pairs it grades JSON lines instead: gold, kind (number, math, choice, text) and\n"
      "answer or whole text; they come back with extracted and verdict.");
  line.option("pairs", "FILE", "JSON lines to grade; `-` is standard input");
  line.option("extract", "NAMES",
              "where an answer is looked for, in order, joined by + (`lil list extractors`)",
              std::string(analyze::kDefaultExtractors));
  line.option("output", "FILE", "with --pairs: write to FILE instead of stdout");
  line.add_where();
  line.add_threads();
  line.add_progress();
  if (!line.parse(arguments)) return kDone;
  const auto extraction = analyze::Extraction::parse(line.text("extract"));
  if (line.given("pairs")) {
    line.expect_at_most(0);
    return grade_pairs(line.text("pairs"), extraction, line.text("output"));
  }
  line.expect_at_most(1);
  return grade_traces(line, extraction);
}

}  // namespace lil::tools
