#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "schemas/run_store.h"
#include "schemas/trace.h"
#include "tools/import/log_reader.h"

namespace lil::tools {

/// What all runs out of one file have in common.
struct RunSource {
  std::string reader;
  std::vector<std::string> fields;  ///< as FieldMap::specs()
  std::string file_sha256;
  std::string tokenizer_sha256;
  std::string stem;         ///< model and problem set where nothing else names them
  std::string problem_set;  ///< for every record; empty: what the record says
  std::string model;        ///< of every record; empty: what the record says
  std::string policy;       ///< of every record; empty: what the record says
  std::string created;
  std::string tool_version;
};

/// One run of a file while it is imported.
class ImportRun {
 public:
  ImportRun(const RunSource& source, const LogRun& log, schemas::TokenSource tokens);

  [[nodiscard]] const schemas::RunRecord& record() const { return record_; }
  [[nodiscard]] schemas::TokenSource token_source() const { return token_source_; }
  /// The number of this generation among those of its problem. Throws Error(kConflict) where the problem
  /// has another text or this repeat already, naming the line.
  std::int64_t take_repeat(const LogRecord& log, const std::string& problem_id, std::int64_t line);
  /// The row's key, written on first use.
  schemas::RunKey key(schemas::Store& store, schemas::TokenizerKey tokenizer);

  bool has_traces = false;

 private:
  struct SeenProblem {
    std::int64_t line = 0;
    std::size_t text_hash = 0;
    std::set<std::int64_t> repeats;
  };

  schemas::RunRecord record_;
  schemas::TokenSource token_source_;
  std::optional<schemas::RunKey> key_;
  std::unordered_map<std::string, SeenProblem> problems_;
};

/// The runs of one file, made as its records ask for them.
class ImportRuns {
 public:
  explicit ImportRuns(RunSource source) : source_(std::move(source)) {}

  /// Valid as long as this.
  ImportRun& run_of(const LogRun& log, schemas::TokenSource tokens);
  /// In order of first sight.
  [[nodiscard]] const std::vector<ImportRun*>& in_order() const { return in_order_; }

 private:
  RunSource source_;
  std::map<std::pair<LogRun, schemas::TokenSource>, ImportRun> runs_;
  std::vector<ImportRun*> in_order_;
};

}  // namespace lil::tools
