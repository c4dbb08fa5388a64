#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/ids.h"
#include "schemas/probe_store.h"
#include "schemas/vocabulary.h"

namespace lil::record {

/// How answers are asked for while generations run. No part of what a run is: its tokens are the same
/// without.
struct ProbeOptions {
  std::int64_t every_tokens = 0;  ///< after so many generated tokens, twice as many, …; 0: never
  std::int64_t most_tokens = 32;  ///< of an answer
  std::string closing;            ///< text put after what was generated, before the answer
};

/// From `every=N`, `every=N,tokens=32`, and last, since it may hold anything, `closing=TEXT` in which `\n` is
/// a line end and `\\` a backslash. Where no closing is given it is `\n\n\boxed{`, and before that `</think>`
/// where the template opens a `<think>`. Throws Error(kUsage).
[[nodiscard]] ProbeOptions parse_probe_options(const std::string& text, std::string_view template_text);

/// A probe's answer as it comes, token by token. Copyable; the vocabulary outlives it.
class ProbeAnswer {
 public:
  /// After `token` generated tokens of a trace.
  ProbeAnswer(const ProbeOptions& options, std::int64_t token, const schemas::Vocabulary& vocabulary);

  /// Adds a generated token; true where it is the last. `ends`: it is an end-of-sequence token. Throws
  /// Error(kInput) for an id that the vocabulary has not.
  [[nodiscard]] bool add(schemas::TokenId id, bool ends);
  [[nodiscard]] const schemas::Probe& probe() const { return probe_; }

 private:
  [[nodiscard]] bool add_text(std::string_view bytes);

  const schemas::Vocabulary* vocabulary_;
  std::int64_t most_tokens_;
  schemas::Probe probe_;
  std::string bytes_;
  std::int64_t open_braces_ = 0;
  bool escaped_ = false;  ///< the next character follows a backslash
};

}  // namespace lil::record
