#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "analyze/extraction.h"
#include "schemas/run_store.h"
#include "schemas/store.h"
#include "schemas/trace_store.h"

namespace lil::analyze {

/// How far grading has come.
struct GradeProgress {
  std::int64_t traces_done = 0;  ///< failed ones included
  std::int64_t traces_total = 0;
};

/// What to grade and how; the results depend on the filter alone.
struct GradeOptions {
  schemas::TraceFilter filter{};  ///< complete_only is taken as true
  int threads = 1;
  /// Called by the thread that grades, every few dozen traces.
  std::function<void(const GradeProgress&)> progress;
  /// Looked at as often. Where it turns true, what is graded is stored and grading ends. May be set by a
  /// signal handler.
  const std::atomic<bool>* cancelled = nullptr;
};

/// What grading did.
struct GradeResult {
  std::int64_t traces = 0;                 ///< that the filter selects
  std::int64_t graded = 0;                 ///< now
  std::int64_t graded_before = 0;          ///< under the same grading_name()
  std::vector<schemas::Failure> failures;  ///< stored too; in the order of the store
  bool cancelled = false;                  ///< some traces were not looked at
};

/// Finds and judges the answers of every complete trace that was not graded under grading_name(extraction)
/// yet, and stores the events under that name. A trace that the model ended itself, or whose log does not
/// say how it ended, counts as finished (find_answer_events); one that was cut off does not. Workers
/// compute; the calling thread alone uses the store, in the store's order, so its content does not depend on
/// the number of threads. A trace that fails is stored as a failure of stage `grade`, and grading goes on.
/// Throws Error where the store itself cannot be read or written; what is committed stays.
[[nodiscard]] GradeResult grade_store(schemas::Store& store, const Extraction& extraction,
                                      const GradeOptions& options);

/// The answer events of one trace, judged; what grade_store() stores.
[[nodiscard]] std::vector<schemas::AnswerEvent> grade_trace(const schemas::TraceInfo& trace,
                                                            const schemas::TraceTokens& tokens,
                                                            const schemas::Vocabulary& vocabulary,
                                                            const Extraction& extraction);

}  // namespace lil::analyze
