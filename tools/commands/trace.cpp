#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "schemas/error.h"
#include "schemas/probe_store.h"
#include "schemas/run_store.h"
#include "schemas/trace_store.h"
#include "tools/command_line.h"
#include "tools/commands/brief_policy.h"
#include "tools/commands/command.h"
#include "tools/commands/run_labels.h"
#include "tools/commands/shares.h"
#include "tools/output.h"
#include "tools/table.h"

namespace lil::tools {
namespace {

using schemas::RunKey;
using schemas::RunRecord;
using schemas::Store;
using schemas::StoredRun;
using schemas::TraceFilter;
using schemas::TraceInfo;
using schemas::TraceTokens;

std::map<RunKey, RunRecord> runs_by_key(const Store& store) {
  std::map<RunKey, RunRecord> runs;
  for (StoredRun& run : schemas::list_runs(store)) runs.emplace(run.key, std::move(run.record));
  return runs;
}

/// A policy as stored for programs, briefly for people.
std::string policy_name(const RunRecord& run, TableFormat format) {
  return for_programs(format) ? run.policy : brief_policy(run.policy);
}

Table traces_table(const Store& store, const TraceFilter& filter, TableFormat format) {
  Table table({"uid", "run", "model", "policy", "problem_set", "problem_id", "repeat", "prompt_tokens",
               "tokens", "finish", "complete"});
  const auto runs = runs_by_key(store);
  for (const TraceInfo& trace : schemas::list_traces(store, filter)) {
    const RunRecord& run = runs.at(trace.run);
    table.add_row({trace.uid, trace.run_uid, run.model, policy_name(run, format), trace.problem_set,
                   trace.problem_id, trace.repeat, trace.prompt_tokens, trace.tokens,
                   schemas::to_string(trace.finish), std::int64_t{trace.complete ? 1 : 0}});
  }
  return table;
}

/// For programs with every detail of a run, for people with what tells apart runs that look alike.
Table runs_table(const Store& store, const TraceFilter& filter, TableFormat format) {
  struct Counts {
    std::int64_t traces = 0, complete = 0, capped = 0, tokens = 0;
  };
  std::map<RunKey, Counts> counts;
  for (const TraceInfo& trace : schemas::list_traces(store, filter)) {
    Counts& of_run = counts[trace.run];
    ++of_run.traces;
    of_run.complete += trace.complete ? 1 : 0;
    of_run.capped += trace.finish == schemas::Finish::kLength ? 1 : 0;
    of_run.tokens += trace.tokens;
  }
  const bool whole = for_programs(format);
  const std::vector<StoredRun> runs = schemas::list_runs(store);
  const auto labels = run_labels(runs);
  std::vector<std::string> names{"run",       "model",    "policy", "sampler", "problem_set",
                                 "traces",    "complete", "capped", "tokens",  "cap",
                                 "stop_rule", "status",   "source"};
  if (whole) names.insert(names.end(), {"dtype", "seed", "template", "device"});
  if (!whole && !labels.empty()) names.emplace_back("apart by");
  Table table(names);
  for (const StoredRun& stored : runs) {
    if (counts.count(stored.key) == 0) continue;
    const RunRecord& run = stored.record;
    const Counts& of_run = counts[stored.key];
    std::vector<Value> row{run.uid,
                           run.model,
                           policy_name(run, format),
                           run.sampler,
                           run.problem_set,
                           of_run.traces,
                           of_run.complete,
                           of_run.capped,
                           of_run.tokens,
                           run.cap_tokens ? Value(*run.cap_tokens) : Value(),
                           run.stop_rule,
                           run.status,
                           run.source};
    if (whole) row.insert(row.end(), {run.dtype, run.seed, run.prompt_template, run.device});
    if (!whole && !labels.empty()) {
      const auto label = labels.find(run.uid);
      row.emplace_back(label == labels.end() ? "" : label->second);
    }
    table.add_row(std::move(row));
  }
  return table;
}

int list_traces_command(const std::vector<std::string>& arguments) {
  CommandLine line("trace list store.db [options]",
                   "One line a trace, unfinished ones too; with --runs one a run.");
  line.flag("runs", "one line a run instead");
  line.add_where();
  line.add_output();
  if (!line.parse(arguments)) return kDone;
  line.expect_at_most(1);
  const TableFormat format = parse_table_format(line.text("format"));
  const Store store = Store::open(line.store(), schemas::Access::kRead);
  TraceFilter filter = line.where();
  filter.complete_only = false;
  Output output(line.text("output"));
  output.write((line.given("runs") ? runs_table(store, filter, format) : traces_table(store, filter, format))
                   .render(format));
  return kDone;
}

TraceInfo trace_by_uid(const Store& store, const std::string& uid) {
  TraceFilter filter;
  filter.uid = uid;
  filter.complete_only = false;
  const auto found = schemas::list_traces(store, filter);
  if (found.size() != 1) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("{}: {} traces have a uid that starts with '{}'; `lil trace list` shows the uids",
                            store.path().string(), found.size(), uid));
  }
  return found[0];
}

/// Bytes that are no UTF-8 would spoil a terminal: they are shown as the replacement character.
std::string printable(const std::string& text) {
  const std::string json =
      nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return nlohmann::json::parse(json).get<std::string>();
}

/// A line a probe; nothing where there are none.
std::string probes_text(const std::vector<schemas::Probe>& probes) {
  std::string text;
  for (const schemas::Probe& probe : probes) {
    text += fmt::format("{:>7}  {:<6}  {}\n", probe.token, schemas::to_string(probe.finish), probe.text);
  }
  return text.empty() ? "" : "\n--- probes: after so many tokens, how it ended, the answer\n" + text;
}

/// As the model read them: with the special tokens, which a template put there.
std::string with_special_tokens(const std::vector<schemas::TokenId>& ids,
                                const schemas::Vocabulary& vocabulary) {
  std::string text;
  for (const schemas::TokenId id : ids) text += vocabulary.token(id).bytes;
  return text;
}

int show_trace_command(const std::vector<std::string>& arguments) {
  CommandLine line("trace show store.db UID [options]",
                   "What is known of one trace, its prompt, its text and its probes. The first digits of a "
                   "uid are enough.");
  line.option("output", "FILE", "write to FILE instead of stdout");
  if (!line.parse(arguments)) return kDone;
  line.expect_at_most(2);
  const Store store = Store::open(line.store(), schemas::Access::kRead);
  if (line.positional().size() < 2) throw Error(ErrorCode::kUsage, "the uid of a trace is missing");
  const TraceInfo trace = trace_by_uid(store, line.positional()[1]);
  const TraceTokens tokens = schemas::read_tokens(store, trace.key);
  const schemas::Vocabulary vocabulary = schemas::read_vocabulary(store, trace.tokenizer);
  const RunRecord run = runs_by_key(store).at(trace.run);
  const std::string prompt = with_special_tokens(tokens.prompt_ids, vocabulary);
  std::string text;
  vocabulary.append_text(tokens.ids, text);
  Output output(line.text("output"));
  output.write(fmt::format(
      "trace    {}\nrun      {}  {}  {}\nproblem  {} {} (repeat {}), gold answer {}\n"
      "tokens   {} after a prompt of {}, finish {}{}\n\n--- prompt\n{}\n--- output\n{}\n{}",
      trace.uid, trace.run_uid, run.model, run.policy, trace.problem_set, trace.problem_id, trace.repeat,
      trace.gold.empty() ? "unknown" : trace.gold, trace.tokens, trace.prompt_tokens,
      schemas::to_string(trace.finish), trace.complete ? "" : " (not complete)", printable(prompt),
      printable(text), probes_text(schemas::read_probes(store, trace.key))));
  return kDone;
}

int check_store_command(const std::vector<std::string>& arguments) {
  CommandLine line(
      "trace check store.db",
      "Reads every block of a store and says what is wrong with it. Exit status 1 where anything is.");
  if (!line.parse(arguments)) return kDone;
  line.expect_at_most(1);
  const Store store = Store::open(line.store(), schemas::Access::kRead);
  const auto problems = schemas::check_store(store);
  for (const std::string& problem : problems) fmt::print("{}\n", problem);
  if (!problems.empty()) return kFailed;
  TraceFilter all;
  all.complete_only = false;
  std::int64_t tokens = 0;
  std::int64_t complete = 0;
  const auto traces = schemas::list_traces(store, all);
  for (const TraceInfo& trace : traces) {
    tokens += trace.tokens;
    complete += trace.complete ? 1 : 0;
  }
  fmt::print("{}: ok; {} traces ({} complete), {} tokens, {} failures on record\n", store.path().string(),
             traces.size(), complete, tokens, schemas::list_failures(store).size());
  return kDone;
}

nlohmann::ordered_json exported(const TraceInfo& trace, const RunRecord& run, const TraceTokens& tokens,
                                const std::vector<schemas::Probe>& probes,
                                const schemas::Vocabulary& vocabulary, bool per_token) {
  std::string text;
  vocabulary.append_text(tokens.ids, text);
  nlohmann::ordered_json line{{"uid", trace.uid},
                              {"run", trace.run_uid},
                              {"policy", run.policy},
                              {"problem_set", trace.problem_set},
                              {"problem_id", trace.problem_id},
                              {"repeat", trace.repeat},
                              {"prompt_ids", tokens.prompt_ids},
                              {"ids", tokens.ids},
                              {"text", text},
                              {"finish", schemas::to_string(trace.finish)},
                              {"complete", trace.complete}};
  if (per_token) {
    if (!tokens.logprob.empty()) line["logprob"] = tokens.logprob;
    if (!tokens.entropy.empty()) line["entropy"] = tokens.entropy;
    if (!tokens.attended.empty()) line["attended"] = tokens.attended;
  }
  for (const schemas::Probe& probe : probes) {
    line["probes"].push_back({{"token", probe.token},
                              {"text", probe.text},
                              {"finish", schemas::to_string(probe.finish)},
                              {"closing", probe.closing},
                              {"ids", probe.ids}});
  }
  return line;
}

int export_traces_command(const std::vector<std::string>& arguments) {
  CommandLine line("trace export store.db [options]", "One JSON line a trace, unfinished ones too.");
  line.option("format", "FORMAT", "jsonl", "jsonl");
  line.flag("per-token", "with what was recorded a token: logprob, entropy, attended");
  line.option("output", "FILE", "write to FILE instead of stdout");
  line.add_where();
  if (!line.parse(arguments)) return kDone;
  line.expect_at_most(1);
  if (line.text("format") != "jsonl") {
    throw Error(ErrorCode::kUsage,
                fmt::format("--format: unknown format '{}'; known are: jsonl", line.text("format")));
  }
  const Store store = Store::open(line.store(), schemas::Access::kRead);
  const auto runs = runs_by_key(store);
  schemas::Vocabularies vocabularies(store);
  TraceFilter filter = line.where();
  filter.complete_only = false;
  Output output(line.text("output"));
  std::vector<std::string> failures;
  for (const TraceInfo& trace : schemas::list_traces(store, filter)) {
    try {
      const auto json = exported(trace, runs.at(trace.run), schemas::read_tokens(store, trace.key),
                                 schemas::read_probes(store, trace.key), vocabularies.get(trace.tokenizer),
                                 line.given("per-token"));
      output.stream() << json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
    } catch (const Error& error) {
      failures.push_back(fmt::format("trace {}: {}", trace.uid, error.what()));
    }
  }
  output.finish();
  print_failures("traces that could not be exported", failures);
  return failures.empty() ? kDone : kSomeFailed;
}

constexpr std::array kSubcommands{
    Command{"list", "one line a trace, or a run", list_traces_command},
    Command{"show", "one trace with its text", show_trace_command},
    Command{"check", "whether a store is sound", check_store_command},
    Command{"export", "JSON lines", export_traces_command},
};

}  // namespace

int run_trace(const std::vector<std::string>& arguments) {
  std::string known;
  for (const Command& command : kSubcommands) {
    if (!arguments.empty() && command.name == arguments[0])
      return command.run({arguments.begin() + 1, arguments.end()});
    known += fmt::format("  lil trace {:<7} store.db …  {}\n", command.name, command.summary);
  }
  const bool help = !arguments.empty() && arguments[0] == "--help";
  if (help) {
    fmt::print("Usage:\n{}", known);
    return kDone;
  }
  throw Error(ErrorCode::kUsage,
              fmt::format("{}; usage:\n{}",
                          arguments.empty() ? "what to do with the traces is missing"
                                            : fmt::format("unknown 'trace {}'", arguments[0]),
                          known.substr(0, known.size() - 1)));
}

}  // namespace lil::tools
