#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "schemas/store.h"
#include "schemas/trace.h"
#include "schemas/vocabulary.h"

namespace lil::schemas {

/// 16 hexadecimal digits of the SHA-256 of the resolved configuration.
[[nodiscard]] std::string run_uid(const std::string& configuration);

/// What went wrong with which problem (or record of a log), at which stage. The run goes on.
struct Failure {
  std::optional<RunKey> run;
  std::string subject;  ///< problem id, or file and line
  std::string stage;    ///< `import`, `prefill`, `decode`, `probe`, `replay`, `grade`
  std::string message;
};

/// All put_ functions return the key of the row; what is there already is not written twice.
TokenizerKey put_tokenizer(Store& store, const Vocabulary& vocabulary);
RunKey put_run(Store& store, const RunRecord& run);
void set_run_status(Store& store, RunKey run, const std::string& status);
/// Throws Error(kConflict) where the set has another problem, or another gold answer, under this id.
ProblemKey put_problem(Store& store, const Problem& problem);
void put_failure(Store& store, const Failure& failure);

/// A run with its key in this store.
struct StoredRun {
  RunKey key{};
  RunRecord record;
};

/// In order of first writing.
[[nodiscard]] std::vector<StoredRun> list_runs(const Store& store);
[[nodiscard]] std::vector<Failure> list_failures(const Store& store);
[[nodiscard]] Problem read_problem(const Store& store, ProblemKey problem);
[[nodiscard]] Vocabulary read_vocabulary(const Store& store, TokenizerKey tokenizer);

/// The vocabularies of a store: they are large and shared by many traces, so each is read once, when it is
/// first asked for. What get() returns stays where it is while this lives, and may be read by other threads.
/// Holds a reference to the store.
class Vocabularies {
 public:
  explicit Vocabularies(const Store& store) : store_(store) {}

  /// Throws as read_vocabulary does.
  [[nodiscard]] const Vocabulary& get(TokenizerKey tokenizer);

 private:
  const Store& store_;
  std::map<TokenizerKey, Vocabulary> read_;
};

}  // namespace lil::schemas
