#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "record/tokenizer/tokenizer.h"
#include "schemas/error.h"
#include "schemas/run_store.h"
#include "schemas/trace_store.h"
#include "schemas/writer_lock.h"
#include "tools/clocks.h"
#include "tools/command_line.h"
#include "tools/commands/command.h"
#include "tools/import/importer.h"
#include "tools/interrupt.h"
#include "tools/progress.h"

namespace lil::tools {
namespace {

void print_summary(const ImportResult& result, const std::string& tokenizer) {
  fmt::print("{} records: {} traces added, {} there already, {} failed; {} tokens ({})\n", result.records,
             result.traces_added, result.traces_skipped, result.failed, result.tokens,
             tokenizer == "bytes" ? "bytes, as no --tokenizer is given" : tokenizer);
  for (const std::string& run : result.run_uids) fmt::print("run {}\n", run);
}

/// A cap that traces exceed says that their tokens were counted with another tokenizer.
void warn_of_tokens_beyond_cap(const schemas::Store& store, const std::vector<std::string>& run_uids) {
  for (const schemas::StoredRun& run : schemas::list_runs(store)) {
    const bool here = std::find(run_uids.begin(), run_uids.end(), run.record.uid) != run_uids.end();
    if (!here || !run.record.cap_tokens) continue;
    schemas::TraceFilter filter;
    filter.run = run.record.uid;
    const auto traces = schemas::list_traces(store, filter);
    const auto beyond = std::count_if(traces.begin(), traces.end(), [&](const auto& trace) {
      return trace.tokens > *run.record.cap_tokens;
    });
    if (beyond == 0) continue;
    fmt::print(
        stderr,
        "lil import: warning: {} of {} traces of run {} have more tokens than their cap of {}: is this the "
        "model's tokenizer?\n",
        beyond, traces.size(), run.record.uid, *run.record.cap_tokens);
  }
}

}  // namespace

int run_import(const std::vector<std::string>& arguments) {
  CommandLine line(
      "import store.db FILE… [options]",
      "Reads logs of other engines into a store; `-` is standard input. A file that is there already\n"
      "adds nothing. Records that cannot be read are listed, and the exit status is then 3.");
  line.option("format", "NAME", "the reader (`lil list readers`); by content where not given");
  line.option("tokenizer", "FILE",
              "tokenizer.json or *.tiktoken that turns text into ids; `bytes`: each byte a token", "bytes");
  line.option("problem-set", "NAME", "name of the problem set; the file's name where not given");
  line.repeated("field", "NAME=KEY", "where a field stands: output=model_answer, gold=/meta/answer, id=…");
  line.add_threads();
  line.add_progress();
  if (!line.parse(arguments)) return kDone;
  static_cast<void>(line.store());
  if (line.positional().size() < 2) throw Error(ErrorCode::kUsage, "the files to import are missing");
  const bool bytes = line.text("tokenizer") == "bytes";
  const auto tokenizer = bytes ? nullptr : record::load_tokenizer(line.text("tokenizer"));
  const schemas::WriterLock lock(line.store());
  schemas::Store store = schemas::Store::open(line.store(), schemas::Access::kCreate);
  Progress progress(line.text("progress"), "MB read");
  std::vector<std::string> failures;
  ImportOptions options;
  options.files.assign(line.positional().begin() + 1, line.positional().end());
  options.format = line.text("format");
  options.fields = line.texts("field");
  options.problem_set = line.text("problem-set");
  options.tokenizer = tokenizer.get();
  options.threads = line.threads();
  options.created = utc_now();
  options.tool_version = LIL_VERSION;
  options.cancel = &interrupted();
  options.progress = [&](const ImportProgress& at) {
    constexpr std::int64_t kMega = 1'000'000;
    progress.update(at.bytes_read / kMega, at.bytes_total / kMega, fmt::format("{} records", at.records));
  };
  options.warning = [&](const std::string& text) {
    progress.finish();
    fmt::print(stderr, "lil import: warning: {}\n", text);
  };
  options.failure = [&](const ImportFailure& failure) { failures.push_back(failure.text()); };
  catch_interrupts();
  const ImportResult result = import_files(store, options);
  progress.finish();
  print_summary(result, line.text("tokenizer"));
  warn_of_tokens_beyond_cap(store, result.run_uids);
  print_failures("records that could not be imported", failures);
  if (result.cancelled) return interrupt_exit_code();
  return failures.empty() ? kDone : kSomeFailed;
}

}  // namespace lil::tools
