// The C interface: does it decide as the guardian behind it, and say what is wrong without throwing?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "replay/guardian.h"
#include "replay/online/lil_guardian.h"
#include "tests/replay/sample_texts.h"

namespace {

using lil::replay::Guardian;
using lil::replay::parse_guardian_spec;
using testing::HasSubstr;

struct Free {
  void operator()(lil_guardian* guardian) const { lil_guardian_free(guardian); }
};
using Handle = std::unique_ptr<lil_guardian, Free>;

Handle make(const std::string& spec) {
  std::array<char, 200> error{};
  Handle handle(lil_guardian_new(spec.c_str(), error.data(), error.size()));
  EXPECT_NE(handle, nullptr) << error.data();
  return handle;
}

constexpr std::int64_t kNever = -1;

/// Generated tokens until the stop.
std::int64_t stop_through_c(lil_guardian* handle, const lil::replay::Stream& stream) {
  const std::string_view bytes = stream.bytes;
  EXPECT_EQ(lil_guardian_start(handle, bytes.data(), static_cast<std::size_t>(stream.start)), LIL_GO_ON);
  for (std::int64_t token = 1; token <= stream.tokens(); ++token) {
    const std::int64_t from = stream.offset_after(token - 1);
    const std::int64_t count = stream.offset_after(token) - from;
    const auto decision = lil_guardian_push(handle, bytes.data() + from, static_cast<std::size_t>(count));
    EXPECT_NE(decision, LIL_ERROR) << lil_guardian_error(handle);
    EXPECT_EQ(lil_guardian_tokens(handle), token);
    if (decision == LIL_STOP) return token;
  }
  return kNever;
}

std::int64_t stop_directly(const std::string& spec, const lil::replay::Stream& stream) {
  Guardian guardian(parse_guardian_spec(spec));
  const std::string_view bytes = stream.bytes;
  guardian.start(has_prompt(parse_guardian_spec(spec).stream)
                     ? bytes.substr(0, static_cast<std::size_t>(stream.start))
                     : "");
  for (std::int64_t token = 1; token <= stream.tokens(); ++token) {
    const auto from = static_cast<std::size_t>(stream.offset_after(token - 1));
    const auto to = static_cast<std::size_t>(stream.offset_after(token));
    if (guardian.push(bytes.substr(from, to - from)) == Guardian::Decision::kStop) return token;
  }
  return kNever;
}

TEST(OnlineGuardian, DecidesAsTheGuardianBehindIt) {
  int stops = 0;
  for (const std::string spec :
       {"guardian(f=25,t=20)", "guardian(f=30,t=9,patience=2,signal=lz4)",
        "guardian(f=25,t=20,stream=prompt+text,first=prompt)", "cap(tokens=99)", "never",
        "ratio(f=25,t=1.8,window=200)", "slope(f=25,share=0.4)", "cusum(f=25,reference=60,interval=90)"}) {
    const Handle handle = make(spec);
    EXPECT_EQ(lil_guardian_spec(handle.get()), parse_guardian_spec(spec).to_string());
    for (const auto& [name, text] : lil::tests::sample_texts(3000, 5)) {
      const auto stream = lil::tests::cut_into_tokens(text, 400, 2);
      const std::int64_t expected = stop_directly(spec, stream);
      EXPECT_EQ(stop_through_c(handle.get(), stream), expected) << spec << " on " << name;
      stops += expected == kNever ? 0 : 1;
    }
  }
  EXPECT_GT(stops, 5);
}

TEST(OnlineGuardian, WatchesTokenIds) {
  const Handle handle = make("guardian(f=50,t=10,stream=ids32)");
  Guardian guardian(parse_guardian_spec("guardian(f=50,t=10,stream=ids32)"));
  guardian.start("");
  lil_decision decision = lil_guardian_start(handle.get(), nullptr, 0);
  for (std::int32_t token = 0; token < 2000 && decision == LIL_GO_ON; ++token) {
    const std::int32_t id = token < 500 ? token * 7919 : token % 5;
    std::array<char, 4> bytes{};
    std::memcpy(bytes.data(), &id, bytes.size());  // little-endian here
    const bool stop = guardian.push({bytes.data(), bytes.size()}) == Guardian::Decision::kStop;
    decision = lil_guardian_push_id(handle.get(), id);
    ASSERT_EQ(decision, stop ? LIL_STOP : LIL_GO_ON) << "token " << token;
  }
  EXPECT_EQ(decision, LIL_STOP);
}

TEST(OnlineGuardian, ARuleOnIdsTakesIdsUnasked) {
  const Handle handle = make("repetition(max_pattern_size=3,min_count=2)");
  EXPECT_THAT(lil_guardian_spec(handle.get()), HasSubstr("stream=ids32"));
  ASSERT_EQ(lil_guardian_start(handle.get(), nullptr, 0), LIL_GO_ON);
  for (const std::int32_t id : {70000, -1, 2, 70000, -1}) {
    EXPECT_EQ(lil_guardian_push_id(handle.get(), id), LIL_GO_ON);
  }
  EXPECT_EQ(lil_guardian_push_id(handle.get(), 2), LIL_STOP);
  EXPECT_EQ(lil_guardian_new("repetition(max_pattern_size=3,min_count=2,stream=text)", nullptr, 0), nullptr);
}

TEST(OnlineGuardian, NothingIsPushedAfterAStopUntilTheNextStart) {
  const Handle handle = make("cap(tokens=2)");
  ASSERT_EQ(lil_guardian_start(handle.get(), nullptr, 0), LIL_GO_ON);
  EXPECT_EQ(lil_guardian_push(handle.get(), "a", 1), LIL_GO_ON);
  EXPECT_EQ(lil_guardian_push(handle.get(), nullptr, 0), LIL_STOP) << "a token may add no bytes";
  EXPECT_EQ(lil_guardian_push(handle.get(), "b", 1), LIL_ERROR);
  EXPECT_THAT(lil_guardian_error(handle.get()), HasSubstr("was stopped"));
  EXPECT_EQ(lil_guardian_start(handle.get(), nullptr, 0), LIL_GO_ON);
  EXPECT_STREQ(lil_guardian_error(handle.get()), "");
  EXPECT_EQ(lil_guardian_push(handle.get(), "b", 1), LIL_GO_ON);
}

TEST(OnlineGuardian, SaysWhatIsWrong) {
  std::array<char, 20> error{};
  EXPECT_EQ(lil_guardian_new("guardian(f=0,t=20)", error.data(), error.size()), nullptr);
  EXPECT_EQ(std::strlen(error.data()), error.size() - 1) << "cut to the room there is";
  EXPECT_EQ(lil_guardian_new("oracle", nullptr, 0), nullptr);
  EXPECT_EQ(lil_guardian_new(nullptr, error.data(), error.size()), nullptr);
  lil_guardian_free(nullptr);

  const Handle ids = make("guardian(f=50,t=10,stream=ids32)");
  EXPECT_EQ(lil_guardian_push(ids.get(), "a", 1), LIL_ERROR);
  EXPECT_THAT(lil_guardian_error(ids.get()), HasSubstr("lil_guardian_push_id"));
  EXPECT_EQ(lil_guardian_push_id(ids.get(), 1), LIL_ERROR) << "not watched until the next start";
  EXPECT_EQ(lil_guardian_start(ids.get(), "abc", 3), LIL_GO_ON) << "no prompt in this stream";
  const Handle prompted = make("guardian(f=50,t=10,stream=prompt+ids32)");
  EXPECT_EQ(lil_guardian_start(prompted.get(), "abc", 3), LIL_ERROR);
  EXPECT_THAT(lil_guardian_error(prompted.get()), HasSubstr("4 bytes an id"));
  EXPECT_EQ(lil_guardian_start(prompted.get(), nullptr, 4), LIL_ERROR);
  EXPECT_EQ(lil_guardian_push(nullptr, "a", 1), LIL_ERROR);
  EXPECT_EQ(lil_guardian_push_id(nullptr, 1), LIL_ERROR);
  EXPECT_EQ(lil_guardian_start(nullptr, nullptr, 0), LIL_ERROR);
  EXPECT_STREQ(lil_guardian_spec(nullptr), "");
  EXPECT_THAT(lil_guardian_error(nullptr), HasSubstr("NULL"));

  const Handle text = make("guardian(f=50,t=10)");
  EXPECT_EQ(lil_guardian_push(text.get(), nullptr, 5), LIL_ERROR);
  EXPECT_EQ(lil_guardian_start(text.get(), nullptr, 0), LIL_GO_ON);
  EXPECT_EQ(lil_guardian_push_id(text.get(), 1), LIL_ERROR);
  EXPECT_THAT(lil_guardian_error(text.get()), HasSubstr("watches text"));
}

}  // namespace
