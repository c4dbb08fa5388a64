#include "record/tokenizer/token_list.h"

#include <fmt/format.h>

#include "schemas/error.h"

namespace lil::record {

schemas::TokenId TokenList::add(std::string_view spelling, std::int64_t id, const std::string& where) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::kInput, fmt::format("{}: {}", where, what));
  };
  if (id < 0) refuse(fmt::format("id {} is negative", id));
  if (static_cast<std::uint64_t>(id) >= most_) {
    refuse(fmt::format("id {} is too far beyond the number of tokens in the file", id));
  }
  const auto index = static_cast<std::size_t>(id);
  if (index >= spellings_.size()) spellings_.resize(index + 1);
  const auto token_id = static_cast<schemas::TokenId>(id);
  if (spellings_[index] && *spellings_[index] != spelling)
    refuse(fmt::format("id {} has another token already", id));
  if (const auto other = ids_.find(spelling); other && *other != token_id) {
    refuse(fmt::format("the token has two ids, {} and {}", *other, id));
  }
  ids_.insert(spelling, token_id);
  spellings_[index] = spelling;
  return token_id;
}

}  // namespace lil::record
