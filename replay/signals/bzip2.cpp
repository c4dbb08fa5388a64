#include <bzlib.h>
#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "replay/signal.h"
#include "replay/signals/checkpointed_encoder.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"

namespace lil::replay {
namespace {

void* allocate(void* arena, int items, int bytes) {
  return static_cast<EncoderArena*>(arena)->allocate(static_cast<std::size_t>(items) *
                                                     static_cast<std::size_t>(bytes));
}

void release(void* arena, void* memory) {
  static_cast<EncoderArena*>(arena)->release(memory);
}

/// `bzip2(level=9)`: the size in bytes of the prefix in the format of .bz2 files, with blocks of `level`
/// times 100 kB.
///
/// A block that is full is final. The open one is sorted whole by every value(). Memory: 1.1 to 7.5 MB by
/// level, twice past the first piece.
class Bzip2Encoder {
 public:
  static constexpr std::size_t kPieceBytes = std::size_t{64} << 10;

  Bzip2Encoder(EncoderArena& arena, const schemas::Arguments& arguments) {
    stream_.bzalloc = allocate;
    stream_.bzfree = release;
    stream_.opaque = &arena;
    constexpr int kSilent = 0;
    constexpr int kUsualWorkFactor = 0;
    const int status =
        BZ2_bzCompressInit(&stream_, static_cast<int>(arguments.integer("level")), kSilent, kUsualWorkFactor);
    if (status != BZ_OK) fail(status);
  }

  void run(std::string_view bytes) {
    give(bytes);
    while (stream_.avail_in > 0) {
      const int status = step(BZ_RUN);
      if (status != BZ_RUN_OK) fail(status);
    }
  }

  /// A block that fills up with the last byte takes in a run still open only where the end comes with it.
  std::int64_t finish(std::string_view bytes) {
    give(bytes);
    int status = BZ_FINISH_OK;
    while (status == BZ_FINISH_OK) status = step(BZ_FINISH);
    if (status != BZ_STREAM_END) fail(status);
    return output_bytes_;
  }

  static std::string version() {
    const std::string_view version = BZ2_bzlibVersion();  // `1.0.8, 13-Jul-2019`
    return fmt::format("bzip2 {}", version.substr(0, version.find(',')));
  }

 private:
  [[noreturn]] static void fail(int status) {
    throw Error(ErrorCode::kEnvironment, fmt::format("bzip2: status {}", status));
  }

  void give(std::string_view piece) {
    stream_.next_in = const_cast<char*>(piece.data());  // which the library only reads
    stream_.avail_in = static_cast<unsigned>(piece.size());
  }

  int step(int action) {
    std::array<char, 32768> output;
    stream_.next_out = output.data();
    stream_.avail_out = static_cast<unsigned>(output.size());
    const int status = BZ2_bzCompress(&stream_, action);
    output_bytes_ += static_cast<std::int64_t>(output.size() - stream_.avail_out);
    return status;
  }

  bz_stream stream_{};
  std::int64_t output_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Signal> make_bzip2(const schemas::Arguments& arguments) {
  return std::make_unique<CheckpointedSignal<Bzip2Encoder>>(arguments);
}

}  // namespace lil::replay
