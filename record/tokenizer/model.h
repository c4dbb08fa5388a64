#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "schemas/ids.h"

namespace lil::record {

/// What a model remembers between pieces, for one thread at a time.
class ModelScratch {
 public:
  virtual ~ModelScratch() = default;
};

/// Turns one piece of pre-tokenised text into ids. Immutable; each thread brings a scratch of its own.
class Model {
 public:
  virtual ~Model() = default;

  [[nodiscard]] virtual std::unique_ptr<ModelScratch> make_scratch() const = 0;

  /// Appends the ids of `piece` (not empty, any bytes) to `ids`. `scratch` is from make_scratch of this
  /// model. Throws Error(kInput) where the vocabulary has neither a token for a part of `piece` nor an
  /// unknown-token.
  virtual void encode(std::string_view piece, ModelScratch& scratch,
                      std::vector<schemas::TokenId>& ids) const = 0;
};

}  // namespace lil::record
