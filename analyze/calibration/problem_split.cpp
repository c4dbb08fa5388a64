#include "analyze/calibration/problem_split.h"

#include <fmt/format.h>

#include <cmath>

#include "schemas/sha256.h"

namespace lil::analyze {

const char* to_string(Part part) {
  switch (part) {
    case Part::kTune:
      return "tune";
    case Part::kCalibrate:
      return "calibrate";
    case Part::kTest:
      return "test";
  }
  return "";
}

std::uint64_t ProblemSplit::place(const std::string& problem_set, const std::string& problem_id) const {
  constexpr std::size_t kDigits = 16;  // of four bits each
  const std::string hash = schemas::sha256_hex(fmt::format("{}\n{}\n{}", seed, problem_set, problem_id));
  return std::stoull(hash.substr(0, kDigits), nullptr, 16);
}

Part ProblemSplit::part(std::uint64_t place) const {
  const double at = std::ldexp(static_cast<double>(place), -64);
  if (at < shares[0]) return Part::kTune;
  return at < shares[0] + shares[1] ? Part::kCalibrate : Part::kTest;
}

}  // namespace lil::analyze
