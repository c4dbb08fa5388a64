// Do the CUDA kernels, run on the processor against the emulation's checks, record what the CPU's kernels
// record? The decoder is the CPU's on both sides, so that products sum in the same order and only attention
// is compared.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "record/device.h"
#include "record/language_model.h"
#include "record/recorder.h"
#include "record/tokenizer/tokenizer.h"
#include "schemas/trace_store.h"
#include "tests/record/emulated_device.h"
#include "tests/support/simt/block.h"
#include "tests/support/temporary_directory.h"

namespace lil::tests {
namespace {

constexpr std::string_view kDemo = LIL_DEMO_MODEL_FOLDER;

/// The demo model's first problems; the gold answers play no part.
record::ProblemSet first_problems(std::size_t count) {
  record::ProblemSet set{"trader", "0123", {}};
  std::ifstream file(std::string(kDemo) + "/problems.jsonl");
  for (std::string line; set.problems.size() < count && std::getline(file, line);) {
    const auto problem = nlohmann::json::parse(line);
    set.problems.push_back({set.name, problem.at("id"), problem.at("problem"), problem.at("answer"),
                            schemas::AnswerKind::kNumber});
  }
  return set;
}

struct RecordedTrace {
  schemas::TraceTokens tokens;
  schemas::Finish finish{};
};

struct WholeRecording {
  std::string policy;
  std::int64_t cap_tokens = 0;
  std::size_t problems = 2;
};

/// All traces at a time, to their end.
std::vector<RecordedTrace> record_to(const std::string& store_path, record::Device& device,
                                     const WholeRecording& what) {
  const auto model = record::load_language_model(std::string(kDemo) + "/lil-demo-1m", device);
  const auto tokenizer = record::load_tokenizer(std::string(kDemo) + "/lil-demo-1m");
  auto store = schemas::Store::open(store_path, schemas::Access::kCreate);
  record::RecordOptions options;
  options.policy = what.policy;
  options.cap_tokens = what.cap_tokens;
  const auto summary = record::record(store, *model, *tokenizer, first_problems(what.problems), options);
  EXPECT_TRUE(summary.failures.empty()) << summary.failures.front().message;
  std::vector<RecordedTrace> traces;
  for (const auto& trace : schemas::list_traces(store, {})) {
    traces.push_back({schemas::read_tokens(store, trace.key), trace.finish});
  }
  return traces;
}

/// As near as 1e-4 before they were rounded to the store's fp16.
void expect_near(const std::vector<float>& found, const std::vector<float>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], expected[i], 1e-4 + std::abs(expected[i]) / 1024) << "token " << i;
  }
}

class EmulatedRecording : public testing::TestWithParam<WholeRecording> {
 protected:
  void TearDown() override { EXPECT_EQ(simt::take_faults(), ""); }
};

TEST_P(EmulatedRecording, HasTheTracesOfTheCpu) {
  const TemporaryDirectory folder;
  const auto cpu = record::make_cpu_device(1);
  const auto emulated = make_emulated_device();
  const auto expected = record_to(folder / "cpu.db", *cpu, GetParam());
  const auto found = record_to(folder / "emulated.db", *emulated, GetParam());
  ASSERT_EQ(expected.size(), GetParam().problems);
  ASSERT_EQ(found.size(), GetParam().problems);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(found[i].tokens.ids, expected[i].tokens.ids);
    EXPECT_EQ(found[i].tokens.attended, expected[i].tokens.attended);
    EXPECT_EQ(found[i].finish, expected[i].finish);
    expect_near(found[i].tokens.logprob, expected[i].tokens.logprob);
    expect_near(found[i].tokens.entropy, expected[i].tokens.entropy);
  }
  if (expected.size() > 1) {
    EXPECT_NE(expected[0].tokens.ids, expected[1].tokens.ids);
  }
}

/// The emulation is slow: full attention goes on to an answer, the others, two at a time, to a cap.
INSTANTIATE_TEST_SUITE_P(
    Policies, EmulatedRecording,
    testing::Values(WholeRecording{"full", 500, 1}, WholeRecording{"quest(budget=48)", 120},
                    WholeRecording{"sink(budget=48)", 120}, WholeRecording{"h2o(budget=48)", 120}),
    [](const auto& test) { return test.param.policy.substr(0, test.param.policy.find('(')); });

}  // namespace
}  // namespace lil::tests
