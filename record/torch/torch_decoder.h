#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "record/decoder.h"
#include "record/model_config.h"
#include "record/models/checkpoint.h"

namespace lil::record {

/// A model's weights on a device of libtorch. Immutable.
class TorchWeights;

/// Copies a checkpoint's weights to a device of libtorch, `cpu` or `cuda`. Throws Error(kEnvironment) where
/// it lacks the memory.
[[nodiscard]] std::shared_ptr<const TorchWeights> make_torch_weights(const Checkpoint& checkpoint,
                                                                     const std::string& device);

/// Rows are worked on in tiles of so many, the last one filled up, since a library's products have other bits
/// for another number of rows. A tile reads each weight once; a GPU takes little longer for it than for one
/// row.
constexpr std::int64_t kTorchTileRows = 64;

/// A decoder whose products, norms and the like are libtorch's operations, each on one tile of rows, in the
/// type of the weights: rounded where transformers rounds, logits too. Sums have fp32's precision.
[[nodiscard]] std::unique_ptr<Decoder> make_torch_decoder(std::shared_ptr<const TorchWeights> weights,
                                                          const ModelConfig& config);

}  // namespace lil::record
