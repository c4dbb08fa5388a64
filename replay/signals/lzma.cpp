#include <fmt/format.h>
#include <lzma.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "replay/signal.h"
#include "replay/signals/checkpointed_encoder.h"
#include "schemas/error.h"
#include "schemas/named_spec.h"

namespace lil::replay {
namespace {

void* allocate(void* arena, std::size_t items, std::size_t bytes) {
  return static_cast<EncoderArena*>(arena)->allocate(items * bytes);
}

void release(void* arena, void* memory) {
  static_cast<EncoderArena*>(arena)->release(memory);
}

/// `lzma(preset=6)`: the size in bytes of the prefix in the format of .lzma files, LZMA with an end mark
/// behind a header of 13 bytes, as lzma_alone_encoder makes it by the preset, but for the dictionary: 2^20
/// bytes at most (2^18 at preset 0). Presets 7 to 9 differ from 6 in nothing but the dictionary, and are left
/// out.
///
/// Memory: 3 to 13 MB by preset, twice past the first piece. value() copies one of them and compresses at
/// most 8 KiB, whatever the length of the prefix.
class LzmaEncoder {
 public:
  static constexpr std::size_t kPieceBytes = std::size_t{8} << 10;

  LzmaEncoder(EncoderArena& arena, const schemas::Arguments& arguments) {
    constexpr std::uint32_t kMostDictionaryBytes = std::uint32_t{1} << 20;
    lzma_options_lzma options{};
    if (lzma_lzma_preset(&options, static_cast<std::uint32_t>(arguments.integer("preset"))) != 0U) {
      throw Error(ErrorCode::kEnvironment, "lzma: the preset is not supported");
    }
    options.dict_size = std::min(options.dict_size, kMostDictionaryBytes);
    // The library keeps pointers to the allocator, so it is in the arena as well.
    void* memory = arena.allocate(sizeof(lzma_allocator));
    if (memory == nullptr) throw std::bad_alloc();
    stream_.allocator = new (memory) lzma_allocator{allocate, release, &arena};
    check(lzma_alone_encoder(&stream_, &options));
  }

  void run(std::string_view bytes) {
    give(bytes);
    while (stream_.avail_in > 0) step(LZMA_RUN);
  }

  std::int64_t finish(std::string_view bytes) {
    give(bytes);
    while (!step(LZMA_FINISH)) {
    }
    return static_cast<std::int64_t>(stream_.total_out);
  }

  static std::string version() { return fmt::format("liblzma {}", lzma_version_string()); }

 private:
  static void check(lzma_ret status) {
    if (status != LZMA_OK) {
      throw Error(ErrorCode::kEnvironment, fmt::format("lzma: status {}", static_cast<int>(status)));
    }
  }

  void give(std::string_view bytes) {
    stream_.next_in = reinterpret_cast<const std::uint8_t*>(bytes.data());
    stream_.avail_in = bytes.size();
  }

  /// True at the end of the stream.
  bool step(lzma_action action) {
    std::array<std::uint8_t, 32768> output;
    stream_.next_out = output.data();
    stream_.avail_out = output.size();
    const lzma_ret status = lzma_code(&stream_, action);
    stream_.next_out = nullptr;
    if (status == LZMA_STREAM_END) return true;
    check(status);
    return false;
  }

  lzma_stream stream_ = LZMA_STREAM_INIT;
};

}  // namespace

std::unique_ptr<Signal> make_lzma(const schemas::Arguments& arguments) {
  return std::make_unique<CheckpointedSignal<LzmaEncoder>>(arguments);
}

}  // namespace lil::replay
