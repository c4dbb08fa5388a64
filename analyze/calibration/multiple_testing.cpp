#include "analyze/calibration/multiple_testing.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "schemas/error.h"

namespace lil::analyze {
namespace {

constexpr std::array<std::pair<const char*, Procedure>, 3> kNames{
    {{"chain", Procedure::kChain}, {"bonferroni", Procedure::kBonferroni}, {"holm", Procedure::kHolm}}};

using Certified = std::vector<std::vector<bool>>;

void certify_chains(std::span<const std::vector<double>> p_values, double level, Certified& certified) {
  for (std::size_t c = 0; c < p_values.size(); ++c) {
    for (std::size_t i = 0; i < p_values[c].size() && p_values[c][i] <= level; ++i) certified[c][i] = true;
  }
}

/// By ascending p-value, each at delta over the settings from it on (Holm) or over all (Bonferroni).
void certify_sorted(std::span<const std::vector<double>> p_values, double delta, bool step_down,
                    Certified& certified) {
  std::vector<std::pair<std::size_t, std::size_t>> order;
  for (std::size_t c = 0; c < p_values.size(); ++c) {
    for (std::size_t i = 0; i < p_values[c].size(); ++i) order.emplace_back(c, i);
  }
  std::stable_sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
    return p_values[a.first][a.second] < p_values[b.first][b.second];
  });
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const auto [c, i] = order[rank];
    const auto left = static_cast<double>(order.size() - (step_down ? rank : 0));
    if (p_values[c][i] > delta / left) return;
    certified[c][i] = true;
  }
}

}  // namespace

const char* to_string(Procedure procedure) {
  for (const auto& [name, known] : kNames) {
    if (known == procedure) return name;
  }
  return "";
}

Procedure procedure_from(const std::string& name) {
  std::string names;
  for (const auto& [known, procedure] : kNames) {
    if (known == name) return procedure;
    names += (names.empty() ? "" : ", ") + std::string(known);
  }
  throw Error(ErrorCode::kUsage, fmt::format("unknown method '{}'; known are: {}", name, names));
}

std::vector<std::vector<bool>> certify(Procedure procedure, std::span<const std::vector<double>> p_values,
                                       double delta) {
  Certified certified;
  for (const auto& chain : p_values) certified.emplace_back(chain.size(), false);
  if (procedure == Procedure::kChain) {
    certify_chains(p_values, first_level(procedure, p_values.size(), 0, delta), certified);
  } else {
    certify_sorted(p_values, delta, procedure == Procedure::kHolm, certified);
  }
  return certified;
}

double first_level(Procedure procedure, std::size_t chains, std::size_t settings, double delta) {
  const std::size_t tests = procedure == Procedure::kChain ? chains : settings;
  return delta / static_cast<double>(std::max<std::size_t>(1, tests));
}

}  // namespace lil::analyze
