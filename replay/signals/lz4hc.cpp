#include <lz4hc.h>

#include <memory>

#include "replay/signals/lz4_frame.h"

namespace lil::replay {
namespace {

/// LZ4's thorough mode, 256 KiB of state.
class ThoroughStream {
 public:
  explicit ThoroughStream(const schemas::Arguments& arguments)
      : level_(static_cast<int>(arguments.integer("level"))) {
    reset();
  }

  void reset() {
    LZ4_initStreamHC(&stream_, sizeof stream_);
    LZ4_resetStreamHC_fast(&stream_, level_);
  }
  [[nodiscard]] int level() const { return level_; }
  int compress(const char* block, char* to, int bytes) {
    return LZ4_compress_HC_continue(&stream_, block, to, bytes, bytes - 1);
  }
  int save(char* to, int bytes) { return LZ4_saveDictHC(&stream_, to, bytes); }

 private:
  int level_;
  LZ4_streamHC_t stream_{};
};

}  // namespace

/// `lz4hc(level=9)`: levels 3 to 12 of Lz4FrameSignal.
std::unique_ptr<Signal> make_lz4hc(const schemas::Arguments& arguments) {
  return std::make_unique<Lz4FrameSignal<ThoroughStream>>(arguments);
}

}  // namespace lil::replay
