#include "record/tokenizer/word_level.h"

#include <fmt/format.h>

#include <utility>

#include "record/tokenizer/utf8.h"
#include "schemas/error.h"

namespace lil::record {

WordLevelModel::WordLevelModel(std::string file, PieceTable words, std::optional<schemas::TokenId> unknown)
    : file_(std::move(file)), words_(std::move(words)), unknown_(unknown) {}

std::unique_ptr<ModelScratch> WordLevelModel::make_scratch() const {
  return std::make_unique<ModelScratch>();
}

void WordLevelModel::encode(std::string_view piece, ModelScratch& /*scratch*/,
                            std::vector<schemas::TokenId>& ids) const {
  constexpr std::size_t kShown = 40;
  auto id = words_.find(piece);
  if (!id) id = unknown_;
  if (!id) {
    std::string shown(piece.substr(0, kShown));
    shown.resize(valid_prefix_length(shown));
    throw Error(ErrorCode::kInput, fmt::format("{}: the vocabulary has no word '{}'{} and no unknown-token",
                                               file_, shown, shown.size() < piece.size() ? "…" : ""));
  }
  ids.push_back(*id);
}

}  // namespace lil::record
