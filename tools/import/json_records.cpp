#include "tools/import/json_records.h"

#include <fmt/format.h>
#include <rapidjson/error/en.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <utility>

#include "tools/import/json_value.h"

namespace lil::tools {
namespace {

constexpr std::size_t kFirstBlockBytes = std::size_t{1} << 16;
// RapidJSON reads 16 bytes at a time, the last of which may lie behind the text.
constexpr std::size_t kPaddingBytes = 32;
constexpr std::size_t kMostRecordBytes = std::size_t{1} << 31;
constexpr unsigned kFlags =
    rapidjson::kParseInsituFlag | rapidjson::kParseNanAndInfFlag | rapidjson::kParseIterativeFlag;
constexpr std::size_t kEscapeBytes = 6;  // of `\ud800`

/// The code unit of the `\uXXXX` at the front of `text`; -1 where there is none.
int code_unit(std::string_view text) {
  if (text.size() < kEscapeBytes || text[0] != '\\' || text[1] != 'u') return -1;
  int unit = 0;
  for (const char digit : text.substr(2, 4)) {
    if (std::isxdigit(static_cast<unsigned char>(digit)) == 0) return -1;
    const int lower = std::tolower(static_cast<unsigned char>(digit));
    unit = unit * 16 + (lower <= '9' ? lower - '0' : lower - 'a' + 10);
  }
  return unit;
}

bool may_have_surrogates(std::string_view text) {
  return text.find("\\ud") != std::string_view::npos || text.find("\\uD") != std::string_view::npos;
}

/// Overwrites every surrogate escape that is not half of a pair with `\ufffd`, which is as long. Returns
/// their number.
std::int64_t replace_lone_surrogates(char* text, std::size_t size) {
  std::int64_t count = 0;
  std::size_t position = 0;
  const std::string_view whole(text, size);
  while ((position = whole.find('\\', position)) != std::string_view::npos) {
    const int unit = code_unit(whole.substr(position));
    if (unit < 0xd800 || unit > 0xdfff) {
      position += 2;
      continue;
    }
    const int second = code_unit(whole.substr(position + kEscapeBytes));
    if (unit <= 0xdbff && second >= 0xdc00 && second <= 0xdfff) {
      position += 2 * kEscapeBytes;
      continue;
    }
    std::memcpy(text + position, "\\ufffd", kEscapeBytes);
    position += kEscapeBytes;
    ++count;
  }
  return count;
}

std::string library_reason(rapidjson::ParseErrorCode code) {
  std::string reason = rapidjson::GetParseError_En(code);
  if (!reason.empty() && reason.back() == '.') reason.pop_back();
  if (!reason.empty())
    reason.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(reason.front())));
  return reason;
}

std::string reason_of(rapidjson::ParseErrorCode code, std::string_view text, std::size_t offset) {
  if (offset < text.size()) {
    const auto byte = static_cast<unsigned char>(text[offset]);
    const bool in_string = code == rapidjson::kParseErrorStringInvalidEncoding ||
                           code == rapidjson::kParseErrorStringEscapeInvalid ||
                           code == rapidjson::kParseErrorStringMissQuotationMark;
    if (byte == 0) return "a NUL byte";
    if (in_string && byte < 0x20) return fmt::format("a bare control character (0x{:02x}) in a string", byte);
  }
  return library_reason(code);
}

}  // namespace

RecordParser::RecordParser()
    : first_block_(kFirstBlockBytes), pool_(first_block_.data(), first_block_.size()) {}

RecordParser::~RecordParser() = default;

const rapidjson::Value* RecordParser::parse(std::string_view text, Failure& failure) {
  lone_surrogates_ = 0;
  if (text.size() > kMostRecordBytes) {
    failure = {0, fmt::format("the record is longer than {} bytes", kMostRecordBytes)};
    return nullptr;
  }
  scratch_.assign(text.begin(), text.end());
  scratch_.resize(text.size() + kPaddingBytes, '\0');
  if (may_have_surrogates(text)) lone_surrogates_ = replace_lone_surrogates(scratch_.data(), text.size());

  document_.reset();
  pool_.Clear();
  document_.emplace(&pool_);
  rapidjson::InsituStringStream stream(scratch_.data());
  document_->ParseStream<kFlags>(stream);
  if (document_->HasParseError()) {
    const std::size_t offset = std::min(document_->GetErrorOffset(), text.size());
    failure = {offset, reason_of(document_->GetParseError(), text, offset)};
    return nullptr;
  }
  if (const std::size_t parsed = stream.Tell(); parsed < text.size()) {
    failure = {parsed, "a NUL byte"};  // which the library takes for the end of the text
    return nullptr;
  }
  return &*document_;
}

JsonRecordReader::JsonRecordReader(std::unique_ptr<ByteSource> source,
                                   std::function<void(const BadRecord&)> on_bad)
    : source_(std::move(source)), slicer_(*source_), on_bad_(std::move(on_bad)) {}

void JsonRecordReader::report(const RecordSlice& slice, std::size_t offset_in_slice, std::string reason) {
  const std::string_view before = slice.text.substr(0, offset_in_slice);
  BadRecord bad;
  bad.index = record_.index;
  bad.line = slice.line + std::count(before.begin(), before.end(), '\n');
  const std::size_t newline = before.rfind('\n');
  bad.column = newline == std::string_view::npos ? slice.column + static_cast<std::int64_t>(before.size())
                                                 : static_cast<std::int64_t>(before.size() - newline);
  bad.offset = slice.offset + static_cast<std::int64_t>(offset_in_slice);
  bad.reason = std::move(reason);
  on_bad_(bad);
}

/// Null where the slice is no JSON; that has been reported then.
const rapidjson::Value* JsonRecordReader::parse(const RecordSlice& slice) {
  RecordParser::Failure failure;
  if (const rapidjson::Value* value = parser_.parse(slice.text, failure)) return value;
  const bool half = !slice.ended && failure.offset >= slice.text.size();
  report(slice, failure.offset,
         (half ? "the last record is half-written: " : "malformed JSON: ") + failure.reason);
  at_end_ = !slicer_.has_lines();
  return nullptr;
}

const JsonRecord* JsonRecordReader::next() {
  while (!at_end_) {
    const auto slice = slicer_.next();
    if (!slice) break;
    record_.index = next_index_++;
    record_.line = slice->line;
    if (!slice->wrong.empty()) {
      report(*slice, 0, "malformed JSON: " + slice->wrong);
      break;
    }
    const rapidjson::Value* value = parse(*slice);
    if (value == nullptr) continue;
    if (!value->IsObject()) {
      report(*slice, 0, fmt::format("a record is an object, and this is {}", type_name(*value)));
      continue;
    }
    record_.value = value;
    record_.lone_surrogates = parser_.lone_surrogates();
    return &record_;
  }
  at_end_ = true;
  return nullptr;
}

}  // namespace lil::tools
