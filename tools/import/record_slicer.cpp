#include "tools/import/record_slicer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace lil::tools {
namespace {

constexpr std::size_t kFirstBufferBytes = std::size_t{1} << 20;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_space(int byte) {
  return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

std::string shown(int byte) {
  return byte > 0x20 && byte < 0x7f ? fmt::format("'{}'", static_cast<char>(byte))
                                    : fmt::format("byte 0x{:02x}", byte);
}

}  // namespace

RecordSlicer::RecordSlicer(ByteSource& source) : source_(source), buffer_(kFirstBufferBytes) {}

bool RecordSlicer::fill() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), unread(), unread_size());
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) buffer_.resize(buffer_.size() * 2);
  const std::size_t count = source_.read(std::span(buffer_).subspan(end_));
  end_ += count;
  return count > 0;
}

int RecordSlicer::peek(std::size_t position) {
  while (position >= unread_size()) {
    if (!fill()) return -1;
  }
  return static_cast<unsigned char>(unread()[position]);
}

void RecordSlicer::consume(std::size_t length) {
  const std::string_view text(unread(), length);
  if (const std::size_t last = text.rfind('\n'); last != std::string_view::npos) {
    line_ += std::count(text.begin(), text.end(), '\n');
    line_start_ = offset_ + static_cast<std::int64_t>(last) + 1;
  }
  offset_ += static_cast<std::int64_t>(length);
  begin_ += length;
}

void RecordSlicer::skip_space() {
  while (is_space(peek(0))) {
    std::size_t length = 1;
    while (length < unread_size() && is_space(static_cast<unsigned char>(unread()[length]))) ++length;
    consume(length);
  }
}

RecordSlice RecordSlicer::slice_of(std::size_t length) const {
  RecordSlice slice;
  slice.text = {unread(), length};
  slice.line = line_;
  slice.column = offset_ - line_start_ + 1;
  slice.offset = offset_;
  return slice;
}

void RecordSlicer::find_form() {
  static_cast<void>(peek(kByteOrderMark.size()));
  if (std::string_view(unread(), unread_size()).starts_with(kByteOrderMark)) {
    consume(kByteOrderMark.size());
    line_start_ = offset_;
  }
  skip_space();
  form_ = Form::kLines;
  if (peek(0) == '[') {
    form_ = Form::kArray;
    consume(1);
  } else if (peek(0) == '{') {
    std::size_t after = 1;
    while (peek(after) == ' ' || peek(after) == '\t' || peek(after) == '\r') ++after;
    if (peek(after) == '\n') form_ = Form::kSequence;
  }
}

std::optional<RecordSlice> RecordSlicer::next() {
  if (form_ == Form::kUnknown) find_form();
  consume(std::exchange(to_consume_, 0));
  if (form_ == Form::kEnd) return std::nullopt;
  return form_ == Form::kLines ? next_line() : next_value();
}

std::optional<RecordSlice> RecordSlicer::next_line() {
  skip_space();
  std::size_t searched = 0;
  for (;;) {
    const void* newline =
        searched < unread_size() ? std::memchr(unread() + searched, '\n', unread_size() - searched) : nullptr;
    if (newline != nullptr) {
      to_consume_ = static_cast<std::size_t>(static_cast<const char*>(newline) - unread());
      return slice_of(to_consume_);
    }
    searched = unread_size();
    if (fill()) continue;
    if (unread_size() == 0) return std::nullopt;
    to_consume_ = unread_size();
    RecordSlice slice = slice_of(to_consume_);
    slice.ended = false;
    return slice;
  }
}

std::optional<RecordSlice> RecordSlicer::end_of_array(std::string wrong) {
  form_ = Form::kEnd;
  if (wrong.empty()) return std::nullopt;
  RecordSlice slice = slice_of(0);
  slice.wrong = std::move(wrong);
  return slice;
}

std::optional<RecordSlice> RecordSlicer::next_value() {
  skip_space();
  int byte = peek(0);
  if (form_ == Form::kSequence) {
    if (byte < 0) return std::nullopt;
  } else {
    if (byte == ']') {
      consume(1);
      skip_space();
      return end_of_array(peek(0) < 0 ? "" : "the array has ended, but more follows");
    }
    if (!first_) {
      if (byte < 0) return end_of_array("the file ends inside the array");
      if (byte != ',') return end_of_array(fmt::format("missing a comma or ']' before {}", shown(byte)));
      consume(1);
      skip_space();
      byte = peek(0);
    }
    if (byte < 0) return end_of_array("the file ends inside the array");
    if (byte == ',' || byte == ']')
      return end_of_array(fmt::format("a record is missing before {}", shown(byte)));
  }
  first_ = false;
  bool ended = true;
  to_consume_ = value_length(ended);
  RecordSlice slice = slice_of(to_consume_);
  slice.ended = ended;
  return slice;
}

/// Moves `position` from behind an opening quotation mark to behind the closing one; false at the end of the
/// file.
bool RecordSlicer::skip_string(std::size_t& position) {
  const std::size_t start = position;
  for (;;) {
    if (peek(position) < 0) return false;
    const char* found =
        static_cast<const char*>(std::memchr(unread() + position, '"', unread_size() - position));
    if (found == nullptr) {
      position = unread_size();
      continue;
    }
    position = static_cast<std::size_t>(found - unread()) + 1;
    std::size_t backslashes = 0;
    while (position - 1 - backslashes > start &&
           found[-1 - static_cast<std::ptrdiff_t>(backslashes)] == '\\') {
      ++backslashes;
    }
    if (backslashes % 2 == 0) return true;
  }
}

/// Length of the value that starts here, by its brackets and quotation marks alone.
std::size_t RecordSlicer::value_length(bool& ended) {
  std::size_t position = 0;
  std::size_t depth = 0;
  for (;;) {
    const int byte = peek(position);
    if (byte < 0) {
      ended = depth == 0;
      return position;
    }
    const bool closes = byte == '}' || byte == ']';
    if (depth == 0 && position > 0 && (closes || byte == ',' || is_space(byte))) return position;
    ++position;
    if (byte == '{' || byte == '[') ++depth;
    if (byte == '"' && !skip_string(position)) {
      ended = false;
      return position;
    }
    if (closes && depth > 0) --depth;
    if (depth == 0 && (closes || byte == '"')) return position;
  }
}

}  // namespace lil::tools
