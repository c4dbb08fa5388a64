#include "replay/deflate/sizer.h"

#include <array>
#include <cassert>
#include <cstddef>

namespace lil::replay::deflate {
namespace {

constexpr std::uint32_t kTooFar = 4096;  // a match of three bytes from further back costs more than literals

constexpr std::array<Sizer::Effort, 9> kEfforts = {{
    {false, 4, 4, {4, 8}},
    {false, 4, 5, {8, 16}},
    {false, 4, 6, {32, 32}},
    {true, 4, 4, {16, 16}},
    {true, 8, 16, {32, 32}},
    {true, 8, 16, {128, 128}},
    {true, 8, 32, {256, 128}},
    {true, 32, 128, {1024, 258}},
    {true, 32, 258, {4096, 258}},
}};

/// The first position at which zlib may drop the older half of its two windows.
constexpr std::uint32_t kFirstSlide = kWindow + kMaxDistance;

/// Whether the match was cut off by the end of the text, `left` bytes ahead.
bool may_grow(Match match, std::uint32_t left) {
  return match.length == left && left < kMaxMatch;
}

}  // namespace

Sizer::Sizer(int level) : effort_(kEfforts.at(static_cast<std::size_t>(level) - 1)) {}

void Sizer::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (finder_.full()) {
      parse<Until::kFinal>(parse_);
      assert(parse_.at > kFirstSlide);
      finder_.slide();
      base_ += kWindow;
      parse_.at -= kWindow;
    }
    bytes.remove_prefix(finder_.append(bytes));
  }
}

std::int64_t Sizer::size() {
  parse<Until::kFinal>(parse_);
  Parse trial = parse_;
  parse<Until::kEnd>(trial);
  finder_.forget_trials();
  close_block(trial, trial.at, trial.at);
  return (trial.bits + 7) / 8;
}

void Sizer::reset() {
  finder_.clear();
  base_ = 0;
  parse_ = {};
}

template <Sizer::Until until>
void Sizer::parse(Parse& parse) {
  effort_.lazy ? parse_lazily<until>(parse) : parse_greedily<until>(parse);
}

template <Sizer::Until until>
void Sizer::parse_greedily(Parse& parse) {
  while (parse.at < finder_.end()) {
    const std::uint32_t at = parse.at;
    const std::uint32_t left = finder_.end() - at;
    if (until == Until::kFinal && (left < kMinMatch || zlib_slides_only_at_end(at))) return;
    Match match;
    if (left >= kMinMatch) {
      match = finder_.longest(at, kMinMatch - 1, effort_.search, reach_at(at));
    }
    const bool enters_inside = match.length <= effort_.eager;
    if (until == Until::kFinal &&
        (may_grow(match, left) || (enters_inside && left < match.length + kMinMatch))) {
      return;
    }
    if (match.length == 0) {
      parse.block.add_literal(finder_.byte(at));
      parse.at = at + 1;
    } else {
      parse.block.add_match(match.length, match.distance);
      parse.at = at + match.length;
    }
    enter_between<until>(at, enters_inside ? parse.at : at + 1);
    if (parse.block.full()) close_block(parse, at, parse.at);
  }
}

template <Sizer::Until until>
void Sizer::parse_lazily(Parse& parse) {
  while (parse.at < finder_.end()) {
    const std::uint32_t at = parse.at;
    const std::uint32_t left = finder_.end() - at;
    if (until == Until::kFinal && (left <= parse.length || zlib_slides_only_at_end(at))) return;
    Match match;
    if (left > parse.length && left >= kMinMatch && parse.length < effort_.eager) {
      SearchLimits limits = effort_.search;
      if (parse.length >= effort_.good) limits.chain /= 4;
      match = finder_.longest(at, parse.length, limits, reach_at(at));
      if (until == Until::kFinal && may_grow(match, left)) return;
      if (match.length == kMinMatch && match.distance > kTooFar) match.length = 0;
    }
    if (parse.length >= kMinMatch && match.length == 0) {
      parse.block.add_match(parse.length, parse.distance);
      parse.at = at - 1 + parse.length;
      enter_between<until>(at, parse.at);
      parse.literal_waits = false;
      parse.length = kMinMatch - 1;
      if (parse.block.full()) close_block(parse, at, parse.at);
      continue;
    }
    enter_between<until>(at, at + 1);
    if (parse.literal_waits) {
      parse.block.add_literal(finder_.byte(at - 1));
      if (parse.block.full()) close_block(parse, at, at);
    }
    parse.literal_waits = true;
    parse.length = match.length == 0 ? kMinMatch - 1 : match.length;
    parse.distance = match.distance;
    parse.at = at + 1;
  }
  if (until == Until::kEnd && parse.literal_waits) parse.block.add_literal(finder_.byte(parse.at - 1));
}

template <Sizer::Until until>
void Sizer::enter_between(std::uint32_t first, std::uint32_t last) {
  if constexpr (until == Until::kFinal) {
    for (; first < last; ++first) finder_.enter(first);
  } else {
    for (; first < last && first + kMinMatch <= finder_.end(); ++first) finder_.enter_on_trial(first);
  }
}

/// zlib drops the older half of its windows when fewer than kMinLookahead bytes are ahead. At this position
/// that is so only where the text ends: one step before a full window would make it so.
bool Sizer::zlib_slides_only_at_end(std::uint32_t position) const {
  return position == kFirstSlide && finder_.end() - position < kMinLookahead;
}

/// How far back zlib's first candidate may be. Having slid at this very position, it reads the one at the
/// full distance, now at its offset 0, as "none".
std::uint32_t Sizer::reach_at(std::uint32_t position) const {
  return zlib_slides_only_at_end(position) ? kMaxDistance - 1 : kMaxDistance;
}

/// Ends the block before `end`, after the step at `last_step`, which is when zlib last looked at its window:
/// it can store only what is still there.
void Sizer::close_block(Parse& parse, std::uint32_t last_step, std::uint32_t end) const {
  const bool slid = last_step > kFirstSlide || zlib_slides_only_at_end(last_step);
  const std::int64_t window_start = base_ + (slid ? kWindow : 0);
  const std::int64_t block_end = base_ + end;
  parse.bits =
      parse.block.bits_after(parse.bits, block_end - parse.block_start, parse.block_start >= window_start);
  parse.block_start = block_end;
  parse.block = {};
}

}  // namespace lil::replay::deflate
