#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyze/cell_sources.h"
#include "analyze/intervals.h"

namespace lil::analyze {

/// What to put into a report. The same request of the same store gives the same bytes.
struct ReportRequest : SourceRequest {
  std::vector<std::string> rules{
      "guardian(f=250,t=20)"};  ///< marked in figures, switched on and off in traces
  double alpha = 0.02;          ///< bound of the risk `harm`
  double delta = 0.05;          ///< chance that the bound does not hold
  Bootstrap bootstrap{};
  std::int64_t most_traces = 200;  ///< that the explorer holds; fewer where the page would grow too large
  std::int64_t most_bytes = 10'000'000;  ///< of the page
  int threads = 1;
};

}  // namespace lil::analyze
