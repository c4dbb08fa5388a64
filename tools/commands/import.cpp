#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "record/attention_policy.h"
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
  const std::set<std::string> files(result.run_files.begin(), result.run_files.end());
  for (std::size_t i = 0; i < result.run_uids.size(); ++i)
    fmt::print("run {}{}\n", result.run_uids[i], files.size() > 1 ? " from " + result.run_files[i] : "");
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

/// A store that this import would make, and takes away again where nothing came into it.
class ImportStore {
 public:
  explicit ImportStore(std::string path)
      : path_(std::move(path)),
        is_new_(!std::filesystem::exists(path_)),
        store_(schemas::Store::open(path_, schemas::Access::kCreate)) {}
  ImportStore(const ImportStore&) = delete;
  ImportStore& operator=(const ImportStore&) = delete;
  ~ImportStore() {
    if (!is_new_ || !is_empty_) return;
    store_.reset();
    std::error_code ignored;
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + end, ignored);
  }

  [[nodiscard]] schemas::Store& store() { return *store_; }
  /// An import was refused: whether before anything was written.
  void look_whether_empty() {
    is_empty_ = schemas::list_runs(*store_).empty() && schemas::list_failures(*store_).empty();
  }

 private:
  std::string path_;
  bool is_new_;
  bool is_empty_ = false;
  std::optional<schemas::Store> store_;
};

/// Imports, and leaves no new store behind where what is asked for was refused before anything was written.
ImportResult import_into(ImportStore& to, const ImportOptions& options) {
  try {
    return import_files(to.store(), options);
  } catch (const Error&) {
    to.look_whether_empty();
    throw;
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
  line.option("model", "NAME", "the model; what the log says or the file's name where not given");
  line.option("policy", "SPEC",
              "the attention policy (`lil list policies`), so that tables hold runs against full attention; "
              "what the log says or `unknown` where not given");
  line.repeated("field", "NAME=KEY", "where a field stands: output=model_answer, gold=/meta/answer, id=…");
  line.add_threads();
  line.add_progress();
  if (!line.parse(arguments)) return kDone;
  static_cast<void>(line.store());
  if (line.positional().size() < 2) throw Error(ErrorCode::kUsage, "the files to import are missing");
  const bool bytes = line.text("tokenizer") == "bytes";
  const auto tokenizer = bytes ? nullptr : record::load_tokenizer(line.text("tokenizer"));
  const std::string policy =
      line.text("policy").empty() ? "" : record::make_attention_policy(line.text("policy")).spec;
  const schemas::WriterLock lock(line.store());
  ImportStore to(line.store());
  Progress progress(line.text("progress"), "MB read");
  std::vector<std::string> failures;
  ImportOptions options;
  options.files.assign(line.positional().begin() + 1, line.positional().end());
  options.format = line.text("format");
  options.fields = line.texts("field");
  options.problem_set = line.text("problem-set");
  options.model = line.text("model");
  options.policy = policy;
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
  const ImportResult result = import_into(to, options);
  progress.finish();
  print_summary(result, line.text("tokenizer"));
  warn_of_tokens_beyond_cap(to.store(), result.run_uids);
  print_failures("records that could not be imported", failures);
  if (result.cancelled) return interrupt_exit_code();
  return failures.empty() ? kDone : kSomeFailed;
}

}  // namespace lil::tools
