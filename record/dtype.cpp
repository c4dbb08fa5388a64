#include "record/dtype.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "schemas/error.h"

namespace lil::record {
namespace {

template <class Stored>
void widen_as(const std::byte* from, std::span<float> to) {
  const auto* stored = reinterpret_cast<const Stored*>(from);
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<float>(stored[i]);
}

template <class Stored>
void narrow_as(std::span<const float> from, std::byte* to) {
  auto* stored = reinterpret_cast<Stored*>(to);
  for (std::size_t i = 0; i < from.size(); ++i) stored[i] = Stored(from[i]);
}

template <class Stored>
void round_as(std::span<float> values) {
  for (float& value : values) value = static_cast<float>(Stored(value));
}

// The upper half of a float, written out because it is the inner loop of every bf16 product.
void widen_bf16(const std::byte* from, std::span<float> to) {
  const auto* stored = reinterpret_cast<const std::uint16_t*>(from);
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] = std::bit_cast<float>(static_cast<std::uint32_t>(stored[i]) << 16);
  }
}

}  // namespace

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
  throw Error(ErrorCode::kUsage, fmt::format("unknown dtype '{}'; known are: fp32, bf16, fp16", name));
}

std::size_t bytes_of(DType dtype) {
  return dtype == DType::kFp32 ? 4 : 2;
}

void widen(DType dtype, const std::byte* from, std::span<float> to) {
  switch (dtype) {
    case DType::kFp32:
      std::memcpy(to.data(), from, to.size_bytes());
      return;
    case DType::kBf16:
      widen_bf16(from, to);
      return;
    case DType::kFp16:
      widen_as<c10::Half>(from, to);
      return;
  }
}

void narrow(DType dtype, std::span<const float> from, std::byte* to) {
  switch (dtype) {
    case DType::kFp32:
      std::memcpy(to, from.data(), from.size_bytes());
      return;
    case DType::kBf16:
      narrow_as<c10::BFloat16>(from, to);
      return;
    case DType::kFp16:
      narrow_as<c10::Half>(from, to);
      return;
  }
}

void round_to(DType dtype, std::span<float> values) {
  if (dtype == DType::kBf16) round_as<c10::BFloat16>(values);
  if (dtype == DType::kFp16) round_as<c10::Half>(values);
}

}  // namespace lil::record
