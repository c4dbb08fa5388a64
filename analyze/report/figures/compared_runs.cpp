#include "analyze/report/figures/compared_runs.h"

#include <fmt/format.h>

#include <algorithm>

namespace lil::analyze {
namespace {

constexpr std::size_t kMostRuns = 6;
constexpr std::size_t kMostSignals = 12;

}  // namespace

std::vector<ComparedRun> compare_runs(ReportSources& sources, std::vector<std::string>* notes) {
  std::vector<ComparedRun> compared;
  for (const std::size_t run : sources.choose_runs(kMostRuns, &kWithRightAnswers)) {
    const auto& found = sources.comparison(run);
    if (found.result) {
      compared.push_back({run, &*found.result});
    } else if (notes != nullptr) {
      notes->push_back(
          fmt::format("Signals are not compared on {}: {}.", sources.runs()[run].name(), found.why_not));
    }
  }
  return compared;
}

figure::Series series_of(const ReportSources& sources, const ComparedSignal& signal) {
  return {sources.series_of(signal.measure.signal, signal.measure.stream)};
}

std::size_t shown_signals(const ComparedRun& run) {
  return std::min(kMostSignals, run.comparison->signals.size());
}

std::vector<std::size_t> indices_of(const std::vector<ComparedRun>& runs) {
  std::vector<std::size_t> indices;
  indices.reserve(runs.size());
  for (const ComparedRun& run : runs) indices.push_back(run.run);
  return indices;
}

}  // namespace lil::analyze
