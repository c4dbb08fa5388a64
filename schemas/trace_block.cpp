#include "schemas/trace_block.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <xxhash.h>

#include <array>
#include <optional>
#include <string_view>

#include "schemas/block_codec.h"
#include "schemas/error.h"

namespace lil::schemas {
namespace {

constexpr std::size_t kBlobs = 4;  // ids, logprob, entropy, attended

/// XXH3-64 over each blob's length (8 bytes, little-endian; 2^64 - 1 for NULL) and bytes.
std::int64_t checksum_of(const std::array<std::optional<std::string_view>, kBlobs>& blobs) {
  std::string joined;
  for (const auto& blob : blobs) {
    const std::uint64_t size = blob ? blob->size() : ~std::uint64_t{0};
    for (int shift = 0; shift < 64; shift += 8) joined.push_back(static_cast<char>(size >> shift));
    if (blob) joined += *blob;
  }
  return static_cast<std::int64_t>(XXH3_64bits(joined.data(), joined.size()));
}

std::optional<std::string_view> blob_at(SQLite::Statement& row, int column) {
  const SQLite::Column blob = row.getColumn(column);
  if (blob.isNull()) return std::nullopt;
  return std::string_view(static_cast<const char*>(blob.getBlob()),
                          static_cast<std::size_t>(blob.getBytes()));
}

void decode_block(SQLite::Statement& row, std::int64_t expected_block, TraceTokens& tokens) {
  const std::int64_t block = row.getColumn(0).getInt64();
  if (block != expected_block) throw Error(ErrorCode::kCorrupt, "it is missing");
  std::array<std::optional<std::string_view>, kBlobs> blobs;
  for (std::size_t i = 0; i < kBlobs; ++i) blobs.at(i) = blob_at(row, static_cast<int>(i) + 2);
  if (checksum_of(blobs) != row.getColumn(6).getInt64()) {
    throw Error(ErrorCode::kCorrupt, "its checksum does not match its bytes");
  }
  const std::size_t before = tokens.ids.size();
  decode_ids(blobs[0].value_or(""), tokens.ids);
  if (blobs[1]) decode_halves(*blobs[1], tokens.logprob);
  if (blobs[2]) decode_halves(*blobs[2], tokens.entropy);
  if (blobs[3]) decode_counts(*blobs[3], tokens.attended);
  const std::size_t after = before + static_cast<std::size_t>(row.getColumn(1).getInt64());
  const auto fits = [after](std::size_t size) { return size == 0 || size == after; };
  if (tokens.ids.size() != after || !fits(tokens.logprob.size()) || !fits(tokens.entropy.size()) ||
      !fits(tokens.attended.size())) {
    throw Error(ErrorCode::kCorrupt, "its columns do not have one value a token");
  }
}

}  // namespace

void write_trace_block(Store& store, TraceKey trace, std::int64_t block, const TokenChunk& chunk) {
  const std::string ids = encode_ids(chunk.ids);
  const std::string logprob = encode_halves(chunk.logprob);
  const std::string entropy = encode_halves(chunk.entropy);
  const std::string attended = encode_counts(chunk.attended);
  std::array<std::optional<std::string_view>, kBlobs> blobs{ids};
  if (!chunk.logprob.empty()) blobs[1] = logprob;
  if (!chunk.entropy.empty()) blobs[2] = entropy;
  if (!chunk.attended.empty()) blobs[3] = attended;

  SQLite::Statement insert(
      store.database(),
      "INSERT INTO trace_block (trace_id, block, tokens, ids, logprob, entropy, attended, "
      "checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(1, static_cast<std::int64_t>(trace));
  insert.bind(2, block);
  insert.bind(3, static_cast<std::int64_t>(chunk.ids.size()));
  for (std::size_t i = 0; i < kBlobs; ++i) {
    const int column = static_cast<int>(i) + 4;
    if (blobs.at(i)) {
      insert.bindNoCopy(column, blobs.at(i)->data(), static_cast<int>(blobs.at(i)->size()));
    } else {
      insert.bind(column);
    }
  }
  insert.bind(8, checksum_of(blobs));
  insert.exec();
}

void read_trace_blocks(const Store& store, TraceKey trace, const std::string& where, TraceTokens& tokens) {
  SQLite::Statement row(store.database(),
                        "SELECT block, tokens, ids, logprob, entropy, attended, checksum FROM trace_block "
                        "WHERE trace_id = ? ORDER BY block");
  row.bind(1, static_cast<std::int64_t>(trace));
  for (std::int64_t block = 0; row.executeStep(); ++block) {
    try {
      decode_block(row, block, tokens);
    } catch (const Error& error) {
      throw Error(ErrorCode::kCorrupt, fmt::format("{}, block {}: {}", where, block, error.what()));
    }
  }
}

}  // namespace lil::schemas
