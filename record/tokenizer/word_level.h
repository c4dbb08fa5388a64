#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/tokenizer/model.h"
#include "record/tokenizer/piece_table.h"

namespace lil::record {

/// Each piece is one word of the vocabulary.
class WordLevelModel : public Model {
 public:
  /// `file` is for messages; `unknown` is the id of every word that `words` lacks.
  WordLevelModel(std::string file, PieceTable words, std::optional<schemas::TokenId> unknown);

  [[nodiscard]] std::unique_ptr<ModelScratch> make_scratch() const override;
  void encode(std::string_view piece, ModelScratch& scratch,
              std::vector<schemas::TokenId>& ids) const override;

 private:
  std::string file_;
  PieceTable words_;
  std::optional<schemas::TokenId> unknown_;
};

}  // namespace lil::record
