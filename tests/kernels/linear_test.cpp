#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/half.h"
#include "kernels/launchers.h"
#include "kernels/linear_cpu.h"
#include "kernels/thread_team.h"

namespace lil::kernels {
namespace {

using cpu::LinearVariant;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::array kTypes{DType::kFp32, DType::kBf16, DType::kFp16};

// ------------------------------------------------------------------------------------------------ problems

/// Arguments of linear with memory of their own. Between rows stands NaN, in y a mark.
struct Problem {
  static constexpr float kMark = -12345.0F;

  DType dtype = DType::kFp32;
  int rows = 0;
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
  std::int64_t gap = 0;  ///< elements between rows
  std::vector<std::byte> weights;
  std::vector<float> x;
  std::vector<float> bias;
  std::vector<float> y;

  [[nodiscard]] std::int64_t weight_stride() const { return inputs + gap; }
  [[nodiscard]] std::int64_t y_stride() const { return outputs + gap; }
  [[nodiscard]] std::int64_t place(std::int64_t n, std::int64_t k) const { return n * weight_stride() + k; }

  void set_weight(std::int64_t place, float value) {
    for_dtype(dtype, [&](auto zero) {
      const auto stored = from_float<decltype(zero)>(value);
      std::memcpy(weights.data() + place * static_cast<std::int64_t>(sizeof(stored)), &stored,
                  sizeof(stored));
    });
  }
  [[nodiscard]] float weight(std::int64_t n, std::int64_t k) const {
    float value = 0;
    for_dtype(dtype, [&](auto stored) {
      std::memcpy(&stored, weights.data() + place(n, k) * static_cast<std::int64_t>(sizeof(stored)),
                  sizeof(stored));
      value = to_float(stored);
    });
    return value;
  }
  float& x_at(int row, std::int64_t k) { return x[static_cast<std::size_t>(row * weight_stride() + k)]; }
  [[nodiscard]] float x_at(int row, std::int64_t k) const {
    return x[static_cast<std::size_t>(row * weight_stride() + k)];
  }
  [[nodiscard]] float y_at(int row, std::int64_t n) const {
    return y[static_cast<std::size_t>(row * y_stride() + n)];
  }
  [[nodiscard]] float bias_at(std::int64_t n) const {
    return bias.empty() ? 0.0F : bias[static_cast<std::size_t>(n)];
  }

  LinearArgs args() {
    return {dtype,
            rows,
            inputs,
            outputs,
            weights.data(),
            weight_stride(),
            x.data(),
            weight_stride(),
            bias.empty() ? nullptr : bias.data(),
            y.data(),
            y_stride()};
  }
};

float rounded_to(DType dtype, float value) {
  for_dtype(dtype, [&](auto zero) { value = to_float(from_float<decltype(zero)>(value)); });
  return value;
}

Problem random_problem(DType dtype, int rows, std::int64_t inputs, std::int64_t outputs, std::int64_t gap = 0,
                       bool with_bias = true) {
  Problem problem{dtype, rows, inputs, outputs, gap, {}, {}, {}, {}};
  std::minstd_rand generator(static_cast<unsigned>(rows + 17 * inputs + 101 * outputs));
  const auto number = [&] {
    return static_cast<float>(generator()) / static_cast<float>(std::minstd_rand::max()) * 2 - 1;
  };
  problem.weights.resize(static_cast<std::size_t>((outputs * problem.weight_stride()) * bytes_of(dtype)));
  problem.x.assign(static_cast<std::size_t>(rows * problem.weight_stride()), kNan);
  problem.y.assign(static_cast<std::size_t>(rows * problem.y_stride()), Problem::kMark);
  const float scale = 1 / std::sqrt(static_cast<float>(inputs));
  for (std::int64_t n = 0; n < outputs; ++n) {
    for (std::int64_t k = 0; k < problem.weight_stride(); ++k) {
      problem.set_weight(problem.place(n, k), k < inputs ? number() * scale : kNan);
    }
    if (with_bias) problem.bias.push_back(number());
  }
  for (int row = 0; row < rows; ++row) {
    for (std::int64_t k = 0; k < inputs; ++k) problem.x_at(row, k) = rounded_to(dtype, number() * 3);
  }
  return problem;
}

// ----------------------------------------------------------------------------------------------- the twins

double exact(const Problem& problem, int row, std::int64_t n) {
  double sum = problem.bias_at(n);
  for (std::int64_t k = 0; k < problem.inputs; ++k) {
    sum += static_cast<double>(problem.weight(n, k)) * static_cast<double>(problem.x_at(row, k));
  }
  return sum;
}

// w x + sum, where inputs that are not there are 0.
float add_product(const Problem& problem, int row, std::int64_t n, std::int64_t k, float sum) {
  const bool there = k < problem.inputs;
  return std::fma(there ? problem.weight(n, k) : 0.0F, there ? problem.x_at(row, k) : 0.0F, sum);
}

float sum_of_lanes(const Problem& problem, int row, std::int64_t n) {
  std::array<float, 16> lanes{};
  for (std::int64_t k = 0; k < (problem.inputs + 15) / 16 * 16; ++k) {
    float& lane = lanes[static_cast<std::size_t>(k % 16)];
    lane = add_product(problem, row, n, k, lane);
  }
  for (std::size_t half = 8; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

float sum_of_blocks(const Problem& problem, int row, std::int64_t n) {
  float sum = 0;
  for (std::int64_t block = 0; block < problem.inputs; block += 32) {
    float even = 0;
    float odd = 0;
    for (std::int64_t k = block; k < block + 32; k += 2) {
      even = add_product(problem, row, n, k, even);
      odd = add_product(problem, row, n, k + 1, odd);
    }
    sum += even + odd;
  }
  return sum;
}

/// In the order that kernels/linear_cpu.h states.
float in_order(const Problem& problem, int row, std::int64_t n) {
  const float sum =
      problem.dtype == DType::kBf16 ? sum_of_blocks(problem, row, n) : sum_of_lanes(problem, row, n);
  return problem.bias.empty() ? sum : sum + problem.bias_at(n);
}

bool same_bits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

std::string describe(const Problem& problem, const char* variant = "") {
  return "type " + std::to_string(static_cast<int>(problem.dtype)) + " rows " + std::to_string(problem.rows) +
         " inputs " + std::to_string(problem.inputs) + " outputs " + std::to_string(problem.outputs) + " " +
         variant;
}

void expect_in_order(Problem& problem, const LinearVariant& variant) {
  std::fill(problem.y.begin(), problem.y.end(), Problem::kMark);
  ASSERT_EQ(cpu::linear_with(variant, problem.args(), nullptr), Status::kOk);
  for (int row = 0; row < problem.rows; ++row) {
    for (std::int64_t n = 0; n < problem.outputs; ++n) {
      const float expected = in_order(problem, row, n);
      ASSERT_TRUE(same_bits(problem.y_at(row, n), expected))
          << describe(problem, variant.name) << ": y[" << row << "][" << n << "] is " << problem.y_at(row, n)
          << ", expected " << expected;
    }
    for (std::int64_t n = problem.outputs; n < problem.y_stride(); ++n) {
      ASSERT_EQ(problem.y_at(row, n), Problem::kMark) << "between rows";
    }
  }
}

bool keeps_the_order(const LinearVariant& variant, DType dtype) {
  return variant.fused || dtype != DType::kFp32;
}

// --------------------------------------------------------------------------------------------------- tests

TEST(Linear, AgreesWithDoublesAtEverySize) {
  for (const DType dtype : kTypes) {
    for (const std::int64_t inputs : {1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 576, 1536, 8960}) {
      for (const std::int64_t outputs : {1, 3, 15, 16, 17, 33}) {
        if (inputs * outputs > 30000) continue;
        const int rows = 1 + static_cast<int>((inputs + outputs) % 16);
        Problem problem = random_problem(dtype, rows, inputs, outputs, outputs % 3, outputs % 2 == 0);
        ASSERT_EQ(cpu::linear(problem.args(), nullptr), Status::kOk);
        for (int row = 0; row < rows; ++row) {
          for (std::int64_t n = 0; n < outputs; ++n) {
            const double expected = exact(problem, row, n);
            ASSERT_NEAR(problem.y_at(row, n), expected, 2e-5 + 2e-5 * std::abs(expected))
                << describe(problem) << ": y[" << row << "][" << n << "]";
          }
        }
      }
    }
  }
}

TEST(Linear, SumsInTheStatedOrderWhateverTheProcessorIsUsedFor) {
  for (const DType dtype : kTypes) {
    for (const LinearVariant& variant : cpu::linear_variants(dtype)) {
      if (!keeps_the_order(variant, dtype)) continue;
      for (const std::int64_t inputs : {1, 2, 15, 16, 17, 31, 32, 33, 96, 577}) {
        for (const std::int64_t outputs : {1, 3, 16, 17, 37}) {
          const int rows = 1 + static_cast<int>((inputs * 5 + outputs) % 16);
          Problem problem = random_problem(dtype, rows, inputs, outputs, outputs % 4, outputs % 2 == 1);
          expect_in_order(problem, variant);
        }
      }
    }
  }
}

TEST(Linear, SumsInTheStatedOrderForEveryNumberOfRows) {
  for (const DType dtype : kTypes) {
    for (const LinearVariant& variant : cpu::linear_variants(dtype)) {
      if (!keeps_the_order(variant, dtype)) continue;
      for (int rows = 1; rows <= kLinearRows; ++rows) {
        Problem problem = random_problem(dtype, rows, 70, 18);
        expect_in_order(problem, variant);
      }
    }
  }
}

// More inputs than any of the pieces into which they are cut.
TEST(Linear, SumsInTheStatedOrderOverLongRows) {
  for (const DType dtype : kTypes) {
    for (const LinearVariant& variant : cpu::linear_variants(dtype)) {
      if (!keeps_the_order(variant, dtype)) continue;
      for (const int rows : {1, 6, 16}) {
        Problem problem = random_problem(dtype, rows, 2309, 17);
        expect_in_order(problem, variant);
      }
    }
  }
}

TEST(Linear, UnfusedVariantsAreAsExact) {
  for (const LinearVariant& variant : cpu::linear_variants(DType::kFp32)) {
    Problem problem = random_problem(DType::kFp32, 5, 577, 35, 1);
    ASSERT_EQ(cpu::linear_with(variant, problem.args(), nullptr), Status::kOk);
    for (int row = 0; row < problem.rows; ++row) {
      for (std::int64_t n = 0; n < problem.outputs; ++n) {
        EXPECT_NEAR(problem.y_at(row, n), exact(problem, row, n), 2e-5) << variant.name;
      }
    }
  }
}

TEST(Linear, TakesTheFirstVariant) {
  for (const DType dtype : kTypes) {
    Problem problem = random_problem(dtype, 3, 577, 33);
    ASSERT_EQ(cpu::linear_with(cpu::linear_variants(dtype).front(), problem.args(), nullptr), Status::kOk);
    const std::vector<float> first = problem.y;
    std::fill(problem.y.begin(), problem.y.end(), 0.0F);
    ASSERT_EQ(cpu::linear(problem.args(), nullptr), Status::kOk);
    EXPECT_EQ(problem.y, first);
  }
}

/// The rows of `problem` that `which` names, in that order.
Problem some_rows(const Problem& problem, const std::vector<int>& which) {
  Problem some = problem;
  some.rows = static_cast<int>(which.size());
  some.x.clear();
  for (const int row : which) {
    const auto begin = problem.x.begin() + row * problem.weight_stride();
    some.x.insert(some.x.end(), begin, begin + problem.weight_stride());
  }
  some.y.assign(which.size() * static_cast<std::size_t>(problem.y_stride()), Problem::kMark);
  return some;
}

TEST(Linear, RowsHaveTheSameBitsAloneAmongOthersAndInAnyOrder) {
  for (const DType dtype : kTypes) {
    Problem all = random_problem(dtype, 16, 577, 45);
    ASSERT_EQ(cpu::linear(all.args(), nullptr), Status::kOk);
    std::vector<std::vector<int>> choices{{15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
                                          {3, 3, 3},
                                          {0, 5, 9, 2, 14},
                                          {8, 1, 2, 3, 4, 5, 6, 7, 15}};
    for (int row = 0; row < 16; ++row) choices.push_back({row});
    for (const std::vector<int>& choice : choices) {
      Problem some = some_rows(all, choice);
      ASSERT_EQ(cpu::linear(some.args(), nullptr), Status::kOk);
      for (int row = 0; row < some.rows; ++row) {
        for (std::int64_t n = 0; n < all.outputs; ++n) {
          const float expected = all.y_at(choice[static_cast<std::size_t>(row)], n);
          ASSERT_TRUE(same_bits(some.y_at(row, n), expected)) << describe(some) << " row " << row;
        }
      }
    }
  }
}

TEST(Linear, ANeighbourThatIsNanTouchesNoOtherRow) {
  for (const DType dtype : kTypes) {
    Problem problem = random_problem(dtype, 7, 100, 20);
    ASSERT_EQ(cpu::linear(problem.args(), nullptr), Status::kOk);
    const Problem before = problem;
    for (std::int64_t k = 0; k < problem.inputs; ++k) problem.x_at(3, k) = kNan;
    ASSERT_EQ(cpu::linear(problem.args(), nullptr), Status::kOk);
    for (int row = 0; row < problem.rows; ++row) {
      for (std::int64_t n = 0; n < problem.outputs; ++n) {
        if (row == 3) {
          ASSERT_TRUE(std::isnan(problem.y_at(row, n)));
        } else {
          ASSERT_TRUE(same_bits(problem.y_at(row, n), before.y_at(row, n)));
        }
      }
    }
  }
}

TEST(Linear, ThreadsAndRepetitionChangeNoBit) {
  for (const DType dtype : kTypes) {
    for (const int rows : {1, 5, 16}) {
      // Enough weights for several parts.
      Problem problem = random_problem(dtype, rows, 352, 1003);
      ASSERT_EQ(cpu::linear(problem.args(), nullptr), Status::kOk);
      const std::vector<float> alone = problem.y;
      for (const int threads : {1, 2, 3}) {
        ThreadTeam team(threads);
        for (int call = 0; call < 3; ++call) {
          std::fill(problem.y.begin(), problem.y.end(), kNan);
          ASSERT_EQ(cpu::linear(problem.args(), &team), Status::kOk);
          ASSERT_EQ(problem.y, alone) << describe(problem) << threads << " threads";
        }
      }
    }
  }
}

// Sizes apart, so that parts fall on each of the matrices; one is too small to be cut.
TEST(Linear, SeveralTogetherHaveTheBitsOfEachAlone) {
  for (const DType dtype : kTypes) {
    for (const int rows : {1, 5, 16}) {
      std::vector<Problem> problems;
      for (const std::int64_t outputs : {1003, 16, 530, 37}) {
        problems.push_back(random_problem(dtype, rows, 352, outputs, 0, outputs % 2 == 1));
        problems.back().x = problems.front().x;
        ASSERT_EQ(cpu::linear(problems.back().args(), nullptr), Status::kOk);
      }
      for (std::size_t count = 1; count <= kLinearTogether; ++count) {
        for (const int threads : {1, 2, 3}) {
          ThreadTeam team(threads);
          std::vector<Problem> together(problems.begin(),
                                        problems.begin() + static_cast<std::ptrdiff_t>(count));
          std::vector<LinearArgs> all;
          for (Problem& problem : together) {
            std::fill(problem.y.begin(), problem.y.end(), kNan);
            all.push_back(problem.args());
            all.back().x = together.front().x.data();
          }
          ASSERT_EQ(cpu::linear_together(all.data(), std::ssize(all), &team), Status::kOk);
          for (std::size_t i = 0; i < count; ++i) {
            ASSERT_EQ(together[i].y, problems[i].y) << describe(together[i]) << " " << i << " of " << count;
          }
        }
      }
    }
  }
}

TEST(Linear, TakesNoMatricesTogetherThatDiffer) {
  Problem problem = random_problem(DType::kFp32, 3, 33, 17);
  const LinearArgs args = problem.args();
  const auto with = [&](const auto& change) {
    LinearArgs other = args;
    change(other);
    const std::array both{args, other};
    return cpu::linear_together(both.data(), 2, nullptr);
  };
  EXPECT_EQ(with([](LinearArgs&) {}), Status::kOk);
  EXPECT_EQ(with([](LinearArgs& other) { other.rows = 2; }), Status::kBadArguments);
  EXPECT_EQ(with([](LinearArgs& other) { other.inputs = 32; }), Status::kBadArguments);
  EXPECT_EQ(with([](LinearArgs& other) { other.dtype = DType::kFp16; }), Status::kBadArguments);
  EXPECT_EQ(with([](LinearArgs& other) { ++other.x; }), Status::kBadArguments);
  EXPECT_EQ(with([](LinearArgs& other) { ++other.x_stride; }), Status::kBadArguments);
  EXPECT_EQ(with([](LinearArgs& other) { other.y = nullptr; }), Status::kBadArguments);
  EXPECT_EQ(cpu::linear_together(nullptr, 0, nullptr), Status::kBadArguments);
  const std::vector many(kLinearTogether + 1, args);
  EXPECT_EQ(cpu::linear_together(many.data(), std::ssize(many), nullptr), Status::kBadArguments);
}

// A call with fewer rows and inputs than the last one must not see what that one left behind.
TEST(Linear, CallsLeaveNothingBehind) {
  for (const DType dtype : kTypes) {
    Problem small = random_problem(dtype, 2, 33, 17);
    ASSERT_EQ(cpu::linear(small.args(), nullptr), Status::kOk);
    const std::vector<float> first = small.y;
    Problem large = random_problem(dtype, 16, 700, 17);
    std::fill(large.x.begin(), large.x.end(), kNan);
    ASSERT_EQ(cpu::linear(large.args(), nullptr), Status::kOk);
    ASSERT_EQ(cpu::linear(small.args(), nullptr), Status::kOk);
    EXPECT_EQ(small.y, first);
  }
}

/// Memory whose last byte stands before a page that nobody may touch.
class GuardedMemory {
 public:
  explicit GuardedMemory(std::size_t bytes) : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    const std::size_t pages = (bytes + page_ - 1) / page_ + 1;
    size_ = pages * page_;
    void* mapped = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(mapped, MAP_FAILED);
    begin_ = static_cast<std::byte*>(mapped);
    EXPECT_EQ(mprotect(begin_ + size_ - page_, page_, PROT_NONE), 0);
    data_ = begin_ + size_ - page_ - bytes;
  }
  ~GuardedMemory() { munmap(begin_, size_); }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  template <class T>
  T* copy_of(const std::vector<T>& values) {
    std::memcpy(data_, values.data(), values.size() * sizeof(T));
    return reinterpret_cast<T*>(data_);
  }

 private:
  std::size_t page_;
  std::size_t size_ = 0;
  std::byte* begin_ = nullptr;
  std::byte* data_ = nullptr;
};

TEST(Linear, ReadsAndWritesNothingBeyondItsArrays) {
  for (const DType dtype : kTypes) {
    for (const LinearVariant& variant : cpu::linear_variants(dtype)) {
      for (const std::int64_t inputs : {1, 17, 33, 64}) {
        for (const std::int64_t outputs : {1, 15, 16, 19}) {
          Problem problem = random_problem(dtype, 3, inputs, outputs);
          GuardedMemory weights(problem.weights.size());
          GuardedMemory x(problem.x.size() * sizeof(float));
          GuardedMemory bias(problem.bias.size() * sizeof(float));
          GuardedMemory y(problem.y.size() * sizeof(float));
          LinearArgs args = problem.args();
          args.weights = weights.copy_of(problem.weights);
          args.x = x.copy_of(problem.x);
          args.bias = bias.copy_of(problem.bias);
          args.y = y.copy_of(problem.y);
          ASSERT_EQ(cpu::linear_with(variant, args, nullptr), Status::kOk);
          ASSERT_NEAR(args.y[0], exact(problem, 0, 0), 1e-4) << describe(problem, variant.name);
        }
      }
    }
  }
}

TEST(Linear, InfinitiesAndOverflowComeOutAsTheyMust) {
  for (const DType dtype : kTypes) {
    for (const LinearVariant& variant : cpu::linear_variants(dtype)) {
      Problem problem = random_problem(dtype, 4, 40, 18);
      problem.set_weight(problem.place(1, 7), kInfinity);
      problem.set_weight(problem.place(2, 39), kNan);
      problem.set_weight(problem.place(17, 39), -kInfinity);
      for (int row = 0; row < 4; ++row) problem.x_at(row, 7) = problem.x_at(row, 39) = 2;
      problem.x_at(1, 7) = 0;
      problem.x_at(3, 3) = kInfinity;
      ASSERT_EQ(cpu::linear_with(variant, problem.args(), nullptr), Status::kOk);
      SCOPED_TRACE(describe(problem, variant.name));
      EXPECT_EQ(problem.y_at(0, 1), kInfinity);
      EXPECT_TRUE(std::isnan(problem.y_at(1, 1))) << "0 times infinity";
      EXPECT_TRUE(std::isnan(problem.y_at(0, 2)));
      EXPECT_EQ(problem.y_at(2, 17), -kInfinity);
      EXPECT_NEAR(problem.y_at(0, 0), exact(problem, 0, 0), 1e-4);
      EXPECT_EQ(problem.y_at(3, 0), problem.weight(0, 3) > 0 ? kInfinity : -kInfinity);
    }
  }
}

TEST(Linear, LargeValuesOverflowToInfinityAndNoSooner) {
  for (const DType dtype : {DType::kFp32, DType::kBf16}) {
    for (const LinearVariant& variant : cpu::linear_variants(dtype)) {
      Problem problem = random_problem(dtype, 1, 2, 2, 0, false);
      for (std::int64_t k = 0; k < 2; ++k) problem.x_at(0, k) = 0x1p64F;
      problem.set_weight(0, 0x1p62F);
      problem.set_weight(1, 0x1p62F);
      problem.set_weight(2, 0x1p63F);
      problem.set_weight(3, 0x1p63F);
      ASSERT_EQ(cpu::linear_with(variant, problem.args(), nullptr), Status::kOk);
      EXPECT_EQ(problem.y_at(0, 0), 0x1p127F) << variant.name;
      EXPECT_EQ(problem.y_at(0, 1), kInfinity) << variant.name;
    }
  }
}

TEST(Linear, SubnormalsOfFp16AndFp32Count) {
  const std::array<std::pair<DType, float>, 2> smallest{
      {{DType::kFp16, 0x1p-24F}, {DType::kFp32, 0x1p-149F}}};
  for (const auto& [dtype, tiny] : smallest) {
    for (const LinearVariant& variant : cpu::linear_variants(dtype)) {
      Problem problem = random_problem(dtype, 1, 3, 1, 0, false);
      for (std::int64_t k = 0; k < 3; ++k) {
        problem.set_weight(k, tiny);
        problem.x_at(0, k) = 2;
      }
      ASSERT_EQ(cpu::linear_with(variant, problem.args(), nullptr), Status::kOk);
      EXPECT_EQ(problem.y_at(0, 0), tiny * 6) << variant.name;
    }
  }
}

TEST(Linear, SubnormalsOfBf16CountOrAreZero) {
  for (const LinearVariant& variant : cpu::linear_variants(DType::kBf16)) {
    Problem problem = random_problem(DType::kBf16, 1, 3, 1, 0, false);
    for (std::int64_t k = 0; k < 3; ++k) {
      problem.set_weight(k, 0x1p-133F);
      problem.x_at(0, k) = 2;
    }
    ASSERT_EQ(cpu::linear_with(variant, problem.args(), nullptr), Status::kOk);
    EXPECT_THAT(problem.y_at(0, 0), testing::AnyOf(0.0F, 0x1p-133F * 6)) << variant.name;
  }
}

TEST(Linear, RefusesWhatItsHeaderDoesNotAllow) {
  Problem problem = random_problem(DType::kFp32, 1, 4, 4);
  const auto answer = [&](auto change) {
    LinearArgs args = problem.args();
    change(args);
    return cpu::linear(args, nullptr);
  };
  EXPECT_EQ(answer([](LinearArgs& args) { args.rows = 0; }), Status::kBadArguments);
  EXPECT_EQ(answer([](LinearArgs& args) { args.rows = kLinearRows + 1; }), Status::kBadArguments);
  EXPECT_EQ(answer([](LinearArgs& args) { args.weight_stride = 3; }), Status::kBadArguments);
  EXPECT_EQ(answer([](LinearArgs& args) { args.x = nullptr; }), Status::kBadArguments);
  EXPECT_THAT(problem.y, testing::Each(Problem::kMark)) << "nothing ran";
}

}  // namespace
}  // namespace lil::kernels
