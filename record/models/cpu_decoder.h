#pragma once

#include <memory>

#include "record/decoder.h"
#include "record/device.h"
#include "record/model_config.h"
#include "record/models/checkpoint.h"

namespace lil::record {

/// A decoder on the CPU: `linear` and its companions on tiles of rows, so that a prompt and a decode step
/// have the same bits. Works on the device's threads if its kernels are those of the CPU, else on the calling
/// one. Activations are fp32 that hold values of `dtype`, rounded where transformers rounds them. Once there
/// were that many rows, a step allocates nothing. All three outlive it.
[[nodiscard]] std::unique_ptr<Decoder> make_cpu_decoder(const Checkpoint& checkpoint,
                                                        const ModelConfig& config, DType dtype,
                                                        Device& device);

}  // namespace lil::record
