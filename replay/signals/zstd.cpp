#define ZSTD_STATIC_LINKING_ONLY  // for ZSTD_customMem; the shared library has it too

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
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

void* allocate(void* arena, std::size_t bytes) {
  return static_cast<EncoderArena*>(arena)->allocate(bytes);
}

void release(void* arena, void* memory) {
  static_cast<EncoderArena*>(arena)->release(memory);
}

std::size_t checked(std::size_t result) {
  if (ZSTD_isError(result) != 0) {
    throw Error(ErrorCode::kEnvironment, fmt::format("zstd: {}", ZSTD_getErrorName(result)));
  }
  return result;
}

/// `zstd(level=3)`: the size in bytes of the Zstandard frame [RFC 8878] of the prefix, as
/// ZSTD_compressStream2 makes it when the prefix is handed over with ZSTD_e_continue and then ended with
/// ZSTD_e_end and no more input, so that the content's size is unknown to it and not in the frame; no
/// checksum. Parameters are those of the level for an unknown size, but for the window, 2^20 bytes at most,
/// and the tables of hashes and chains, 2^21 entries at most.
///
/// The encoder's state changes with every block of 128 KiB, which is final then; value() compresses the open
/// block anew. Memory: 1 to 20 MB by level, twice past the first block.
class ZstdEncoder {
 public:
  static constexpr std::size_t kPieceBytes = std::size_t{128} << 10;

  ZstdEncoder(EncoderArena& arena, const schemas::Arguments& arguments)
      : context_(ZSTD_createCCtx_advanced({allocate, release, &arena})) {
    if (context_ == nullptr) throw Error(ErrorCode::kEnvironment, "zstd: no memory for a context");
    const int level = static_cast<int>(arguments.integer("level"));
    const ZSTD_compressionParameters usual = ZSTD_getCParams(level, 0, 0);
    constexpr unsigned kMostWindowLog = 20;
    constexpr unsigned kMostTableLog = 21;
    set(ZSTD_c_compressionLevel, static_cast<unsigned>(level));
    set(ZSTD_c_windowLog, std::min(usual.windowLog, kMostWindowLog));
    set(ZSTD_c_hashLog, std::min(usual.hashLog, kMostTableLog));
    set(ZSTD_c_chainLog, std::min(usual.chainLog, kMostTableLog));
    set(ZSTD_c_searchLog, usual.searchLog);
    set(ZSTD_c_minMatch, usual.minMatch);
    set(ZSTD_c_targetLength, usual.targetLength);
    set(ZSTD_c_strategy, static_cast<unsigned>(usual.strategy));
  }

  void run(std::string_view bytes) {
    ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
    do {
      step(input, ZSTD_e_continue);  // also without input: it is what says that the size is unknown
    } while (input.pos < input.size);
  }

  std::int64_t finish(std::string_view bytes) {
    run(bytes);
    ZSTD_inBuffer nothing{nullptr, 0, 0};
    while (step(nothing, ZSTD_e_end) != 0) {
    }
    return output_bytes_;
  }

  static std::string version() { return fmt::format("zstd {}", ZSTD_versionString()); }

 private:
  void set(ZSTD_cParameter parameter, unsigned value) {
    checked(ZSTD_CCtx_setParameter(context_, parameter, static_cast<int>(value)));
  }

  std::size_t step(ZSTD_inBuffer& input, ZSTD_EndDirective end) {
    std::array<char, 32768> output;
    ZSTD_outBuffer to{output.data(), output.size(), 0};
    const std::size_t left = checked(ZSTD_compressStream2(context_, &to, &input, end));
    output_bytes_ += static_cast<std::int64_t>(to.pos);
    return left;
  }

  ZSTD_CCtx* context_;
  std::int64_t output_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Signal> make_zstd(const schemas::Arguments& arguments) {
  return std::make_unique<CheckpointedSignal<ZstdEncoder>>(arguments);
}

}  // namespace lil::replay
