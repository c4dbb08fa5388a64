#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "analyze/report/figure/style.h"
#include "analyze/report/figures/report_sources.h"

namespace lil::analyze {

/// The signals of one run against each other.
struct ComparedRun {
  std::size_t run = 0;
  const SignalComparison* comparison = nullptr;
};

/// Those runs with a right answer that a figure has room for; `notes`, where given, says of which there is no
/// comparison, and why.
[[nodiscard]] std::vector<ComparedRun> compare_runs(ReportSources& sources, std::vector<std::string>* notes);

[[nodiscard]] figure::Series series_of(const ReportSources& sources, const ComparedSignal& signal);

/// How many of its signals are drawn, the first ones.
[[nodiscard]] std::size_t shown_signals(const ComparedRun& run);

/// Of each, ComparedRun::run.
[[nodiscard]] std::vector<std::size_t> indices_of(const std::vector<ComparedRun>& runs);

}  // namespace lil::analyze
