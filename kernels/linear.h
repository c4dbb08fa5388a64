#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/status.h"

namespace lil::kernels {

/// The most rows that one call of linear takes.
constexpr std::int32_t kLinearRows = 16;

/// The most matrices that one call of linear_together takes.
constexpr std::size_t kLinearTogether = 4;

/// y[r, n] = bias[n] + sum_k x[r, k] * weights[n, k] for 1 to 16 rows, in fp32, not rounded: each weight is
/// read once for all rows. The order of a sum depends on `inputs` and `dtype` alone, so a row's result has
/// the same bits whatever its neighbours, their number, and the threads. Each calling thread keeps a
/// buffer, which its first calls may grow; after them a call allocates nothing. CPU only: on a GPU a
/// library's GEMM runs on fixed tiles of rows.
///
/// linear_together does so with 1 to kLinearTogether matrices that multiply the same x, in one go: dtype,
/// rows, inputs, x and x_stride must be the same. Bits are those of calls one by one.
struct LinearArgs {
  DType dtype = DType::kFp32;  ///< of the weights
  std::int32_t rows = 0;       ///< 1 to kLinearRows
  std::int64_t inputs = 0;     ///< 1 or more
  std::int64_t outputs = 0;    ///< 1 or more
  const void* weights =
      nullptr;  ///< (outputs, inputs), row n at n * weight_stride elements, aligned to its type
  std::int64_t weight_stride = 0;
  const float* x = nullptr;  ///< (rows, inputs), values that `dtype` holds exactly
  std::int64_t x_stride = 0;
  const float* bias = nullptr;  ///< (outputs); may be null
  float* y = nullptr;           ///< (rows, outputs)
  std::int64_t y_stride = 0;
};

}  // namespace lil::kernels
