#include "schemas/block_codec.h"

#include <fmt/format.h>

#include <bit>
#include <limits>

#include "schemas/error.h"

namespace lil::schemas {
namespace {

void append_leb128(std::uint64_t value, std::string& out) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

/// The number at `position`, which moves past it.
std::uint64_t read_leb128(std::string_view bytes, std::size_t& position) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (position >= bytes.size()) break;
    const auto byte = static_cast<std::uint8_t>(bytes[position++]);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  throw Error(ErrorCode::kCorrupt,
              fmt::format("a number is cut off at byte {} of {}", position, bytes.size()));
}

std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}

std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

}  // namespace

std::string encode_ids(std::span<const TokenId> ids) {
  std::string out;
  out.reserve(ids.size() * 2);
  for (const TokenId id : ids) {
    if (id < 0) throw Error(ErrorCode::kInput, fmt::format("token id {} is negative", id));
    append_leb128(static_cast<std::uint64_t>(id), out);
  }
  return out;
}

void decode_ids(std::string_view bytes, std::vector<TokenId>& ids) {
  for (std::size_t position = 0; position < bytes.size();) {
    const std::uint64_t id = read_leb128(bytes, position);
    if (id > static_cast<std::uint64_t>(std::numeric_limits<TokenId>::max())) {
      throw Error(ErrorCode::kCorrupt, fmt::format("token id {} is out of range at byte {}", id, position));
    }
    ids.push_back(static_cast<TokenId>(id));
  }
}

std::uint16_t half_from_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000);
  const std::uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;   // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00;  // rounds to infinity
  if (magnitude < 0x38800000) {                       // subnormal half: adding 0.5 lets the FPU round
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000U));
  }
  const std::uint32_t odd = (magnitude >> 13) & 1;
  return static_cast<std::uint16_t>(sign | ((magnitude - 0x38000000U + 0xfff + odd) >> 13));
}

float float_from_half(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1f;
  const std::uint32_t mantissa = half & 0x3ff;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t high = exponent == 31 ? 0x7f800000 : (exponent + 112) << 23;
  return std::bit_cast<float>(sign | high | (mantissa << 13));
}

std::string encode_halves(std::span<const float> values) {
  std::string out;
  out.reserve(values.size() * 2);
  for (const float value : values) {
    const std::uint16_t half = half_from_float(value);
    out.push_back(static_cast<char>(half & 0xff));
    out.push_back(static_cast<char>(half >> 8));
  }
  return out;
}

void decode_halves(std::string_view bytes, std::vector<float>& values) {
  if (bytes.size() % 2 != 0) {
    throw Error(ErrorCode::kCorrupt,
                fmt::format("{} bytes are no whole number of half floats", bytes.size()));
  }
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    const auto low = static_cast<std::uint8_t>(bytes[i]);
    const auto high = static_cast<std::uint8_t>(bytes[i + 1]);
    values.push_back(float_from_half(static_cast<std::uint16_t>(low | (high << 8))));
  }
}

std::string encode_counts(std::span<const std::int32_t> values) {
  std::string out;
  std::int64_t previous = 0;
  for (std::size_t i = 0; i < values.size();) {
    const std::int64_t difference = values[i] - previous;
    std::size_t run = 0;
    while (i < values.size() && values[i] - previous == difference) {
      previous = values[i++];
      ++run;
    }
    append_leb128(zigzag(difference), out);
    append_leb128(run, out);
  }
  return out;
}

void decode_counts(std::string_view bytes, std::vector<std::int32_t>& values) {
  // A trace has far fewer tokens than this; the bound keeps a damaged count from filling the memory.
  constexpr std::uint64_t kMaxRun = 1U << 26;
  std::int64_t value = 0;
  for (std::size_t position = 0; position < bytes.size();) {
    const std::int64_t difference = unzigzag(read_leb128(bytes, position));
    const std::uint64_t run = read_leb128(bytes, position);
    if (run > kMaxRun) throw Error(ErrorCode::kCorrupt, fmt::format("a run of {} counts is too long", run));
    for (std::uint64_t i = 0; i < run; ++i) {
      value += difference;
      if (value < std::numeric_limits<std::int32_t>::min() ||
          value > std::numeric_limits<std::int32_t>::max()) {
        throw Error(ErrorCode::kCorrupt, fmt::format("count {} is out of range", value));
      }
      values.push_back(static_cast<std::int32_t>(value));
    }
  }
}

}  // namespace lil::schemas
