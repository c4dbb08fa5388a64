// distribution: on the processor alone, on all of its vector targets.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/kernels/harness.h"
#include "tests/kernels/targets.h"

namespace lil::tests {
namespace {

using kernels::Distribution;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Sums over the logits in fp64, one after another.
Distribution slow_twin(const std::vector<float>& logits) {
  Distribution result{true, 0, logits[0], 0, 0};
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > result.greatest) {
      result.id = static_cast<std::int32_t>(i);
      result.greatest = logits[i];
    }
  }
  double sum = 0;
  double weighted = 0;
  for (const float logit : logits) {
    const double shifted = double{logit} - double{result.greatest};
    sum += std::exp(shifted);
    if (shifted > -700) weighted += std::exp(shifted) * shifted;
  }
  result.log_sum = std::log(sum);
  result.entropy = result.log_sum - weighted / sum;
  return result;
}

void expect_near(const Distribution& actual, const Distribution& expected) {
  EXPECT_TRUE(actual.is_finite);
  EXPECT_EQ(actual.id, expected.id);
  EXPECT_EQ(actual.greatest, expected.greatest);
  constexpr double kLeast =
      1e-15;  // a few units in the last place of 1, which the sum is when one is certain
  EXPECT_NEAR(actual.log_sum, expected.log_sum, 5e-7 * expected.log_sum + kLeast);
  EXPECT_NEAR(actual.entropy, expected.entropy, 5e-7 * expected.entropy + kLeast);
}

class Distributions : public KernelTest {
 protected:
  std::vector<Distribution> of(const std::vector<std::vector<float>>& rows, std::int64_t gap = 0) {
    const auto vocabulary = static_cast<std::int64_t>(rows.front().size());
    const std::int64_t stride = vocabulary + gap;
    std::vector<float> logits(rows.size() * static_cast<std::size_t>(stride), kNan);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      std::copy(rows[r].begin(), rows[r].end(), logits.begin() + static_cast<std::int64_t>(r) * stride);
    }
    std::vector<Distribution> out(rows.size());
    EXPECT_EQ(backend().distribution(
                  {static_cast<std::int32_t>(rows.size()), vocabulary, logits.data(), stride, out.data()},
                  stream()),
              kernels::Status::kOk);
    return out;
  }
};

LIL_ON_CPU(Distributions);

std::vector<float> random_logits(std::int64_t vocabulary, float size, Random& random) {
  std::vector<float> logits = random.floats(vocabulary);
  for (float& logit : logits) logit = logit * size + 3;
  return logits;
}

TEST_P(Distributions, AreRightAndTheFusedTargetsHaveTheSameBits) {
  for (const std::int64_t vocabulary : {1L, 2L, 15L, 16L, 17L, 1000L, 49152L}) {
    Random random(17);
    std::vector<std::vector<float>> rows;
    for (const float size : {0.01F, 1.0F, 5.0F, 30.0F, 1e4F})
      rows.push_back(random_logits(vocabulary, size, random));
    std::vector<Distribution> fused;
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
      const OnlyTarget only(target);
      const std::vector<Distribution> all = of(rows, 5);
      for (std::size_t r = 0; r < rows.size(); ++r) {
        SCOPED_TRACE(testing::Message()
                     << vocabulary << " logits, row " << r << ", " << hwy::TargetName(target));
        expect_near(all[r], slow_twin(rows[r]));
        const Distribution alone = of({rows[r]}).front();
        EXPECT_EQ(alone.log_sum, all[r].log_sum);
        EXPECT_EQ(alone.entropy, all[r].entropy);
        if (!is_fused(target)) continue;
        if (fused.size() < rows.size()) fused = all;
        EXPECT_EQ(fused[r].log_sum, all[r].log_sum);
        EXPECT_EQ(fused[r].entropy, all[r].entropy);
      }
    }
  }
}

// log_sum and entropy near 0 lose nothing to the 1 that the greatest logit's weight is.
TEST_P(Distributions, NearlyCertain) {
  std::vector<float> logits(300, -30.0F);
  logits[200] = 0;
  logits[7] = -16;
  expect_near(of({logits}).front(), slow_twin(logits));
}

TEST_P(Distributions, TheLowestIdAmongEquals) {
  for (const std::int64_t first : {0L, 15L, 16L, 40L}) {
    std::vector<float> logits(50, 1.0F);
    logits[static_cast<std::size_t>(first)] = 2;
    logits[45] = 2;
    EXPECT_EQ(of({logits}).front().id, first);
  }
  EXPECT_EQ(of({{-1.0F, -0.0F, 0.0F}}).front().id, 1);
}

TEST_P(Distributions, WithoutEntropy) {
  const Distribution one = of({{-5.0F}}).front();
  EXPECT_EQ(one.log_sum, 0);
  EXPECT_EQ(one.entropy, 0);
  const Distribution masked = of({std::vector<float>{-kInfinity, 4, -kInfinity}}).front();
  EXPECT_TRUE(masked.is_finite);
  EXPECT_EQ(masked.id, 1);
  EXPECT_EQ(masked.log_sum, 0);
  EXPECT_EQ(masked.entropy, 0);
}

TEST_P(Distributions, SayWhatIsNotFinite) {
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    const OnlyTarget only(target);
    for (const std::int64_t vocabulary : {1L, 5L, 16L, 100L}) {
      for (std::int64_t i = 0; i < vocabulary; ++i) {
        for (const float wrong : {kNan, -kNan, kInfinity}) {
          std::vector<float> logits(static_cast<std::size_t>(vocabulary), 1.0F);
          logits[static_cast<std::size_t>(i)] = wrong;
          EXPECT_FALSE(of({logits}).front().is_finite) << wrong << " at " << i << " of " << vocabulary;
        }
      }
    }
    EXPECT_FALSE(of({std::vector<float>(20, -kInfinity)}).front().is_finite);
    std::vector<float> both(40, 1.0F);
    both[3] = kNan;
    both[20] = kInfinity;
    EXPECT_FALSE(of({both}).front().is_finite);
  }
}

}  // namespace
}  // namespace lil::tests
