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
#include "tools/commands/command.h"
#include "tools/commands/compare_modes.h"
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

replay::Stream stream_to_measure(const CommandLine& line, const schemas::Store& store,
                                 replay::StreamKind kind, const replay::CostRequest& request) {
  const std::int64_t longest = *std::max_element(request.tokens.begin(), request.tokens.end());
  replay::Stream stream = long_stream(store, line.where(), kind, longest);
  if (stream.tokens() > 0) return stream;
  throw Error(ErrorCode::kNotFound, fmt::format("{}: no trace is selected", store.path().string()));
}

Table cost_table(const CommandLine& line, const schemas::Store& store, replay::StreamKind kind,
                 const replay::CostRequest& request) {
  const auto stream = stream_to_measure(line, store, kind, request);
  fmt::print(stderr, "{} tokens, {} bytes of {}\n", stream.tokens(), stream.bytes.size(),
             replay::to_string(kind));
  Table table = empty_table(request);
  add_cost(table, "memcpy", "", replay::measure_copying(stream, request, thread_cpu_ns));
  const std::vector<std::string> asked = signal_names(line);
  for (const std::string& spec : asked.empty() ? all_signals() : asked) {
    const auto signal = replay::make_signal(spec);
    if (signal->input() != replay::SignalInput::kBytes) continue;  // sums of what was recorded cost nothing
    add_cost(table, signal->name(), signal->version(),
             replay::measure_cost(*signal, stream, request, thread_cpu_ns));
  }
  return table;
}

replay::CostRequest cost_request(const CommandLine& line) {
  replay::CostRequest request;
  request.tokens = schemas::parse_count_list("--tokens", line.text("tokens"));
  request.every_tokens = line.count("every");
  if (request.every_tokens < 1 || *std::min_element(request.tokens.begin(), request.tokens.end()) < 1) {
    throw Error(ErrorCode::kUsage, fmt::format("--every {} --tokens {}: all must be 1 or more",
                                               request.every_tokens, line.text("tokens")));
  }
  return request;
}

replay::StreamKind stream_asked_for(const CommandLine& line) {
  const std::vector<std::string> asked = line.specs("stream");
  if (asked.empty()) return replay::StreamKind::kText;
  const auto kind = replay::stream_from(asked.front());
  if (asked.size() == 1 && !replay::has_prompt(kind)) return kind;
  throw Error(ErrorCode::kUsage,
              fmt::format("--stream {}: the cost is measured without prompts, on one of text and ids32",
                          fmt::join(asked, ",")));
}

}  // namespace

int compare_cost(const CommandLine& line) {
  line.expect_at_most(1);
  const replay::CostRequest request = cost_request(line);
  const replay::StreamKind kind = stream_asked_for(line);
  const TableFormat format = parse_table_format(line.text("format"));
  Output output(line.text("output"));
  const auto store = schemas::Store::open(line.store(), schemas::Access::kRead);
  output.write(cost_table(line, store, kind, request).render(format));
  return kDone;
}

}  // namespace lil::tools
