#include <fmt/format.h>

#include <algorithm>

#include "replay/sweep.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"
#include "tools/clocks.h"
#include "tools/command_line.h"
#include "tools/commands/command.h"
#include "tools/commands/signal_names.h"
#include "tools/interrupt.h"
#include "tools/progress.h"

namespace lil::tools {
namespace {

/// `2/8`: the second of eight parts.
replay::Shard shard_from(const std::string& text) {
  if (text.empty()) return {};
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos || text.find('/', slash + 1) != std::string::npos) {
    throw Error(ErrorCode::kUsage, fmt::format("--shard {}: write it as I/N, say 1/8", text));
  }
  return {schemas::parse_count("--shard", text.substr(0, slash)) - 1,
          schemas::parse_count("--shard", text.substr(slash + 1))};
}

replay::SweepRequest request_from(const CommandLine& line, std::int64_t grid_tokens) {
  replay::SweepRequest request;
  request.signals = signal_names(line);
  for (const std::string& name : line.specs("stream")) request.streams.push_back(replay::stream_from(name));
  request.grid_tokens = grid_tokens;
  request.filter = line.where();
  request.shard = shard_from(line.text("shard"));
  return request;
}

void print_plan(const replay::SweepPlan& plan, std::int64_t grid_tokens) {
  fmt::print("every {} tokens: {} traces, {} curves to compute over {} tokens, {} stored already\n",
             grid_tokens, plan.traces, plan.curves, plan.tokens, plan.curves_stored);
  if (plan.not_recorded > 0) {
    fmt::print("{} curves are left out: what their signals read was not recorded of the traces\n",
               plan.not_recorded);
  }
}

/// Without a prompt, a stream with one is the same as that without.
void warn_of_missing_prompts(const schemas::Store& store, const replay::SweepRequest& request) {
  const bool with_prompt = std::any_of(request.streams.begin(), request.streams.end(), replay::has_prompt);
  if (!with_prompt) return;
  const auto traces = schemas::list_traces(store, request.filter);
  const auto without =
      std::count_if(traces.begin(), traces.end(), [](const auto& trace) { return trace.prompt_tokens == 0; });
  if (without > 0) {
    fmt::print(
        stderr,
        "lil replay: warning: {} of {} traces have no prompt on record; their streams with a prompt equal "
        "those without\n",
        without, traces.size());
  }
}

struct Totals {
  std::int64_t curves = 0;
  bool cancelled = false;
  bool left_out = false;  ///< curves of signals that were asked for by name
  std::vector<std::string> failures;
};

bool asks_for_all(const CommandLine& line) {
  const auto signals = line.specs("signal");
  return std::find(signals.begin(), signals.end(), "all") != signals.end();
}

void sweep_grid(schemas::Store& store, const CommandLine& line, std::int64_t grid_tokens, Totals& totals) {
  const replay::SweepRequest request = request_from(line, grid_tokens);
  warn_of_missing_prompts(store, request);
  const replay::SweepPlan plan = replay::plan_sweep(store, request);
  if (plan.selected == 0) {
    throw Error(ErrorCode::kNotFound,
                fmt::format("{}: no complete trace is selected", store.path().string()));
  }
  print_plan(plan, grid_tokens);
  totals.left_out = totals.left_out || (plan.not_recorded > 0 && !asks_for_all(line));
  if (line.given("dry-run")) return;
  Progress progress(line.text("progress"), "curves");
  replay::SweepOptions options;
  options.threads = line.threads();
  options.cpu_now_ns = thread_cpu_ns;
  options.cancelled = &interrupted();
  options.progress = [&](const replay::SweepProgress& done) {
    const double rate = static_cast<double>(done.bytes_done) / 1e6 / std::max(progress.elapsed_s(), 1e-9);
    progress.update(done.curves_done, done.curves_total, fmt::format("{:.1f} MB/s", rate));
  };
  const replay::SweepResult result = replay::run_sweep(store, plan, options);
  totals.curves += result.curves_stored;
  totals.cancelled = totals.cancelled || result.cancelled;
  for (const auto& failure : result.failures)
    totals.failures.push_back(failure.subject + ": " + failure.message);
}

}  // namespace

int run_replay(const std::vector<std::string>& arguments) {
  CommandLine line(
      "replay store.db [options]",
      "Computes the curves of signals over the complete traces of a store: for each, the value of every\n"
      "prefix of a multiple of --every tokens, exactly as measured from scratch. Curves that are there\n"
      "already are not computed again.");
  line.repeated("signal", "SPEC", "a signal, as zlib(level=6); lists and ranges multiply; `all` is every one",
                {"zlib(level=6)"});
  line.repeated("stream", "NAME", "text, prompt+text, ids32 or prompt+ids32", {"text"});
  line.option("every", "TOKENS", "the grid: a curve on it serves every f that is a multiple", "50");
  line.add_where();
  line.option("shard", "I/N", "do the I-th of N parts of the traces, for as many processes");
  line.add_threads();
  line.flag("dry-run", "say what would be computed and do nothing");
  line.add_progress();
  if (!line.parse(arguments)) return kDone;
  line.expect_at_most(1);
  const auto grids = schemas::parse_count_list("--every", line.text("every"));
  static_cast<void>(line.threads());
  const bool dry = line.given("dry-run");
  schemas::Store store =
      schemas::Store::open(line.store(), dry ? schemas::Access::kRead : schemas::Access::kWrite);
  catch_interrupts();
  Totals totals;
  for (const std::int64_t grid : grids) {
    if (!totals.cancelled) sweep_grid(store, line, grid, totals);
  }
  if (dry) return kDone;
  fmt::print("{} curves stored\n", totals.curves);
  print_failures("traces that could not be replayed", totals.failures);
  if (totals.cancelled) return interrupt_exit_code();
  return totals.failures.empty() && !totals.left_out ? kDone : kSomeFailed;
}

}  // namespace lil::tools
