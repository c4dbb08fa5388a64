#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/distribution.h"
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

/// What a token is picked from: logits (vocabulary) in the host's memory, and what its random number depends
/// on.
struct Draw {
  std::span<const float> logits;
  DrawKey key;
};

/// Picks next tokens. Used by one thread at a time; what it picks for a draw depends on that draw alone.
class Sampler {
 public:
  virtual ~Sampler() = default;

  /// One choice for each draw, shared out over the threads of `stream`, a stream of the CPU backend or null.
  /// Nothing where a logit is NaN or infinitely large, or all are infinitely small.
  void choose(std::span<const Draw> draws, std::span<std::optional<Choice>> choices, kernels::Stream stream);
  /// The same for one. Throws Error(kInput) where there is none.
  [[nodiscard]] Choice choose(std::span<const float> logits, const DrawKey& key);

 protected:
  struct Candidate {
    double weight;
    schemas::TokenId id;

    /// Among equals the lower id comes first.
    bool operator<(const Candidate& other) const {
      return weight != other.weight ? weight < other.weight : id > other.id;
    }
  };
  /// Memory that picking may use, kept from draw to draw.
  struct Scratch {
    std::vector<float> scaled;
    std::vector<Candidate> candidates;
    std::vector<Candidate> kept;
  };

 private:
  [[nodiscard]] std::optional<Choice> choose_one(const Draw& draw, Scratch& scratch) const;
  /// `model` is the distribution of the draw's logits. Called from several threads at once.
  [[nodiscard]] virtual schemas::TokenId pick(const Draw& draw, const kernels::Distribution& model,
                                              Scratch& scratch) const = 0;

  std::vector<Scratch> scratch_;  ///< by draw
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
