#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/status.h"

namespace lil::kernels {

/// Rows of numbers from one type to another: out = round(in + bias), added in fp32, where round() goes to the
/// nearest number of `dtype`, on a tie to the even one, with the bits of kernels/half.h. Each side is stored
/// in `dtype` or as fp32:
///   narrow     in_dtype = fp32,  out_dtype = dtype
///   widen      in_dtype = dtype, out_dtype = fp32
///   round      in_dtype = fp32,  out_dtype = fp32; may be in place
/// CPU only.
struct CastRowsArgs {
  DType dtype = DType::kFp32;
  DType in_dtype = DType::kFp32;   ///< fp32 or `dtype`
  DType out_dtype = DType::kFp32;  ///< fp32 or `dtype`
  std::int32_t rows = 0;
  std::int64_t columns = 0;  ///< 1 or more
  const void* in = nullptr;  ///< (rows, columns), aligned to its type
  std::int64_t in_stride = 0;
  const float* bias = nullptr;  ///< (columns); null: nothing is added
  void* out = nullptr;          ///< (rows, columns); may be `in`, with its type and stride; no other overlap
  std::int64_t out_stride = 0;
};

}  // namespace lil::kernels
