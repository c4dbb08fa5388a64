#include "tests/replay/from_scratch.h"

#define ZSTD_STATIC_LINKING_ONLY  // for ZSTD_getCParams

#include <brotli/encode.h>
#include <bzlib.h>
#include <lz4frame.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>

namespace lil::tests {
namespace {

const Bytef* zlib_bytes(std::string_view text) {
  return reinterpret_cast<const Bytef*>(text.data());
}

struct Phrase {
  std::size_t start = 0;
  std::size_t match = 0;
};

std::vector<Phrase> lz77_parse(std::string_view prefix) {
  std::vector<Phrase> phrases;
  for (std::size_t start = 0; start < prefix.size();) {
    std::size_t longest = 0;
    for (std::size_t earlier = 0; earlier < start; ++earlier) {
      std::size_t length = 0;
      while (start + length < prefix.size() && prefix[earlier + length] == prefix[start + length]) ++length;
      longest = std::max(longest, length);
    }
    phrases.push_back({start, longest});
    start += longest + 1;
  }
  return phrases;
}

std::string binary(std::size_t number) {
  std::string digits;
  for (; number > 0; number /= 2) digits.insert(digits.begin(), number % 2 == 0 ? '0' : '1');
  return digits;
}

/// log2 in units of 2^-16, rounded down.
std::int64_t floor_log2(std::uint64_t x) {
  return static_cast<std::int64_t>(std::floor(65536.0L * std::log2(static_cast<long double>(x))));
}

}  // namespace

std::int64_t zlib_from_scratch(std::string_view prefix, int level) {
  std::vector<Bytef> out(compressBound(prefix.size()));
  uLongf size = out.size();
  if (compress2(out.data(), &size, zlib_bytes(prefix), prefix.size(), level) != Z_OK) {
    throw std::runtime_error("compress2");
  }
  return static_cast<std::int64_t>(size);
}

std::int64_t deflate_from_scratch(std::string_view prefix, int level, int window_bits) {
  z_stream stream{};
  if (deflateInit2(&stream, level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("deflateInit2");
  }
  std::vector<Bytef> out(deflateBound(&stream, prefix.size()));
  stream.next_in = const_cast<Bytef*>(zlib_bytes(prefix));
  stream.avail_in = static_cast<uInt>(prefix.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = deflate(&stream, Z_FINISH);
  const auto size = static_cast<std::int64_t>(stream.total_out);
  deflateEnd(&stream);
  if (status != Z_STREAM_END) throw std::runtime_error("deflate");
  return size;
}

std::int64_t lz4_from_scratch(std::string_view prefix) {
  constexpr int kFastMode = 0;
  return lz4hc_from_scratch(prefix, kFastMode);
}

std::int64_t lz4hc_from_scratch(std::string_view prefix, int level) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockLinked;
  preferences.compressionLevel = level;
  std::vector<char> out(LZ4F_compressFrameBound(prefix.size(), &preferences));
  const std::size_t size =
      LZ4F_compressFrame(out.data(), out.size(), prefix.data(), prefix.size(), &preferences);
  if (LZ4F_isError(size) != 0) throw std::runtime_error("LZ4F_compressFrame");
  return static_cast<std::int64_t>(size);
}

std::int64_t zstd_from_scratch(std::string_view prefix, int level, std::size_t piece_bytes) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  const ZSTD_compressionParameters usual = ZSTD_getCParams(level, 0, 0);
  const auto set = [&](ZSTD_cParameter parameter, unsigned value) {
    if (ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), parameter, static_cast<int>(value))) != 0)
      throw std::runtime_error("ZSTD_CCtx_setParameter");
  };
  set(ZSTD_c_compressionLevel, static_cast<unsigned>(level));
  set(ZSTD_c_windowLog, std::min(usual.windowLog, 20U));
  set(ZSTD_c_hashLog, std::min(usual.hashLog, 21U));
  set(ZSTD_c_chainLog, std::min(usual.chainLog, 21U));
  std::vector<char> out(ZSTD_compressBound(prefix.size()) + 1000);
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  do {
    const std::string_view piece = prefix.substr(0, piece_bytes);
    prefix.remove_prefix(piece.size());
    ZSTD_inBuffer input{piece.data(), piece.size(), 0};
    const std::size_t status = ZSTD_compressStream2(context.get(), &output, &input, ZSTD_e_continue);
    if (ZSTD_isError(status) != 0 || input.pos != input.size) throw std::runtime_error("ZSTD_e_continue");
  } while (!prefix.empty());
  ZSTD_inBuffer nothing{nullptr, 0, 0};
  if (ZSTD_compressStream2(context.get(), &output, &nothing, ZSTD_e_end) != 0)
    throw std::runtime_error("ZSTD_e_end");
  return static_cast<std::int64_t>(output.pos);
}

std::int64_t brotli_from_scratch(std::string_view prefix, int quality, std::size_t piece_bytes) {
  const std::unique_ptr<BrotliEncoderState, decltype(&BrotliEncoderDestroyInstance)> state(
      BrotliEncoderCreateInstance(nullptr, nullptr, nullptr), BrotliEncoderDestroyInstance);
  BrotliEncoderSetParameter(state.get(), BROTLI_PARAM_QUALITY, static_cast<std::uint32_t>(quality));
  BrotliEncoderSetParameter(state.get(), BROTLI_PARAM_LGWIN, 20);
  BrotliEncoderSetParameter(state.get(), BROTLI_PARAM_SIZE_HINT, 1);
  std::vector<std::uint8_t> out(BrotliEncoderMaxCompressedSize(prefix.size()) + 1000);
  std::uint8_t* next_out = out.data();
  std::size_t room = out.size();
  std::size_t total = 0;
  const auto run = [&](std::string_view piece, BrotliEncoderOperation operation) {
    const auto* next = reinterpret_cast<const std::uint8_t*>(piece.data());
    std::size_t left = piece.size();
    if (BrotliEncoderCompressStream(state.get(), operation, &left, &next, &room, &next_out, &total) !=
            BROTLI_TRUE ||
        left != 0)
      throw std::runtime_error("BrotliEncoderCompressStream");
  };
  while (!prefix.empty()) {
    const std::string_view piece = prefix.substr(0, piece_bytes);
    prefix.remove_prefix(piece.size());
    run(piece, BROTLI_OPERATION_PROCESS);
  }
  run({}, BROTLI_OPERATION_FINISH);
  if (BrotliEncoderIsFinished(state.get()) != BROTLI_TRUE) throw std::runtime_error("not finished");
  return static_cast<std::int64_t>(total);
}

std::int64_t lzma_from_scratch(std::string_view prefix, int preset, std::size_t piece_bytes) {
  lzma_options_lzma options{};
  if (lzma_lzma_preset(&options, static_cast<std::uint32_t>(preset)) != 0U)
    throw std::runtime_error("preset");
  options.dict_size = std::min(options.dict_size, 1U << 20U);
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_alone_encoder(&stream, &options) != LZMA_OK) throw std::runtime_error("lzma_alone_encoder");
  std::vector<std::uint8_t> out(prefix.size() + prefix.size() / 2 + 1000);
  stream.next_out = out.data();
  stream.avail_out = out.size();
  lzma_ret status = LZMA_OK;
  do {
    const std::string_view piece = prefix.substr(0, piece_bytes);
    prefix.remove_prefix(piece.size());
    stream.next_in = reinterpret_cast<const std::uint8_t*>(piece.data());
    stream.avail_in = piece.size();
    status = lzma_code(&stream, prefix.empty() ? LZMA_FINISH : LZMA_RUN);
  } while (!prefix.empty() && status == LZMA_OK);
  const auto size = static_cast<std::int64_t>(stream.total_out);
  lzma_end(&stream);
  if (status != LZMA_STREAM_END) throw std::runtime_error("lzma_code");
  return size;
}

std::int64_t bzip2_from_scratch(std::string_view prefix, int level) {
  std::vector<char> out(prefix.size() + prefix.size() / 50 + 1000);
  auto size = static_cast<unsigned>(out.size());
  if (BZ2_bzBuffToBuffCompress(out.data(), &size, const_cast<char*>(prefix.data()),
                               static_cast<unsigned>(prefix.size()), level, 0, 0) != BZ_OK)
    throw std::runtime_error("BZ2_bzBuffToBuffCompress");
  return size;
}

std::int64_t lz77_from_scratch(std::string_view prefix) {
  return static_cast<std::int64_t>(lz77_parse(prefix).size());
}

std::int64_t lz77_bits_from_scratch(std::string_view prefix) {
  std::string code;
  for (const Phrase& phrase : lz77_parse(prefix)) {
    const std::string length = binary(phrase.match + 1);
    code += std::string(length.size() - 1, '0') + length;
    if (phrase.match > 0 && phrase.start > 1) code += std::string(binary(phrase.start - 1).size(), 'j');
    if (phrase.start + phrase.match < prefix.size()) code += "abcdefgh";
  }
  return static_cast<std::int64_t>(code.size());
}

std::int64_t lz78_from_scratch(std::string_view prefix) {
  std::set<std::string_view> phrases;
  std::int64_t count = 0;
  for (std::size_t start = 0; start < prefix.size(); ++count) {
    std::size_t length = 1;
    while (start + length < prefix.size() && phrases.count(prefix.substr(start, length)) > 0) ++length;
    phrases.insert(prefix.substr(start, length));
    start += length;
  }
  return count;
}

std::int64_t matchlen_from_scratch(std::string_view prefix) {
  std::int64_t sum = 0;
  std::size_t longest = 0;  // of the byte before; one byte later it is at most one longer
  for (std::size_t i = 1; i <= prefix.size(); ++i) {
    const std::string_view before = prefix.substr(0, i - 1);
    ++longest;
    while (longest > 0 && (longest > before.size() ||
                           before.find(prefix.substr(i - longest, longest)) == std::string_view::npos))
      --longest;
    sum += floor_log2(i) / static_cast<std::int64_t>(longest + 1);
  }
  return sum / 65536;
}

std::int64_t ngram_from_scratch(std::string_view prefix, std::size_t n) {
  std::set<std::string_view> grams;
  for (std::size_t start = 0; start + n <= prefix.size(); ++start) grams.insert(prefix.substr(start, n));
  return static_cast<std::int64_t>(grams.size());
}

std::int64_t substrings_from_scratch(std::string_view prefix) {
  std::vector<std::string_view> suffixes;
  for (std::size_t start = 0; start < prefix.size(); ++start) suffixes.push_back(prefix.substr(start));
  std::sort(suffixes.begin(), suffixes.end());
  std::int64_t distinct = 0;
  std::string_view last;
  for (const std::string_view suffix : suffixes) {
    const auto common = std::mismatch(suffix.begin(), suffix.end(), last.begin(), last.end());
    distinct += suffix.end() - common.first;
    last = suffix;
  }
  return distinct;
}

std::int64_t ppm_from_scratch(std::string_view prefix, std::size_t order) {
  std::map<std::string_view, std::map<char, std::uint64_t>> contexts;
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    const char byte = prefix[i];
    std::set<char> ruled_out;
    std::size_t length = std::min(order, i) + 1;
    bool coded = false;
    while (!coded && length > 0) {
      --length;
      auto& counts = contexts[prefix.substr(i - length, length)];
      std::uint64_t total = 0;
      std::uint64_t different = 0;
      for (const auto& [seen, count] : counts) {
        if (ruled_out.count(seen) > 0) continue;
        total += count;
        ++different;
      }
      coded = counts.count(byte) > 0;
      if (different > 0) sum += floor_log2(total + different) - floor_log2(coded ? counts[byte] : different);
      for (const auto& [seen, count] : counts) ruled_out.insert(seen);
    }
    if (!coded) sum += floor_log2(256 - ruled_out.size());
    for (; length <= std::min(order, i); ++length) ++contexts[prefix.substr(i - length, length)][byte];
  }
  return sum / 65536;
}

std::int64_t recorded_sum_from_scratch(std::string_view prefix, int sign) {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at + 8 <= prefix.size(); at += 8) {
    std::uint64_t number = 0;
    for (std::size_t byte = 8; byte-- > 0;)
      number = 256 * number + static_cast<std::uint8_t>(prefix[at + byte]);
    sum += number;
  }
  if (sign < 0) sum = -sum;
  __extension__ using Wide = __int128;
  return static_cast<std::int64_t>((Wide{1000} * static_cast<std::int64_t>(sum)) >> 24);
}

std::int64_t from_scratch(const std::string& signal, std::string_view prefix) {
  const auto equals = signal.find('=');
  const std::string name = signal.substr(0, signal.find('('));
  const bool has_number = equals != std::string::npos && std::isdigit(signal[equals + 1]) != 0;
  const int number = has_number ? std::stoi(signal.substr(equals + 1)) : 0;
  const auto count = static_cast<std::size_t>(number);
  if (signal == "lz77(unit=bits)") return lz77_bits_from_scratch(prefix);
  static const std::map<std::string, std::function<std::int64_t(std::string_view, int, std::size_t)>> twins =
      {
          {"zlib", [](auto text, int level, auto) { return zlib_from_scratch(text, level); }},
          {"zlib_raw", [](auto text, int level, auto) { return deflate_from_scratch(text, level, -15); }},
          {"gzip", [](auto text, int level, auto) { return deflate_from_scratch(text, level, 15 + 16); }},
          {"lz4", [](auto text, int, auto) { return lz4_from_scratch(text); }},
          {"lz4hc", [](auto text, int level, auto) { return lz4hc_from_scratch(text, level); }},
          {"zstd", [](auto text, int level, auto) { return zstd_from_scratch(text, level); }},
          {"brotli", [](auto text, int quality, auto) { return brotli_from_scratch(text, quality); }},
          {"lzma", [](auto text, int preset, auto) { return lzma_from_scratch(text, preset); }},
          {"bzip2", [](auto text, int level, auto) { return bzip2_from_scratch(text, level); }},
          {"lz77", [](auto text, int, auto) { return lz77_from_scratch(text); }},
          {"lz78", [](auto text, int, auto) { return lz78_from_scratch(text); }},
          {"matchlen", [](auto text, int, auto) { return matchlen_from_scratch(text); }},
          {"ngram", [](auto text, int, std::size_t n) { return ngram_from_scratch(text, n); }},
          {"substrings", [](auto text, int, auto) { return substrings_from_scratch(text); }},
          {"ppm", [](auto text, int, std::size_t order) { return ppm_from_scratch(text, order); }},
          {"logprob", [](auto text, int, auto) { return recorded_sum_from_scratch(text, -1); }},
          {"entropy", [](auto text, int, auto) { return recorded_sum_from_scratch(text, 1); }},
      };
  const auto twin = twins.find(name);
  if (twin == twins.end()) throw std::runtime_error("no twin of " + signal);
  return twin->second(prefix, number, count);
}

std::vector<std::int64_t> curve_from_scratch(const std::string& signal, const replay::Stream& stream,
                                             std::int64_t grid_tokens) {
  std::vector<std::int64_t> values;
  for (std::size_t token = 0; token <= stream.ends.size(); token += static_cast<std::size_t>(grid_tokens)) {
    const std::int64_t end = token == 0 ? stream.start : stream.ends[token - 1];
    values.push_back(
        from_scratch(signal, std::string_view(stream.bytes).substr(0, static_cast<std::size_t>(end))));
  }
  return values;
}

}  // namespace lil::tests
