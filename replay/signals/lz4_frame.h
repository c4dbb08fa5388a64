#pragma once

#include <fmt/format.h>
#include <lz4.h>
#include <lz4frame.h>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "replay/signal.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"

namespace lil::replay {

/// The size in bytes of the LZ4 frame of the prefix, as LZ4F_compressFrame makes it with 64 KiB linked
/// blocks, no checksums and no content size (LZ4 frame format 1.6).
///
/// A prefix of one block is an independent block to LZ4F, which uses another hash table for it, so it is
/// compressed by LZ4F itself. Past that, finished blocks are final: their sizes are added up, and value()
/// compresses only the open block, on a copy of the stream's state. Memory: 200 kB and Stream twice.
///
/// Stream is the state after the finished blocks, one that a copy goes on from:
///   Stream(const schemas::Arguments&)
///   void reset()
///   int level() const                                      of LZ4F
///   int compress(const char* block, char* to, int bytes)   into less than `bytes` bytes; 0 where it cannot
///   int save(char* to, int bytes)                          LZ4_saveDict()
template <class Stream>
class Lz4FrameSignal : public Signal {
 public:
  explicit Lz4FrameSignal(const schemas::Arguments& arguments)
      : Signal(arguments.to_string(), fmt::format("1 (lz4 {})", LZ4_versionString())),
        stream_(arguments),
        preferences_(frame_of(stream_.level())),
        buffer_(2 * kBlockBytes),
        output_(std::max<std::size_t>(LZ4F_compressFrameBound(kBlockBytes, &preferences_), kBlockBytes)) {
    Lz4FrameSignal::reset();
  }

  void feed(std::string_view bytes) override {
    while (!bytes.empty()) {
      if (open_bytes_ == kBlockBytes) finish_block();
      const std::string_view piece = bytes.substr(0, kBlockBytes - open_bytes_);
      std::memcpy(open_block() + open_bytes_, piece.data(), piece.size());
      open_bytes_ += piece.size();
      bytes.remove_prefix(piece.size());
    }
  }

  std::int64_t value() override {
    if (finished_blocks_bytes_ == 0) return single_block_frame();
    copy_ = stream_;
    return kFrameHeaderBytes + finished_blocks_bytes_ + compress_open_block(copy_) + kEndMarkBytes;
  }

  void reset() override {
    stream_.reset();
    open_bytes_ = 0;
    finished_blocks_bytes_ = 0;
  }

 private:
  static constexpr std::size_t kBlockBytes = 65536;
  static constexpr std::int64_t kFrameHeaderBytes = 7;  // magic number, FLG, BD, header checksum
  static constexpr std::int64_t kEndMarkBytes = 4;
  static constexpr std::int64_t kBlockHeaderBytes = 4;

  static LZ4F_preferences_t frame_of(int level) {
    LZ4F_preferences_t values{};
    values.frameInfo.blockSizeID = LZ4F_max64KB;
    values.frameInfo.blockMode = LZ4F_blockLinked;
    values.compressionLevel = level;
    return values;
  }

  /// The block before the open one stands right before it, as LZ4 wants a linked block.
  char* open_block() { return buffer_.data() + kBlockBytes; }

  std::int64_t single_block_frame() {
    const std::size_t size =
        LZ4F_compressFrame(output_.data(), output_.size(), open_block(), open_bytes_, &preferences_);
    if (LZ4F_isError(size) != 0) {
      throw Error(ErrorCode::kEnvironment, fmt::format("lz4: {}", LZ4F_getErrorName(size)));
    }
    return static_cast<std::int64_t>(size);
  }

  /// The bytes that the open block takes in the frame. Like LZ4F, gives up on what does not get smaller.
  std::int64_t compress_open_block(Stream& stream) {
    const int size = static_cast<int>(open_bytes_);
    const int compressed = stream.compress(open_block(), output_.data(), size);
    return kBlockHeaderBytes + (compressed > 0 ? compressed : size);
  }

  void finish_block() {
    finished_blocks_bytes_ += compress_open_block(stream_);
    [[maybe_unused]] const int kept =
        stream_.save(buffer_.data(), static_cast<int>(kBlockBytes));  // moves it in front
    assert(kept == static_cast<int>(kBlockBytes));
    open_bytes_ = 0;
  }

  Stream stream_;
  Stream copy_ = stream_;  // of value(): too large for a thread's stack
  LZ4F_preferences_t preferences_;
  std::vector<char> buffer_;  // the last finished block, then the open one
  std::size_t open_bytes_ = 0;
  std::int64_t finished_blocks_bytes_ = 0;
  std::vector<char> output_;
};

}  // namespace lil::replay
