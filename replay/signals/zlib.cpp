#define ZLIB_CONST  // next_in points to const

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "replay/signals/deflate.h"
#include "schemas/error.h"

namespace lil::replay {
namespace {

/// Memory for one stream and one copy of it at a time. Blocks are handed out in a fixed order; rewinding
/// hands the same blocks out again, so that a copy costs no allocation.
class StreamMemory {
 public:
  [[nodiscard]] std::size_t position() const { return next_; }
  void rewind(std::size_t position) { next_ = position; }

  /// nullptr where memory is out. As aligned as operator new.
  void* take(std::size_t bytes) noexcept {
    try {
      if (next_ == blocks_.size()) blocks_.emplace_back();
      std::vector<std::max_align_t>& block = blocks_[next_++];
      block.resize(std::max(block.size(), bytes / sizeof(std::max_align_t) + 1));
      return block.data();
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }

 private:
  std::vector<std::vector<std::max_align_t>> blocks_;
  std::size_t next_ = 0;
};

voidpf take_from_memory(voidpf memory, uInt items, uInt bytes) {
  return static_cast<StreamMemory*>(memory)->take(std::size_t{items} * bytes);
}

void keep_for_next_copy(voidpf /*memory*/, voidpf /*block*/) {}

constexpr std::uint64_t kWindow = 32768;
constexpr std::uint64_t kMinLookahead = 262;  // MAX_MATCH + MIN_MATCH + 1

/// How many of `wanted` more bytes may be handed to deflate when `before` have been. zlib keeps two windows
/// of input, and drops the older one when fewer than kMinLookahead bytes are ahead of a position within
/// kMinLookahead of the end. Were it short of input at exactly the first such position, it would forget a
/// match 32506 bytes back (offset 0 reads as "none") that a single call over the whole input finds. So no
/// piece ends less than kMinLookahead before an end; what is held back is handed over later.
std::uint64_t safe_piece(std::uint64_t before, std::uint64_t wanted) {
  const std::uint64_t after = before + wanted;
  const std::uint64_t end = std::max(2 * kWindow, (after + kWindow - 1) / kWindow * kWindow);
  const bool too_close = after > end - kMinLookahead && after < end;
  return too_close ? end - kMinLookahead - before : wanted;
}

class DeflateSignal : public Signal {
 public:
  DeflateSignal(const schemas::Arguments& arguments, DeflateWrapper wrapper)
      : Signal(arguments.to_string(), fmt::format("1 (zlib {})", zlibVersion())) {
    constexpr int kWindowBits = 15;
    constexpr int kGzipFormat = 16;
    constexpr int kMemLevel = 8;
    stream_.zalloc = take_from_memory;
    stream_.zfree = keep_for_next_copy;
    stream_.opaque = &memory_;
    const int bits = kWindowBits + (wrapper == DeflateWrapper::kGzip ? kGzipFormat : 0);
    check(deflateInit2(&stream_, static_cast<int>(arguments.integer("level")), Z_DEFLATED, bits, kMemLevel,
                       Z_DEFAULT_STRATEGY));
    stream_end_ = memory_.position();
  }
  ~DeflateSignal() override { deflateEnd(&stream_); }

  void feed(std::string_view bytes) override {
    held_ += bytes;
    const std::uint64_t piece = safe_piece(fed_, held_.size());
    run(stream_, std::string_view(held_).substr(0, piece), Z_NO_FLUSH);
    fed_ += piece;
    held_.erase(0, piece);
  }

  std::int64_t value() override {
    memory_.rewind(stream_end_);
    z_stream copy{};
    check(deflateCopy(&copy, &stream_));
    run(copy, held_, Z_FINISH);
    const auto size = static_cast<std::int64_t>(copy.total_out);
    deflateEnd(&copy);
    return size;
  }

  void reset() override {
    check(deflateReset(&stream_));
    held_.clear();
    fed_ = 0;
  }

 private:
  static void check(int status) {
    if (status != Z_OK) throw Error(ErrorCode::kEnvironment, fmt::format("zlib: {}", zError(status)));
  }

  /// Takes all of `bytes`; the output is counted by zlib and thrown away.
  void run(z_stream& stream, std::string_view bytes, int flush) {
    constexpr std::size_t kMostInput = std::size_t{1} << 30;  // zlib counts in 32 bits
    do {
      const std::string_view piece = bytes.substr(0, kMostInput);
      bytes.remove_prefix(piece.size());
      stream.next_in = reinterpret_cast<const Bytef*>(piece.data());
      stream.avail_in = static_cast<uInt>(piece.size());
      const int step_flush = bytes.empty() ? flush : Z_NO_FLUSH;
      int status = Z_OK;
      do {
        stream.next_out = output_.data();
        stream.avail_out = static_cast<uInt>(output_.size());
        status = deflate(&stream, step_flush);
        if (status != Z_STREAM_END && status != Z_BUF_ERROR) check(status);
      } while (stream.avail_out == 0);
      assert(stream.avail_in == 0 && (step_flush != Z_FINISH || status == Z_STREAM_END));
    } while (!bytes.empty());
  }

  StreamMemory memory_;  // outlives stream_
  z_stream stream_{};
  std::size_t stream_end_ = 0;  // of memory_: copies come after it
  std::string held_;            // fed to us, not yet to stream_
  std::uint64_t fed_ = 0;       // bytes given to stream_
  std::array<Bytef, 32768> output_{};
};

}  // namespace

std::unique_ptr<Signal> make_deflate(const schemas::Arguments& arguments, DeflateWrapper wrapper) {
  return std::make_unique<DeflateSignal>(arguments, wrapper);
}

/// `zlib(level=6)`: see make_deflate.
std::unique_ptr<Signal> make_zlib(const schemas::Arguments& arguments) {
  return make_deflate(arguments, DeflateWrapper::kZlib);
}

}  // namespace lil::replay
