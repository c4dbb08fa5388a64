// Does the engine compute the same for a sequence whatever is decoded beside it, and whichever way it got
// there?

#include "record/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "record/sampler.h"
#include "schemas/error.h"
#include "tests/record/tiny_model.h"
#include "tests/support/temporary_directory.h"

namespace lil::tests {
namespace {

using record::Engine;
using record::SequenceId;
using schemas::TokenId;
using testing::HasSubstr;

std::vector<TokenId> some_tokens(std::int64_t count, std::int64_t start = 0) {
  std::vector<TokenId> ids;
  for (std::int64_t i = 0; i < count; ++i) ids.push_back(static_cast<TokenId>((start + i * 13 + 3) % 50));
  return ids;
}

std::vector<float> copy_of(std::span<const float> values) {
  return {values.begin(), values.end()};
}

class EngineTest : public testing::Test {
 protected:
  void load(const std::string& dtype, int threads = 1) {
    model_.reset();
    const TemporaryDirectory folder;
    make_tiny_model(9).write(folder / "tiny");
    device_ = record::make_cpu_device(threads);
    model_ = record::load_language_model(folder / "tiny", *device_, {dtype});
  }
  [[nodiscard]] std::unique_ptr<Engine> engine(const std::string& policy, std::int64_t lanes = 1,
                                               std::int64_t max_tokens = 200) {
    policies_.push_back(record::make_attention_policy(policy));
    return std::make_unique<Engine>(*model_, *policies_.back().policy,
                                    record::EngineOptions{lanes, max_tokens, 0});
  }
  static void read(Engine& engine, SequenceId sequence, std::span<const TokenId> ids) {
    for (const TokenId id : ids) {
      const record::StepInput input{sequence, id};
      engine.step({&input, 1});
    }
  }

  std::unique_ptr<record::Device> device_;
  std::unique_ptr<record::LanguageModel> model_;
  std::vector<record::ResolvedPolicy> policies_;  ///< of all engines of a test
};

TEST_F(EngineTest, ReadingAPromptAtOnceOrTokenByTokenGivesTheSameBits) {
  const std::vector<TokenId> ids = some_tokens(70);
  for (const char* dtype : {"fp32", "bf16", "fp16"}) {
    load(dtype);
    const auto at_once = engine("full");
    const auto whole = copy_of(at_once->logits(at_once->admit(ids, 100)));
    for (const std::size_t first : {1U, 15U, 16U, 17U, 69U}) {
      const auto in_parts = engine("full");
      const SequenceId sequence = in_parts->admit(std::span(ids).first(first), 100);
      read(*in_parts, sequence, std::span(ids).subspan(first));
      EXPECT_EQ(copy_of(in_parts->logits(sequence)), whole) << dtype << ", first " << first;
    }
  }
}

TEST_F(EngineTest, NeighboursDoNotChangeASequence) {
  load("fp32", 2);
  for (const char* policy : {"full", "sink(budget=20)", "h2o(budget=20)"}) {
    const std::vector<TokenId> prompt = some_tokens(33);
    const std::vector<TokenId> more = some_tokens(40, 7);
    const auto alone = engine(policy);
    const SequenceId single = alone->admit(prompt, 200);
    const auto batch = engine(policy, 5);
    const SequenceId early = batch->admit(some_tokens(3, 1), 200);
    const SequenceId watched = batch->admit(prompt, 200);
    const SequenceId late = batch->admit(some_tokens(50, 2), 200);
    for (std::size_t i = 0; i < more.size(); ++i) {
      read(*alone, single, {&more[i], 1});
      std::vector<record::StepInput> inputs{{watched, more[i]}};
      if (i % 3 != 0) inputs.push_back({late, more[i]});
      if (i < 10) inputs.insert(inputs.begin(), {early, 4});
      if (i == 10) batch->release(early);
      batch->step(inputs);
      ASSERT_EQ(copy_of(batch->logits(watched)), copy_of(alone->logits(single))) << policy << ", step " << i;
      ASSERT_EQ(batch->attended(watched), alone->attended(single));
    }
  }
}

TEST_F(EngineTest, AForkGoesItsOwnWay) {
  load("fp32");
  for (const char* policy : {"full", "sink(budget=20)", "h2o(budget=20)"}) {
    const auto pair = engine(policy, 2);
    const SequenceId original = pair->admit(some_tokens(30), 200);
    read(*pair, original, some_tokens(10, 5));
    const SequenceId copy = pair->fork(original);
    read(*pair, copy, some_tokens(8, 1));
    pair->release(copy);
    read(*pair, original, some_tokens(30, 2));
    const auto alone = engine(policy);
    const SequenceId undisturbed = alone->admit(some_tokens(30), 200);
    read(*alone, undisturbed, some_tokens(10, 5));
    read(*alone, undisturbed, some_tokens(30, 2));
    EXPECT_EQ(copy_of(pair->logits(original)), copy_of(alone->logits(undisturbed))) << policy;
  }
}

TEST_F(EngineTest, StopsInAPromptWhereverItIsAskedTo) {
  load("fp32");
  const std::vector<TokenId> prompt = some_tokens(40);
  for (const char* policy : {"full", "sink(budget=20)", "quest(budget=20,page=4,skip_layers=1)"}) {
    const auto pair = engine(policy, 2);
    const SequenceId first = pair->admit(some_tokens(5), 100);
    const std::int64_t taken = pair->kv_bytes_taken();
    int asked = 0;
    (void)pair->admit(prompt, 100, [&] { return ++asked < 0; });
    EXPECT_GE(asked, 3 * 3) << "layers, tiles of 16 tokens";
    const auto stopped = engine(policy, 2);
    const SequenceId neighbour = stopped->admit(some_tokens(5), 100);
    for (int last = 1; last <= asked; ++last) {
      int now = 0;
      ASSERT_EQ(stopped->admit(prompt, 100, [&] { return ++now == last; }), std::nullopt);
      ASSERT_EQ(stopped->kv_bytes_taken(), taken) << policy << ", at question " << last;
    }
    const auto again = stopped->admit(prompt, 100, [] { return false; });
    ASSERT_TRUE(again);
    read(*stopped, *again, some_tokens(4));
    read(*stopped, neighbour, some_tokens(4));
    read(*pair, first, some_tokens(4));
    EXPECT_EQ(copy_of(stopped->logits(neighbour)), copy_of(pair->logits(first))) << policy;
  }
}

TEST_F(EngineTest, TakesNoMoreMemoryThanAPolicyHolds) {
  load("fp32");
  const auto bounded = engine("sink(budget=32)");
  const SequenceId sequence = bounded->admit(some_tokens(100), 200);
  EXPECT_EQ(bounded->kv_bytes_taken(), 3 * 2 * 32 * (2 * 12 * 4 + 4));  // layers, heads, entries
  read(*bounded, sequence, some_tokens(90));
  EXPECT_EQ(bounded->kv_bytes_taken(), 3 * 2 * 32 * (2 * 12 * 4 + 4));
  bounded->release(sequence);
  EXPECT_EQ(bounded->kv_bytes_taken(), 0);
}

TEST_F(EngineTest, RefusesATokenOutsideTheVocabularyAndGoesOn) {
  load("fp32");
  const auto single = engine("full");
  const std::vector<TokenId> wrong{1, 50};
  EXPECT_THROW(static_cast<void>(single->admit(wrong, 200)), Error);
  EXPECT_EQ(single->kv_bytes_taken(), 0);
  const SequenceId sequence = single->admit(some_tokens(4), 200);
  EXPECT_THROW(read(*single, sequence, std::vector<TokenId>{50}), Error);
  read(*single, sequence, some_tokens(4));
  EXPECT_EQ(single->tokens(sequence), 8);
}

TEST_F(EngineTest, SaysWhatAPoolLacksForOneSequence) {
  load("fp32");
  const record::ResolvedPolicy full = record::make_attention_policy("full");
  try {
    const Engine small(*model_, *full.policy, record::EngineOptions{4, 1000, 100000});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("100000 bytes has no room for one sequence of 1000 tokens"));
  }
}

}  // namespace
}  // namespace lil::tests
