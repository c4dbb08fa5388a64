// Does memory of libtorch keep what Device promises? On a CPU, where all but the way through pinned memory is
// the same.

#include "record/torch/torch_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>

#include "schemas/error.h"

namespace lil::tests {
namespace {

std::unique_ptr<record::Device> torch_cpu() {
  return record::make_torch_device("cpu", kernels::cpu_backend(), [] { return kernels::Stream{}; });
}

TEST(TorchDevice, ArraysAreZeroedAlignedAndCopied) {
  const auto device = torch_cpu();
  EXPECT_STREQ(device->name(), "cpu");
  EXPECT_EQ(device->stream(), nullptr);
  EXPECT_EQ(&device->kernels(), &kernels::cpu_backend());
  record::DeviceArray<std::int32_t> first(*device, 1000);
  record::DeviceArray<std::int32_t> second(*device, 1000);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first.data()) % 64, 0);
  EXPECT_EQ(first.download(0, 1000), std::vector<std::int32_t>(1000, 0));
  std::vector<std::int32_t> numbers(600);
  std::iota(numbers.begin(), numbers.end(), 7);
  first.upload(numbers, 300);
  device->copy(second.data() + 1, first.data() + 299, 10 * sizeof(std::int32_t));
  device->zero(first.data() + 301, sizeof(std::int32_t));
  EXPECT_EQ(first.download(299, 4), (std::vector<std::int32_t>{0, 7, 0, 9}));
  EXPECT_EQ(first.download(899, 2), (std::vector<std::int32_t>{606, 0}));
  EXPECT_EQ(second.download(0, 4), (std::vector<std::int32_t>{0, 0, 7, 8}));
}

TEST(TorchDevice, SaysWhatItCannotAllocateInOneLine) {
  const auto device = torch_cpu();
  try {
    static_cast<void>(device->allocate(std::size_t{1} << 63));  // libtorch counts with a sign
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kEnvironment);
    EXPECT_THAT(error.what(),
                testing::StartsWith("cannot allocate 9223372036854775808 bytes on the device cpu: "));
    EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("\n")));
  }
}

}  // namespace
}  // namespace lil::tests
