#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace lil::analyze {

/// What problems are used for.
enum class Part {
  kTune,       ///< signal, stream, list of f and thresholds are chosen on it
  kCalibrate,  ///< the p-values are computed on it
  kTest,       ///< only reports on it
};

/// `tune`, `calibrate`, `test`.
[[nodiscard]] const char* to_string(Part part);

/// A split of problems by a seeded hash: where a problem goes depends on the seed, its set and its id alone,
/// so all its repeats go together and further problems move none.
struct ProblemSplit {
  std::array<double, 3> shares{0.2, 0.4, 0.4};  ///< expected, of tune, calibrate and test; they add up to 1
  std::uint64_t seed = 0;

  /// The first 64 bits of SHA-256 over seed, problem set and id, a newline between them: puts the problems in
  /// an order that knows nothing of them.
  [[nodiscard]] std::uint64_t place(const std::string& problem_set, const std::string& problem_id) const;
  [[nodiscard]] Part part(std::uint64_t place) const;
};

}  // namespace lil::analyze
