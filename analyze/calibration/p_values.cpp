#include "analyze/calibration/p_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/math/special_functions/beta.hpp>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "schemas/error.h"

namespace lil::analyze {
namespace {

constexpr std::array<std::pair<const char*, PValue>, 3> kNames{
    {{"binomial", PValue::kBinomial}, {"hb", PValue::kHoeffdingBentkus}, {"wsr", PValue::kBetting}}};

constexpr std::size_t kBets = 8;

/// a log(a / b), 0 at a = 0.
double relative_log(double a, double b) {
  return a == 0 ? 0 : a * std::log(a / b);
}

double total(std::span<const double> losses) {
  return std::accumulate(losses.begin(), losses.end(), 0.0);
}

/// The most that the mean capital over all bets ever was, with the losses again and again up to `count`.
double most_capital(std::span<const double> losses, std::int64_t count, double alpha) {
  std::array<double, kBets> capital;
  capital.fill(1.0 / kBets);
  double most = 1;
  for (std::int64_t i = 0; i < count; ++i) {
    const double edge = (alpha - losses[static_cast<std::size_t>(i) % losses.size()]) / (1 - alpha);
    double sum = 0;
    for (std::size_t bet = 0; bet < kBets; ++bet) {
      const double stake = static_cast<double>(bet + 1) / kBets;
      // Rounding must not take the largest bet's capital below nothing.
      capital[bet] *= std::max(0.0, 1 + stake * edge);
      sum += capital[bet];
    }
    most = std::max(most, sum);
  }
  return most;
}

/// The p-value of `count` problems with losses like these.
double p_value_of_more(PValue kind, std::span<const double> losses, std::int64_t count, double alpha) {
  const double sum = total(losses) / static_cast<double>(losses.size()) * static_cast<double>(count);
  switch (kind) {
    case PValue::kBinomial:
      // A sum that is whole but for rounding must not become one more.
      return binomial_p_value(static_cast<std::int64_t>(std::ceil(sum - 1e-9)), count, alpha);
    case PValue::kHoeffdingBentkus:
      return hoeffding_bentkus_p_value(sum, count, alpha);
    case PValue::kBetting:
      return std::min(1.0, 1 / most_capital(losses, count, alpha));
  }
  return 1;
}

}  // namespace

const char* to_string(PValue kind) {
  for (const auto& [name, known] : kNames) {
    if (known == kind) return name;
  }
  return "";
}

PValue p_value_from(const std::string& name) {
  std::string names;
  for (const auto& [known, kind] : kNames) {
    if (known == name) return kind;
    names += (names.empty() ? "" : ", ") + std::string(known);
  }
  throw Error(ErrorCode::kUsage, fmt::format("unknown p-value '{}'; known are: {}", name, names));
}

double binomial_p_value(std::int64_t losses, std::int64_t problems, double alpha) {
  assert(0 <= losses && losses <= problems && alpha > 0 && alpha < 1);
  if (losses == problems) return 1;
  return boost::math::ibetac(static_cast<double>(losses) + 1, static_cast<double>(problems - losses), alpha);
}

double hoeffding_bentkus_p_value(double sum, std::int64_t problems, double alpha) {
  assert(sum >= 0 && alpha > 0 && alpha < 1);
  if (problems == 0) return 1;
  const auto n = static_cast<double>(problems);
  const double mean = std::min(sum / n, alpha);
  const double hoeffding = std::exp(-n * (relative_log(mean, alpha) + relative_log(1 - mean, 1 - alpha)));
  const auto whole = static_cast<std::int64_t>(std::ceil(sum));
  const double bentkus = std::exp(1.0) * binomial_p_value(std::min(whole, problems), problems, alpha);
  return std::min({1.0, hoeffding, bentkus});
}

double betting_p_value(std::span<const double> losses, double alpha) {
  assert(alpha > 0 && alpha < 1);
  return std::min(1.0, 1 / most_capital(losses, static_cast<std::int64_t>(losses.size()), alpha));
}

double p_value(PValue kind, std::span<const double> losses, double alpha) {
  const auto count = static_cast<std::int64_t>(losses.size());
  switch (kind) {
    case PValue::kBinomial:
      return binomial_p_value(std::count(losses.begin(), losses.end(), 1.0), count, alpha);
    case PValue::kHoeffdingBentkus:
      return hoeffding_bentkus_p_value(total(losses), count, alpha);
    case PValue::kBetting:
      return betting_p_value(losses, alpha);
  }
  return 1;
}

std::optional<std::int64_t> problems_needed(PValue kind, std::span<const double> losses, double alpha,
                                            double level) {
  if (losses.empty()) return std::nullopt;
  const std::int64_t most = kind == PValue::kBetting ? 100'000 : 10'000'000;
  std::int64_t enough = 1;
  while (p_value_of_more(kind, losses, enough, alpha) > level) {
    if (enough == most) return std::nullopt;
    enough = std::min(2 * enough, most);
  }
  std::int64_t too_few = enough / 2;
  while (too_few + 1 < enough) {
    const std::int64_t middle = too_few + (enough - too_few) / 2;
    (p_value_of_more(kind, losses, middle, alpha) <= level ? enough : too_few) = middle;
  }
  return enough;
}

std::int64_t problems_needed_without_loss(PValue kind, double alpha, double level, double none) {
  const std::array<double, 1> losses{none};
  return problems_needed(kind, losses, alpha, level).value_or(std::numeric_limits<std::int64_t>::max());
}

}  // namespace lil::analyze
