#include "replay/copies.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <unordered_map>

#include "replay/signals/suffix_automaton.h"

namespace lil::replay {
namespace {

/// Start and length of every match of the parse that is long enough.
std::vector<Copy> parse(std::string_view text, std::int64_t least_bytes) {
  std::vector<Copy> matches;
  SuffixAutomaton seen;
  std::int64_t start = 0;
  std::int64_t open_bytes = 0;
  const auto take = [&](std::int64_t bytes) {
    if (bytes >= least_bytes) matches.push_back({start, bytes, 0});
  };
  for (const char byte : text) {
    seen.append(static_cast<std::uint8_t>(byte));
    ++open_bytes;
    if (open_bytes > seen.repeated_suffix()) {
      take(open_bytes - 1);
      start += open_bytes;
      open_bytes = 0;
    }
  }
  take(open_bytes);
  return matches;
}

/// The places before a growing position at which a few bytes stand, the last one first.
class Places {
 public:
  Places(std::string_view text, std::size_t key_bytes) : text_(text), key_bytes_(key_bytes) {}

  /// The last place before `end` at which `bytes` stand; they do stand at one. `end` never goes down.
  std::size_t last(std::size_t end, std::string_view bytes) {
    for (; before_.size() < end; ++next_) {
      const auto [place, is_new] = last_.try_emplace(text_.substr(next_, key_bytes_), next_);
      before_.push_back(is_new ? kNone : place->second);
      place->second = next_;
    }
    std::size_t place = last_.at(bytes.substr(0, key_bytes_));
    while (text_.substr(place, bytes.size()) != bytes) {
      place = before_[place];
      assert(place != kNone);
    }
    return place;
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  std::string_view text_;
  std::size_t key_bytes_;
  std::size_t next_ = 0;
  std::unordered_map<std::string_view, std::size_t> last_;  // looked up, never walked through
  std::vector<std::size_t> before_;
};

}  // namespace

std::vector<Copy> find_copies(std::string_view text, std::int64_t least_bytes) {
  assert(least_bytes >= 1);
  constexpr std::int64_t kMostKeyBytes = 8;
  std::vector<Copy> copies = parse(text, least_bytes);
  Places places(text, static_cast<std::size_t>(std::min(least_bytes, kMostKeyBytes)));
  for (Copy& copy : copies) {
    const auto start = static_cast<std::size_t>(copy.start);
    const std::string_view bytes = text.substr(start, static_cast<std::size_t>(copy.bytes));
    copy.distance = copy.start - static_cast<std::int64_t>(places.last(start, bytes));
  }
  return copies;
}

}  // namespace lil::replay
