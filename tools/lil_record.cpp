#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "record/prompt_template.h"
#include "record/recorder.h"
#include "replay/guardian.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"
#include "schemas/writer_lock.h"
#include "tools/clocks.h"
#include "tools/command_line.h"
#include "tools/commands/command.h"
#include "tools/import/problem_file.h"
#include "tools/interrupt.h"
#include "tools/progress.h"
#include "tools/table.h"

namespace lil::tools {
namespace {

/// The online guardian of replay, looking at what the recorder generates.
class GuardianObserver : public record::TokenObserver {
 public:
  GuardianObserver(const replay::GuardianSpec& spec, const schemas::Vocabulary& vocabulary,
                   std::span<const schemas::TokenId> prompt)
      : stream_(spec.stream), vocabulary_(vocabulary), guardian_(spec) {
    std::string bytes;
    if (replay::has_prompt(stream_)) replay::append_ids(stream_, prompt, vocabulary, bytes);
    guardian_.start(bytes);
  }

  bool observe(schemas::TokenId id, std::string_view /*bytes*/) override {
    std::string bytes;
    replay::append_ids(stream_, std::span(&id, 1), vocabulary_, bytes);
    return guardian_.push(bytes) == replay::Guardian::Decision::kStop;
  }

 private:
  replay::StreamKind stream_;
  const schemas::Vocabulary& vocabulary_;
  replay::Guardian guardian_;
};

CommandLine declared_options() {
  CommandLine line(
      "record store.db --model DIR --problems FILE [options]",
      "Decodes every problem under every policy and stores each token with its log-probability, entropy\n"
      "and attended count. Killed or interrupted, the same command goes on where it was.");
  line.option("model", "DIR", "a Hugging Face folder: config.json, safetensors, tokenizer.json");
  line.option("problems", "FILE", "a problem set: JSON lines or a JSON array");
  line.option("problem-set", "NAME", "name of the problem set; the file's name where not given");
  line.repeated("field", "NAME=KEY", "where problem, gold or id stand in the problem file");
  line.flag("allow-missing-answers", "record problems without a right answer too");
  line.repeated("policy", "SPEC", "attention policy, as sink(budget=64); lists and ranges multiply",
                {"full"});
  line.option("sampler", "SPEC", "greedy, or sample(temperature=0.6,top_p=0.95)", "greedy");
  line.option("template", "NAME", "prompt template (`lil list templates`), or a file with {problem}",
              "plain");
  line.option("first", "N", "only the first N problems");
  line.repeated("ids", "ID,ID", "only the problems with these ids");
  line.option("max-tokens", "N", "cap on the generated tokens of a trace", "32k");
  line.option("repeats", "N", "generations of each problem", "1");
  line.option("seed", "N", "seed of the sampler", "0");
  line.option("batch", "N", "sequences decoded at a time; auto: one a thread", "auto");
  line.option("dtype", "TYPE", "auto (fp32 on a CPU), fp32, bf16 or fp16", "auto");
  line.option("device", "DEVICE", "cpu", "cpu");
  line.option("stop", "SPEC", "a live rule that ends generations, as guardian(f=250,t=20,signal=zlib)");
  line.add_threads();
  line.add_progress();
  return line;
}

std::string needed(const CommandLine& line, const std::string& option) {
  if (!line.given(option)) throw Error(ErrorCode::kUsage, fmt::format("--{} is missing", option));
  return line.text(option);
}

std::vector<schemas::Problem> chosen_problems(const CommandLine& line,
                                              std::vector<schemas::Problem> problems) {
  if (line.given("ids")) {
    std::vector<schemas::Problem> chosen;
    for (const std::string& list : line.texts("ids")) {
      for (std::size_t start = 0; start <= list.size();) {
        const std::size_t comma = std::min(list.find(',', start), list.size());
        const std::string id = list.substr(start, comma - start);
        const auto found =
            std::find_if(problems.begin(), problems.end(), [&](const auto& p) { return p.id == id; });
        if (found == problems.end()) {
          throw Error(ErrorCode::kUsage,
                      fmt::format("--ids: no problem of {} has the id '{}'", line.text("problems"), id));
        }
        chosen.push_back(*found);
        start = comma + 1;
      }
    }
    problems = std::move(chosen);
  }
  if (line.given("first")) {
    const auto most = static_cast<std::size_t>(line.count("first"));
    if (problems.size() > most) problems.resize(most);
  }
  return problems;
}

record::ProblemSet problem_set(const CommandLine& line) {
  ProblemFileOptions options;
  options.set = line.text("problem-set");
  options.fields = line.texts("field");
  options.allow_missing_answers = line.given("allow-missing-answers");
  ProblemFile file = read_problem_file(needed(line, "problems"), options);
  const std::string name = file.problems.at(0).set;
  return {name, file.sha256, chosen_problems(line, std::move(file.problems))};
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

record::RecordOptions record_options(const CommandLine& line) {
  record::RecordOptions options;
  options.sampler = line.text("sampler");
  options.prompt_template = line.text("template");
  options.seed = line.count("seed");
  options.cap_tokens = line.count("max-tokens");
  options.repeats = line.count("repeats");
  options.threads = line.threads();
  if (line.text("batch") != "auto") {
    const std::int64_t batch = line.count("batch");
    if (batch < 1) throw Error(ErrorCode::kUsage, "--batch: at least 1 sequence, or auto");
    options.threads = std::min(options.threads, batch);
  }
  options.created = utc_now();
  options.tool_version = LIL_VERSION;
  options.host = host_name();
  return options;
}

/// All policies are looked at before the first is recorded.
std::vector<std::string> checked_policies(const CommandLine& line) {
  std::vector<std::string> specs = line.specs("policy");
  for (const std::string& spec : specs) static_cast<void>(record::make_attention_policy(spec));
  return specs;
}

struct Session {
  schemas::Store store;
  std::unique_ptr<record::LanguageModel> model;
  std::unique_ptr<record::Tokenizer> tokenizer;
  record::ProblemSet problems;
  record::RecordOptions options;
  std::optional<replay::GuardianSpec> guardian;
};

record::RecordSummary record_policy(Session& session, const std::string& policy,
                                    const std::string& progress_mode) {
  session.options.policy = policy;
  Progress progress(progress_mode, policy + ": traces");
  record::RecordHooks hooks;
  hooks.now_ns = steady_ns;
  hooks.stop = &interrupted();
  hooks.progress = [&](const record::RecordProgress& at) {
    const double rate = static_cast<double>(at.tokens) / std::max(progress.elapsed_s(), 1e-9);
    progress.update(at.traces_done + at.traces_failed, at.traces_total, fmt::format("{:.0f} tokens/s", rate));
  };
  if (session.guardian) {
    hooks.make_observer = [&](const schemas::Problem&, std::span<const schemas::TokenId> prompt) {
      return std::make_unique<GuardianObserver>(*session.guardian, session.tokenizer->vocabulary(), prompt);
    };
  }
  return record::record(session.store, *session.model, *session.tokenizer, session.problems, session.options,
                        hooks);
}

/// `<|im_start|>`, `<｜User｜>` and the like in a template must each be one token of this model.
void warn_of_unknown_special_tokens(const record::Tokenizer& tokenizer, const std::string& name) {
  const std::string text = record::find_prompt_template(name);
  for (const auto& [open, close] :
       {std::pair<std::string_view, std::string_view>{"<|", "|>"}, {"<｜", "｜>"}}) {
    for (std::size_t start = text.find(open); start != std::string::npos;
         start = text.find(open, start + 1)) {
      const std::size_t end = text.find(close, start);
      if (end == std::string::npos) break;
      const std::string spelling = text.substr(start, end + close.size() - start);
      if (tokenizer.encode(spelling, record::Tokenizer::SpecialTokens::kAsTokens).size() == 1) continue;
      fmt::print(stderr,
                 "lil record: warning: template {} has {}, which is no token of this model: is it the right "
                 "template?\n",
                 name, spelling);
    }
  }
}

int run(const std::vector<std::string>& arguments) {
  CommandLine line = declared_options();
  if (!line.parse(arguments)) return kDone;
  line.expect_at_most(1);
  const std::string store_path = line.store();
  const auto policies = checked_policies(line);
  std::optional<replay::GuardianSpec> guardian;
  if (line.given("stop")) guardian = replay::parse_guardian_spec(line.text("stop"));
  record::RecordOptions options = record_options(line);
  if (guardian) options.stop_rule = guardian->to_string();
  const std::string folder = needed(line, "model");
  record::ProblemSet problems = problem_set(line);
  auto model = record::load_language_model(folder, {line.text("dtype"), line.text("device")});
  const schemas::WriterLock lock(store_path);
  Session session{schemas::Store::open(store_path, schemas::Access::kCreate),
                  std::move(model),
                  record::load_tokenizer(folder),
                  std::move(problems),
                  std::move(options),
                  std::move(guardian)};
  warn_of_unknown_special_tokens(*session.tokenizer, line.text("template"));
  catch_interrupts();

  Table table({"run", "policy", "traces", "done", "failed", "tokens", "seconds", "tokens/s"});
  std::vector<std::string> failures;
  for (const std::string& policy : policies) {
    if (interrupted()) break;
    const std::int64_t start_ns = steady_ns();
    const record::RecordSummary summary = record_policy(session, policy, line.text("progress"));
    const double seconds = static_cast<double>(steady_ns() - start_ns) / 1e9;
    const record::RecordProgress& at = summary.progress;
    table.add_row({summary.run_uid, policy, at.traces_total, at.traces_done, at.traces_failed, at.tokens,
                   Fixed{seconds, 1}, Fixed{static_cast<double>(at.tokens) / std::max(seconds, 1e-9), 0}});
    for (const auto& failure : summary.failures) {
      failures.push_back(fmt::format("{} ({}): {}", failure.subject, failure.stage, failure.message));
    }
  }
  fmt::print("{}", table.render(TableFormat::kTable));
  print_failures("traces that failed", failures);
  if (interrupted()) {
    fmt::print(stderr, "lil record: interrupted; the same command goes on from here\n");
    return interrupt_exit_code();
  }
  return failures.empty() ? kDone : kSomeFailed;
}

}  // namespace
}  // namespace lil::tools

int main(int argc, char** argv) {
  return lil::tools::run_reporting_errors("lil record", lil::tools::run, {argv + 1, argv + argc});
}
