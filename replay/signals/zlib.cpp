#define ZLIB_CONST  // next_in points to const

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "replay/deflate/sizer.h"
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

int level_of(const schemas::Arguments& arguments) {
  return static_cast<int>(arguments.integer("level"));
}

std::string version_with_zlib() {
  return fmt::format("1 (zlib {})", zlibVersion());
}

/// zlib's way to name a format along with the window.
int window_bits(DeflateWrapper wrapper) {
  constexpr int kWindowBits = 15;
  switch (wrapper) {
    case DeflateWrapper::kZlib:
      return kWindowBits;
    case DeflateWrapper::kGzip:
      return kWindowBits + 16;
    case DeflateWrapper::kNone:
      return -kWindowBits;
  }
  return 0;
}

std::int64_t bytes_around(DeflateWrapper wrapper) {
  switch (wrapper) {
    case DeflateWrapper::kZlib:
      return 2 + 4;
    case DeflateWrapper::kGzip:
      return 10 + 8;
    case DeflateWrapper::kNone:
      return 0;
  }
  return 0;
}

/// Feeds zlib without flushing; value() finishes a copy of the stream.
class CopyingDeflate : public Signal {
 public:
  CopyingDeflate(const schemas::Arguments& arguments, DeflateWrapper wrapper)
      : Signal(arguments.to_string(), version_with_zlib()) {
    constexpr int kMemLevel = 8;
    stream_.zalloc = take_from_memory;
    stream_.zfree = keep_for_next_copy;
    stream_.opaque = &memory_;
    check(deflateInit2(&stream_, level_of(arguments), Z_DEFLATED, window_bits(wrapper), kMemLevel,
                       Z_DEFAULT_STRATEGY));
    stream_end_ = memory_.position();
  }
  ~CopyingDeflate() override { deflateEnd(&stream_); }

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
        status = ::deflate(&stream, step_flush);
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

/// Sizes the stream without making it.
class SizedDeflate : public Signal {
 public:
  SizedDeflate(const schemas::Arguments& arguments, DeflateWrapper wrapper)
      : Signal(arguments.to_string(), version_with_zlib()),
        sizer_(level_of(arguments)),
        wrapper_bytes_(bytes_around(wrapper)) {}

  void feed(std::string_view bytes) override { sizer_.feed(bytes); }
  std::int64_t value() override { return wrapper_bytes_ + sizer_.size(); }
  void reset() override { sizer_.reset(); }

 private:
  deflate::Sizer sizer_;
  std::int64_t wrapper_bytes_;
};

/// Letters, the rare ones rarer, and repeats of what came before: short and long matches, two blocks.
std::string text_to_compare_on() {
  std::uint32_t state = 1;
  const auto below = [&state](std::size_t bound) {
    state = state * 1664525U + 1013904223U;  // [Numerical Recipes]
    return (state >> 8U) % bound;
  };
  std::string text = "deflate";
  while (text.size() < 60000) {
    if (below(4) == 0) {
      const std::size_t from = below(text.size());
      text += text.substr(from, 3 + below(60));
    } else {
      text += static_cast<char>('a' + below(1 + below(60)));
    }
  }
  return text;
}

/// Whether this zlib is of a version that deflate::Sizer is written for, and gives the same sizes for a
/// text: what hardware or another library behind zlib's interface does not, whatever version it says.
bool compare_sizer_with_zlib(int level) {
  constexpr std::array<std::string_view, 5> kVersions = {"1.2.11", "1.2.12", "1.2.13", "1.3", "1.3.1"};
  if (std::find(kVersions.begin(), kVersions.end(), zlibVersion()) == kVersions.end()) return false;
  const std::string text = text_to_compare_on();
  deflate::Sizer sizer(level);
  std::vector<Bytef> out(compressBound(text.size()));
  for (const std::size_t bytes : {text.size() / 50, text.size() / 3, text.size()}) {
    sizer.reset();
    sizer.feed(std::string_view(text).substr(0, bytes));
    uLongf size = out.size();
    const auto* const in = reinterpret_cast<const Bytef*>(text.data());
    if (compress2(out.data(), &size, in, bytes, level) != Z_OK) return false;
    if (sizer.size() + 2 + 4 != static_cast<std::int64_t>(size)) return false;
  }
  return true;
}

}  // namespace

bool deflate_is_sized(int level) {
  static std::array<std::once_flag, 9> compared;
  static std::array<bool, 9> same;
  const auto row = static_cast<std::size_t>(level) - 1;
  std::call_once(compared.at(row), [&] { same.at(row) = compare_sizer_with_zlib(level); });
  return same.at(row);
}

std::unique_ptr<Signal> make_deflate(const schemas::Arguments& arguments, DeflateWrapper wrapper) {
  if (!deflate_is_sized(level_of(arguments))) return make_copying_deflate(arguments, wrapper);
  return std::make_unique<SizedDeflate>(arguments, wrapper);
}

std::unique_ptr<Signal> make_copying_deflate(const schemas::Arguments& arguments, DeflateWrapper wrapper) {
  return std::make_unique<CopyingDeflate>(arguments, wrapper);
}

/// `zlib(level=6)`: see make_deflate.
std::unique_ptr<Signal> make_zlib(const schemas::Arguments& arguments) {
  return make_deflate(arguments, DeflateWrapper::kZlib);
}

}  // namespace lil::replay
