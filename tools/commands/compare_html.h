#pragma once

#include <string>
#include <vector>

#include "analyze/compare/compare_runs.h"

namespace lil::tools {

/// Two runs held against each other, with the files that they are in; what is pointed at lives elsewhere.
struct ComparedRuns {
  std::string store_a;
  std::string store_b;
  const analyze::TraceGroup* a = nullptr;
  const analyze::TraceGroup* b = nullptr;
  const analyze::PairedRuns* runs = nullptr;
};

/// One page that needs no other file: a line a pair, and the tokens of every problem in A and in B. Stores
/// are named by their file names alone.
[[nodiscard]] std::string compare_html(const std::vector<ComparedRuns>& pairs);

}  // namespace lil::tools
