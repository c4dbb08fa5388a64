#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lil::record {

/// The changes that a tokenizer makes to a text before cutting it, in order. Bytes that are not well-formed
/// UTF-8 stay as they are.
class Normalizer {
 public:
  /// Unicode's canonical composition, NFC [UAX #15].
  void add_composition() { steps_.push_back({Step::Kind::kCompose, {}, {}}); }
  /// `what` before a text that is not empty.
  void add_prepend(std::string what) { steps_.push_back({Step::Kind::kPrepend, {}, std::move(what)}); }
  /// Every `what`, not empty, becomes `with`.
  void add_replace(std::string what, std::string with) {
    steps_.push_back({Step::Kind::kReplace, std::move(what), std::move(with)});
  }

  /// `text` normalised, or `text` itself where nothing changes; `buffer` holds the result otherwise.
  [[nodiscard]] std::string_view apply(std::string_view text, std::string& buffer) const;

  /// What replacements turn `spelling` of a token back into; apply's inverse but for composition and
  /// prepending.
  [[nodiscard]] std::string undo_replacements(std::string spelling) const;

 private:
  struct Step {
    enum class Kind { kCompose, kPrepend, kReplace };
    Kind kind;
    std::string what;
    std::string with;
  };
  std::vector<Step> steps_;
};

}  // namespace lil::record
