#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "kernels/dtype.h"

namespace lil::record {

using kernels::DType;

/// `fp32`, `bf16` or `fp16`.
[[nodiscard]] const char* to_string(DType dtype);
/// Inverse of to_string. Throws Error(kUsage) that lists the known names.
[[nodiscard]] DType dtype_from(std::string_view name);

/// `to.size()` numbers stored as `dtype` at `from` (aligned to their size), exactly.
void widen(DType dtype, const std::byte* from, std::span<float> to);
/// Stores numbers as `dtype`, rounded to nearest even; too large ones become infinite.
void narrow(DType dtype, std::span<const float> from, std::byte* to);
/// Rounds to what `dtype` can hold; nothing to do for fp32.
void round_to(DType dtype, std::span<float> values);

}  // namespace lil::record
