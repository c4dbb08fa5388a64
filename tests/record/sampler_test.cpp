// Do samplers draw what they say, from random numbers that depend on their key alone?

#include "record/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "kernels/thread_team.h"
#include "schemas/error.h"

namespace lil::tests {
namespace {

using record::Choice;
using record::DrawKey;
using record::make_sampler;
using Words = std::array<std::uint32_t, 4>;

// The known answers that the authors of [Salmon 2011] publish with their library.
TEST(Philox, GivesThePublishedVectors) {
  EXPECT_EQ(record::philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(record::philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(record::philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Uniform, LiesInTheUnitIntervalAndMovesWithEveryPartOfItsKey) {
  double sum = 0;
  constexpr std::uint32_t kDraws = 20000;
  for (std::uint32_t step = 0; step < kDraws; ++step) {
    const double value = record::uniform({1, 2, 3, step});
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.01);
  const double base = record::uniform({1, 2, 3, 4});
  const std::uint64_t high = std::uint64_t{1} << 40;
  for (const DrawKey& key : {DrawKey{2, 2, 3, 4}, DrawKey{1 + high, 2, 3, 4}, DrawKey{1, 3, 3, 4},
                             DrawKey{1, 2 + high, 3, 4}, DrawKey{1, 2, 4, 4}, DrawKey{1, 2, 3, 5}}) {
    EXPECT_NE(record::uniform(key), base);
  }
}

TEST(Greedy, TakesTheLowestIdAmongEquals) {
  const auto greedy = make_sampler("greedy");
  EXPECT_EQ(greedy.spec, "greedy");
  const std::vector<float> logits{0, 3, -1, 3, 2};
  EXPECT_EQ(greedy.sampler->choose(logits, {}).id, 1);
}

// Probabilities 1/2, 1/4, 1/8, 1/8.
const std::vector<float> kHalves{static_cast<float>(std::log(0.125)), static_cast<float>(std::log(0.5)),
                                 static_cast<float>(std::log(0.125)), static_cast<float>(std::log(0.25))};

TEST(Sampler, GivesLogprobAndEntropyOfTheModelsOwnDistribution) {
  for (const std::string text : {"greedy", "sample(temperature=0.1,top_p=0.3)"}) {
    const auto sampler = make_sampler(text);
    const Choice choice = sampler.sampler->choose(kHalves, {});
    EXPECT_EQ(choice.id, 1);
    EXPECT_NEAR(static_cast<double>(choice.logprob), std::log(0.5), 1e-6);
    EXPECT_NEAR(static_cast<double>(choice.entropy), 1.75 * std::log(2.0), 1e-6);
  }
}

TEST(Sampler, IgnoresAConstantAddedToTheLogits) {
  const auto sampler = make_sampler("sample(temperature=1,top_p=1)");
  std::vector<float> shifted = kHalves;
  for (float& logit : shifted) logit += 4096;
  const Choice choice = sampler.sampler->choose(shifted, {});
  EXPECT_NEAR(static_cast<double>(choice.entropy), 1.75 * std::log(2.0), 1e-2);
}

std::map<schemas::TokenId, double> frequencies(const std::string& text) {
  const auto sampler = make_sampler(text);
  std::map<schemas::TokenId, double> share;
  constexpr std::uint32_t kDraws = 40000;
  for (std::uint32_t step = 0; step < kDraws; ++step) {
    share[sampler.sampler->choose(kHalves, {5, 6, 0, step}).id] += 1.0 / kDraws;
  }
  return share;
}

// 40,000 draws: the largest standard deviation is 0.0025.
constexpr double kNear = 0.01;

TEST(TopP, DrawsInProportion) {
  const auto share = frequencies("sample(temperature=1,top_p=1)");
  EXPECT_NEAR(share.at(1), 0.5, kNear);
  EXPECT_NEAR(share.at(3), 0.25, kNear);
  EXPECT_NEAR(share.at(0), 0.125, kNear);
  EXPECT_NEAR(share.at(2), 0.125, kNear);
}

TEST(TopP, TemperatureSharpens) {
  // At 1/2 the weights are squared: 1/4, 1/16, 1/64, 1/64.
  const auto share = frequencies("sample(temperature=0.5,top_p=1)");
  EXPECT_NEAR(share.at(1), 16.0 / 22, kNear);
  EXPECT_NEAR(share.at(3), 4.0 / 22, kNear);
}

TEST(TopP, KeepsTheSmallestSetThatReachesIt) {
  EXPECT_EQ(frequencies("sample(temperature=1,top_p=0.49)").size(), 1U);
  const auto two = frequencies("sample(temperature=1,top_p=0.51)");
  EXPECT_EQ(two.size(), 2U);
  EXPECT_NEAR(two.at(1), 2.0 / 3, kNear);
  // Of the two equal tokens the lower id goes first.
  const auto three = frequencies("sample(temperature=1,top_p=0.76)");
  EXPECT_EQ(three.size(), 3U);
  EXPECT_TRUE(three.contains(0));
  EXPECT_EQ(frequencies("sample(temperature=1,top_p=0)").size(), 1U);
}

TEST(TopP, BoundaryItselfIsReached) {
  // Exact in binary: four equal tokens, and a half is two of them.
  const std::vector<float> equal(4, 1.0F);
  const auto sampler = make_sampler("sample(temperature=1,top_p=0.5)");
  std::map<schemas::TokenId, int> seen;
  for (std::uint32_t step = 0; step < 200; ++step) ++seen[sampler.sampler->choose(equal, {0, 0, 0, step}).id];
  EXPECT_EQ(seen.size(), 2U);
  EXPECT_TRUE(seen.contains(0) && seen.contains(1));
}

TEST(TopP, DependsOnTheKeyAloneNotOnOrder) {
  const auto forward = make_sampler("sample");
  const auto backward = make_sampler("sample(temperature=0.6,top_p=0.95)");
  EXPECT_EQ(forward.spec, backward.spec);
  std::vector<schemas::TokenId> one(100);
  std::vector<schemas::TokenId> other(100);
  for (std::uint32_t i = 0; i < 100; ++i) one[i] = forward.sampler->choose(kHalves, {1, 2, 3, i}).id;
  for (std::uint32_t i = 100; i-- > 0;) other[i] = backward.sampler->choose(kHalves, {1, 2, 3, i}).id;
  EXPECT_EQ(one, other);
}

/// The rule of `sample` word for word: sorts all tokens, and knows no shortcut.
schemas::TokenId slow_top_p(const std::vector<float>& logits, double temperature, double top_p,
                            const DrawKey& key) {
  const double most = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  std::vector<std::pair<double, schemas::TokenId>> sorted;
  double total = 0;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    sorted.emplace_back(std::exp((static_cast<double>(logits[id]) - most) / temperature),
                        static_cast<schemas::TokenId>(id));
    total += sorted.back().first;
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  double mass = 0;
  std::size_t kept = 0;
  while (kept < sorted.size() && (kept == 0 || mass < top_p * total - 1e-6 * total))
    mass += sorted[kept++].first;
  if (top_p == 1) kept = sorted.size();
  double below = 0;
  for (std::size_t i = 0; i < kept; ++i) {
    below += sorted[i].first;
    if (record::uniform(key) * (top_p == 1 ? total : mass) < below) return sorted[i].second;
  }
  return sorted[kept - 1].second;
}

std::vector<float> random_logits(std::size_t count, std::uint64_t seed, double spread) {
  std::vector<float> logits;
  for (std::size_t i = 0; i < count; ++i) {
    logits.push_back(static_cast<float>(
        spread * std::sqrt(-2 * std::log(record::uniform({seed, i, 0, 0}) + 1e-9)) * (i % 2 == 0 ? 1 : -1)));
  }
  return logits;
}

TEST(TopP, DrawsWhatSortingEverythingDraws) {
  for (const auto& [temperature, top_p] : std::vector<std::pair<double, double>>{
           {0.6, 0.95}, {1, 0.95}, {1, 1}, {2, 0.5}, {0.6, 1}, {0.01, 0.9}, {5, 0.999}, {1, 0}}) {
    const auto sampler = make_sampler("sample(temperature=" + std::to_string(temperature) +
                                      ",top_p=" + std::to_string(top_p) + ")");
    for (std::uint32_t i = 0; i < 60; ++i) {
      const std::vector<float> logits = random_logits(1 + 37 * i, i, i % 3 == 0 ? 0.1 : 3);
      const DrawKey key{7, 8, 0, i};
      ASSERT_EQ(sampler.sampler->choose(logits, key).id, slow_top_p(logits, temperature, top_p, key))
          << temperature << " " << top_p << " " << i;
    }
  }
}

TEST(Sampler, AnswersForManyAreThoseForEachAlone) {
  std::vector<std::vector<float>> logits;
  for (std::uint64_t i = 0; i < 9; ++i) logits.push_back(random_logits(5000, i, 2));
  logits[4][77] = std::nanf("");
  for (const std::string text : {"greedy", "sample"}) {
    const auto sampler = make_sampler(text);
    std::vector<record::Draw> draws;
    for (std::uint32_t i = 0; i < 9; ++i) draws.push_back({logits[i], {1, 2, 3, i}});
    for (const int threads : {1, 3}) {
      kernels::ThreadTeam team(threads);
      std::vector<std::optional<Choice>> choices(9);
      sampler.sampler->choose(draws, choices, &team);
      EXPECT_FALSE(choices[4].has_value());
      for (std::size_t i = 0; i < 9; ++i) {
        if (i == 4) continue;
        const Choice alone = sampler.sampler->choose(draws[i].logits, draws[i].key);
        EXPECT_EQ(choices[i]->id, alone.id);
        EXPECT_EQ(choices[i]->logprob, alone.logprob);
        EXPECT_EQ(choices[i]->entropy, alone.entropy);
      }
    }
  }
}

TEST(Sampler, RefusesLogitsThatAreNoNumbers) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {std::nanf(""), infinity}) {
    std::vector<float> logits = kHalves;
    logits[2] = bad;
    EXPECT_THROW((void)make_sampler("greedy").sampler->choose(logits, {}), Error);
  }
  std::vector<float> masked = kHalves;
  masked[1] = -infinity;
  EXPECT_EQ(make_sampler("greedy").sampler->choose(masked, {}).id, 3);
}

TEST(Sampler, RefusesWhatIsOutOfRange) {
  EXPECT_THROW((void)make_sampler("beam"), Error);
  EXPECT_THROW((void)make_sampler("sample(temperature=0)"), Error);
  EXPECT_THROW((void)make_sampler("sample(top_p=1.1)"), Error);
  EXPECT_THROW((void)make_sampler("greedy(temperature=1)"), Error);
}

}  // namespace
}  // namespace lil::tests
