#pragma once

#include <span>
#include <string>

#include "schemas/trace.h"
#include "schemas/vocabulary.h"

namespace lil::analyze::page {

/// What the explorer shows of one trace, once it is opened.
struct TraceContent {
  schemas::TraceTokens tokens;
  std::span<const schemas::AnswerEvent> events;
  std::string problem;  ///< its text
  std::string gold;
};

/// The JSON object of it, see README.md of this folder. May run on any thread.
[[nodiscard]] std::string trace_text_json(const TraceContent& content, const schemas::Vocabulary& vocabulary);

}  // namespace lil::analyze::page
