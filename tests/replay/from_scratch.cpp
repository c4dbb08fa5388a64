#include "tests/replay/from_scratch.h"

#include <lz4frame.h>
#include <zlib.h>

#include <algorithm>
#include <stdexcept>

namespace lil::tests {
namespace {

const Bytef* zlib_bytes(std::string_view text) {
  return reinterpret_cast<const Bytef*>(text.data());
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

std::int64_t gzip_from_scratch(std::string_view prefix, int level) {
  z_stream stream{};
  if (deflateInit2(&stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
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
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockLinked;
  std::vector<char> out(LZ4F_compressFrameBound(prefix.size(), &preferences));
  const std::size_t size =
      LZ4F_compressFrame(out.data(), out.size(), prefix.data(), prefix.size(), &preferences);
  if (LZ4F_isError(size) != 0) throw std::runtime_error("LZ4F_compressFrame");
  return static_cast<std::int64_t>(size);
}

std::int64_t lz77_from_scratch(std::string_view prefix) {
  std::int64_t phrases = 0;
  for (std::size_t start = 0; start < prefix.size(); ++phrases) {
    std::size_t longest = 0;
    for (std::size_t earlier = 0; earlier < start; ++earlier) {
      std::size_t length = 0;
      while (start + length < prefix.size() && prefix[earlier + length] == prefix[start + length]) ++length;
      longest = std::max(longest, length);
    }
    start += longest + 1;
  }
  return phrases;
}

std::int64_t from_scratch(const std::string& signal, std::string_view prefix) {
  if (signal == "lz4") return lz4_from_scratch(prefix);
  if (signal == "lz77") return lz77_from_scratch(prefix);
  const auto equals = signal.find('=');
  if (equals == std::string::npos) throw std::runtime_error("no twin of " + signal);
  const int level = std::stoi(signal.substr(equals + 1));
  if (signal.substr(0, 5) == "zlib(") return zlib_from_scratch(prefix, level);
  if (signal.substr(0, 5) == "gzip(") return gzip_from_scratch(prefix, level);
  throw std::runtime_error("no twin of " + signal);
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
