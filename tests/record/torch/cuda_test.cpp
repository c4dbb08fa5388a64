// On a GPU: does the recorder there record what the CPU records? Without one: does it say so in a line?

#include "record/torch/cuda.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "record/language_model.h"
#include "schemas/error.h"
#include "tests/record/greedy_streams.h"
#include "tests/record/tiny_model.h"
#include "tests/support/temporary_directory.h"

namespace lil::tests {
namespace {

using Prompts = std::vector<std::vector<schemas::TokenId>>;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// The GPU, or null with the reason.
std::unique_ptr<record::Device> gpu(std::string& reason) {
  try {
    return record::make_cuda_device();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kEnvironment);
    reason = error.what();
    return nullptr;
  }
}

TEST(Cuda, SaysInALineWhatIsMissing) {
  std::string reason;
  if (gpu(reason)) GTEST_SKIP() << "nothing is missing: there is a GPU";
  EXPECT_THAT(reason, Not(HasSubstr("\n")));
  EXPECT_THAT(reason, StartsWith("the device cuda is missing: "));
#ifndef LIL_RECORD_CUDA
  EXPECT_THAT(reason, HasSubstr("built without a CUDA libtorch"));
#endif
}

Prompts prompts() {
  Prompts all;
  for (const int length : {30, 17, 41}) {
    Prompts::value_type& ids = all.emplace_back();
    for (int i = 0; i < length; ++i) ids.push_back((i * 17 + length * 31 + 5) % 50);
  }
  return all;
}

class CudaRecording : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    std::string reason;
    device_ = gpu(reason);
    if (!device_) GTEST_SKIP() << reason;
    make_tiny_model(9, {{"model_type", GetParam()}}).write(folder_ / "tiny");
  }
  [[nodiscard]] std::unique_ptr<record::LanguageModel> load(const std::string& dtype) {
    return record::load_cuda_model(folder_ / "tiny", *device_, {dtype});
  }

  TemporaryDirectory folder_;
  std::unique_ptr<record::Device> device_;
};

TEST_P(CudaRecording, HasTheStreamsOfTheCpu) {
  const auto cpu = record::make_cpu_device(1);
  const auto on_cpu = record::load_language_model(folder_ / "tiny", *cpu, {"fp32"});
  const auto on_gpu = load("fp32");
  for (const char* policy : {"full", "sink(budget=20)", "h2o(budget=20)"}) {
    SCOPED_TRACE(policy);
    const auto expected = greedy_streams(*on_cpu, policy, prompts(), 60, 2);
    const auto found = greedy_streams(*on_gpu, policy, prompts(), 60, 2);
    EXPECT_EQ(ids_of(found), ids_of(expected));
    EXPECT_LE(largest_difference(found, expected), 1e-4);
  }
}

TEST_P(CudaRecording, DoesNotDependOnTheBatch) {
  for (const char* dtype : {"fp32", "bf16", "fp16"}) {
    const auto model = load(dtype);
    for (const char* policy : {"full", "sink(budget=20)", "h2o(budget=20)"}) {
      SCOPED_TRACE(std::string(dtype) + " under " + policy);
      const auto alone = greedy_streams(*model, policy, prompts(), 60, 1);
      const auto together = greedy_streams(*model, policy, prompts(), 60, 3);
      for (std::size_t i = 0; i < alone.size(); ++i) EXPECT_EQ(together[i].logits, alone[i].logits);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, CudaRecording, testing::Values("llama", "qwen2", "qwen2_moe"),
                         [](const auto& model) { return model.param; });

}  // namespace
}  // namespace lil::tests
