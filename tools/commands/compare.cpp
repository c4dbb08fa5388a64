#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "replay/signal_cost.h"
#include "replay/signals/registry.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"
#include "schemas/run_store.h"
#include "schemas/trace_store.h"
#include "tools/clocks.h"
#include "tools/command_line.h"
#include "tools/commands/command.h"
#include "tools/commands/signal_names.h"
#include "tools/output.h"
#include "tools/table.h"

namespace lil::tools {
namespace {

/// One stream of at least `tokens` tokens, where the store has so many: its traces end to end, in its order
/// (the longest ones are often loops, which compress unlike the rest).
replay::Stream long_stream(const schemas::Store& store, const schemas::TraceFilter& filter,
                           replay::StreamKind kind, std::int64_t tokens) {
  schemas::Vocabularies vocabularies(store);
  replay::Stream joined;
  for (const schemas::TraceInfo& trace : schemas::list_traces(store, filter)) {
    if (joined.tokens() >= tokens) break;
    const auto one =
        replay::build_stream(kind, schemas::read_tokens(store, trace.key), vocabularies.get(trace.tokenizer));
    const auto before = static_cast<std::int64_t>(joined.bytes.size()) - one.start;
    joined.bytes += one.bytes.substr(static_cast<std::size_t>(one.start));
    for (const std::int64_t end : one.ends) joined.ends.push_back(before + end);
  }
  return joined;
}

std::string short_count(std::int64_t tokens) {
  return tokens % 1024 == 0 ? fmt::format("{}k", tokens / 1024) : std::to_string(tokens);
}

Table empty_table(const replay::CostRequest& request) {
  std::vector<std::string> columns = {"signal", "MB/s"};
  for (const std::int64_t tokens : request.tokens) columns.push_back("us/check at " + short_count(tokens));
  for (const std::int64_t tokens : request.tokens) columns.push_back("us afresh at " + short_count(tokens));
  columns.emplace_back("version");
  return Table(std::move(columns));
}

Value microseconds(const std::optional<double>& time) {
  return time ? Value(Fixed{*time, 1}) : Value();
}

void add_cost(Table& table, const std::string& name, const std::string& version,
              const replay::SignalCost& cost) {
  std::vector<Value> row = {name, Fixed{cost.feed_mb_per_s, 1}};
  for (const replay::CheckCost& check : cost.checks) row.push_back(microseconds(check.check_us));
  for (const replay::CheckCost& check : cost.checks) row.push_back(microseconds(check.afresh_us));
  row.emplace_back(version);
  table.add_row(std::move(row));
}

Table cost_table(const CommandLine& line, const schemas::Store& store, const replay::CostRequest& request) {
  const std::int64_t longest = *std::max_element(request.tokens.begin(), request.tokens.end());
  const auto stream = long_stream(store, line.where(), replay::stream_from(line.text("stream")), longest);
  if (stream.tokens() == 0) {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: no trace is selected", store.path().string()));
  }
  fmt::print(stderr, "{} tokens, {} bytes of {}\n", stream.tokens(), stream.bytes.size(),
             line.text("stream"));
  Table table = empty_table(request);
  add_cost(table, "memcpy", "", replay::measure_copying(stream, request, thread_cpu_ns));
  for (const std::string& spec : signal_names(line)) {
    const auto signal = replay::make_signal(spec);
    if (signal->input() != replay::SignalInput::kBytes) continue;  // sums of what was recorded cost nothing
    add_cost(table, signal->name(), signal->version(),
             replay::measure_cost(*signal, stream, request, thread_cpu_ns));
  }
  return table;
}

}  // namespace

int run_compare(const std::vector<std::string>& arguments) {
  CommandLine line(
      "compare store.db --cost [options]",
      "What watching with each signal costs on the text of a store, its traces end to end\n"
      "as far as the longest length goes (text that loops costs less):\n"
      "the rate of feeding it, and the time of one check at several lengths, looking every --every\n"
      "tokens; beside it the same number by measuring the prefix afresh, and a plain copy of it.");
  line.flag("cost", "measure the cost of a check");
  line.repeated("signal", "SPEC", "a signal, as zlib(level=6); lists and ranges multiply; `all` is every one",
                {"all"});
  line.option("stream", "NAME", "text or ids32", "text");
  line.option("every", "TOKENS", "tokens between one check and the next", "50");
  line.option("tokens", "COUNTS", "lengths to look at", "8k,32k,128k");
  line.add_where();
  line.add_output();
  if (!line.parse(arguments)) return kDone;
  line.expect_at_most(1);
  if (!line.given("cost")) throw Error(ErrorCode::kUsage, "say what to compare: --cost is what there is");
  replay::CostRequest request;
  request.tokens = schemas::parse_count_list("--tokens", line.text("tokens"));
  request.every_tokens = line.count("every");
  if (request.every_tokens < 1 || *std::min_element(request.tokens.begin(), request.tokens.end()) < 1) {
    throw Error(ErrorCode::kUsage, fmt::format("--every {} --tokens {}: all must be 1 or more",
                                               request.every_tokens, line.text("tokens")));
  }
  const auto kind = replay::stream_from(line.text("stream"));
  if (replay::has_prompt(kind)) {
    throw Error(ErrorCode::kUsage,
                fmt::format("--stream {}: the cost is measured without prompts, on text or ids32",
                            line.text("stream")));
  }
  const TableFormat format = parse_table_format(line.text("format"));
  Output output(line.text("output"));
  const auto store = schemas::Store::open(line.store(), schemas::Access::kRead);
  output.write(cost_table(line, store, request).render(format));
  return kDone;
}

}  // namespace lil::tools
