#pragma once

#include <memory>

#include "record/device.h"

namespace lil::tests {

/// A device with the CUDA kernels' text on the processor, in memory where each of their accesses is checked.
/// What the host writes there itself, as a decoder on the CPU does, goes unchecked. simt::take_faults() says
/// what a kernel did wrong that could not be started. Used by one thread; one at a time.
[[nodiscard]] std::unique_ptr<record::Device> make_emulated_device();

}  // namespace lil::tests
