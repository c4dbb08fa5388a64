#pragma once

#include <cstdint>

#include "record/layer_ops.h"

namespace lil::record {

/// Holds torch, and the BLAS below it, to one thread in the whole process: what a worker computes must not
/// depend on how many there are. Called once before workers start.
void use_one_torch_thread();

/// y = x * matrix^T by torch, for many rows at once (prefill); rounded to the matrix's type.
/// x: (rows, matrix.columns), y: (rows, matrix.rows).
void multiply_rows(const MatrixView& matrix, std::int64_t rows, const float* x, float* y);

}  // namespace lil::record
