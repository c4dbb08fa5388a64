#include "tools/record/record_request.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "record/attention_policy.h"
#include "record/prompt_template.h"
#include "record/sampler.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"
#include "tools/clocks.h"
#include "tools/import/problem_file.h"
#include "tools/record/plan_text.h"

namespace lil::tools {
namespace {

using schemas::Problem;

std::string needed(const CommandLine& line, const std::string& option) {
  if (!line.given(option)) throw Error(ErrorCode::kUsage, fmt::format("--{} is missing", option));
  return line.text(option);
}

record::ProblemSet problem_set(const CommandLine& line) {
  ProblemFileOptions options;
  options.set = line.text("problem-set");
  options.fields = line.texts("field");
  options.allow_missing_answers = line.given("allow-missing-answers");
  const std::string path = needed(line, "problems");
  ProblemFile file = read_problem_file(path, options);
  const std::string name = file.problems.at(0).set;
  std::vector<Problem> problems = std::move(file.problems);
  if (line.given("ids")) problems = with_ids(problems, line.texts("ids"), path);
  if (line.given("first")) {
    const std::int64_t first = line.count("first");
    if (first < 1) throw Error(ErrorCode::kUsage, "--first: at least 1 problem");
    problems.resize(std::min(problems.size(), static_cast<std::size_t>(first)));
  }
  if (line.given("shard")) problems = of_shard(std::move(problems), name, line.text("shard"));
  return {name, file.sha256, std::move(problems)};
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::int64_t batch_of(const CommandLine& line) {
  if (line.text("batch") == "auto") return 0;
  const std::int64_t batch = line.count("batch");
  if (batch < 1) throw Error(ErrorCode::kUsage, "--batch: at least 1 sequence, or auto");
  return batch;
}

record::RecordOptions record_options(const CommandLine& line) {
  record::RecordOptions options;
  options.sampler = line.text("sampler");
  options.prompt_template = line.text("template");
  options.seed = line.count("seed");
  options.cap_tokens = line.count("max-tokens");
  options.repeats = line.count("repeats");
  options.batch = batch_of(line);
  if (line.text("kv-memory") != "auto") options.kv_bytes = parse_size("--kv-memory", line.text("kv-memory"));
  static_cast<void>(record::make_sampler(options.sampler));
  const std::string text = record::find_prompt_template(options.prompt_template);
  if (line.given("probe-answers")) {
    options.probes = record::parse_probe_options(line.text("probe-answers"), text);
  }
  options.sampling_threads = line.threads();
  options.created = utc_now();
  options.tool_version = LIL_VERSION;
  options.host = host_name();
  record::check_options(options);
  return options;
}

/// All policies are looked at before the first is recorded; each is recorded once, however it is spelt.
std::vector<std::string> checked_policies(const CommandLine& line) {
  std::vector<std::string> specs;
  std::set<std::string> resolved;
  for (std::string& spec : line.specs("policy")) {
    if (resolved.insert(record::make_attention_policy(spec).spec).second) specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace

CommandLine record_command_line() {
  CommandLine line(
      "record store.db --model DIR --problems FILE [options]",
      "Decodes every problem under every policy and stores each token with its log-probability, entropy\n"
      "and attended count. Killed or interrupted, the same command goes on where it was.");
  line.option("model", "DIR", "a Hugging Face folder: config.json, safetensors, tokenizer.json");
  line.option("problems", "FILE", "a problem set: JSON lines or a JSON array");
  line.option("problem-set", "NAME", "name of the problem set; the file's name where not given");
  line.repeated("field", "NAME=KEY", "where problem, gold or id stand in the problem file");
  line.flag("allow-missing-answers", "record problems without a right answer too");
  line.repeated("policy", "SPEC",
                "attention policy (`lil list policies`), as sink(budget=64); lists and ranges multiply",
                {"full"});
  line.option("sampler", "SPEC", "greedy, or sample(temperature=0.6,top_p=0.95)", "greedy");
  line.option("template", "NAME", "prompt template (`lil list templates`), or a file with {problem}",
              "plain");
  line.option("first", "N", "only the first N problems");
  line.repeated("ids", "ID,ID", "only the problems with these ids");
  line.option("shard", "I/N", "only the I-th of N parts of the problems, for as many processes and stores");
  line.option("max-tokens", "N", "cap on the generated tokens of a trace", "32k");
  line.option("repeats", "N", "generations of each problem", "1");
  line.option("seed", "N", "seed of the sampler", "0");
  line.option("batch", "N",
              fmt::format("sequences decoded at a time at most; auto: {}, or what fits", record::kAutoBatch),
              "auto");
  line.option("kv-memory", "SIZE", "most memory for keys and values, as 4g; auto: half of what is free",
              "auto");
  line.option("dtype", "TYPE", "auto (fp32 on a CPU, else the checkpoint's), fp32, bf16 or fp16", "auto");
  line.option("device", "DEVICE", "cpu or cuda", "cpu");
  line.option("stop", "SPEC",
              "a rule (`lil list rules`) that ends generations, with its signal and stream, as "
              "guardian(f=250,t=20,signal=zlib,stream=text)");
  line.option("probe-answers", "every=N[,tokens=32][,closing=TEXT]",
              "at each N tokens, ask a copy of the sequence for its answer, store it, and go on undisturbed");
  line.add_threads();
  line.add_progress();
  return line;
}

RecordRequest read_record_request(const CommandLine& line) {
  RecordRequest request;
  request.store = line.store();
  request.policies = checked_policies(line);
  if (line.given("stop")) request.stop = replay::parse_guardian_spec(line.text("stop"));
  request.options = record_options(line);
  if (request.stop) request.options.stop_rule = request.stop->to_string();
  request.model = needed(line, "model");
  request.problems = problem_set(line);
  request.device = line.text("device");
  request.dtype = line.text("dtype");
  request.threads = line.threads();
  request.progress = line.text("progress");
  return request;
}

std::vector<Problem> with_ids(const std::vector<Problem>& problems, const std::vector<std::string>& id_lists,
                              const std::string& file) {
  std::vector<Problem> chosen;
  for (const std::string& list : id_lists) {
    for (std::size_t start = 0; start <= list.size();) {
      const std::size_t comma = std::min(list.find(',', start), list.size());
      const std::string id = list.substr(start, comma - start);
      const auto found =
          std::find_if(problems.begin(), problems.end(), [&](const auto& p) { return p.id == id; });
      if (found == problems.end()) {
        throw Error(ErrorCode::kUsage, fmt::format("--ids: no problem of {} has the id '{}'", file, id));
      }
      if (std::any_of(chosen.begin(), chosen.end(), [&](const auto& p) { return p.id == id; })) {
        throw Error(ErrorCode::kUsage, fmt::format("--ids: '{}' is there twice", id));
      }
      chosen.push_back(*found);
      start = comma + 1;
    }
  }
  return chosen;
}

std::vector<Problem> of_shard(std::vector<Problem> problems, const std::string& set,
                              const std::string& shard) {
  const std::size_t slash = shard.find('/');
  if (slash == std::string::npos) {
    throw Error(ErrorCode::kUsage, fmt::format("--shard {}: write it as I/N, say 1/8", shard));
  }
  const std::int64_t part = schemas::parse_count("--shard", shard.substr(0, slash));
  const std::int64_t parts = schemas::parse_count("--shard", shard.substr(slash + 1));
  if (part < 1 || part > parts) {
    throw Error(ErrorCode::kUsage, fmt::format("--shard {}: no part of 1 to {}", shard, parts));
  }
  std::erase_if(problems, [&](const Problem& problem) {
    return record::problem_hash(set, problem.id) % static_cast<std::uint64_t>(parts) !=
           static_cast<std::uint64_t>(part - 1);
  });
  return problems;
}

}  // namespace lil::tools
