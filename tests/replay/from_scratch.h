#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "replay/stream.h"

namespace lil::tests {

/// The slow, obvious twins: each measures the whole prefix anew and shares no code with replay.

/// compress2().
std::int64_t zlib_from_scratch(std::string_view prefix, int level);
/// One deflate(Z_FINISH) over the whole prefix in the gzip format.
std::int64_t gzip_from_scratch(std::string_view prefix, int level);
/// LZ4F_compressFrame() with 64 KiB linked blocks and nothing optional.
std::int64_t lz4_from_scratch(std::string_view prefix);
/// Phrases found by trying every earlier start.
std::int64_t lz77_from_scratch(std::string_view prefix);

/// The twin of `signal`, one of `zlib(level=…)`, `gzip(level=…)`, `lz4`, `lz77`.
std::int64_t from_scratch(const std::string& signal, std::string_view prefix);

/// The twin of compute_curve: each grid prefix measured anew.
std::vector<std::int64_t> curve_from_scratch(const std::string& signal, const replay::Stream& stream,
                                             std::int64_t grid_tokens);

}  // namespace lil::tests
