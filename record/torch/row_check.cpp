#include "record/torch/row_check.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "schemas/error.h"

namespace lil::record {
namespace {

using schemas::TokenId;

/// What a row got, by where it got it: `layer 0`, …, `logits`.
using Trail = std::vector<std::vector<std::byte>>;

/// Any token, another one for each number.
TokenId token_of(std::int64_t number, std::int64_t vocabulary) {
  return static_cast<TokenId>((number * 7919 + 11) % vocabulary);
}

class Runner {
 public:
  Runner(Decoder& decoder, Device& device, const ModelConfig& config, DType dtype)
      : decoder_(decoder),
        device_(device),
        config_(config),
        query_bytes_(bytes(config.heads, dtype)),
        key_bytes_(bytes(config.kv_heads, dtype)) {}

  /// One trail for each of `rows`.
  [[nodiscard]] std::vector<Trail> run(std::span<const TokenId> ids, std::span<const std::int64_t> rows) {
    std::vector<Trail> trails(rows.size());
    decoder_.embed(ids);
    for (std::int64_t layer = 0; layer < config_.layers; ++layer) {
      const Projections projections = decoder_.project(layer);
      for (std::size_t i = 0; i < rows.size(); ++i) trails[i].push_back(projected(projections, rows[i]));
      device_.copy(decoder_.mixed(), projections.queries, ids.size() * query_bytes_);
      decoder_.finish_layer(layer);
    }
    const std::span<const float> all = decoder_.logits(0, static_cast<std::int64_t>(ids.size()));
    const auto width = static_cast<std::size_t>(config_.vocabulary);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto own = std::as_bytes(all.subspan(static_cast<std::size_t>(rows[i]) * width, width));
      trails[i].emplace_back(own.begin(), own.end());
    }
    return trails;
  }

 private:
  [[nodiscard]] std::size_t bytes(std::int64_t heads, DType dtype) const {
    return static_cast<std::size_t>(heads * config_.head_dim * kernels::bytes_of(dtype));
  }
  [[nodiscard]] std::vector<std::byte> projected(const Projections& from, std::int64_t row) {
    std::vector<std::byte> own(query_bytes_ + 2 * key_bytes_);
    const auto take = [&](const void* rows, std::size_t row_bytes, std::size_t to) {
      const std::byte* start =
          static_cast<const std::byte*>(rows) + static_cast<std::size_t>(row) * row_bytes;
      device_.download(own.data() + to, start, row_bytes);
    };
    take(from.queries, query_bytes_, 0);
    take(from.keys, key_bytes_, query_bytes_);
    take(from.values, key_bytes_, query_bytes_ + key_bytes_);
    return own;
  }

  Decoder& decoder_;
  Device& device_;
  const ModelConfig& config_;
  std::size_t query_bytes_;
  std::size_t key_bytes_;
};

void compare(const Trail& alone, const Trail& together, std::int64_t row, std::int64_t rows) {
  for (std::size_t place = 0; place < alone.size(); ++place) {
    if (alone[place] == together[place]) continue;
    const std::string where = place + 1 == alone.size() ? "the logits" : "layer " + std::to_string(place);
    throw Error(ErrorCode::kEnvironment,
                "the device's library lets rows of a batch change each other, so what is recorded would "
                "depend on the "
                "batch: row " +
                    std::to_string(row) + " of " + std::to_string(rows) +
                    " differs from the same token alone in " + where);
  }
}

}  // namespace

void check_rows(Decoder& decoder, Device& device, const ModelConfig& config, DType dtype,
                std::int64_t tile_rows) {
  Runner runner(decoder, device, config, dtype);
  const auto token = [&](std::int64_t number) { return token_of(number, config.vocabulary); };
  const auto alone = [&](TokenId id) {
    return std::move(runner.run({&id, 1}, std::array{std::int64_t{0}})[0]);
  };
  const std::array<Trail, 2> single{alone(token(0)), alone(token(1))};
  for (const std::int64_t count : {std::int64_t{2}, tile_rows / 2, tile_rows, tile_rows + 1}) {
    std::vector<TokenId> ids;
    for (std::int64_t i = 0; i < count; ++i) ids.push_back(token(2 + i));
    ids.front() = token(1);
    ids.back() = token(0);
    const std::vector<Trail> trails = runner.run(ids, std::array{std::int64_t{0}, count - 1});
    compare(single[1], trails[0], 0, count);
    compare(single[0], trails[1], count - 1, count);
  }
}

}  // namespace lil::record
