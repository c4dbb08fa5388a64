#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "analyze/cell_sources.h"
#include "analyze/cells.h"
#include "analyze/compare/loop_onset.h"
#include "analyze/intervals.h"
#include "schemas/store.h"

namespace lil::analyze {

/// epsilon(Ls) of rho - epsilon(Ls) <= h(Ls - 1) <= rho for a Lempel-Ziv code with a longest match of Ls
/// symbols over `alphabet` symbols: (3 + 3 log(Ls - 1) + log(Ls / 2)) / Ls, the logarithms to base `alphabet`
/// [Ziv, Lempel 1977, "A Universal Algorithm for Sequential Data Compression", IEEE Trans. IT 23, Theorem 1].
/// For deflate's 258 bytes it is 0.0267, 27 bytes in 1000: more than the 20 bytes per 250 tokens that
/// Guardian's t asks for, so the bound justifies no t. It is reported beside rho and nothing is claimed by
/// it: its sources are constrained ones, and a trace is a single string.
[[nodiscard]] double ziv_lempel_epsilon(std::int64_t longest_match, double alphabet = 256);

/// What a signal says of one trace up to the last grid point of its curve.
struct TraceInformation {
  std::int64_t token = 0;  ///< that grid point
  std::int64_t bytes = 0;  ///< of the stream up to it, a prompt in it counted
  std::int64_t value = 0;  ///< of the signal there
  double rho = 0;          ///< value / bytes: for a compressor its ratio; 0 of no bytes
  std::optional<Loop> loop;
};

using Quartiles = std::array<double, 3>;  ///< 25, 50 and 75 %, interpolated between neighbours

/// The curves of many traces at one number of tokens.
struct GrowthPoint {
  std::int64_t token = 0;
  std::int64_t traces = 0;  ///< that are as long as that
  Quartiles value{};
  Quartiles growth{};  ///< since the point before
};

/// One signal on one stream over the traces of a run and problem set.
struct MeasuredGroup {
  const TraceGroup* group = nullptr;  ///< lives as long as the call of `take`
  Measure measure;
  std::string version;
  std::vector<TraceInformation> traces;  ///< in the order of the group
  std::vector<GrowthPoint> growth;       ///< every step
  Estimate rho;                          ///< sum of values / sum of bytes, bootstrap over problems
  Quartiles rho_quartiles{};             ///< over traces
};

/// What to measure.
struct InformationRequest : SourceRequest {
  std::int64_t step_tokens = 250;
  LoopDefinition loop{};
  Bootstrap bootstrap{};
};

/// The data of the paper's figures 2 (information of the outputs) and 3 (compressed length against steps).
/// Hands over runs and problem sets as in the store, their signals and streams as choose_measures() has them.
/// Throws as analyze_cells() does.
void measure_information(const schemas::Store& store, const InformationRequest& request,
                         const std::function<void(const MeasuredGroup&)>& take);

}  // namespace lil::analyze
