// Does a live stop fall on the very token that replay finds in the full recording?
#include "replay/guardian.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "replay/curve.h"
#include "replay/signals/registry.h"
#include "replay/stop_rules/registry.h"
#include "schemas/error.h"
#include "tests/replay/sample_texts.h"

namespace lil::replay {
namespace {

using testing::HasSubstr;

/// Feeds the guardian token by token; a stop with the last token is none, the generation has ended.
std::optional<std::int64_t> live_stop(Guardian& guardian, const Stream& stream) {
  const std::string_view bytes = stream.bytes;
  const auto piece = [&](std::int64_t from, std::int64_t to) {
    return bytes.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from));
  };
  guardian.start(piece(0, stream.start));
  for (std::int64_t token = 1; token < stream.tokens(); ++token) {
    const auto decision = guardian.push(piece(stream.offset_after(token - 1), stream.offset_after(token)));
    if (decision == Guardian::Decision::kStop) return token;
  }
  return std::nullopt;
}

std::string usage_message(const std::string& spec) {
  try {
    static_cast<void>(parse_guardian_spec(spec));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "no error";
}

TEST(GuardianSpec, TakesTheSignalAmongTheRulesParameters) {
  const GuardianSpec spec = parse_guardian_spec("guardian(f=250,t=20,signal=zlib,stream=prompt+text)");
  EXPECT_EQ(spec.rule, "guardian(f=250,t=20)");
  EXPECT_EQ(spec.signal, "zlib(level=6)");
  EXPECT_EQ(spec.stream, StreamKind::kPromptText);
}

TEST(GuardianSpec, SpellingGoesBothWays) {
  for (const std::string text : {"guardian(f=250,t=20)", "never", "cap(tokens=5)", "ratio",
                                 "repetition(max_pattern_size=9,min_count=3)",
                                 "guardian(f=5,t=1,patience=2,signal=gzip(level=9),stream=ids32)"}) {
    const GuardianSpec spec = parse_guardian_spec(text);
    const GuardianSpec again = parse_guardian_spec(spec.to_string());
    EXPECT_EQ(again.to_string(), spec.to_string()) << text;
    EXPECT_EQ(again.rule, spec.rule);
    EXPECT_EQ(again.signal, spec.signal);
    EXPECT_EQ(again.stream, spec.stream);
  }
  EXPECT_EQ(parse_guardian_spec("never").to_string(), "never(signal=zlib(level=6),stream=text)");
}

TEST(GuardianSpec, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(usage_message("guardian(f=250,t=20,signal=rar)"), HasSubstr("unknown signal 'rar'"));
  EXPECT_THAT(usage_message("guardian(f=250,t=20,signal=zlib(level=10))"), HasSubstr("level=10"));
  EXPECT_THAT(usage_message("guardian(f=250,t=20,stream=words)"), HasSubstr("stream=words"));
  EXPECT_THAT(usage_message("guardian(f=250,t=20,signal=lz4,signal=lz77)"),
              HasSubstr("'signal' is given twice"));
  EXPECT_THAT(usage_message("guardian(f=250,t=20,g=2)"), HasSubstr("'g'"));
  EXPECT_THAT(usage_message("guardian(f=250,t=20,signal=logprob)"),
              HasSubstr("signal logprob cannot watch a live generation"));
  EXPECT_THAT(usage_message("oracle"), HasSubstr("oracle cannot watch a live generation"));
  EXPECT_THAT(usage_message("ratio(stream=ids32)"), HasSubstr("rule ratio reads the stream text, not ids32"));
  EXPECT_THAT(usage_message("ratio(stream=prompt+text)"), HasSubstr("not prompt+text"));
  EXPECT_THAT(usage_message("repetition(max_pattern_size=9,min_count=3,stream=text)"),
              HasSubstr("reads the stream ids32, not text"));
}

TEST(GuardianSpec, ARuleThatReadsAStreamNamesIt) {
  EXPECT_EQ(parse_guardian_spec("ratio(f=100)").stream, StreamKind::kText);
  EXPECT_EQ(parse_guardian_spec("repetition(max_pattern_size=9,min_count=3)").to_string(),
            "repetition(max_pattern_size=9,min_count=3,signal=zlib(level=6),stream=ids32)");
  EXPECT_THROW(Guardian({"repetition(max_pattern_size=9,min_count=3)", "zlib(level=6)", StreamKind::kText}),
               Error);
}

/// Every rule that can run live, by the stream that it reads besides a signal.
std::vector<std::string> rules_that_read(std::optional<StreamKind> stream) {
  std::vector<std::string> rules;
  for (const std::string rule :
       {"guardian(f=30,t=20)", "guardian(f=25,t=12.5,patience=2)", "guardian(f=40,t=9,warmup=300)",
        "guardian(f=30,t=25,phase=10)", "guardian(f=50,t=30,first=zero)", "cap(tokens=333)", "never",
        "slope(f=30,share=0.4)", "slope(f=25,share=0.3,windows=4,patience=2)",
        "cusum(f=30,reference=60,interval=150)", "ratio(f=33,t=1.7)", "ratio(f=40,t=1.8,window=120)",
        "repetition(max_pattern_size=80,min_count=2)",
        "repetition(max_pattern_size=9,min_pattern_size=3,min_count=3)"}) {
    if (make_stop_rule(rule)->schedule().reads_stream == stream) rules.push_back(rule);
  }
  return rules;
}

TEST(Guardian, EveryLiveRuleIsTried) {
  std::set<std::string> tried;
  for (const auto stream :
       std::vector<std::optional<StreamKind>>{{}, StreamKind::kText, StreamKind::kIds32}) {
    for (const std::string& rule : rules_that_read(stream)) tried.insert(rule.substr(0, rule.find('(')));
  }
  std::set<std::string> all;
  for (const StopRuleRow& row : stop_rule_rows()) all.insert(row.name);
  ASSERT_EQ(all.erase("oracle"), 1U);
  EXPECT_EQ(tried, all);
}

TEST(Guardian, StopsOnTheTokenThatReplayFindsInTheStreamThatItReads) {
  int stops = 0;
  int traces = 0;
  for (const auto& [name, text] : tests::sample_texts(9000, 41)) {
    schemas::TraceTokens tokens;
    tokens.prompt_ids = {'?'};
    for (const char byte : text) tokens.ids.push_back(static_cast<std::uint8_t>(byte));
    for (const StreamKind kind : {StreamKind::kText, StreamKind::kIds32}) {
      const Stream stream = build_stream(kind, tokens, schemas::Vocabulary::bytes());
      for (const std::string& rule : rules_that_read(kind)) {
        Guardian guardian(parse_guardian_spec(rule));
        const auto expected = make_stop_rule(rule)->stop({stream.tokens(), nullptr, {}, &stream});
        ASSERT_EQ(live_stop(guardian, stream), expected) << rule << " on " << name;
        ASSERT_EQ(live_stop(guardian, stream), expected) << "started again";
        stops += expected ? 1 : 0;
        ++traces;
      }
    }
  }
  EXPECT_GT(stops, traces / 4);
  EXPECT_LT(stops, traces);
}

TEST(Guardian, StopsOnTheTokenThatReplayFinds) {
  const std::vector<std::string> rules = rules_that_read({});
  const std::vector<std::string> costly = {"zstd", "brotli", "lzma", "bzip2"};  // tried on one text alone
  int stops = 0;
  for (const auto& [name, text] : tests::sample_texts(9000, 41)) {
    for (const std::size_t prompt : {0U, 700U}) {
      const Stream stream = tests::cut_into_tokens(text, prompt, 2);
      for (const SignalRow& row : signal_rows()) {
        if (make_signal(row.name)->input() != SignalInput::kBytes) continue;
        const bool is_costly = std::find(costly.begin(), costly.end(), row.name) != costly.end();
        if (is_costly && (name != "looping" || prompt == 0)) continue;
        const auto curve = compute_curve(*make_signal(row.name), stream, 5);
        for (const std::string& rule : rules) {
          GuardianSpec spec = parse_guardian_spec(rule);
          spec.signal = make_signal(row.name)->name();
          Guardian guardian(spec);
          const auto expected = make_stop_rule(rule)->stop({stream.tokens(), &curve, {}});
          ASSERT_EQ(live_stop(guardian, stream), expected) << rule << " with " << row.name << " on " << name;
          ASSERT_EQ(live_stop(guardian, stream), expected) << "started again";
          stops += expected ? 1 : 0;
        }
      }
    }
  }
  EXPECT_GT(stops, 60);
}

TEST(Guardian, StopsALoop) {
  const Stream stream = tests::cut_into_tokens(tests::looping_prose(20000, 1), 0, 1);
  Guardian guardian(parse_guardian_spec("guardian(f=250,t=20)"));
  const auto at = live_stop(guardian, stream);
  ASSERT_TRUE(at.has_value());
  EXPECT_GT(stream.offset_after(*at), 10000) << "the loop begins there";
  EXPECT_EQ(*at % 250, 0);
}

}  // namespace
}  // namespace lil::replay
