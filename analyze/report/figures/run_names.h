#pragma once

#include <vector>

#include "analyze/report/figures/report_sources.h"

namespace lil::analyze {

/// Names every run so that no two are alike and nothing is said that all have in common: its setting, its
/// policy with the parameters that differ between runs of the same name and budget, and the series of its
/// family.
void name_runs(std::vector<ReportedRun>& runs);

}  // namespace lil::analyze
