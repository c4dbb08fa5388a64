#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "record/tokenizer/tokenizer.h"
#include "schemas/store.h"

namespace lil::tools {

/// How far an import has come.
struct ImportProgress {
  std::string file;             ///< as given
  std::int64_t bytes_read = 0;  ///< of all files, as they are on disk
  std::int64_t bytes_total = 0;
  std::int64_t records = 0;
  std::int64_t tokens = 0;
};

/// A record, or a generation in it, that did not become a trace. It is also kept in the store.
struct ImportFailure {
  std::string file;         ///< as given
  std::int64_t line = 0;    ///< on which the record starts, or, of malformed JSON, where it goes wrong
  std::int64_t column = 0;  ///< in bytes, from 1; 0 where the whole record is meant
  std::string reason;

  /// `file:line:column: reason`
  [[nodiscard]] std::string text() const;
};

/// What to import and how.
struct ImportOptions {
  std::vector<std::filesystem::path> files;      ///< `-` is standard input
  std::string format;                            ///< a row of log_readers(); empty: by content, for each file
  std::vector<std::string> fields;               ///< `output=model_answer`, `gold=/meta/answer`, …
  std::string problem_set;                       ///< empty: what the record says, else the file's stem
  std::string model;                             ///< empty: what the record says, else the file's stem
  std::string policy;                            ///< resolved; empty: what the record says, else `unknown`
  const record::Tokenizer* tokenizer = nullptr;  ///< null: each byte of the text a token
  int threads = 1;                               ///< that tokenise; the store does not depend on it
  std::string created;                           ///< UTC, ISO 8601: when the import runs
  std::string tool_version;

  /// Set by another thread or a signal handler to stop after what has been committed.
  const std::atomic<bool>* cancel = nullptr;
  /// Called on the calling thread; empty ones are not called.
  std::function<void(const ImportProgress&)> progress;
  std::function<void(const std::string&)> warning;
  std::function<void(const ImportFailure&)> failure;
};

/// What an import did.
struct ImportResult {
  std::int64_t records = 0;  ///< seen, malformed ones included
  std::int64_t traces_added = 0;
  std::int64_t traces_skipped = 0;  ///< in the store already
  std::int64_t failed = 0;          ///< calls of ImportOptions::failure; not 0: the program exits with 3
  std::int64_t tokens = 0;          ///< generated ones, of the traces added
  std::int64_t bytes = 0;           ///< read from the files
  bool cancelled = false;
  std::vector<std::string> run_uids;   ///< of the traces added or skipped, in order of first sight
  std::vector<std::string> run_files;  ///< of each of these runs, as given
};

/// Reads logs of other engines into a store: a run for each model, policy, sampler, cap, problem set and
/// token source in each file, with source `imported:<reader>`. A run's uid hashes these together with the
/// SHA-256 of the file, the tokenizer and the reader, but neither path nor date: importing a file twice
/// adds nothing, and an import that was cut off is completed by the next one. Rows are in the file's order.
///
/// Ids: with a tokenizer, ids that a log holds are stored as `recorded`, and text becomes `retokenized`
/// ids; a file that has both gives two runs and a warning. Without one, text becomes bytes, and ids in the
/// log are left aside with a warning.
/// Problems: a record without an id has its index in the file. Records of one id and text are repeats; one
/// of the same id and another text is a failure. A finish that the log does not say is `partial`.
///
/// Before anything is written, every file is opened and its format found. Throws Error: kUsage and kInput as
/// choose_reader() and FieldMap::parse() do, kNotFound and kEnvironment for files and store. What a record
/// lacks is no exception but a failure.
ImportResult import_files(schemas::Store& store, const ImportOptions& options);

}  // namespace lil::tools
