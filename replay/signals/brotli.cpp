#include <brotli/encode.h>
#include <fmt/format.h>

#include <cassert>
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

/// `brotli(quality=5)`: the size in bytes of the Brotli stream [RFC 7932] of the prefix, as
/// BrotliEncoderCompressStream makes it when the prefix is handed over with BROTLI_OPERATION_PROCESS and then
/// ended with BROTLI_OPERATION_FINISH and no more input: a window of 2^20 bytes, generic mode. The hint at
/// the size is 1 byte, for without one the library takes the length of the first piece. (Qualities 0 and
/// 1 cut their output where the pieces end, and are left out.)
///
/// The library searches matches as blocks of 64 KiB (256 KiB from quality 9 on) fill up, and codes them only
/// at the end, so value() searches the open block again and codes the whole prefix. Memory: 3 to 40 MB by
/// quality, twice past the first piece.
class BrotliEncoder {
 public:
  static constexpr std::size_t kPieceBytes = std::size_t{64} << 10;

  BrotliEncoder(EncoderArena& arena, const schemas::Arguments& arguments)
      : state_(BrotliEncoderCreateInstance(allocate, release, &arena)) {
    constexpr std::uint32_t kWindowLog = 20;
    const bool set =
        state_ != nullptr &&
        set_parameter(BROTLI_PARAM_QUALITY, static_cast<std::uint32_t>(arguments.integer("quality"))) &&
        set_parameter(BROTLI_PARAM_LGWIN, kWindowLog) && set_parameter(BROTLI_PARAM_SIZE_HINT, 1);
    if (!set) throw Error(ErrorCode::kEnvironment, "brotli: the encoder cannot be made");
  }

  void run(std::string_view bytes) {
    if (!bytes.empty()) step(bytes, BROTLI_OPERATION_PROCESS);
  }

  std::int64_t finish(std::string_view bytes) {
    run(bytes);
    step({}, BROTLI_OPERATION_FINISH);
    assert(BrotliEncoderIsFinished(state_) == BROTLI_TRUE);
    return output_bytes_;
  }

  static std::string version() {
    const std::uint32_t version = BrotliEncoderVersion();
    return fmt::format("brotli {}.{}.{}", version >> 24U, (version >> 12U) & 0xFFFU, version & 0xFFFU);
  }

 private:
  bool set_parameter(BrotliEncoderParameter parameter, std::uint32_t value) {
    return BrotliEncoderSetParameter(state_, parameter, value) == BROTLI_TRUE;
  }

  void step(std::string_view bytes, BrotliEncoderOperation operation) {
    const auto* next = reinterpret_cast<const std::uint8_t*>(bytes.data());
    std::size_t left = bytes.size();
    do {
      std::size_t no_room = 0;
      if (BrotliEncoderCompressStream(state_, operation, &left, &next, &no_room, nullptr, nullptr) ==
          BROTLI_FALSE) {
        throw Error(ErrorCode::kEnvironment, "brotli: the encoder failed");
      }
      take_output();
    } while (left > 0 || BrotliEncoderHasMoreOutput(state_) == BROTLI_TRUE);
  }

  void take_output() {
    std::size_t size = 0;  // asks for all there is
    static_cast<void>(BrotliEncoderTakeOutput(state_, &size));
    output_bytes_ += static_cast<std::int64_t>(size);
  }

  BrotliEncoderState* state_;
  std::int64_t output_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Signal> make_brotli(const schemas::Arguments& arguments) {
  return std::make_unique<CheckpointedSignal<BrotliEncoder>>(arguments);
}

}  // namespace lil::replay
