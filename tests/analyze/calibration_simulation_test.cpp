// Draws many data sets whose risks are known to be just above alpha and counts how often any of them is
// certified: at most delta of the time, for every p-value and every way of choosing.
// LIL_SIMULATION_DATA_SETS=100000 makes it as thorough as one has time for.
#include <gtest/gtest.h>

#include <array>
#include <boost/math/special_functions/beta.hpp>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <random>
#include <span>
#include <vector>

#include "analyze/calibration/learn_then_test.h"
#include "analyze/calibration/multiple_testing.h"
#include "analyze/calibration/p_values.h"
#include "analyze/calibration/risks.h"

namespace lil::analyze {
namespace {

constexpr double kAlpha = 0.02;
constexpr double kDelta = 0.1;
/// How unlikely a count must be under a valid method before the test says that it is none.
constexpr double kDoubt = 1e-5;

std::int64_t data_sets(std::int64_t usual) {
  const char* asked = std::getenv("LIL_SIMULATION_DATA_SETS");
  return asked == nullptr ? usual : std::atoll(asked);
}

/// P(Bin(n, delta) >= count): how likely so many false certificates are where their rate is delta.
double chance_of(std::int64_t count, std::int64_t n, double delta) {
  return count == 0
             ? 1
             : boost::math::ibeta(static_cast<double>(count), static_cast<double>(n - count) + 1, delta);
}

enum class Losses { kHarm, kRepeats, kDrop };

/// How the settings of a data set go together. Setting s of chain c has risk `first_risk` + s * `step`.
struct World {
  const char* name;
  std::int64_t problems;
  double correlation;  ///< share of the problems whose settings all depend on the same draw
  double first_risk;   ///< of alpha
  double step;         ///< of alpha
};

constexpr std::size_t kChains = 2;
constexpr std::size_t kSettings = 4;

/// losses[c][s][problem], as p_value() takes them.
using DataSet = std::vector<std::vector<std::vector<double>>>;

class Drawer {
 public:
  explicit Drawer(std::uint64_t seed) : random_(seed) {}

  void draw(const World& world, Losses kind, DataSet& data) {
    data.assign(kChains, std::vector<std::vector<double>>(kSettings));
    for (std::int64_t i = 0; i < world.problems; ++i) {
      const bool together = uniform() < world.correlation;
      const double shared = uniform();
      for (auto& chain : data) {
        for (std::size_t s = 0; s < kSettings; ++s) {
          const double risk = kAlpha * (world.first_risk + world.step * static_cast<double>(s));
          chain[s].push_back(loss(kind, risk, together ? shared : uniform()));
        }
      }
    }
  }

 private:
  double uniform() { return std::ldexp(static_cast<double>(random_() >> 11U), -53); }

  double loss(Losses kind, double risk, double draw) {
    switch (kind) {
      case Losses::kHarm:
        return draw < risk ? 1 : 0;
      case Losses::kRepeats: {
        // Of ten problems nine lose nothing and one loses each of four repeats with ten times the risk.
        if (draw >= 0.1) return 0;
        double sum = 0;
        for (int repeat = 0; repeat < 4; ++repeat) sum += uniform() < 10 * risk ? 1 : 0;
        return sum / 4;
      }
      case Losses::kDrop:
        // Right to wrong in risk + 3 % of the problems, wrong to right in 3 %.
        return draw < risk + 0.03 ? 1 : draw > 1 - 0.03 ? 0 : 0.5;
    }
    return 0;
  }

  std::mt19937_64 random_;
};

struct Method {
  const char* name;
  Losses losses;
  double (*p_value)(std::span<const double> losses);
};

double binomial(std::span<const double> losses) {
  return p_value(PValue::kBinomial, losses, kAlpha);
}
double hoeffding_bentkus(std::span<const double> losses) {
  return p_value(PValue::kHoeffdingBentkus, losses, kAlpha);
}
double betting(std::span<const double> losses) {
  return p_value(PValue::kBetting, losses, kAlpha);
}
double betting_on_drop(std::span<const double> losses) {
  return p_value(PValue::kBetting, losses, unit_alpha(find_risk("drop"), kAlpha));
}

/// The planted invalid one: the normal approximation with the estimated variance.
double wald(std::span<const double> losses) {
  const auto n = static_cast<double>(losses.size());
  double sum = 0;
  double squares = 0;
  for (const double loss : losses) {
    sum += loss;
    squares += loss * loss;
  }
  const double mean = sum / n;
  const double error = std::sqrt(std::max(0.0, squares / n - mean * mean) / n);
  if (error == 0) return mean < kAlpha ? 0 : 1;
  return 0.5 * std::erfc((kAlpha - mean) / error / std::sqrt(2.0));
}

constexpr Procedure kProcedures[] = {Procedure::kChain, Procedure::kBonferroni, Procedure::kHolm};

/// Data sets of `world` in which a setting is certified though its risk is above alpha, for each procedure.
std::array<std::int64_t, 3> false_certificates(const Method& method, const World& world, std::int64_t sets) {
  std::array<std::int64_t, 3> counts{};
  Drawer drawer(20260103);
  DataSet data;
  std::vector<std::vector<double>> p_values(kChains, std::vector<double>(kSettings));
  for (std::int64_t set = 0; set < sets; ++set) {
    drawer.draw(world, method.losses, data);
    for (std::size_t c = 0; c < kChains; ++c) {
      for (std::size_t s = 0; s < kSettings; ++s) p_values[c][s] = method.p_value(data[c][s]);
    }
    for (std::size_t i = 0; i < counts.size(); ++i) {
      bool wrong = false;
      const auto certified = certify(kProcedures[i], p_values, kDelta);
      for (const auto& chain : certified) {
        for (std::size_t s = 0; s < kSettings; ++s) {
          wrong = wrong || (chain[s] && world.first_risk + world.step * static_cast<double>(s) > 1);
        }
      }
      counts[i] += wrong ? 1 : 0;
    }
  }
  return counts;
}

constexpr World kWorlds[] = {
    {"all just above, independent", 149, 0, 1.001, 0},
    {"all just above, half together", 200, 0.5, 1.001, 0},
    {"all just above, together", 500, 1, 1.001, 0},
    {"from below to above, half together", 500, 0.5, 0.401, 0.2},
};

void print(const char* method, const World& world, Procedure procedure, std::int64_t count,
           std::int64_t sets) {
  std::cout << "  " << method << ", " << to_string(procedure) << ", n = " << world.problems << ", "
            << world.name << ": " << count << " of " << sets << " certified falsely (at most " << kDelta
            << " allowed)\n";
}

class ValidMethod : public testing::TestWithParam<Method> {};

TEST_P(ValidMethod, CertifiesFalselyAtMostDeltaOfTheTime) {
  const std::int64_t sets = data_sets(600);
  for (const World& world : kWorlds) {
    const auto counts = false_certificates(GetParam(), world, sets);
    for (std::size_t i = 0; i < counts.size(); ++i) {
      print(GetParam().name, world, kProcedures[i], counts[i], sets);
      EXPECT_GT(chance_of(counts[i], sets, kDelta), kDoubt) << world.name << " " << to_string(kProcedures[i]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Simulation, ValidMethod,
                         testing::Values(Method{"binomial", Losses::kHarm, binomial},
                                         Method{"hb", Losses::kHarm, hoeffding_bentkus},
                                         Method{"hb with repeats", Losses::kRepeats, hoeffding_bentkus},
                                         Method{"wsr", Losses::kHarm, betting},
                                         Method{"wsr with repeats", Losses::kRepeats, betting},
                                         Method{"wsr on the drop", Losses::kDrop, betting_on_drop}));

TEST(Simulation, AnInvalidMethodIsFoundOut) {
  const std::int64_t sets = data_sets(2000);
  const Method method{"wald", Losses::kHarm, wald};
  for (const World& world : {World{"all just above, independent", 200, 0, 1.001, 0}, kWorlds[1]}) {
    const auto counts = false_certificates(method, world, sets);
    for (std::size_t i = 0; i < counts.size(); ++i) {
      print(method.name, world, kProcedures[i], counts[i], sets);
      EXPECT_LT(chance_of(counts[i], sets, kDelta), kDoubt) << world.name << " " << to_string(kProcedures[i]);
    }
  }
}

TEST(Simulation, ALoneWaldIntervalIsTooSureAtTwoHundred) {
  // Risk exactly alpha, n = 200, nominal 5 %: it certifies 0 and 1 harmed, which come 8.9 % of the time.
  const std::int64_t sets = data_sets(4000);
  Drawer drawer(5);
  DataSet data;
  std::int64_t falsely = 0;
  for (std::int64_t set = 0; set < sets; ++set) {
    drawer.draw({"", 200, 1, 1, 0}, Losses::kHarm, data);
    falsely += wald(data[0][0]) <= 0.05 ? 1 : 0;
  }
  const double rate = static_cast<double>(falsely) / static_cast<double>(sets);
  std::cout << "  a lone wald interval, n = 200: " << falsely << " of " << sets
            << " certified falsely (nominal 0.05)\n";
  EXPECT_LT(chance_of(falsely, sets, 0.05), kDoubt);
  EXPECT_NEAR(rate, 0.089, 0.025);
}

/// Traces of 100 tokens with checks every 10. At threshold t a trace is stopped at its first check if its
/// score is below t, and a stop harms with a probability that depends on the score: the risk at t is known.
Trials draw_trials(std::mt19937_64& random, std::size_t problems, std::vector<Family>& families) {
  const auto uniform = [&] { return std::ldexp(static_cast<double>(random() >> 11U), -53); };
  std::vector<TrialTrace> traces;
  std::vector<Part> parts;
  std::vector<std::size_t> order;
  for (Family& family : families) family.corners.clear();
  const std::vector<schemas::AnswerEvent> at_end = {{0, "", "none"}, {100, "a", "right"}};
  const std::vector<schemas::AnswerEvent> at_start = {{0, "", "none"}, {1, "a", "right"}};
  for (std::size_t i = 0; i < problems; ++i) {
    const bool late = uniform() < 0.1;
    traces.push_back({i, 100, RightSpans(late ? at_end : at_start)});
    parts.push_back(i % 5 == 0 ? Part::kTune : i % 5 < 4 ? Part::kCalibrate : Part::kTest);
    order.push_back(i);
    for (Family& family : families) {
      family.corners.push_back({{static_cast<std::int64_t>(uniform() * 20), 10}});
    }
  }
  return {std::move(traces), std::move(parts), std::move(order)};
}

TEST(Simulation, ChoosingByTheTuneProblemsChangesNothing) {
  // A trace stops from t = its score on, scores 0..19 come equally often and one trace in ten is late, so the
  // harm at t is 0.005 (t + 1): above 2 % from t = 4 on. Three signals are equally good: the best on tune is
  // so by chance.
  const std::int64_t sets = data_sets(400);
  for (const Procedure procedure : kProcedures) {
    std::mt19937_64 random(11);
    std::int64_t falsely = 0;
    std::int64_t certified = 0;
    std::vector<Family> families(3);
    for (std::size_t i = 0; i < families.size(); ++i) families[i].measure = i;
    for (std::int64_t set = 0; set < sets; ++set) {
      const Trials trials = draw_trials(random, 500, families);
      TestPlan plan;
      plan.risk = find_risk("harm");
      plan.alpha = kAlpha;
      plan.delta = kDelta;
      plan.procedure = procedure;
      const TestResult result = learn_then_test(trials, families, plan);
      certified += result.chosen ? 1 : 0;
      bool wrong = false;
      for (const TestedSetting& one : result.tested) {
        wrong = wrong || (one.certified && one.t && 0.005 * static_cast<double>(*one.t + 1) > kAlpha);
      }
      falsely += wrong ? 1 : 0;
    }
    std::cout << "  whole procedure, " << to_string(procedure) << ": " << certified << " of " << sets
              << " certified, " << falsely << " falsely (at most " << kDelta << " allowed)\n";
    EXPECT_GT(chance_of(falsely, sets, kDelta), kDoubt) << to_string(procedure);
    EXPECT_GT(certified, sets / 20) << "a test that certifies nothing shows nothing";
  }
}

}  // namespace
}  // namespace lil::analyze
