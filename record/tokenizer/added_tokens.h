#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/tokenizer/piece_table.h"
#include "schemas/ids.h"

namespace lil::record {

/// A token beside the model's vocabulary that is found in the text before the model sees it.
struct AddedToken {
  schemas::TokenId id = 0;
  std::string content;
  bool special = false;
  bool single_word = false;  ///< only where no word character touches it
  bool lstrip = false;       ///< takes the white space before it along
  bool rstrip = false;       ///< and that after it
};

/// Finds added tokens in a text: from left to right, at each place the longest.
class AddedTokens {
 public:
  /// `spelling` is what to look for, not empty.
  void insert(const AddedToken& token, std::string_view spelling);

  /// Calls `take(stretch, id)` over the whole of `text` in order: with the id of an added token, or with none
  /// for the text between. Special ones are passed over unless `special`.
  template <class Take>
  void cut(std::string_view text, bool special, Take&& take) const {
    std::size_t done = 0;
    while (const auto found = tokens_.empty() ? std::nullopt : next(text, done, special)) {
      if (found->begin > done) take(text.substr(done, found->begin - done), std::nullopt);
      take(text.substr(found->begin, found->end - found->begin), std::optional(found->id));
      done = found->end;
    }
    if (done < text.size()) take(text.substr(done), std::nullopt);
  }

 private:
  struct Found {
    std::size_t begin;
    std::size_t end;
    schemas::TokenId id;
  };
  [[nodiscard]] std::optional<Found> next(std::string_view text, std::size_t from, bool special) const;
  /// The longest token that starts at `at`.
  [[nodiscard]] const AddedToken* longest_at(std::string_view text, std::size_t at, bool special,
                                             std::size_t& length) const;

  std::vector<AddedToken> tokens_;
  PieceTable index_;                                     // spelling to place in tokens_
  std::array<std::vector<std::uint32_t>, 256> lengths_;  // of the spellings by first byte, longest first
};

}  // namespace lil::record
