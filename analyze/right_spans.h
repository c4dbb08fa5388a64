#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "schemas/trace.h"

namespace lil::analyze {

/// At which tokens of a trace the readable answer is right: its answer events, with all but that forgotten.
class RightSpans {
 public:
  RightSpans() = default;
  explicit RightSpans(std::span<const schemas::AnswerEvent> events);

  /// Whether the answer readable after `token` tokens is right.
  [[nodiscard]] bool at(std::int64_t token) const;
  /// At how many of the tokens first, first + 1, …, last it is; 0 where last < first.
  [[nodiscard]] std::int64_t count(std::int64_t first, std::int64_t last) const;
  /// The tokens at which it turns right, wrong, right, …
  [[nodiscard]] std::span<const std::int64_t> turns() const { return turns_; }

 private:
  std::vector<std::int64_t> turns_;
};

}  // namespace lil::analyze
