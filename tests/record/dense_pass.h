#pragma once

#include <span>
#include <vector>

#include "record/language_model.h"
#include "schemas/ids.h"

namespace lil::tests {

using Ids = std::vector<schemas::TokenId>;

/// Runs a model's decoder once over whole sequences, all of their tokens as rows of one call, with attention
/// in plain loops: each token sees those of its own sequence up to itself. Returns the logits of each row,
/// sequence after sequence. What a row gets depends on its sequence up to it alone, so that any difference
/// in bits is the decoder's.
[[nodiscard]] std::vector<std::vector<float>> dense_pass(const record::LanguageModel& model,
                                                         record::Decoder& decoder,
                                                         std::span<const Ids> sequences);

}  // namespace lil::tests
