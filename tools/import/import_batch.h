#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "record/tokenizer/tokenizer.h"
#include "schemas/ids.h"
#include "tools/import/import_runs.h"
#include "tools/import/log_reader.h"

namespace lil::tools {

/// One generation, or a failure that stands in its place, on the way from the file into the store.
struct ImportItem {
  std::int64_t line = 0;
  std::int64_t column = 0;
  std::string failure;  ///< not empty: goes into the store as a failure
  ImportRun* run = nullptr;
  LogRecord log;
  std::string problem_id;
  std::int64_t repeat = 0;
  std::string uid;
  bool stored = false;  ///< the trace is in the store, complete, already

  std::vector<schemas::TokenId> ids;
  std::vector<schemas::TokenId> prompt_ids;
  bool text_differs = false;        ///< the recorded ids do not spell the logged output
  bool prompt_retokenized = false;  ///< beside recorded ids
};

/// Turns the text of every item that is to be stored into ids, or checks the ids it came with. Runs on
/// `threads` threads; what comes out does not depend on their number. Stops early where `cancel` is set.
void tokenize(std::vector<ImportItem>& items, const record::Tokenizer& tokenizer, int threads,
              const std::atomic<bool>* cancel);

}  // namespace lil::tools
