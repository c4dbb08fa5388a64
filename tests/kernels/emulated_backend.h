#pragma once

#include "kernels/backend.h"

namespace lil::tests {

/// What the emulated device runs: the CUDA kernels as they are, or, in the program kernels_mutants, with a
/// fault planted in one of them.
[[nodiscard]] const kernels::Backend& emulated_backend();

}  // namespace lil::tests
