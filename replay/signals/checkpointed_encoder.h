#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "replay/signal.h"
#include "replay/signals/encoder_arena.h"
#include "schemas/named_spec.h"

namespace lil::replay {

/// A signal out of an encoder whose state cannot be copied by its library's means. The stream is handed to
/// it in pieces of Encoder::kPieceBytes, and the rest, from one byte to a piece, is held back; value() saves
/// the encoder's memory where that has not been done since the last piece, and finishes with the rest; before
/// anything else, the memory is restored in place. So the value is that of a stream fed like this from
/// scratch, and depends on the prefix alone even if the library made something of its pieces. A prefix
/// shorter than one piece is compressed anew.
///
/// Encoder lives in the arena and is saved and restored with it; all it owns is there too, so it has no
/// destructor:
///   Encoder(EncoderArena&, const schemas::Arguments&)  starts a stream
///   void run(std::string_view)                         takes all of it; counts the output
///   std::int64_t finish(std::string_view)              the same and the end; bytes of the whole output
///   static std::string version()                       of the library, as `zstd 1.5.4`
template <class Encoder>
class CheckpointedSignal : public Signal {
  static_assert(std::is_trivially_copyable_v<Encoder> && std::is_trivially_destructible_v<Encoder>);

 public:
  explicit CheckpointedSignal(const schemas::Arguments& arguments)
      : Signal(arguments.to_string(), "1 (" + Encoder::version() + ")"), arguments_(arguments) {
    start();
  }

  void feed(std::string_view bytes) override {
    while (rest_.size() + bytes.size() > kPieceBytes) {
      const std::size_t missing = kPieceBytes - rest_.size();
      rest_ += bytes.substr(0, missing);
      bytes.remove_prefix(missing);
      rewind();
      encoder_->run(rest_);
      has_pieces_ = true;
      saved_ = false;
      rest_.clear();
    }
    rest_ += bytes;
  }

  std::int64_t value() override {
    rewind();
    if (has_pieces_ && !saved_) {
      arena_.save();
      saved_ = true;
    }
    finished_ = true;
    return encoder_->finish(rest_);
  }

  void reset() override {
    rest_.clear();
    start();
  }

 private:
  static constexpr std::size_t kPieceBytes = Encoder::kPieceBytes;

  void start() {
    arena_.clear();
    void* memory = arena_.allocate(sizeof(Encoder));
    if (memory == nullptr) throw std::bad_alloc();
    encoder_ = new (memory) Encoder(arena_, arguments_);
    has_pieces_ = false;
    saved_ = false;
    finished_ = false;
  }

  /// To where all pieces but not the rest are in.
  void rewind() {
    if (!finished_) return;
    if (has_pieces_) {
      arena_.restore();
    } else {
      start();
    }
    finished_ = false;
  }

  schemas::Arguments arguments_;
  EncoderArena arena_;
  Encoder* encoder_ = nullptr;  // in the arena
  std::string rest_;            // fed to us, not yet a piece
  bool has_pieces_ = false;     // the encoder has been given some
  bool saved_ = false;          // the arena's copy has all of them
  bool finished_ = false;       // the encoder is past them
};

}  // namespace lil::replay
