#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/status.h"

namespace lil::kernels {

/// A branch joins the residual stream, and the stream is normalised [Zhang 2019], row by row:
///   stream = round(stream + round(branch))
///   y = round(round(stream / sqrt(mean(stream^2) + epsilon)) * weight)
/// where round() goes to the nearest number of `dtype`, on a tie to the even one. Numbers are fp32 in memory,
/// so `branch` may be what `linear` wrote. The order of the sum depends on `columns` alone: 16 lanes, lane l
/// the columns l, l + 16, … in turn; then lane l takes lane l + 8, l + 4, l + 2, l + 1. Multiplications are
/// rounded before they are added, so the bits are those of any processor. CPU only.
struct RmsNormArgs {
  DType dtype = DType::kFp32;  ///< that all results are rounded to
  std::int32_t rows = 0;
  std::int64_t columns = 0;  ///< 1 or more
  float* stream = nullptr;   ///< (rows, columns) numbers of `dtype`; written where there is a branch
  std::int64_t stream_stride = 0;
  const float* branch = nullptr;  ///< (rows, columns); null: nothing is added
  std::int64_t branch_stride = 0;
  const float* weight = nullptr;  ///< (columns)
  float epsilon = 0;
  float* y = nullptr;  ///< (rows, columns); may be `branch`, with its stride; overlaps nothing else
  std::int64_t y_stride = 0;
};

}  // namespace lil::kernels
