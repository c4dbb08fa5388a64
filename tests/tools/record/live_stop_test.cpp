// Does every rule that can run live stop a recording on the very token that replaying the full one names?

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "record/recorder.h"
#include "replay/curve.h"
#include "replay/signals/registry.h"
#include "replay/stop_rules/registry.h"
#include "replay/stream.h"
#include "schemas/trace_store.h"
#include "tests/support/temporary_directory.h"
#include "tools/import/problem_file.h"
#include "tools/record/live_observer.h"

namespace lil::tools {
namespace {

using schemas::Finish;
using schemas::Store;
using schemas::TraceTokens;

/// Specs of a rule that stop some of the demo model's traces: for those whose parameters have no default. A
/// rule that is not here is tried as it is by default.
std::vector<std::string> specs_of(const std::string& rule) {
  static const std::map<std::string, std::vector<std::string>> specs{
      {"guardian",
       {"guardian(f=50,t=12,signal=zlib)", "guardian(f=30,t=60,patience=2,phase=10,signal=lz4,stream=ids32)",
        "guardian(f=40,t=25,first=zero,signal=lz77,stream=prompt+text)",
        "guardian(f=60,t=40,signal=zlib,stream=prompt+ids32)"}},
      {"cap", {"cap(tokens=77)"}},
      {"ratio", {"ratio(f=50,t=2)", "ratio(f=40,t=1.8,window=100)"}},
      {"slope", {"slope(f=50,share=0.3)"}},
      {"cusum", {"cusum(f=50,reference=40,interval=60)"}},
      {"repetition", {"repetition(max_pattern_size=150,min_count=2)"}},
  };
  const auto found = specs.find(rule);
  return found == specs.end() ? std::vector{rule} : found->second;
}

bool runs_live(const replay::StopRuleRow& row) {
  const std::string spec = specs_of(row.name).front();
  std::string own = spec;  // without what the signal and its stream are called
  for (const char* key : {",signal=", "signal=", ",stream="}) own = own.substr(0, own.find(key));
  if (own != spec) own += ")";
  return replay::make_stop_rule(own)->watch() != nullptr;
}

class LiveStopTest : public testing::Test {
 protected:
  LiveStopTest() {
    const std::filesystem::path folder = LIL_DEMO_MODEL_FOLDER;
    ProblemFile file = read_problem_file(folder / "problems.jsonl", {});
    file.problems.resize(6);
    problems_ = {"demo", file.sha256, file.problems};
    device_ = record::make_cpu_device(2);
    model_ = record::load_language_model(folder / "lil-demo-1m", *device_);
    tokenizer_ = record::load_tokenizer(folder / "lil-demo-1m");
  }

  struct Recorded {
    TraceTokens tokens;
    Finish finish{};
  };
  /// By problem id.
  std::map<std::string, Recorded> recorded(const std::string& stop) {
    record::RecordOptions options;
    options.policy = "sink(budget=64)";  // so that some traces go on and on
    options.cap_tokens = 500;
    options.batch = 4;
    record::RecordHooks hooks;
    if (!stop.empty()) {
      const auto spec = replay::parse_guardian_spec(stop);
      options.stop_rule = spec.to_string();
      hooks.make_observer = [this, spec](const schemas::Problem&, std::span<const schemas::TokenId> prompt) {
        return std::make_unique<LiveObserver>(spec, tokenizer_->vocabulary(), prompt);
      };
    }
    Store store = Store::open(folder_ / (std::to_string(stores_++) + ".db"), schemas::Access::kCreate);
    EXPECT_TRUE(record::record(store, *model_, *tokenizer_, problems_, options, hooks).failures.empty());
    std::map<std::string, Recorded> all;
    for (const auto& trace : schemas::list_traces(store, {})) {
      all[trace.problem_id] = {schemas::read_tokens(store, trace.key), trace.finish};
    }
    return all;
  }

  /// Where replay stops the trace.
  std::optional<std::int64_t> replayed(const replay::GuardianSpec& spec, const TraceTokens& tokens) const {
    const auto rule = replay::make_stop_rule(spec.rule);
    const replay::Stream stream = replay::build_stream(spec.stream, tokens, tokenizer_->vocabulary());
    const auto schedule = rule->schedule();
    const std::int64_t grid =
        std::max<std::int64_t>(std::gcd(schedule.every_tokens, schedule.first_token), 1);
    const schemas::Curve curve = replay::compute_curve(*replay::make_signal(spec.signal), stream, grid);
    return rule->stop({stream.tokens(), &curve, {}, &stream});
  }

  tests::TemporaryDirectory folder_;
  int stores_ = 0;
  record::ProblemSet problems_;
  std::unique_ptr<record::Device> device_;
  std::unique_ptr<record::LanguageModel> model_;
  std::unique_ptr<record::Tokenizer> tokenizer_;
};

TEST_F(LiveStopTest, IsOnTheTokenThatReplayNamesForEveryRule) {
  const auto full = recorded("");
  std::vector<std::string> tried;
  for (const replay::StopRuleRow& row : replay::stop_rule_rows()) {
    if (!runs_live(row)) continue;
    tried.push_back(row.name);
    for (const std::string& text : specs_of(row.name)) {
      const auto live = recorded(text);
      std::int64_t stops = 0;
      for (const auto& [problem, whole] : full) {
        const auto expected = replayed(replay::parse_guardian_spec(text), whole.tokens);
        const Recorded& stopped = live.at(problem);
        const auto kept = expected.value_or(static_cast<std::int64_t>(whole.tokens.ids.size()));
        EXPECT_EQ(stopped.finish, expected ? Finish::kGuardian : whole.finish) << text << " on " << problem;
        ASSERT_EQ(static_cast<std::int64_t>(stopped.tokens.ids.size()), kept) << text << " on " << problem;
        EXPECT_TRUE(
            std::equal(stopped.tokens.ids.begin(), stopped.tokens.ids.end(), whole.tokens.ids.begin()));
        stops += expected ? 1 : 0;
      }
      EXPECT_TRUE(stops > 0 || row.name == "never") << text << " stops nothing: try other parameters here";
    }
  }
  EXPECT_THAT(tried, testing::IsSupersetOf({"guardian", "never", "cap"}));
}

}  // namespace
}  // namespace lil::tools
