#pragma once

#include <span>
#include <string_view>

#include "record/token_observer.h"
#include "replay/guardian.h"
#include "schemas/ids.h"
#include "schemas/vocabulary.h"

namespace lil::tools {

/// A live rule of replay, with the signal it reads, looking at what the recorder generates.
class LiveObserver : public record::TokenObserver {
 public:
  /// `vocabulary` outlives it. Throws as replay::Guardian does.
  LiveObserver(const replay::GuardianSpec& spec, const schemas::Vocabulary& vocabulary,
               std::span<const schemas::TokenId> prompt);

  [[nodiscard]] bool observe(schemas::TokenId id, std::string_view bytes) override;

 private:
  replay::StreamKind stream_;
  const schemas::Vocabulary& vocabulary_;
  replay::Guardian guardian_;
};

}  // namespace lil::tools
