// Does a live stop fall on the very token that replay finds in the full recording?
#include "replay/guardian.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
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
  for (const std::string text : {"guardian(f=250,t=20)", "never", "cap(tokens=5)",
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
}

TEST(Guardian, StopsOnTheTokenThatReplayFinds) {
  const std::vector<std::string> rules = {"guardian(f=30,t=20)",
                                          "guardian(f=25,t=12.5,patience=2)",
                                          "guardian(f=40,t=9,warmup=300)",
                                          "guardian(f=30,t=25,phase=10)",
                                          "guardian(f=50,t=30,first=zero)",
                                          "cap(tokens=333)",
                                          "never"};
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
