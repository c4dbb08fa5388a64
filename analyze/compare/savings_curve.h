#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "analyze/frontier.h"

namespace lil::analyze {

/// The savings and the accuracy of a guardian over all thresholds, as a step function of the savings: at a
/// share of tokens saved, the accuracy of the smallest threshold that saves at least that share; 0 past the
/// most that any threshold saves.
class SavingsCurve {
 public:
  /// `problems[i]` is the problem of trace i.
  SavingsCurve(std::span<const FrontierTrace> traces, std::span<const std::size_t> problems);

  /// The area under it, from 0 to 1; never more than the accuracy of whole traces unless stopping helps.
  /// `times[p]` is how often the traces of problem p count; empty: once each. 0 of no tokens.
  [[nodiscard]] double area(std::span<const std::int32_t> times = {}) const;

 private:
  /// From threshold t on a trace stops elsewhere.
  struct Move {
    std::int64_t t = 0;
    std::size_t problem = 0;
    std::int64_t saved = 0;  ///< tokens more than before
    std::int64_t right = 0;  ///< -1, 0 or 1: what becomes of its answer
  };
  struct Whole {
    std::size_t problem = 0;
    std::int64_t tokens = 0;
    std::int64_t right = 0;
  };
  std::vector<Move> moves_;  ///< by t
  std::vector<Whole> wholes_;
};

}  // namespace lil::analyze
