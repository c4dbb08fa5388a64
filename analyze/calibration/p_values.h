#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace lil::analyze {

/// Ways to a p-value for "the expected loss of a problem is alpha or more". Each is at most u with
/// probability at most u where that is so, for every u and every number of problems, if the problems are
/// independent draws.
enum class PValue {
  kBinomial,          ///< losses are 0 or 1
  kHoeffdingBentkus,  ///< losses in [0, 1]
  kBetting,           ///< losses in [0, 1]
};

/// `binomial`, `hb`, `wsr`.
[[nodiscard]] const char* to_string(PValue kind);
/// Inverse of to_string. Throws Error(kUsage) that lists the known names.
[[nodiscard]] PValue p_value_from(const std::string& name);

/// P(X <= losses), X binomial(problems, alpha): exact, from the whole number of losses. 1 of no problems.
[[nodiscard]] double binomial_p_value(std::int64_t losses, std::int64_t problems, double alpha);

/// min(exp(-n h(min(m, alpha), alpha)), e P(Bin(n, alpha) <= ceil(n m))) for n problems whose losses have the
/// mean m = sum / n, where h(a, b) = a log(a / b) + (1 - a) log((1 - a) / (1 - b)): the tighter of
/// Hoeffding's and Bentkus's inequalities. [Bates, Angelopoulos, Lei, Malik, Jordan 2021, "Distribution-free,
/// risk-controlling prediction sets"; Angelopoulos et al. 2021, "Learn then Test", arXiv 2110.01052]
[[nodiscard]] double hoeffding_bentkus_p_value(double sum, std::int64_t problems, double alpha);

/// Testing by betting: if the expected loss is alpha or more, the capital of one who stakes on lower losses,
/// K_i = K_{i-1} (1 - bet (loss_i - alpha)), is a non-negative supermartingale for every bet in
/// [0, 1 / (1 - alpha)], and so is the mean of several. p = 1 / (the most the capital ever was), at most 1,
/// by Ville's inequality. The bets are the multiples of an eighth of the largest, each with an equal share:
/// what the best of them earns is lost but for a factor of 8, whatever the losses. [Waudby-Smith, Ramdas
/// 2020, "Estimating means of bounded random variables by betting", arXiv 2010.09686: the capital process,
/// and its mixture "diversified Kelly"] The order of the losses matters and must not depend on them.
[[nodiscard]] double betting_p_value(std::span<const double> losses, double alpha);

/// The p-value of `kind` for losses of problems: `kBinomial` wants each to be 0 or 1, the others in [0, 1].
[[nodiscard]] double p_value(PValue kind, std::span<const double> losses, double alpha);

/// The smallest number of problems whose p-value is at most `level` if losses go on as in `losses`: with the
/// same mean, rounded up to whole losses for kBinomial; for kBetting with the same losses over and over, and
/// found by halving an interval, so not always the very smallest. Nothing where ten million are not enough
/// (a hundred thousand, for kBetting).
[[nodiscard]] std::optional<std::int64_t> problems_needed(PValue kind, std::span<const double> losses,
                                                          double alpha, double level);

/// The same where every problem had the loss `none`: 0, or unit_loss() of 0 for a signed risk.
[[nodiscard]] std::int64_t problems_needed_without_loss(PValue kind, double alpha, double level,
                                                        double none = 0);

}  // namespace lil::analyze
