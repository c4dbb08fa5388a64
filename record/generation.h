#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "record/random.h"
#include "record/sampler.h"
#include "record/token_observer.h"
#include "schemas/probe_store.h"
#include "schemas/trace_store.h"
#include "schemas/vocabulary.h"

namespace lil::record {

/// What all generations of a run end by.
struct GenerationRules {
  const schemas::Vocabulary* vocabulary = nullptr;
  std::vector<schemas::TokenId> end_ids;  ///< end-of-sequence tokens
  std::int64_t cap_tokens = 0;
};

/// One trace on its way: tokens as they are chosen go to the observer and to the store, and either may end
/// it. Used by one thread at a time.
class Generation {
 public:
  /// `rules` and `store` outlive it; `observer` may be null. Throws as TraceWriter does.
  Generation(const GenerationRules& rules, schemas::Store& store, schemas::NewTrace trace, const DrawKey& key,
             std::unique_ptr<TokenObserver> observer);

  /// Of the next token.
  [[nodiscard]] const DrawKey& key() const { return key_; }
  [[nodiscard]] std::int64_t tokens() const { return static_cast<std::int64_t>(key_.step); }
  [[nodiscard]] schemas::TokenId last() const { return last_; }

  /// Takes the next token, and says how the trace ends where it is the last: by an end-of-sequence token,
  /// else by the cap, else by the observer. Throws Error: kInput for an id that the vocabulary has not,
  /// kConflict where the token is not the stored one, kEnvironment or kCorrupt where the store fails; and
  /// what the observer throws, in ObserverFailure.
  [[nodiscard]] std::optional<schemas::Finish> take(const Choice& choice, std::int32_t attended);
  /// After the last token. Throws what the store throws.
  void finish(schemas::Finish finish, std::int64_t prefill_ns, std::int64_t decode_ns);
  /// Throws as schemas::put_probe does.
  void put(const schemas::Probe& probe);

 private:
  [[nodiscard]] bool observe(schemas::TokenId id);

  const GenerationRules& rules_;
  schemas::Store& store_;
  schemas::TraceWriter writer_;
  DrawKey key_;
  std::unique_ptr<TokenObserver> observer_;
  schemas::TokenId last_ = 0;
};

/// An observer threw: whatever it was, it is this trace's failure alone.
class ObserverFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace lil::record
