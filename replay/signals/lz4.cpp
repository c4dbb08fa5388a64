#include <fmt/format.h>
#include <lz4.h>
#include <lz4frame.h>

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "replay/signal.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"

namespace lil::replay {
namespace {

constexpr std::size_t kBlockBytes = 65536;
constexpr std::int64_t kFrameHeaderBytes = 7;  // magic number, FLG, BD, header checksum
constexpr std::int64_t kEndMarkBytes = 4;
constexpr std::int64_t kBlockHeaderBytes = 4;

/// `lz4`: the size in bytes of the LZ4 frame of the prefix, as LZ4F_compressFrame makes it with 64 KiB
/// linked blocks, level 0, no checksums and no content size (LZ4 frame format 1.6).
///
/// A prefix of one block is an independent block to LZ4F, which uses another hash table for it, so it is
/// compressed by LZ4F itself. Past that, finished blocks are final: their sizes are added up, and value()
/// compresses only the open block, on a copy of the 16 KiB stream state. Memory: 215 kB.
class Lz4Signal : public Signal {
 public:
  explicit Lz4Signal(const schemas::Arguments& arguments)
      : Signal(arguments.to_string(), fmt::format("1 (lz4 {})", LZ4_versionString())),
        buffer_(2 * kBlockBytes),
        output_(std::max<std::size_t>(LZ4F_compressFrameBound(kBlockBytes, &preferences()), kBlockBytes)) {
    Lz4Signal::reset();
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
    LZ4_stream_t copy = stream_;
    return kFrameHeaderBytes + finished_blocks_bytes_ + compress_open_block(copy) + kEndMarkBytes;
  }

  void reset() override {
    LZ4_initStream(&stream_, sizeof stream_);
    open_bytes_ = 0;
    finished_blocks_bytes_ = 0;
  }

 private:
  static const LZ4F_preferences_t& preferences() {
    static const LZ4F_preferences_t preferences = [] {
      LZ4F_preferences_t values{};
      values.frameInfo.blockSizeID = LZ4F_max64KB;
      values.frameInfo.blockMode = LZ4F_blockLinked;
      return values;
    }();
    return preferences;
  }

  /// The block before the open one stands right before it, as LZ4 wants a linked block.
  char* open_block() { return buffer_.data() + kBlockBytes; }

  std::int64_t single_block_frame() {
    const std::size_t size =
        LZ4F_compressFrame(output_.data(), output_.size(), open_block(), open_bytes_, &preferences());
    if (LZ4F_isError(size) != 0) {
      throw Error(ErrorCode::kEnvironment, fmt::format("lz4: {}", LZ4F_getErrorName(size)));
    }
    return static_cast<std::int64_t>(size);
  }

  /// The bytes that the open block takes in the frame. Like LZ4F, gives up on what does not get smaller.
  std::int64_t compress_open_block(LZ4_stream_t& stream) {
    const int size = static_cast<int>(open_bytes_);
    const int compressed =
        LZ4_compress_fast_continue(&stream, open_block(), output_.data(), size, size - 1, 1);
    return kBlockHeaderBytes + (compressed > 0 ? compressed : size);
  }

  void finish_block() {
    finished_blocks_bytes_ += compress_open_block(stream_);
    [[maybe_unused]] const int kept =
        LZ4_saveDict(&stream_, buffer_.data(), static_cast<int>(kBlockBytes));  // moves it in front
    assert(kept == static_cast<int>(kBlockBytes));
    open_bytes_ = 0;
  }

  LZ4_stream_t stream_{};     // after the finished blocks
  std::vector<char> buffer_;  // the last finished block, then the open one
  std::size_t open_bytes_ = 0;
  std::int64_t finished_blocks_bytes_ = 0;
  std::vector<char> output_;
};

}  // namespace

std::unique_ptr<Signal> make_lz4(const schemas::Arguments& arguments) {
  return std::make_unique<Lz4Signal>(arguments);
}

}  // namespace lil::replay
