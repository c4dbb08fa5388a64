#pragma once

#include <memory>
#include <span>
#include <string>

#include "record/random.h"
#include "schemas/ids.h"
#include "schemas/registry.h"

namespace lil::record {

/// A generated token. Log-probability and entropy are those of the model's own distribution, the softmax
/// of its logits at temperature 1 before any truncation, whatever the sampler: so they mean the same in
/// every run, and greedy decoding has them too.
struct Choice {
  schemas::TokenId id = 0;
  float logprob = 0;  ///< natural logarithm of the token's probability
  float entropy = 0;  ///< nats
};

/// Picks the next token. Used by one thread at a time; what it picks depends on its arguments alone.
class Sampler {
 public:
  virtual ~Sampler() = default;

  /// logits: (vocabulary). Throws Error(kInput) where one is not a number or infinitely large.
  [[nodiscard]] Choice choose(std::span<const float> logits, const DrawKey& key);

 private:
  virtual schemas::TokenId pick(std::span<const float> logits, const DrawKey& key) = 0;
};

using SamplerRow = schemas::RegistryRow<std::unique_ptr<Sampler> (*)(const schemas::Arguments&)>;

/// `greedy` (the lowest id among equals) and `sample(temperature,top_p)`.
[[nodiscard]] std::span<const SamplerRow> sampler_rows();

/// A sampler with the string that names every parameter, as it is stored with a run.
struct ResolvedSampler {
  std::string spec;
  std::unique_ptr<Sampler> sampler;
};

/// From `name(key=value,…)`. Throws Error(kUsage) as schemas::resolve_row does.
[[nodiscard]] ResolvedSampler make_sampler(const std::string& text);

}  // namespace lil::record
