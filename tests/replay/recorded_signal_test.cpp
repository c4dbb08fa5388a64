// Do the signals that read the recording sum what was recorded, and say so where nothing was?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "replay/replayer.h"
#include "replay/signals/registry.h"
#include "replay/sweep.h"
#include "schemas/error.h"
#include "tests/support/store_fixture.h"
#include "tests/support/temporary_directory.h"

namespace lil::replay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Five tokens with numbers that fp16 has.
schemas::TraceTokens recorded_tokens() {
  schemas::TraceTokens tokens;
  tokens.prompt_ids = {80, 81};
  tokens.ids = {65, 66, 67, 68, 69};
  tokens.logprob = {-0.5F, -0.25F, 0.0F, -std::ldexp(1.0F, -24), -12.0F};
  tokens.entropy = {1.5F, 0.0009765625F, 0.0009765625F, 0.0F, 65504.0F};
  return tokens;
}

std::vector<std::int64_t> curve_of(const std::string& signal, StreamKind stream, std::int64_t grid,
                                   const schemas::TraceTokens& tokens) {
  const schemas::Vocabulary vocabulary = schemas::Vocabulary::bytes();
  TraceStreams streams(tokens, vocabulary);
  return Replayer().replay(streams, curve_id(*make_signal(signal), stream, grid))->curve.values;
}

std::string message_of(const std::string& signal, const schemas::TraceTokens& tokens) {
  try {
    static_cast<void>(curve_of(signal, StreamKind::kText, 1, tokens));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInput);
    return error.what();
  }
  return "no error";
}

TEST(RecordedSignal, SumsThousandthsOfANatAndRoundsTheSumDown) {
  const auto tokens = recorded_tokens();
  EXPECT_THAT(curve_of("logprob", StreamKind::kText, 1, tokens), ElementsAre(0, 500, 750, 750, 750, 12750));
  EXPECT_THAT(curve_of("entropy", StreamKind::kText, 1, tokens),
              ElementsAre(0, 1500, 1500, 1501, 1501, 65505501))
      << "two of 0.98 thousandths make one";
  EXPECT_THAT(curve_of("logprob", StreamKind::kText, 2, tokens), ElementsAre(0, 750, 750));
}

TEST(RecordedSignal, IsTheSameForEveryStream) {
  const auto tokens = recorded_tokens();
  for (const StreamKind stream : stream_kinds())
    EXPECT_EQ(curve_of("logprob", stream, 1, tokens), curve_of("logprob", StreamKind::kText, 1, tokens));
}

TEST(RecordedSignal, KeepsTheSmallestNumberThatTheStoreHas) {
  schemas::TraceTokens tokens;
  tokens.ids.assign(16778, 65);
  tokens.logprob.assign(16778, -std::ldexp(1.0F, -24));
  EXPECT_EQ(curve_of("logprob", StreamKind::kText, 16777, tokens).back(), 0) << "16777 / 2^24 < 0.001";
  EXPECT_EQ(curve_of("logprob", StreamKind::kText, 16778, tokens).back(), 1);
}

TEST(RecordedSignal, SaysWhatIsMissingOrBroken) {
  auto tokens = recorded_tokens();
  tokens.logprob.clear();
  EXPECT_THAT(message_of("logprob", tokens), HasSubstr("the log-probability of its tokens is not recorded"));
  EXPECT_EQ(message_of("entropy", tokens), "no error");
  tokens.entropy[2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(message_of("entropy", tokens), HasSubstr("the entropy of token 3 is nan"));
  tokens.entropy[2] = -std::numeric_limits<float>::infinity();
  EXPECT_THAT(message_of("entropy", tokens), HasSubstr("the entropy of token 3 is -inf"));
  EXPECT_THAT(curve_of("logprob", StreamKind::kText, 1, {}), ElementsAre(0)) << "nothing to record";
}

TEST(RecordedSignal, APlanLeavesOutTheTracesThatHaveNone) {
  const tests::TemporaryDirectory folder;
  auto store = schemas::Store::open(folder / "s.db", schemas::Access::kCreate);
  tests::put_text_trace(store, "imported", "1", "no numbers here");
  const auto run = tests::minimal_run("{}", schemas::put_tokenizer(store, schemas::Vocabulary::bytes()));
  const schemas::Problem problem{"toys", "recorded", "?", "1", schemas::AnswerKind::kNumber};
  schemas::TraceWriter writer(store, tests::minimal_trace(run, schemas::put_run(store, run), problem,
                                                          schemas::put_problem(store, problem)));
  const auto tokens = recorded_tokens();
  writer.append({tokens.ids, tokens.logprob, {}, {}});
  writer.finish(schemas::Finish::kStop, 0, 0);

  const SweepPlan plan = plan_sweep(store, {{"logprob", "entropy", "lz77"}, {StreamKind::kText}, 5, {}});
  EXPECT_EQ(plan.not_recorded, 3) << "two of the imported trace, and the recorded one's entropy";
  EXPECT_EQ(plan.curves, 3);
  const SweepResult result = run_sweep(store, plan, {});
  EXPECT_EQ(result.curves_stored, 3);
  EXPECT_TRUE(result.failures.empty());
}

}  // namespace
}  // namespace lil::replay
