#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/tokenizer/piece_table.h"
#include "schemas/ids.h"

namespace lil::record {

/// The tokens of a vocabulary file as they are read, by id and by spelling. Files may leave a few ids
/// unused; an id far beyond the number of tokens is a broken file, and is not given memory.
class TokenList {
 public:
  /// `expected` is how many tokens the file has.
  explicit TokenList(std::size_t expected) : most_(2 * expected + kSpare) {}

  /// Throws Error(kInput), beginning with `where`, for an id that is out of range or belongs to another
  /// token, and for a spelling that has another id.
  schemas::TokenId add(std::string_view spelling, std::int64_t id, const std::string& where);

  [[nodiscard]] std::size_t size() const { return spellings_.size(); }
  /// Nothing where no token has this id.
  [[nodiscard]] const std::optional<std::string>& spelling(std::size_t id) const { return spellings_[id]; }
  [[nodiscard]] std::optional<schemas::TokenId> find(std::string_view spelling) const {
    return ids_.find(spelling);
  }

 private:
  static constexpr std::size_t kSpare = 1024;

  std::size_t most_;
  std::vector<std::optional<std::string>> spellings_;
  PieceTable ids_;
};

}  // namespace lil::record
