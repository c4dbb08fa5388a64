#include "record/tokenizer/byte_pair.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

#include "record/tokenizer/utf8.h"
#include "schemas/error.h"

namespace lil::record {
namespace {

using schemas::TokenId;

/// Up to here a plain scan for the lowest rank is faster than a queue.
constexpr std::size_t kScanSymbols = 64;

/// Looks for the lowest rank among all pairs after every merge.
void merge_by_scan(const MergeTable& table, std::vector<TokenId>& symbols, std::vector<Merge>& merges) {
  std::size_t count = symbols.size();
  merges.resize(count);
  for (std::size_t i = 0; i + 1 < count; ++i) merges[i] = table.find(symbols[i], symbols[i + 1]);
  while (count > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < count; ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].rank == Merge::kNever) break;
    symbols[best] = merges[best].joined;
    std::memmove(symbols.data() + best + 1, symbols.data() + best + 2, (count - best - 2) * sizeof(TokenId));
    --count;
    for (std::size_t i = best + 1; i + 1 < count; ++i) merges[i] = merges[i + 1];
    if (best + 1 < count) merges[best] = table.find(symbols[best], symbols[best + 1]);
    if (best > 0) merges[best - 1] = table.find(symbols[best - 1], symbols[best]);
  }
  symbols.resize(count);
}

/// A list of symbols linked both ways and a queue of (rank, position), whose outdated entries are told by
/// their rank when they come up.
class QueueMerger {
 public:
  QueueMerger(const MergeTable& table, std::vector<TokenId>& symbols, MergeBuffers& buffers)
      : table_(table),
        symbols_(symbols),
        buffers_(buffers),
        end_(static_cast<std::uint32_t>(symbols.size())) {
    buffers_.merges.resize(end_);
    buffers_.next.resize(end_);
    buffers_.previous.resize(end_);
    buffers_.queue.clear();
    for (std::uint32_t i = 0; i < end_; ++i) {
      buffers_.next[i] = i + 1;
      buffers_.previous[i] = i - 1;
      buffers_.merges[i] = i + 1 < end_ ? table_.find(symbols_[i], symbols_[i + 1]) : Merge{};
      if (buffers_.merges[i].rank != Merge::kNever) buffers_.queue.push_back(entry(i));
    }
    std::make_heap(buffers_.queue.begin(), buffers_.queue.end(), std::greater<>());
  }

  void run() {
    auto& queue = buffers_.queue;
    while (!queue.empty()) {
      std::pop_heap(queue.begin(), queue.end(), std::greater<>());
      const std::uint64_t top = queue.back();
      queue.pop_back();
      const auto at = static_cast<std::uint32_t>(top);
      if (buffers_.merges[at].rank == top >> 32) join(at);
    }
    std::size_t count = 0;
    for (std::uint32_t i = 0; i != end_; i = buffers_.next[i]) symbols_[count++] = symbols_[i];
    symbols_.resize(count);
  }

 private:
  [[nodiscard]] std::uint64_t entry(std::uint32_t at) const {
    return (std::uint64_t{buffers_.merges[at].rank} << 32) | at;
  }

  void join(std::uint32_t at) {
    const std::uint32_t gone = buffers_.next[at];
    symbols_[at] = buffers_.merges[at].joined;
    buffers_.next[at] = buffers_.next[gone];
    buffers_.merges[gone] = Merge{};
    if (buffers_.next[at] != end_) buffers_.previous[buffers_.next[at]] = at;
    look_up(at);
    if (at != 0) look_up(buffers_.previous[at]);
  }

  void look_up(std::uint32_t at) {
    const std::uint32_t after = buffers_.next[at];
    buffers_.merges[at] = after != end_ ? table_.find(symbols_[at], symbols_[after]) : Merge{};
    if (buffers_.merges[at].rank == Merge::kNever) return;
    buffers_.queue.push_back(entry(at));
    std::push_heap(buffers_.queue.begin(), buffers_.queue.end(), std::greater<>());
  }

  const MergeTable& table_;
  std::vector<TokenId>& symbols_;
  MergeBuffers& buffers_;
  std::uint32_t end_;
};

}  // namespace

void merge_pairs(const MergeTable& merges, std::vector<TokenId>& symbols, MergeBuffers& buffers) {
  if (symbols.size() < 2) return;
  if (symbols.size() <= kScanSymbols) {
    merge_by_scan(merges, symbols, buffers.merges);
  } else {
    QueueMerger(merges, symbols, buffers).run();
  }
}

/// Short pieces of several tokens that came up lately; a slot fills one cache line.
struct BytePairModel::Cache : ModelScratch {
  static constexpr std::size_t kSlots = 4096;
  struct alignas(64) Slot {
    std::uint8_t length = 0;
    std::uint8_t count = 0;
    std::array<char, 30> piece{};
    std::array<TokenId, 8> ids{};

    [[nodiscard]] bool holds(std::string_view other) const {
      return length == other.size() && std::memcmp(piece.data(), other.data(), length) == 0;
    }
    void keep(std::string_view other, const std::vector<TokenId>& symbols) {
      if (other.size() > piece.size() || symbols.size() > ids.size()) return;
      length = static_cast<std::uint8_t>(other.size());
      count = static_cast<std::uint8_t>(symbols.size());
      std::copy(other.begin(), other.end(), piece.begin());
      std::copy(symbols.begin(), symbols.end(), ids.begin());
    }
  };

  std::vector<Slot> slots = std::vector<Slot>(kSlots);
  std::vector<TokenId> symbols;
  MergeBuffers buffers;
};

BytePairModel::BytePairModel(Parts parts) : parts_(std::move(parts)) {}

std::unique_ptr<ModelScratch> BytePairModel::make_scratch() const {
  return std::make_unique<Cache>();
}

void BytePairModel::encode(std::string_view piece, ModelScratch& scratch, std::vector<TokenId>& ids) const {
  const std::uint64_t hash = hash_piece(piece);
  if (const auto id = parts_.whole.find(piece, hash)) {
    ids.push_back(*id);
    return;
  }
  auto& cache = static_cast<Cache&>(scratch);
  Cache::Slot& slot = cache.slots[hash % Cache::kSlots];
  if (slot.holds(piece)) {
    ids.insert(ids.end(), slot.ids.begin(), slot.ids.begin() + slot.count);
    return;
  }
  cache.symbols.clear();
  if (const auto offset = cut(piece, cache.symbols)) {
    throw Error(
        ErrorCode::kInput,
        fmt::format("{}: the vocabulary has no token for byte 0x{:02X} of the text, and no unknown-token",
                    parts_.file, static_cast<unsigned char>(piece[*offset])));
  }
  merge_pairs(parts_.merges, cache.symbols, cache.buffers);
  slot.keep(piece, cache.symbols);
  ids.insert(ids.end(), cache.symbols.begin(), cache.symbols.end());
}

std::optional<std::vector<TokenId>> BytePairModel::merge_only(std::string_view piece,
                                                              MergeBuffers& buffers) const {
  std::vector<TokenId> symbols;
  if (cut(piece, symbols)) return std::nullopt;
  merge_pairs(parts_.merges, symbols, buffers);
  return symbols;
}

std::optional<std::size_t> BytePairModel::cut(std::string_view piece, std::vector<TokenId>& symbols) const {
  return parts_.symbols == Symbols::kBytes ? cut_bytes(piece, symbols) : cut_characters(piece, symbols);
}

std::optional<std::size_t> BytePairModel::cut_bytes(std::string_view piece,
                                                    std::vector<TokenId>& symbols) const {
  bool after_unknown = false;
  for (std::size_t i = 0; i < piece.size(); ++i) {
    const TokenId id = parts_.byte_ids[static_cast<unsigned char>(piece[i])];
    if (id < 0 && !parts_.unknown) return i;
    if (id >= 0 || !(after_unknown && parts_.fuse_unknown)) symbols.push_back(id >= 0 ? id : *parts_.unknown);
    after_unknown = id < 0;
  }
  return std::nullopt;
}

std::optional<std::size_t> BytePairModel::cut_characters(std::string_view piece,
                                                         std::vector<TokenId>& symbols) const {
  bool after_unknown = false;
  std::size_t length = 0;
  for (std::size_t i = 0; i < piece.size(); i += length) {
    length = std::max<std::size_t>(1, character_length(piece.substr(i)));
    const std::string_view character = piece.substr(i, length);
    bool unknown = false;
    if (const auto id = parts_.first.find(character)) {
      symbols.push_back(*id);
    } else if (parts_.byte_fallback) {
      for (const char byte : character) symbols.push_back(parts_.byte_ids[static_cast<unsigned char>(byte)]);
    } else if (!parts_.unknown) {
      return i;
    } else {
      unknown = true;
      if (!(after_unknown && parts_.fuse_unknown)) symbols.push_back(*parts_.unknown);
    }
    after_unknown = unknown;
  }
  return std::nullopt;
}

}  // namespace lil::record
