#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "record/dtype.h"
#include "record/prompt_template.h"
#include "record/recorder.h"
#include "schemas/error.h"
#include "schemas/writer_lock.h"
#include "tools/clocks.h"
#include "tools/command_line.h"
#include "tools/commands/command.h"
#include "tools/interrupt.h"
#include "tools/progress.h"
#include "tools/record/live_observer.h"
#include "tools/record/plan_text.h"
#include "tools/record/record_request.h"
#include "tools/record/recording_device.h"
#include "tools/table.h"

namespace lil::tools {
namespace {

/// What all policies are recorded with.
struct Session {
  schemas::Store& store;
  const record::LanguageModel& model;
  const record::Tokenizer& tokenizer;
  RecordRequest& request;
};

void warn(const std::string& what) {
  fmt::print(stderr, "lil record: warning: {}\n", what);
}

void state_plan(const Session& session, const record::BatchPlan& plan) {
  const record::RecordOptions& options = session.request.options;
  fmt::print(stderr, "lil record: {}: {}\n", options.policy, plan_text(plan));
  if (options.batch > 0 && plan.resident < options.batch && plan.resident < plan.batch) {
    warn(fmt::format("--batch {}: the KV pool may have {}, so fewer may be decoded at a time", options.batch,
                     size_text(options.kv_bytes)));
  }
  const std::int64_t positions = session.model.config().max_positions.value_or(0);
  const std::int64_t tokens = plan.max_prompt_tokens + options.cap_tokens;
  if (positions > 0 && tokens > positions) {
    warn(
        fmt::format("a prompt of {} tokens and --max-tokens {} make {}, and {} was made for {} positions "
                    "(max_position_embeddings)",
                    grouped(plan.max_prompt_tokens), grouped(options.cap_tokens), grouped(tokens),
                    session.model.name(), grouped(positions)));
  }
}

void show(Progress& progress, const record::RecordProgress& at) {
  const double rate = static_cast<double>(at.tokens) / std::max(progress.elapsed_s(), 1e-9);
  std::optional<double> left_s;
  if (at.tokens_left && rate > 0) left_s = static_cast<double>(*at.tokens_left) / rate;
  progress.update(at.traces_done + at.traces_failed, at.traces_total, fmt::format("{:.0f} tokens/s", rate),
                  left_s);
}

record::RecordSummary record_policy(Session& session, const std::string& policy) {
  session.request.options.policy = policy;
  Progress progress(session.request.progress, policy + ": traces");
  record::RecordHooks hooks;
  hooks.now_ns = steady_ns;
  hooks.stop = &interrupted();
  hooks.planned = [&](const record::BatchPlan& plan) { state_plan(session, plan); };
  hooks.progress = [&](const record::RecordProgress& at) { show(progress, at); };
  if (session.request.stop) {
    hooks.make_observer = [&](const schemas::Problem&, std::span<const schemas::TokenId> prompt) {
      return std::make_unique<LiveObserver>(*session.request.stop, session.tokenizer.vocabulary(), prompt);
    };
  }
  return record::record(session.store, session.model, session.tokenizer, session.request.problems,
                        session.request.options, hooks);
}

bool is_one_token(const record::Tokenizer& tokenizer, const std::string& spelling) {
  try {
    return tokenizer.encode(spelling, record::Tokenizer::SpecialTokens::kAsTokens).size() == 1;
  } catch (const Error&) {
    return false;  // a vocabulary of words may lack its characters
  }
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
      if (is_one_token(tokenizer, spelling)) continue;
      warn(fmt::format("template {} has {}, which is no token of this model: is it the right template?", name,
                       spelling));
    }
  }
}

void warn_of_endless_generations(const Session& session) {
  if (!session.model.config().end_ids.empty()) return;
  warn(fmt::format(
      "{} names no end-of-sequence token (eos_token_id): generations end by --max-tokens {} alone",
      session.model.name(), grouped(session.request.options.cap_tokens)));
}

/// Half of the memory that is free is for keys and values where nobody says otherwise.
void limit_memory(record::RecordOptions& options, const record::Device& device) {
  if (options.kv_bytes == 0) options.kv_bytes = free_memory_bytes(device) / 2;
}

/// What keeps one policy from being recorded, as a pool that is too small for it, is listed where others can
/// be.
std::optional<record::RecordSummary> record_or_list(Session& session, const std::string& policy,
                                                    std::vector<std::string>& failures) {
  try {
    return record_policy(session, policy);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUsage || session.request.policies.size() == 1) throw;
    failures.push_back(fmt::format("{} (not recorded): {}", policy, error.what()));
    return std::nullopt;
  }
}

int record_all(Session& session) {
  Table table({"run", "policy", "traces", "done", "failed", "tokens", "seconds", "tokens/s"});
  std::vector<std::string> failures;
  for (const std::string& policy : session.request.policies) {
    if (interrupted()) break;
    const std::int64_t start_ns = steady_ns();
    const auto recorded = record_or_list(session, policy, failures);
    if (!recorded) continue;
    const record::RecordSummary& summary = *recorded;
    const double seconds = static_cast<double>(steady_ns() - start_ns) / 1e9;
    const record::RecordProgress& at = summary.progress;
    table.add_row({summary.run_uid, policy, at.traces_total, at.traces_done, at.traces_failed, at.tokens,
                   Fixed{seconds, 1}, Fixed{static_cast<double>(at.tokens) / std::max(seconds, 1e-9), 0}});
    if (summary.without_probes > 0) {
      warn(
          fmt::format("{}: {} traces without probes were complete before and are left as they are; another "
                      "store would have their probes",
                      policy, summary.without_probes));
    }
    for (const auto& failure : summary.failures) {
      failures.push_back(fmt::format("{} ({}): {}", failure.subject, failure.stage, failure.message));
    }
  }
  fmt::print("{}", table.render(TableFormat::kTable));
  print_failures("traces, probes or policies that failed", failures);
  if (interrupted()) {
    fmt::print(stderr, "lil record: interrupted; the same command goes on from here\n");
    return interrupt_exit_code();
  }
  return failures.empty() ? kDone : kSomeFailed;
}

int run(const std::vector<std::string>& arguments) {
  CommandLine line = record_command_line();
  if (!line.parse(arguments)) return kDone;
  line.expect_at_most(1);
  RecordRequest request = read_record_request(line);
  const auto device = make_device(request.device, request.threads);
  const auto model = load_model(request.model, *device, {request.dtype});
  const auto tokenizer = record::load_tokenizer(request.model);
  const schemas::WriterLock lock(request.store);
  schemas::Store store = schemas::Store::open(request.store, schemas::Access::kCreate);
  warn_of_unknown_special_tokens(*tokenizer, request.options.prompt_template);
  fmt::print(stderr, "lil record: {}, weights of {} on disk, computing in {}\n", model->name(),
             size_text(weights_bytes(request.model)), record::to_string(model->dtype()));
  limit_memory(request.options, *device);
  catch_interrupts();
  Session session{store, *model, *tokenizer, request};
  warn_of_endless_generations(session);
  return record_all(session);
}

}  // namespace
}  // namespace lil::tools

int main(int argc, char** argv) {
  return lil::tools::run_reporting_errors("lil record", lil::tools::run, {argv + 1, argv + argc});
}
