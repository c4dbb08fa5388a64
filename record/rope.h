#pragma once

#include <cstdint>
#include <vector>

#include "record/model_config.h"

namespace lil::record {

/// One inverse frequency for each pair of channels: theta^(-2i/d) [Su 2021], stretched as `config` says. In
/// fp32, operation by operation as transformers computes them: at position 100,000 an error in the last place
/// of a frequency turns a channel by a third of a degree.
[[nodiscard]] std::vector<float> inverse_frequencies(const RopeConfig& config, std::int64_t head_dim);

/// RoPE's table as kernels/append.h wants it, (positions, 2, head_dim / 2): cosines, then sines, of the
/// angles position * inverse frequency for the positions from `first_position` on. Angles are rounded to fp32
/// before their cosine is taken, as in transformers. Cosines and sines stay fp32 for models of narrower types
/// too, for which transformers rounds them.
[[nodiscard]] std::vector<float> rope_table(const RopeConfig& config, std::int64_t head_dim,
                                            std::int64_t first_position, std::int64_t positions);

}  // namespace lil::record
