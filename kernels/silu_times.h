#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/status.h"

namespace lil::kernels {

/// The middle of a gated MLP [Shazeer 2020], element by element:
///   gate = round(round(silu(round(gate))) * round(up)),  silu(x) = x / (1 + exp(-x))
/// where round() goes to the nearest number of `dtype`, on a tie to the even one. Numbers are fp32 in memory,
/// so `gate` and `up` may be what `linear` wrote. silu is within 4 units in the last place of fp32 where the
/// result is no subnormal; below -86 it is -0. CPU only.
struct SiluTimesArgs {
  DType dtype = DType::kFp32;  ///< that results are rounded to
  std::int32_t rows = 0;
  std::int64_t columns = 0;  ///< 1 or more
  float* gate = nullptr;     ///< (rows, columns) in and out
  std::int64_t gate_stride = 0;
  const float* up = nullptr;  ///< (rows, columns)
  std::int64_t up_stride = 0;
};

}  // namespace lil::kernels
