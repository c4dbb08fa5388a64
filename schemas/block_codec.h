#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/ids.h"

namespace lil::schemas {

/// Encodings of what a trace block holds; README.md beside this header specifies them. The decoders throw
/// Error(kCorrupt) where the bytes are not a whole encoding.

/// Token ids as unsigned LEB128, one after the other. Throws Error(kInput) for a negative id.
[[nodiscard]] std::string encode_ids(std::span<const TokenId> ids);
void decode_ids(std::string_view bytes, std::vector<TokenId>& ids);

/// IEEE 754 half precision, little-endian, rounded to nearest even.
[[nodiscard]] std::string encode_halves(std::span<const float> values);
void decode_halves(std::string_view bytes, std::vector<float>& values);

/// Differences to the value before (the first to 0), run-length coded: pairs of zigzag LEB128 difference
/// and LEB128 count. A constant, or a count that grows by one each step, takes a few bytes a block.
[[nodiscard]] std::string encode_counts(std::span<const std::int32_t> values);
void decode_counts(std::string_view bytes, std::vector<std::int32_t>& values);

[[nodiscard]] std::uint16_t half_from_float(float value);
[[nodiscard]] float float_from_half(std::uint16_t half);

}  // namespace lil::schemas
