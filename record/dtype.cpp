#include "record/dtype.h"

#include <fmt/format.h>

#include "kernels/half.h"
#include "schemas/error.h"

namespace lil::record {

const char* to_string(DType dtype) {
  switch (dtype) {
    case DType::kFp32:
      return "fp32";
    case DType::kBf16:
      return "bf16";
    case DType::kFp16:
      return "fp16";
  }
  return "";
}

DType dtype_from(std::string_view name) {
  for (const DType dtype : {DType::kFp32, DType::kBf16, DType::kFp16}) {
    if (name == to_string(dtype)) return dtype;
  }
  throw Error(ErrorCode::kUsage, fmt::format("unknown dtype '{}'; known are: auto, fp32, bf16, fp16", name));
}

void widen(DType dtype, const std::byte* from, std::span<float> to) {
  kernels::for_dtype(dtype, [&](auto zero) {
    const auto* stored = reinterpret_cast<const decltype(zero)*>(from);
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = kernels::to_float(stored[i]);
  });
}

void narrow(DType dtype, std::span<const float> from, std::byte* to) {
  kernels::for_dtype(dtype, [&](auto zero) {
    auto* stored = reinterpret_cast<decltype(zero)*>(to);
    for (std::size_t i = 0; i < from.size(); ++i) stored[i] = kernels::from_float<decltype(zero)>(from[i]);
  });
}

void round_to(DType dtype, std::span<float> values) {
  if (dtype == DType::kFp32) return;
  kernels::for_dtype(dtype, [&](auto zero) {
    for (float& value : values) value = kernels::to_float(kernels::from_float<decltype(zero)>(value));
  });
}

}  // namespace lil::record
