#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "record/tokenizer/pattern.h"
#include "record/tokenizer/utf8.h"

namespace lil::record {

/// Cuts text into the pieces that a model encodes one by one: a list of steps, each applied to every piece
/// that the step before it left. Immutable once filled; threads bring a Matcher each.
class PreTokenizer {
 public:
  /// What becomes of the text between cuts.
  enum class Keep { kAll, kMatches, kGaps };

  /// Cuts at both ends of every match of `pattern`.
  void add_split(Pattern pattern, Keep keep) { steps_.emplace_back(Split{std::move(pattern), keep}); }
  /// A space before every piece that does not begin with one.
  void add_space_prefix() { steps_.emplace_back(SpacePrefix{}); }

  /// Calls `take(piece)` for each piece of `text`, in order, none empty. A stretch that is not well-formed
  /// UTF-8 is a piece of its own, and the text around it is cut as if it ended there.
  template <class Take>
  void cut(std::string_view text, Pattern::Matcher& matcher, Take&& take) const {
    if (steps_.empty()) {
      if (!text.empty()) take(text);
      return;
    }
    for_each_stretch(text, [&](std::string_view stretch, bool valid) {
      if (valid) {
        apply(0, stretch, matcher, take);
      } else {
        take(stretch);
      }
    });
  }

 private:
  struct Split {
    Pattern pattern;
    Keep keep;
  };
  struct SpacePrefix {};

  template <class Take>
  void apply(std::size_t step, std::string_view piece, Pattern::Matcher& matcher, Take& take) const {
    if (piece.empty()) return;
    if (step == steps_.size()) return take(piece);
    if (const auto* split = std::get_if<Split>(&steps_[step])) {
      apply_split(*split, step, piece, matcher, take);
    } else if (piece.front() == ' ') {
      apply(step + 1, piece, matcher, take);
    } else {
      apply(step + 1, std::string(" ").append(piece), matcher, take);
    }
  }

  template <class Take>
  void apply_split(const Split& split, std::size_t step, std::string_view text, Pattern::Matcher& matcher,
                   Take& take) const {
    std::size_t done = 0;
    std::size_t from = 0;
    while (from < text.size()) {
      const auto match = split.pattern.find(text, from, matcher);
      if (!match) break;
      if (split.keep != Keep::kMatches)
        apply(step + 1, text.substr(done, match->begin - done), matcher, take);
      if (split.keep != Keep::kGaps) {
        apply(step + 1, text.substr(match->begin, match->end - match->begin), matcher, take);
      }
      done = match->end;
      // An empty match cuts where it stands; the search goes on after the next character.
      from = match->end > match->begin ? done : done + character_length(text.substr(done));
      if (from == done && match->end == match->begin) break;
    }
    if (split.keep != Keep::kMatches) apply(step + 1, text.substr(done), matcher, take);
  }

  std::vector<std::variant<Split, SpacePrefix>> steps_;
};

}  // namespace lil::record
