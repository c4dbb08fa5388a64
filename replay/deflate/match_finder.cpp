#include "replay/deflate/match_finder.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "replay/deflate/block.h"

namespace lil::replay::deflate {
namespace {

template <class Word>
Word load(const std::uint8_t* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

/// How many bytes are the same, up to `most`. Reads up to seven bytes past that.
std::uint32_t same_bytes(const std::uint8_t* a, const std::uint8_t* b, std::uint32_t most) {
  static_assert(std::endian::native == std::endian::little);
  for (std::uint32_t at = 0; at < most; at += sizeof(std::uint64_t)) {
    const std::uint64_t difference = load<std::uint64_t>(a + at) ^ load<std::uint64_t>(b + at);
    if (difference != 0) {
      return std::min(most, at + static_cast<std::uint32_t>(std::countr_zero(difference)) / 8);
    }
  }
  return most;
}

/// A cheap necessary condition for a match longer than a given length: the bytes around its end are there.
class LongerThan {
 public:
  LongerThan(const std::uint8_t* scan, std::uint32_t length)
      : offset_(length >= kMinMatch ? length - kMinMatch : 0), mask_(length >= kMinMatch ? ~0U : 0xFFFFFFU) {
    wanted_ = load<std::uint32_t>(scan + offset_) & mask_;
  }
  [[nodiscard]] bool may_be(const std::uint8_t* match) const {
    return (load<std::uint32_t>(match + offset_) & mask_) == wanted_;
  }

 private:
  std::uint32_t offset_;
  std::uint32_t mask_;  // of a little-endian word: only the first three bytes for a length of two
  std::uint32_t wanted_;
};

void drop_older_half(std::vector<std::uint16_t>& positions) {
  for (std::uint16_t& position : positions) {
    position = static_cast<std::uint16_t>(std::max<std::uint16_t>(position, kWindow) - kWindow);
  }
}

}  // namespace

MatchFinder::MatchFinder()
    : window_(std::size_t{2} * kWindow + kReadAhead), latest_(kHashes), before_(kWindow) {}

std::size_t MatchFinder::append(std::string_view bytes) {
  const std::size_t taken = std::min<std::size_t>(bytes.size(), std::size_t{2} * kWindow - end_);
  std::copy_n(bytes.begin(), taken, window_.begin() + end_);
  end_ += static_cast<std::uint32_t>(taken);
  return taken;
}

void MatchFinder::slide() {
  assert(full() && trials_.empty());
  std::copy_n(window_.begin() + kWindow, kWindow, window_.begin());
  end_ = kWindow;
  drop_older_half(latest_);
  drop_older_half(before_);
}

void MatchFinder::clear() {
  std::fill(latest_.begin(), latest_.end(), std::uint16_t{0});
  trials_.clear();
  end_ = 0;
}

void MatchFinder::forget_trials() {
  for (; !trials_.empty(); trials_.pop_back()) latest_[trials_.back().hash] = trials_.back().latest;
}

Match MatchFinder::longest(std::uint32_t position, std::uint32_t beat, SearchLimits limits,
                           std::uint32_t reach) const {
  assert(position + beat < end_ && beat >= kMinMatch - 1);
  std::uint32_t candidate = latest_[hash(position)];
  if (candidate == 0 || position - candidate > reach) return {};
  const std::uint8_t* const window = window_.data();
  const std::uint16_t* const before = before_.data();
  const std::uint8_t* const scan = window + position;
  const std::uint32_t most = std::min(kMaxMatch, end_ - position);
  const std::uint32_t enough = std::min(limits.nice, most);
  const std::uint32_t out_of_reach = position > kMaxDistance ? position - kMaxDistance : 0;
  std::uint32_t best = beat;
  std::uint32_t distance = 0;
  LongerThan longer(scan, best);
  for (std::uint32_t left = limits.chain; left > 0; --left) {
    const std::uint8_t* const match = window + candidate;
    if (longer.may_be(match)) {
      const std::uint32_t length = same_bytes(scan, match, most);
      if (length > best) {
        best = length;
        distance = position - candidate;
        if (length >= enough) break;
        longer = LongerThan(scan, best);
      }
    }
    candidate = before[candidate % kWindow];
    if (candidate <= out_of_reach) break;
  }
  return distance == 0 ? Match{} : Match{best, distance};
}

}  // namespace lil::replay::deflate
