#include <memory>

#include "replay/signals/lz4_frame.h"

namespace lil::replay {
namespace {

/// LZ4's fast mode, 16 KiB of state.
class FastStream {
 public:
  explicit FastStream(const schemas::Arguments& /*arguments*/) { reset(); }

  void reset() { LZ4_initStream(&stream_, sizeof stream_); }
  [[nodiscard]] static int level() { return 0; }
  int compress(const char* block, char* to, int bytes) {
    constexpr int kAcceleration = 1;
    return LZ4_compress_fast_continue(&stream_, block, to, bytes, bytes - 1, kAcceleration);
  }
  int save(char* to, int bytes) { return LZ4_saveDict(&stream_, to, bytes); }

 private:
  LZ4_stream_t stream_{};
};

}  // namespace

/// `lz4`: level 0 of Lz4FrameSignal.
std::unique_ptr<Signal> make_lz4(const schemas::Arguments& arguments) {
  return std::make_unique<Lz4FrameSignal<FastStream>>(arguments);
}

}  // namespace lil::replay
