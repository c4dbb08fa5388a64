#pragma once

#include <cstdint>

#include "record/decoder.h"
#include "record/device.h"
#include "record/dtype.h"
#include "record/model_config.h"

namespace lil::record {

/// Runs the decoder, with its queries in place of what attention would write, on two tokens alone and in
/// batches of 2 to `tile_rows` + 1, and compares bit for bit what they get there as first and last row.
/// Throws Error(kEnvironment) naming the first difference.
void check_rows(Decoder& decoder, Device& device, const ModelConfig& config, DType dtype,
                std::int64_t tile_rows);

}  // namespace lil::record
