#include "replay/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "schemas/error.h"

namespace lil::replay {
namespace {

using schemas::TraceTokens;
using schemas::Vocabulary;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

Vocabulary small_vocabulary() {
  return {"wordlevel", {{"<eos>", true}, {"one", false}, {" tw", false}, {"o", false}, {"\xE2\x82", false}}};
}

TraceTokens small_trace() {
  return {{1, 0, 3}, {2, 3, 4, 0}, {}, {}, {}};
}

TEST(Stream, TextHasTheBytesOfTheOutputAndWhereEachTokenEnds) {
  const Stream stream = build_stream(StreamKind::kText, small_trace(), small_vocabulary());
  EXPECT_EQ(stream.bytes, " two\xE2\x82");
  EXPECT_EQ(stream.start, 0);
  EXPECT_THAT(stream.ends, ElementsAre(3, 4, 6, 6)) << "half a character is kept, <eos> adds nothing";
}

TEST(Stream, PromptComesFirst) {
  const Stream stream = build_stream(StreamKind::kPromptText, small_trace(), small_vocabulary());
  EXPECT_EQ(stream.bytes, "oneo two\xE2\x82");
  EXPECT_EQ(stream.start, 4);
  EXPECT_THAT(stream.ends, ElementsAre(7, 8, 10, 10));
}

TEST(Stream, IdsAreFourBytesLittleEndian) {
  const TraceTokens tokens{{7}, {0x01020304, 0}, {}, {}, {}};
  const Stream ids = build_stream(StreamKind::kIds32, tokens, small_vocabulary());
  EXPECT_EQ(ids.bytes, std::string("\x04\x03\x02\x01\0\0\0\0", 8));
  EXPECT_THAT(ids.ends, ElementsAre(4, 8));
  const Stream with_prompt = build_stream(StreamKind::kPromptIds32, tokens, small_vocabulary());
  EXPECT_EQ(with_prompt.bytes, std::string("\7\0\0\0", 4) + ids.bytes);
  EXPECT_EQ(with_prompt.start, 4);
  EXPECT_THAT(with_prompt.ends, ElementsAre(8, 12));
}

TEST(Stream, OffsetAfterZeroTokensIsTheStart) {
  const Stream stream = build_stream(StreamKind::kPromptText, small_trace(), small_vocabulary());
  EXPECT_EQ(stream.offset_after(0), 4);
  EXPECT_EQ(stream.offset_after(1), 7);
  EXPECT_EQ(stream.offset_after(stream.tokens()), 10);
}

TEST(Stream, AnEmptyTraceIsAnEmptyStream) {
  for (const StreamKind kind : stream_kinds()) {
    const Stream stream = build_stream(kind, {}, small_vocabulary());
    EXPECT_EQ(stream.bytes, "");
    EXPECT_EQ(stream.tokens(), 0);
    EXPECT_EQ(stream.offset_after(0), 0);
  }
}

TEST(Stream, AnIdOutsideTheVocabularyIsAnErrorInTextAlone) {
  const TraceTokens tokens{{}, {5}, {}, {}, {}};
  EXPECT_THROW(build_stream(StreamKind::kText, tokens, small_vocabulary()), Error);
  EXPECT_EQ(build_stream(StreamKind::kIds32, tokens, small_vocabulary()).bytes.size(), 4U);
}

TEST(Stream, NamesGoBothWays) {
  std::vector<std::string> names;
  for (const StreamKind kind : stream_kinds()) {
    names.emplace_back(to_string(kind));
    EXPECT_EQ(stream_from(to_string(kind)), kind);
  }
  EXPECT_THAT(names, ElementsAre("text", "prompt+text", "ids32", "prompt+ids32"));
}

TEST(Stream, AnUnknownNameListsTheKnownOnes) {
  try {
    static_cast<void>(stream_from("ids16"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("'ids16'"), HasSubstr("text, prompt+text, ids32, prompt+ids32")));
  }
}

}  // namespace
}  // namespace lil::replay
