#pragma once

#include <rapidjson/document.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/import/byte_source.h"
#include "tools/import/record_slicer.h"

namespace lil::tools {

/// A record that could be read: an object.
struct JsonRecord {
  const rapidjson::Value* value = nullptr;
  std::int64_t index = 0;            ///< among the records of the file, malformed ones counted, from 0
  std::int64_t line = 0;             ///< on which it starts, from 1
  std::int64_t lone_surrogates = 0;  ///< escapes such as `\ud800` without their other half, read as U+FFFD
};

/// A record that could not be read.
struct BadRecord {
  std::int64_t index = 0;
  std::int64_t line = 0;    ///< from 1
  std::int64_t column = 0;  ///< from 1, in bytes
  std::int64_t offset = 0;  ///< from the start of the file, in bytes
  std::string reason;
};

/// Parses one record at a time; keeps its memory from one to the next.
class RecordParser {
 public:
  RecordParser();
  RecordParser(const RecordParser&) = delete;
  RecordParser& operator=(const RecordParser&) = delete;
  ~RecordParser();

  struct Failure {
    std::size_t offset = 0;  ///< in the text, in bytes
    std::string reason;
  };

  /// The value, valid until the next call, or null with `failure` filled in. `NaN` and `Infinity` are
  /// numbers that is_null_like() tells; invalid UTF-8 is kept; nesting may be as deep as memory allows.
  const rapidjson::Value* parse(std::string_view text, Failure& failure);
  /// Lone surrogate escapes replaced in the text parsed last.
  [[nodiscard]] std::int64_t lone_surrogates() const { return lone_surrogates_; }

 private:
  std::vector<char> scratch_;
  std::vector<char> first_block_;
  rapidjson::MemoryPoolAllocator<> pool_;
  std::optional<rapidjson::Document> document_;
  std::int64_t lone_surrogates_ = 0;
};

/// The records of a file that holds a JSON array or JSON lines (or one pretty-printed object after
/// another), told apart by content. Malformed lines go to `on_bad` and reading goes on with the next line;
/// a malformed array ends there, with one call of `on_bad`. Used by one thread at a time.
class JsonRecordReader {
 public:
  JsonRecordReader(std::unique_ptr<ByteSource> source, std::function<void(const BadRecord&)> on_bad);

  /// The next record, or null at the end; valid until the next call. Throws what ByteSource::read throws.
  const JsonRecord* next();
  [[nodiscard]] std::int64_t file_bytes_read() const { return source_->file_bytes_read(); }

 private:
  const rapidjson::Value* parse(const RecordSlice& slice);
  void report(const RecordSlice& slice, std::size_t offset_in_slice, std::string reason);

  std::unique_ptr<ByteSource> source_;
  RecordSlicer slicer_;
  RecordParser parser_;
  std::function<void(const BadRecord&)> on_bad_;
  JsonRecord record_;
  std::int64_t next_index_ = 0;
  bool at_end_ = false;
};

}  // namespace lil::tools
