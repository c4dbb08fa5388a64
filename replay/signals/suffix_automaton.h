#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "schemas/error.h"

namespace lil::replay {

/// The suffix automaton of a text that grows at its end [Blumer et al. 1985]. A state stands for the
/// substrings that end at the same places; its `link` leads to the longest suffix of them that also ends
/// elsewhere. At most 2n states and 3n transitions for n bytes. A state holds its first transition, and
/// most have no other; the rest are chained in an array, but for the root, which has a table. Memory: 20
/// bytes a state and 12 a further transition, so at most 52 bytes per byte of text (about 40 for prose), and
/// the vectors' spare room.
class SuffixAutomaton {
 public:
  SuffixAutomaton() { clear(); }

  /// Back to the empty text; memory is kept.
  void clear() {
    states_.assign(1, State{});
    more_.clear();
    root_.fill(kNone);
    last_ = kRoot;
  }

  /// Amortised O(1), times the transitions of a state that are looked at. Throws Error(kInput) past 2^30
  /// states, which 2^29 bytes cannot reach.
  void append(std::uint8_t byte) {
    constexpr std::size_t kMostStates = std::size_t{1} << 30;
    if (states_.size() >= kMostStates) {
      throw Error(ErrorCode::kInput, "the stream is too long: its suffix automaton has 2^30 states");
    }
    const Index added = add_state(states_[last_].length + 1);
    Index at = last_;
    while (at != kNone && find(at, byte) == nullptr) {
      add_transition(at, byte, added);
      at = states_[at].link;
    }
    states_[added].link = at == kNone ? kRoot : split(at, byte);
    last_ = added;
  }

  /// Bytes of the text.
  [[nodiscard]] std::int64_t length() const { return states_[last_].length; }
  /// Length of the longest suffix of the text that also ends before the end of the text. The two may overlap.
  [[nodiscard]] std::int64_t repeated_suffix() const {
    return last_ == kRoot ? 0 : states_[states_[last_].link].length;
  }

 private:
  using Index = std::uint32_t;
  static constexpr Index kNone = std::numeric_limits<Index>::max();
  static constexpr Index kRoot = 0;

  struct Transition {
    Index target = kNone;
    Index next = kNone;  // in more_
    std::uint8_t byte = 0;
  };
  struct State {
    Index length = 0;  // of its longest substring
    Index link = kNone;
    Transition first;
  };

  Index add_state(Index length) {
    states_.emplace_back().length = length;
    return static_cast<Index>(states_.size() - 1);
  }

  /// Where the transition leads, to be read or changed before the next addition; nullptr if there is none.
  Index* find(Index state, std::uint8_t byte) {
    if (state == kRoot) return root_[byte] == kNone ? nullptr : &root_[byte];
    Transition* transition = &states_[state].first;
    if (transition->target == kNone) return nullptr;
    while (transition->byte != byte) {
      if (transition->next == kNone) return nullptr;
      transition = &more_[transition->next];
    }
    return &transition->target;
  }

  void add_transition(Index state, std::uint8_t byte, Index target) {
    if (state == kRoot) {
      root_[byte] = target;
      return;
    }
    Transition& first = states_[state].first;
    if (first.target == kNone) {
      first = {target, kNone, byte};
      return;
    }
    more_.push_back({target, first.next, byte});
    first.next = static_cast<Index>(more_.size() - 1);
  }

  /// The state for the longest substring of `at` followed by `byte`; made out of a longer one if need be.
  Index split(Index at, std::uint8_t byte) {
    const Index whole = *find(at, byte);
    if (states_[whole].length == states_[at].length + 1) return whole;
    const Index part = add_state(states_[at].length + 1);
    copy_transitions(whole, part);
    states_[part].link = states_[whole].link;
    states_[whole].link = part;
    for (; at != kNone; at = states_[at].link) {
      Index* target = find(at, byte);
      if (target == nullptr || *target != whole) break;
      *target = part;
    }
    return part;
  }

  void copy_transitions(Index from, Index to) {
    const Transition first = states_[from].first;
    if (first.target == kNone) return;
    add_transition(to, first.byte, first.target);
    for (Index i = first.next; i != kNone; i = more_[i].next)
      add_transition(to, more_[i].byte, more_[i].target);
  }

  std::vector<State> states_;
  std::vector<Transition> more_;
  std::array<Index, 256> root_{};
  Index last_ = kRoot;
};

}  // namespace lil::replay
