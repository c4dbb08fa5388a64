// The harness itself: a comparison that lets nothing through, and devices that notice what they should.

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>

#include <cmath>
#include <stdexcept>

#include "tests/kernels/harness.h"
#include "tests/kernels/simt_support.h"

namespace lil::tests {
namespace {

using kernels::DType;
using kernels::Status;
using kernels::simt::Global;

TEST(HarnessComparisons, EveryElementMustBeClose) {
  const Tolerance tolerance{0.5, 0.1};
  expect_close(tolerance, std::vector<double>{10.0, -1.5, 0.5}, {9.0, -1.0, 0.0});
  EXPECT_NONFATAL_FAILURE(
      expect_close(tolerance, std::vector<double>{1.0, 11.75, 20.0, 9.0}, {1.0, 10.0, 9.0, 9.0}),
      "2 of 4 elements are not close: element 1 is 11.75, expected 10; the worst: element 2 is 20");
  EXPECT_NONFATAL_FAILURE(expect_close(tolerance, std::vector<float>{0.625F}, {0.0}), "element 0 is 0.625");
}

TEST(HarnessComparisons, NoNumberIsCloseToNaNAndOnlyInfinityToInfinity) {
  const Tolerance wide{1e9, 1e9};
  expect_close(wide, std::vector<double>{-INFINITY, INFINITY}, {-INFINITY, INFINITY});
  EXPECT_NONFATAL_FAILURE(expect_close(wide, std::vector<double>{NAN}, {1.0}), "is nan");
  EXPECT_NONFATAL_FAILURE(expect_close(wide, std::vector<double>{1.0}, {NAN}), "expected nan");
  EXPECT_NONFATAL_FAILURE(expect_close(wide, std::vector<double>{NAN}, {NAN}), "is nan");
  EXPECT_NONFATAL_FAILURE(expect_close(wide, std::vector<double>{1e30}, {INFINITY}), "expected inf");
  EXPECT_NONFATAL_FAILURE(expect_close(wide, std::vector<double>{-INFINITY}, {INFINITY}), "is -inf");
}

TEST(HarnessComparisons, RoundsToNearestEven) {
  EXPECT_EQ(rounded(DType::kFp32, 0.1F), double{0.1F});
  EXPECT_EQ(rounded(DType::kFp16, 2049.0F), 2048.0);
  EXPECT_EQ(rounded(DType::kFp16, 2051.0F), 2052.0);
  EXPECT_EQ(rounded(DType::kBf16, 257.0F), 256.0);
  EXPECT_EQ(rounded(DType::kBf16, 259.0F), 260.0);
}

class Harness : public KernelTest {};
LIL_ON_EVERY_DEVICE(Harness);

TEST_P(Harness, ArraysGiveBackWhatWasWritten) {
  DeviceArray<std::int32_t> numbers(device(), "numbers", {3, kPoisonIndex, 5});
  EXPECT_EQ(numbers.read(), (std::vector<std::int32_t>{3, kPoisonIndex, 5}));
  numbers.write({8}, 1);
  numbers.poison(2, 1);
  EXPECT_EQ(numbers.read(), (std::vector<std::int32_t>{3, 8, kPoisonIndex}));
  for (const DType dtype : kDTypes) {
    DeviceTensor values(device(), "values", dtype, {0.1F, kPoison, -0.0F});
    EXPECT_EQ(values.read()[0], rounded(dtype, 0.1F));
    EXPECT_TRUE(std::isnan(values.read()[1]));
    EXPECT_EQ(values.bits()[2], dtype == DType::kFp32 ? 0x80000000U : 0x8000U);
    DeviceTensor empty(device(), "empty", dtype, 0);
    EXPECT_TRUE(empty.read().empty());
    const DeviceTensor unwritten(device(), "unwritten", dtype, 2);
    EXPECT_TRUE(std::isnan(unwritten.read()[1]));
  }
}

TEST_P(Harness, RunsThatDifferAreFound) {
  DeviceArray<float> out(device(), "out", {1.0F, 1.0F});
  int runs = 0;
  run_and_repeat([&] {
    EXPECT_EQ(out.read()[0], 1.0F) << "each run begins with the same memory";
    out.write({2.0F});
    ++runs;
    return Status::kOk;
  });
  EXPECT_EQ(runs, device().orders());
  EXPECT_EQ(out.read()[0], 2.0F);
  runs = 0;
  const auto differ = [&] {
    run_and_repeat([&] {
      out.write({static_cast<float>(runs++)}, 1);
      return Status::kOk;
    });
  };
  EXPECT_NONFATAL_FAILURE(differ(), "differ from the first run's");
  EXPECT_NONFATAL_FAILURE(run([] { return Status::kBadArguments; }), "bad arguments");
}

#ifndef __SANITIZE_ADDRESS__  // which finds them itself
class GuardedHarness : public KernelTest {};
LIL_ON_CPU(GuardedHarness);

TEST_P(GuardedHarness, WritesBesideAnArrayAreFound) {
  for (const std::int64_t element : {-1, 3}) {
    const auto write_beside = [&] {
      const DeviceArray<float> array(device(), "array", {1.0F, 2.0F, 3.0F});
      array.data()[element] = 0;
    };
    EXPECT_NONFATAL_FAILURE(write_beside(), "something wrote byte " + std::to_string(4 * element));
  }
}
#endif

/// A device that a failed kernel has left unusable.
class BrokenDevice final : public TestDevice {
 public:
  [[nodiscard]] const kernels::Backend& backend() const override { return kernels::cpu_backend(); }
  [[nodiscard]] kernels::Stream stream() const override { return nullptr; }
  [[nodiscard]] std::int64_t longest_list() const override { return 0; }
  void copy_in(void* /*to*/, const void* /*from*/, std::int64_t /*bytes*/) override {}
  void copy_out(void* /*to*/, const void* /*from*/, std::int64_t /*bytes*/) override {
    throw std::runtime_error("the device is broken");
  }
  void finish() override {}

 protected:
  void* raw_allocate(const std::string& /*name*/, std::int64_t bytes) override {
    memory_.resize(static_cast<std::size_t>(bytes));
    return memory_.data();
  }
  void raw_free(void* /*data*/) override { memory_.clear(); }

 private:
  std::vector<std::byte> memory_;
};

TEST(HarnessDevices, FreeingOnABrokenDeviceIsAFailureAndNoMore) {
  BrokenDevice device;
  const auto free_array = [&] { const DeviceArray<float> array(device, "array", 3); };
  EXPECT_NONFATAL_FAILURE(free_array(), "array 0 array could not be read: the device is broken");
}

// ---- what the emulated device adds

__global__ void shift(float* values) {
  const float left = Global<float>(values).load((threadIdx.x + 31) % 32);
  Global<float>(values).store(threadIdx.x, left);
}

__global__ void shift_with_barrier(float* values) {
  const float left = Global<float>(values).load((threadIdx.x + 31) % 32);
  __syncthreads();
  Global<float>(values).store(threadIdx.x, left);
}

class EmulatedHarness : public KernelTest {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EmulatedHarness);
LIL_ON_DEVICES_OF_KIND(Emulated, EmulatedHarness);

TEST_P(EmulatedHarness, AMissingBarrierChangesBitsInAnotherOrder) {
  DeviceArray<float> values(device(), "values", Random(1).floats(32));
  const auto without = [&] {
    run_and_repeat([&] { return kernels::simt::launch(shift, 1, 32, stream(), values.data()); });
  };
  EXPECT_NONFATAL_FAILURE(without(), "differ from the first run's");
  run_and_repeat([&] { return kernels::simt::launch(shift_with_barrier, 1, 32, stream(), values.data()); });
}

TEST_P(EmulatedHarness, PoisonIsUnreadableToKernelsEvenAfterARepeat) {
  std::vector<float> numbers = Random(1).floats(32);
  numbers[7] = kPoison;
  DeviceArray<float> values(device(), "values", numbers);
  const auto launch = [&] {
    return kernels::simt::launch(shift_with_barrier, 1, 32, stream(), values.data());
  };
  EXPECT_EQ(launch(), Status::kLaunchFailed);
  EXPECT_NONFATAL_FAILURE(device().finish(), "at byte 28 of \"values\", 128 bytes long: nothing wrote them");
  values.write({1.0F}, 7);
  run_and_repeat(launch);
  values.poison(9, 2);
  EXPECT_EQ(launch(), Status::kLaunchFailed);
  EXPECT_NONFATAL_FAILURE(device().finish(), "nothing wrote them");
}

TEST_P(EmulatedHarness, WhatWasWrittenIsPartOfTheComparison) {
  DeviceArray<float> values(device(), "values", 4);
  const TestDevice::Contents before = device().contents();
  values.write({1.0F});
  EXPECT_NE(device().contents(), before);
  device().restore(before);
  EXPECT_EQ(device().contents(), before);
}

}  // namespace
}  // namespace lil::tests
