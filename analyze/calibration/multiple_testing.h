#pragma once

#include <span>
#include <string>
#include <vector>

namespace lil::analyze {

/// Ways of testing many settings so that, with probability at least 1 - delta, none is certified whose risk
/// is above alpha (family-wise error at most delta), whatever the dependence between their p-values.
enum class Procedure {
  /// Fixed-sequence testing: each chain in its order at delta / (number of chains), up to the first that is
  /// not rejected. [Angelopoulos et al. 2021, "Learn then Test", arXiv 2110.01052, after Bauer 1991]
  kChain,
  kBonferroni,  ///< every setting at delta / (number of settings)
  kHolm,        ///< the smallest p-value at delta / m, the next at delta / (m - 1), … [Holm 1979]
};

/// `chain`, `bonferroni`, `holm`.
[[nodiscard]] const char* to_string(Procedure procedure);
/// Inverse of to_string. Throws Error(kUsage) that lists the known names.
[[nodiscard]] Procedure procedure_from(const std::string& name);

/// Which settings are certified: `p_values[c][i]` is of setting i of chain c, in an order that was fixed
/// before the data was seen; the result has the same shape.
[[nodiscard]] std::vector<std::vector<bool>> certify(Procedure procedure,
                                                     std::span<const std::vector<double>> p_values,
                                                     double delta);

/// The level at which the first test is made: what a lone good setting must reach.
[[nodiscard]] double first_level(Procedure procedure, std::size_t chains, std::size_t settings, double delta);

}  // namespace lil::analyze
