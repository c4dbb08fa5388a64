#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace lil::replay::deflate {

inline constexpr std::uint32_t kWindow = 32768;
/// As long as this many bytes are ahead, no step of the parse comes to the end of the text.
inline constexpr std::uint32_t kMinLookahead = 262;
inline constexpr std::uint32_t kMaxDistance = kWindow - kMinLookahead;

/// How hard a search is, in the terms of zlib's levels.
struct SearchLimits {
  std::uint32_t chain;  ///< candidates to look at, at least 1
  std::uint32_t nice;   ///< a match of this many bytes ends the search
};

struct Match {
  std::uint32_t length = 0;  ///< 0: none longer than asked for
  std::uint32_t distance = 0;
};

/// The last 32 to 64 KiB of a text and, by a hash of their first three bytes, the positions in it entered so
/// far: deflate's search for matches [RFC 1951, 4] with the hash, the order and the limits of zlib.
///
/// Positions count from the start of the kept text and change by slide() only. Position 0 stands for "none"
/// and so is never found. 192 KiB, whatever the text.
class MatchFinder {
 public:
  MatchFinder();

  /// Takes as much of `bytes` as there is room for; returns how much.
  std::size_t append(std::string_view bytes);
  /// Drops the older half of a full window: a position p becomes p − kWindow. Nothing within kMaxDistance of
  /// a position above kWindow + kMaxDistance is lost.
  void slide();
  void clear();

  [[nodiscard]] std::uint32_t end() const { return end_; }
  [[nodiscard]] bool full() const { return end_ == 2 * kWindow; }
  [[nodiscard]] std::uint8_t byte(std::uint32_t position) const { return window_[position]; }

  /// Makes `position`, which must be after all entered before, a candidate for those to come. Needs three
  /// bytes from there on.
  void enter(std::uint32_t position) {
    std::uint16_t& latest = latest_[hash(position)];
    before_[position % kWindow] = latest;
    latest = static_cast<std::uint16_t>(position);
  }
  /// As enter(), to be taken back by forget_trials(), before which slide() is not allowed.
  void enter_on_trial(std::uint32_t position) {
    const std::uint32_t slot = hash(position);
    trials_.push_back({static_cast<std::uint16_t>(slot), latest_[slot]});
    enter(position);
  }
  void forget_trials();

  /// The longest match of more than `beat` bytes at `position`, which is not entered yet: the latest of
  /// equally long ones. The latest candidate may be `reach` bytes back, kMaxDistance or one less, the others
  /// less than kMaxDistance. Needs more than `beat` bytes from there on; `beat` is at least 2.
  [[nodiscard]] Match longest(std::uint32_t position, std::uint32_t beat, SearchLimits limits,
                              std::uint32_t reach) const;

 private:
  static constexpr std::size_t kHashes = 32768;
  static constexpr std::size_t kReadAhead = 8;  // bytes that a comparison may read past the end

  struct Trial {
    std::uint16_t hash;
    std::uint16_t latest;
  };

  [[nodiscard]] std::uint32_t hash(std::uint32_t position) const {
    assert(position + 3 <= end_);
    const std::uint8_t* const bytes = window_.data() + position;
    return ((std::uint32_t{bytes[0]} << 10U) ^ (std::uint32_t{bytes[1]} << 5U) ^ bytes[2]) % kHashes;
  }

  std::vector<std::uint8_t> window_;
  std::vector<std::uint16_t> latest_;  // position entered, by hash
  std::vector<std::uint16_t> before_;  // the one before with the same hash, by position % kWindow
  std::vector<Trial> trials_;
  std::uint32_t end_ = 0;
};

}  // namespace lil::replay::deflate
