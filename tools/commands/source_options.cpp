#include "tools/commands/source_options.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <set>

#include "analyze/extraction.h"
#include "analyze/verdict.h"
#include "schemas/error.h"
#include "tools/commands/command.h"

namespace lil::tools {
namespace {

/// Line ends as the recorder's --probe-answers spells them.
std::string closing_from(std::string text) {
  for (std::size_t at = text.find("\\n"); at != std::string::npos; at = text.find("\\n", at + 1))
    text.replace(at, 2, "\n");
  return text;
}

analyze::AnswerSource answers_from(const std::string& name) {
  if (name.empty() || name == "readable") return analyze::AnswerSource::kReadable;
  if (name == "probe") return analyze::AnswerSource::kProbe;
  throw Error(ErrorCode::kUsage, fmt::format("--answers: '{}' is not one of readable, probe", name));
}

}  // namespace

std::function<void(const std::string&)> warn_once() {
  return [told = std::make_shared<std::set<std::string>>()](const std::string& sentence) {
    if (!told->insert(sentence).second) return;
    std::fflush(stdout);
    fmt::print(stderr, "warning: {}\n", sentence);
  };
}

void add_answer_options(CommandLine& line) {
  line.option("extract", "NAMES", "the answers to use, as `lil grade --extract` made them",
              std::string(analyze::kDefaultExtractors));
}

void add_probe_options(CommandLine& line) {
  line.option("answers", "NAME",
              "the answer at a stop: readable (in the text so far) or probe (what the model answered when it "
              "was asked there, recorded by --probe-answers; of the last probe before the stop)",
              "readable");
  line.option("closing", "TEXT", "of the probes to use, where there are several; \\n is a line end");
}

void read_source_options(const CommandLine& line, analyze::SourceRequest& request,
                         std::vector<std::string>& left_out) {
  request.filter = line.where();
  request.grading = analyze::grading_name(analyze::Extraction::parse(line.text("extract")));
  request.answers = answers_from(line.text("answers"));
  request.closing = closing_from(line.text("closing"));
  request.left_out = [&left_out](const std::string& trace) { left_out.push_back(trace); };
  request.warning = warn_once();
}

int report_left_out(const std::vector<std::string>& left_out) {
  print_failures("traces left out, as they could not be graded or replayed", left_out);
  return left_out.empty() ? kDone : kSomeFailed;
}

}  // namespace lil::tools
