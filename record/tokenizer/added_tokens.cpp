#include "record/tokenizer/added_tokens.h"

#include <utf8proc.h>

#include <algorithm>
#include <functional>

#include "record/tokenizer/utf8.h"

namespace lil::record {
namespace {

bool is_space(char32_t c) {
  return (c >= 0x9 && c <= 0xD) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_word(char32_t c) {
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_ND) ||
         category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_PC;
}

/// The last character of `text`; nothing where it ends in something else.
std::optional<char32_t> last_character(std::string_view text, std::size_t& length) {
  for (length = 1; length <= std::min<std::size_t>(4, text.size()); ++length) {
    const std::string_view tail = text.substr(text.size() - length);
    if (character_length(tail) == length) return decode_character(tail);
  }
  return std::nullopt;
}

bool ends_in_word(std::string_view text) {
  std::size_t length = 0;
  const auto character = last_character(text, length);
  return character && is_word(*character);
}

bool starts_with_word(std::string_view text) {
  return character_length(text) > 0 && is_word(decode_character(text));
}

std::size_t spaces_at_end(std::string_view text) {
  std::size_t spaces = 0;
  std::size_t length = 0;
  while (const auto character = last_character(text.substr(0, text.size() - spaces), length)) {
    if (!is_space(*character)) break;
    spaces += length;
  }
  return spaces;
}

std::size_t spaces_at_start(std::string_view text) {
  std::size_t spaces = 0;
  while (const std::size_t length = character_length(text.substr(spaces))) {
    if (!is_space(decode_character(text.substr(spaces)))) break;
    spaces += length;
  }
  return spaces;
}

}  // namespace

void AddedTokens::insert(const AddedToken& token, std::string_view spelling) {
  if (!index_.insert(spelling, static_cast<schemas::TokenId>(tokens_.size()))) return;
  tokens_.push_back(token);
  auto& lengths = lengths_[static_cast<unsigned char>(spelling.front())];
  const auto length = static_cast<std::uint32_t>(spelling.size());
  const auto place = std::lower_bound(lengths.begin(), lengths.end(), length, std::greater<>());
  if (place == lengths.end() || *place != length) lengths.insert(place, length);
}

const AddedToken* AddedTokens::longest_at(std::string_view text, std::size_t at, bool special,
                                          std::size_t& length) const {
  for (const std::uint32_t candidate : lengths_[static_cast<unsigned char>(text[at])]) {
    if (candidate > text.size() - at) continue;
    const auto index = index_.find(text.substr(at, candidate));
    if (!index) continue;
    const AddedToken& token = tokens_[static_cast<std::size_t>(*index)];
    if (token.special && !special) continue;
    length = candidate;
    return &token;
  }
  return nullptr;
}

std::optional<AddedTokens::Found> AddedTokens::next(std::string_view text, std::size_t from,
                                                    bool special) const {
  std::size_t length = 0;
  for (std::size_t at = from; at < text.size(); at += std::max<std::size_t>(1, length)) {
    length = 0;
    const AddedToken* token = longest_at(text, at, special, length);
    if (token == nullptr) continue;
    Found found{at, at + length, token->id};
    if (token->single_word &&
        (ends_in_word(text.substr(0, found.begin)) || starts_with_word(text.substr(found.end)))) {
      continue;
    }
    if (token->lstrip) found.begin -= spaces_at_end(text.substr(from, found.begin - from));
    if (token->rstrip) found.end += spaces_at_start(text.substr(found.end));
    return found;
  }
  return std::nullopt;
}

}  // namespace lil::record
