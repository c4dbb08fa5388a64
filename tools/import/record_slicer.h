#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/import/byte_source.h"

namespace lil::tools {

/// The text of one record, still unparsed, and where it starts.
struct RecordSlice {
  std::string_view text;
  std::int64_t line = 0;    ///< from 1
  std::int64_t column = 0;  ///< from 1, in bytes
  std::int64_t offset = 0;  ///< bytes before it, a byte-order mark included
  bool ended = true;        ///< false where the file ends before a newline or a closing bracket does
  std::string wrong;  ///< not empty: no record, but what is wrong here with the array around the records
};

/// Cuts a file into the texts of its records without parsing them: one a line, or the elements of an
/// array, or, where the first line is a lone `{`, objects that follow one another. Holds one record at a
/// time, however long it is. A UTF-8 byte-order mark and empty lines are skipped.
class RecordSlicer {
 public:
  explicit RecordSlicer(ByteSource& source);

  /// Valid until the next call; nothing at the end of the file and after a slice with `wrong`.
  [[nodiscard]] std::optional<RecordSlice> next();
  /// Whether a malformed record still lets the next one be found.
  [[nodiscard]] bool has_lines() const { return form_ == Form::kLines; }

 private:
  enum class Form { kUnknown, kLines, kArray, kSequence, kEnd };

  void find_form();
  std::optional<RecordSlice> next_line();
  std::optional<RecordSlice> next_value();
  std::optional<RecordSlice> end_of_array(std::string wrong);
  std::size_t value_length(bool& ended);
  bool skip_string(std::size_t& position);
  void skip_space();
  [[nodiscard]] RecordSlice slice_of(std::size_t length) const;

  /// The byte `position` bytes after the consumed ones, or -1 at the end of the file.
  int peek(std::size_t position);
  bool fill();
  void consume(std::size_t length);
  [[nodiscard]] const char* unread() const { return buffer_.data() + begin_; }
  [[nodiscard]] std::size_t unread_size() const { return end_ - begin_; }

  ByteSource& source_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  Form form_ = Form::kUnknown;
  bool first_ = true;
  std::size_t to_consume_ = 0;  ///< of the slice given out last
  std::int64_t line_ = 1;
  std::int64_t line_start_ = 0;  ///< offset of the first byte of line_
  std::int64_t offset_ = 0;      ///< of the byte at begin_
};

}  // namespace lil::tools
