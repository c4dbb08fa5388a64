// Do the CUDA kernels, run on the processor against the emulation's checks, record what the CPU's kernels
// record? The decoder is the CPU's on both sides, so that products sum in the same order and only attention
// is compared.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "record/device.h"
#include "record/language_model.h"
#include "record/prompt_template.h"
#include "record/tokenizer/tokenizer.h"
#include "tests/record/emulated_device.h"
#include "tests/record/greedy_streams.h"
#include "tests/support/simt/block.h"

namespace lil::tests {
namespace {

using Prompts = std::vector<std::vector<schemas::TokenId>>;

const std::string kDemo = LIL_DEMO_MODEL_FOLDER;

Prompts first_prompts(std::size_t count) {
  const auto tokenizer = record::load_tokenizer(kDemo + "/lil-demo-1m");
  std::ifstream file(kDemo + "/problems.jsonl");
  Prompts prompts;
  for (std::string line; prompts.size() < count && std::getline(file, line);) {
    const std::string problem = nlohmann::json::parse(line).at("problem");
    prompts.push_back(record::encode_prompt(*tokenizer, "{problem}", problem));
  }
  return prompts;
}

std::vector<GreedyStream> recorded(record::Device& device, const std::string& policy,
                                   const Prompts& prompts) {
  const auto model = record::load_language_model(kDemo + "/lil-demo-1m", device);
  return greedy_streams(*model, policy, prompts, 32, 2);
}

class EmulatedRecording : public testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { EXPECT_EQ(simt::take_faults(), ""); }
};

TEST_P(EmulatedRecording, HasTheStreamsOfTheCpu) {
  const Prompts prompts = first_prompts(2);
  ASSERT_EQ(prompts.size(), 2);
  const auto cpu = record::make_cpu_device(1);
  const auto emulated = make_emulated_device();
  const auto expected = recorded(*cpu, GetParam(), prompts);
  const auto found = recorded(*emulated, GetParam(), prompts);
  EXPECT_EQ(ids_of(found), ids_of(expected));
  EXPECT_LE(largest_difference(found, expected), 1e-4);
  EXPECT_NE(expected[0].ids, expected[1].ids);
}

INSTANTIATE_TEST_SUITE_P(Policies, EmulatedRecording,
                         testing::Values("full", "sink(budget=48)", "h2o(budget=48)", "quest(budget=48)"),
                         [](const auto& policy) { return policy.param.substr(0, policy.param.find('(')); });

}  // namespace
}  // namespace lil::tests
