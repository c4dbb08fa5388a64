#include "tools/import/importer.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "schemas/error.h"
#include "schemas/run_store.h"
#include "schemas/sha256.h"
#include "schemas/trace_store.h"
#include "tools/import/byte_source.h"
#include "tools/import/choose_reader.h"
#include "tools/import/gold_answer.h"
#include "tools/import/import_batch.h"
#include "tools/import/import_runs.h"
#include "tools/import/json_records.h"
#include "tools/import/log_fields.h"

namespace lil::tools {
namespace {

using schemas::TokenSource;

// A batch is a transaction: what a kill or a cancellation loses at most.
constexpr std::size_t kBatchItems = 256;
constexpr std::size_t kBatchTextBytes = std::size_t{8} << 20;
// TraceWriter moves what it has not written yet for every block: short pieces keep that cheap.
constexpr std::size_t kAppendTokens = 16 * static_cast<std::size_t>(schemas::kBlockTokens);

struct PreparedFile {
  InputFile file;
  ChosenReader chosen;
};

/// What is true of some records of a file and is told once, at its end.
struct Remarks {
  std::int64_t generations = 0;
  std::int64_t without_gold = 0;
  std::int64_t recorded = 0;
  std::int64_t retokenized = 0;
  std::int64_t ids_left_aside = 0;
  std::int64_t text_differs = 0;
  std::int64_t prompt_retokenized = 0;
  std::int64_t lone_surrogates = 0;
  std::int64_t first_surrogate_line = 0;
};

std::vector<std::string> sentences(const Remarks& remarks) {
  std::vector<std::string> lines;
  if (remarks.ids_left_aside > 0) {
    lines.push_back(
        fmt::format("{} generations have token ids, which mean nothing without their tokenizer: their text "
                    "is taken as bytes "
                    "(--tokenizer FILE would keep the ids)",
                    remarks.ids_left_aside));
  }
  if (remarks.recorded > 0 && remarks.retokenized > 0) {
    lines.push_back(
        fmt::format("{} generations have token ids and {} do not: they become separate runs, one of "
                    "recorded and one of retokenized ids",
                    remarks.recorded, remarks.retokenized));
  }
  if (remarks.text_differs > 0) {
    lines.push_back(
        fmt::format("the recorded ids of {} generations do not spell the logged output with this "
                    "tokenizer: the ids are kept",
                    remarks.text_differs));
  }
  if (remarks.prompt_retokenized > 0) {
    lines.push_back(
        fmt::format("{} generations have recorded ids, but a prompt in text alone, which is retokenized",
                    remarks.prompt_retokenized));
  }
  if (remarks.lone_surrogates > 0) {
    lines.push_back(
        fmt::format("{} escapes are half of a surrogate pair and are read as U+FFFD (first on line {})",
                    remarks.lone_surrogates, remarks.first_surrogate_line));
  }
  if (remarks.generations > 0 && remarks.without_gold == remarks.generations) {
    lines.emplace_back(
        "no record has a right answer, so none of these traces can be graded (--field gold=KEY)");
  }
  return lines;
}

/// One import: the store and what is shared by its files.
class Importer {
 public:
  Importer(schemas::Store& store, const ImportOptions& options, const record::Tokenizer& tokenizer)
      : store_(store), options_(options), tokenizer_(tokenizer), fields_(FieldMap::parse(options.fields)) {}

  ImportResult run();

 private:
  void prepare();
  void import_file(const PreparedFile& prepared);
  void add_record(const PreparedFile& prepared, const JsonRecord& record);
  void add_log(LogRecord log, const JsonRecord& record);
  void place(ImportItem& item, const JsonRecord& record);
  TokenSource token_source_of(const LogRecord& log);
  void add_failure(std::int64_t line, std::int64_t column, std::string reason);
  [[nodiscard]] bool batch_is_full() const;
  void flush(const PreparedFile& prepared);
  void write(const PreparedFile& prepared, ImportItem& item);
  void write_trace(ImportRun& run, schemas::RunKey key, ImportItem& item);
  void write_failure(const PreparedFile& prepared, const ImportItem& item,
                     std::optional<schemas::RunKey> run);
  void close_runs(const PreparedFile& prepared);
  schemas::TokenizerKey tokenizer_key();
  void report_progress(const PreparedFile& prepared, std::int64_t file_bytes_read);
  [[nodiscard]] bool is_cancelled() const { return options_.cancel != nullptr && *options_.cancel; }

  schemas::Store& store_;
  const ImportOptions& options_;
  const record::Tokenizer& tokenizer_;
  FieldMap fields_;
  std::vector<PreparedFile> files_;
  std::string tokenizer_sha256_;
  std::optional<schemas::TokenizerKey> tokenizer_key_;
  std::int64_t bytes_total_ = 0;
  std::int64_t bytes_of_past_files_ = 0;
  ImportResult result_;

  // Of the file that is being read.
  std::optional<ImportRuns> runs_;
  Remarks remarks_;
  std::vector<ImportItem> batch_;
  std::size_t batch_text_bytes_ = 0;
};

void Importer::prepare() {
  for (const auto& path : options_.files) {
    InputFile file = InputFile::open(path);
    ChosenReader chosen = choose_reader(file, options_.format, fields_);
    bytes_total_ += file.size_bytes();
    files_.push_back({std::move(file), std::move(chosen)});
  }
  const schemas::Vocabulary& vocabulary = tokenizer_.vocabulary();
  tokenizer_sha256_ = schemas::sha256_hex(vocabulary.kind() + "\n" + vocabulary.serialize());
}

ImportResult Importer::run() {
  prepare();
  for (const PreparedFile& prepared : files_) {
    import_file(prepared);
    if (result_.cancelled) break;
  }
  return std::move(result_);
}

void Importer::import_file(const PreparedFile& prepared) {
  remarks_ = {};
  runs_.emplace(RunSource{.reader = prepared.chosen.name,
                          .fields = fields_.specs(),
                          .file_sha256 = prepared.file.sha256(),
                          .tokenizer_sha256 = tokenizer_sha256_,
                          .stem = prepared.file.stem(),
                          .problem_set = options_.problem_set,
                          .model = options_.model,
                          .policy = options_.policy,
                          .created = options_.created,
                          .tool_version = options_.tool_version});
  JsonRecordReader records(prepared.file.reader(), [this](const BadRecord& bad) {
    ++result_.records;
    add_failure(bad.line, bad.column, bad.reason);
  });
  while (!is_cancelled()) {
    const JsonRecord* record = records.next();
    if (record == nullptr) break;
    add_record(prepared, *record);
    if (!batch_is_full()) continue;
    flush(prepared);
    report_progress(prepared, records.file_bytes_read());
  }
  flush(prepared);
  bytes_of_past_files_ += records.file_bytes_read();
  report_progress(prepared, 0);
  result_.bytes = bytes_of_past_files_;
  result_.cancelled = is_cancelled();
  close_runs(prepared);
  if (!options_.warning || result_.cancelled) return;
  for (const std::string& sentence : sentences(remarks_)) {
    options_.warning(fmt::format("{}: {}", prepared.file.path(), sentence));
  }
}

void Importer::add_failure(std::int64_t line, std::int64_t column, std::string reason) {
  ImportItem& item = batch_.emplace_back();
  item.line = line;
  item.column = column;
  item.failure = std::move(reason);
}

void Importer::add_record(const PreparedFile& prepared, const JsonRecord& record) {
  ++result_.records;
  if (record.lone_surrogates > 0) {
    if (remarks_.lone_surrogates == 0) remarks_.first_surrogate_line = record.line;
    remarks_.lone_surrogates += record.lone_surrogates;
  }
  try {
    std::vector<LogRecord> logs = prepared.chosen.reader->read(*record.value);
    if (logs.empty()) add_failure(record.line, 0, "the record holds no generation");
    for (LogRecord& log : logs) {
      apply_given_fields(fields_, *record.value, log);
      add_log(std::move(log), record);
    }
  } catch (const Error& error) {
    add_failure(record.line, 0, error.what());
  }
}

void Importer::add_log(LogRecord log, const JsonRecord& record) {
  ImportItem& item = batch_.emplace_back();
  item.line = record.line;
  item.problem_id = log.problem_id.empty() ? fmt::format("{}", record.index) : log.problem_id;
  item.log = std::move(log);
  if (!item.log.failure.empty()) {
    item.failure = fmt::format("problem '{}': {}", item.problem_id, item.log.failure);
    return;
  }
  batch_text_bytes_ += item.log.output.size();
  try {
    place(item, record);
  } catch (const Error& error) {
    item.failure = error.what();
  }
}

/// Finds the run, repeat and uid of a generation.
void Importer::place(ImportItem& item, const JsonRecord& record) {
  const LogRecord& log = item.log;
  ++remarks_.generations;
  if (log.gold.empty()) ++remarks_.without_gold;
  item.run = &runs_->run_of(log.run, token_source_of(log));
  item.repeat = item.run->take_repeat(log, item.problem_id, record.line);
  const schemas::RunRecord& run = item.run->record();
  item.uid = schemas::trace_uid(run.uid, run.problem_set, item.problem_id, item.repeat);
  item.stored = schemas::has_complete_trace(store_, item.uid);
}

TokenSource Importer::token_source_of(const LogRecord& log) {
  const bool has_ids = log.ids && (!log.ids->empty() || log.output.empty());
  if (options_.tokenizer == nullptr) {
    if (has_ids && log.output.empty() && !log.ids->empty()) {
      throw Error(ErrorCode::kInput,
                  "there are token ids but no text: they need their tokenizer (--tokenizer FILE)");
    }
    if (has_ids) ++remarks_.ids_left_aside;
    return TokenSource::kRetokenized;
  }
  ++(has_ids ? remarks_.recorded : remarks_.retokenized);
  return has_ids ? TokenSource::kRecorded : TokenSource::kRetokenized;
}

bool Importer::batch_is_full() const {
  return batch_.size() >= kBatchItems || batch_text_bytes_ >= kBatchTextBytes;
}

void Importer::flush(const PreparedFile& prepared) {
  tokenize(batch_, tokenizer_, options_.threads, options_.cancel);
  if (!is_cancelled()) {
    schemas::Transaction transaction(store_);
    for (ImportItem& item : batch_) write(prepared, item);
    transaction.commit();
  }
  batch_.clear();
  batch_text_bytes_ = 0;
}

schemas::TokenizerKey Importer::tokenizer_key() {
  if (!tokenizer_key_) tokenizer_key_ = schemas::put_tokenizer(store_, tokenizer_.vocabulary());
  return *tokenizer_key_;
}

void Importer::write(const PreparedFile& prepared, ImportItem& item) {
  if (item.run == nullptr) {  // it failed before a run was found for it
    write_failure(prepared, item, std::nullopt);
    return;
  }
  ImportRun& run = *item.run;
  if (item.stored) {
    ++result_.traces_skipped;
    run.has_traces = true;
    return;
  }
  const schemas::RunKey key = run.key(store_, tokenizer_key());
  if (item.failure.empty()) {
    try {
      write_trace(run, key, item);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kConflict && error.code() != ErrorCode::kInput) throw;
      item.failure = error.what();
    }
  }
  if (!item.failure.empty()) write_failure(prepared, item, key);
}

void Importer::write_trace(ImportRun& run, schemas::RunKey key, ImportItem& item) {
  schemas::Transaction transaction(store_);
  const LogRecord& log = item.log;
  const auto problem = schemas::put_problem(store_, {.set = run.record().problem_set,
                                                     .id = item.problem_id,
                                                     .text = log.problem,
                                                     .gold = log.gold,
                                                     .kind = answer_kind_of(log.gold)});
  schemas::TraceWriter writer(store_, {.uid = item.uid,
                                       .run = key,
                                       .problem = problem,
                                       .repeat = item.repeat,
                                       .seed = 0,
                                       .prompt_ids = std::move(item.prompt_ids),
                                       .source = run.token_source()});
  std::span<const schemas::TokenId> rest = item.ids;
  while (!rest.empty()) {
    const std::size_t count = std::min(rest.size(), kAppendTokens);
    writer.append({.ids = rest.first(count), .logprob = {}, .entropy = {}, .attended = {}});
    rest = rest.subspan(count);
  }
  writer.finish(log.finish, 0, 0);
  transaction.commit();
  run.has_traces = true;
  ++result_.traces_added;
  result_.tokens += static_cast<std::int64_t>(item.ids.size());
  if (item.text_differs) ++remarks_.text_differs;
  if (item.prompt_retokenized) ++remarks_.prompt_retokenized;
}

void Importer::write_failure(const PreparedFile& prepared, const ImportItem& item,
                             std::optional<schemas::RunKey> run) {
  ++result_.failed;
  schemas::Failure failure;
  failure.run = run;
  failure.subject = fmt::format("{}:{}", prepared.file.name(), item.line);
  if (item.column > 0) failure.subject += fmt::format(":{}", item.column);
  failure.stage = "import";
  failure.message = item.failure;
  schemas::put_failure(store_, failure);
  if (options_.failure) options_.failure({prepared.file.path(), item.line, item.column, item.failure});
}

/// Every record of the file has been looked at: its runs are complete, also those that an import which was
/// killed left open.
void Importer::close_runs(const PreparedFile& prepared) {
  schemas::Transaction transaction(store_);
  for (ImportRun* run : runs_->in_order()) {
    if (!run->has_traces) continue;
    if (!result_.cancelled) {
      schemas::set_run_status(store_, run->key(store_, tokenizer_key()), "complete");
    }
    result_.run_uids.push_back(run->record().uid);
    result_.run_files.push_back(prepared.file.path());
  }
  transaction.commit();
}

void Importer::report_progress(const PreparedFile& prepared, std::int64_t file_bytes_read) {
  if (!options_.progress) return;
  options_.progress({.file = prepared.file.path(),
                     .bytes_read = bytes_of_past_files_ + file_bytes_read,
                     .bytes_total = bytes_total_,
                     .records = result_.records,
                     .tokens = result_.tokens});
}

}  // namespace

std::string ImportFailure::text() const {
  return column > 0 ? fmt::format("{}:{}:{}: {}", file, line, column, reason)
                    : fmt::format("{}:{}: {}", file, line, reason);
}

ImportResult import_files(schemas::Store& store, const ImportOptions& options) {
  if (options.tokenizer != nullptr) return Importer(store, options, *options.tokenizer).run();
  const auto bytes = record::bytes_tokenizer();
  return Importer(store, options, *bytes).run();
}

}  // namespace lil::tools
