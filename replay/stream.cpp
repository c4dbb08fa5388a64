#include "replay/stream.h"

#include <fmt/format.h>

#include <array>
#include <cassert>
#include <cmath>

#include "schemas/error.h"

namespace lil::replay {
namespace {

constexpr std::array kKinds = {StreamKind::kText, StreamKind::kPromptText, StreamKind::kIds32,
                               StreamKind::kPromptIds32};

bool is_text(StreamKind kind) {
  return kind == StreamKind::kText || kind == StreamKind::kPromptText;
}

void append_little_endian(std::uint64_t value, int bits, std::string& bytes) {
  for (int shift = 0; shift < bits; shift += 8) bytes.push_back(static_cast<char>((value >> shift) & 0xFFU));
}

}  // namespace

std::span<const StreamKind> stream_kinds() {
  return kKinds;
}

const char* to_string(StreamKind kind) {
  switch (kind) {
    case StreamKind::kText:
      return "text";
    case StreamKind::kPromptText:
      return "prompt+text";
    case StreamKind::kIds32:
      return "ids32";
    case StreamKind::kPromptIds32:
      return "prompt+ids32";
  }
  assert(false && "every stream kind has a name");
  return "";
}

StreamKind stream_from(std::string_view name) {
  std::string known;
  for (const StreamKind kind : kKinds) {
    if (name == to_string(kind)) return kind;
    known += known.empty() ? "" : ", ";
    known += to_string(kind);
  }
  throw Error(ErrorCode::kUsage, fmt::format("unknown stream '{}'; known are: {}", name, known));
}

bool has_prompt(StreamKind kind) {
  return kind == StreamKind::kPromptText || kind == StreamKind::kPromptIds32;
}

std::int64_t Stream::offset_after(std::int64_t token) const {
  assert(token >= 0 && token <= tokens());
  return token == 0 ? start : ends[static_cast<std::size_t>(token - 1)];
}

void append_ids(StreamKind kind, std::span<const schemas::TokenId> ids, const schemas::Vocabulary& vocabulary,
                std::string& bytes, std::vector<std::int64_t>* ends) {
  if (is_text(kind)) {
    vocabulary.append_text(ids, bytes, ends);
    return;
  }
  for (const schemas::TokenId id : ids) {
    append_little_endian(static_cast<std::uint32_t>(id), 32, bytes);
    if (ends != nullptr) ends->push_back(static_cast<std::int64_t>(bytes.size()));
  }
}

Stream build_stream(StreamKind kind, const schemas::TraceTokens& tokens,
                    const schemas::Vocabulary& vocabulary) {
  Stream stream;
  if (has_prompt(kind)) append_ids(kind, tokens.prompt_ids, vocabulary, stream.bytes);
  stream.start = static_cast<std::int64_t>(stream.bytes.size());
  stream.ends.reserve(tokens.ids.size());
  append_ids(kind, tokens.ids, vocabulary, stream.bytes, &stream.ends);
  return stream;
}

Stream build_recorded_stream(std::string_view what, std::span<const float> numbers, std::size_t tokens) {
  constexpr double kLargestHalf = 65504;
  if (numbers.size() != tokens) {
    throw Error(ErrorCode::kInput, fmt::format("the {} of its tokens is not recorded", what));
  }
  Stream stream;
  stream.ends.reserve(numbers.size());
  for (const float number : numbers) {
    if (!(std::abs(number) <= kLargestHalf)) {
      throw Error(ErrorCode::kInput,
                  fmt::format("the {} of token {} is {}", what, stream.ends.size() + 1, number));
    }
    const auto fixed = std::llround(std::ldexp(static_cast<double>(number), kRecordedFractionBits));
    append_little_endian(static_cast<std::uint64_t>(fixed), 64, stream.bytes);
    stream.ends.push_back(static_cast<std::int64_t>(stream.bytes.size()));
  }
  return stream;
}

}  // namespace lil::replay
