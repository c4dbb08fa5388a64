#pragma once

#include <cstdint>

namespace lil::kernels {

/// Type in which weights, KV entries and activations are held. Sums are always taken in fp32.
enum class DType : std::int32_t { kFp32, kBf16, kFp16 };

constexpr std::int64_t bytes_of(DType dtype) {
  return dtype == DType::kFp32 ? 4 : 2;
}

}  // namespace lil::kernels
