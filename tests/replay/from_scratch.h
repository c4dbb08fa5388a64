#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "replay/stream.h"

namespace lil::tests {

/// The slow, obvious twins: each measures the whole prefix anew and shares no code with replay.

inline constexpr std::size_t kWhole = std::string_view::npos;

/// compress2().
std::int64_t zlib_from_scratch(std::string_view prefix, int level);
/// One deflate(Z_FINISH) over the whole prefix. `window_bits` names the format too: 15 + 16 is gzip, -15 the
/// bare stream.
std::int64_t deflate_from_scratch(std::string_view prefix, int level, int window_bits);
/// LZ4F_compressFrame() with 64 KiB linked blocks and nothing optional.
std::int64_t lz4_from_scratch(std::string_view prefix);
/// The same by LZ4HC.
std::int64_t lz4hc_from_scratch(std::string_view prefix, int level);
/// The stream that a library makes of the prefix under the parameters that the signal states, handed over in
/// pieces of `piece_bytes`; then the end without input.
std::int64_t zstd_from_scratch(std::string_view prefix, int level, std::size_t piece_bytes = kWhole);
std::int64_t brotli_from_scratch(std::string_view prefix, int quality, std::size_t piece_bytes = kWhole);
/// The last piece comes with the end.
std::int64_t lzma_from_scratch(std::string_view prefix, int preset, std::size_t piece_bytes = kWhole);
/// BZ2_bzBuffToBuffCompress().
std::int64_t bzip2_from_scratch(std::string_view prefix, int level);

/// Phrases found by trying every earlier start.
std::int64_t lz77_from_scratch(std::string_view prefix);
/// The bits of those phrases, written out as characters and counted.
std::int64_t lz77_bits_from_scratch(std::string_view prefix);
/// Phrases in a set.
std::int64_t lz78_from_scratch(std::string_view prefix);
/// Matches found by searching; logarithms in floating point.
std::int64_t matchlen_from_scratch(std::string_view prefix);
/// n-grams in a set.
std::int64_t ngram_from_scratch(std::string_view prefix, std::size_t n);
/// Sorted suffixes, each without what it has in common with the one before.
std::int64_t substrings_from_scratch(std::string_view prefix);
/// Contexts as strings in a map; logarithms in floating point.
std::int64_t ppm_from_scratch(std::string_view prefix, std::size_t order);
/// Sum of 8-byte numbers, times `sign`, in thousandths.
std::int64_t recorded_sum_from_scratch(std::string_view prefix, int sign);

/// The twin of `signal`, in its canonical spelling.
std::int64_t from_scratch(const std::string& signal, std::string_view prefix);

/// The twin of compute_curve: each grid prefix measured anew.
std::vector<std::int64_t> curve_from_scratch(const std::string& signal, const replay::Stream& stream,
                                             std::int64_t grid_tokens);

}  // namespace lil::tests
