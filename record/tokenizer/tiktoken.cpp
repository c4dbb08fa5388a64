#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "record/tokenizer/byte_pair.h"
#include "record/tokenizer/formats.h"
#include "record/tokenizer/pipeline.h"
#include "record/tokenizer/token_list.h"
#include "schemas/error.h"

namespace lil::record {
namespace {

using schemas::TokenId;

/// A rank file names no pattern; this is that of Qwen 1.5, 2 and 2.5.
constexpr std::string_view kPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
/// Finding how a token comes about takes time quadratic in its length.
constexpr std::size_t kLongestPiece = 4096;

std::optional<unsigned> base64_value(char digit) {
  if (digit >= 'A' && digit <= 'Z') return static_cast<unsigned>(digit - 'A');
  if (digit >= 'a' && digit <= 'z') return static_cast<unsigned>(digit - 'a') + 26;
  if (digit >= '0' && digit <= '9') return static_cast<unsigned>(digit - '0') + 52;
  if (digit == '+') return 62;
  if (digit == '/') return 63;
  return std::nullopt;
}

/// RFC 4648 with padding; nothing where `text` is not that.
std::optional<std::string> decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string bytes;
  unsigned bits = 0;
  for (std::size_t i = 0; i < text.size() - padding; ++i) {
    const auto value = base64_value(text[i]);
    if (!value) return std::nullopt;
    bits = (bits << 6) | *value;
    if (i % 4 != 0) bytes += static_cast<char>(bits >> (6 - 2 * (i % 4)));
  }
  return bytes;
}

void read_line(std::string_view line, const std::string& where, TokenList& tokens) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::kInput, fmt::format("{}: {}", where, what));
  };
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) refuse("a piece in base64, a space and a rank are wanted");
  const auto piece = decode_base64(line.substr(0, space));
  if (!piece)
    refuse(fmt::format("'{}' is not a piece in base64", line.substr(0, std::min<std::size_t>(space, 40))));
  if (piece->size() > kLongestPiece) refuse(fmt::format("a piece of {} bytes is too long", piece->size()));
  const std::string_view digits = line.substr(space + 1);
  std::int64_t rank = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    refuse(fmt::format("'{}' is not a rank", digits.substr(0, 40)));
  }
  if (tokens.find(*piece)) refuse("the piece has a rank already");
  tokens.add(*piece, rank, where);
}

TokenList read_ranks(std::string_view content, const std::string& file) {
  TokenList tokens(static_cast<std::size_t>(std::count(content.begin(), content.end(), '\n')) + 1);
  for (std::size_t number = 1; !content.empty(); ++number) {
    const std::size_t end = std::min(content.find('\n'), content.size());
    std::string_view line = content.substr(0, end);
    content.remove_prefix(std::min(end + 1, content.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) read_line(line, fmt::format("{} line {}", file, number), tokens);
  }
  if (tokens.size() == 0) throw Error(ErrorCode::kInput, fmt::format("{} has no ranks", file));
  return tokens;
}

/// Finds the two tokens that are joined last when a token's own bytes are merged, lowest rank of the joined
/// bytes first and leftmost among equals. Whatever the text around, the token comes about by that pair or not
/// at all: merges outside its bytes do not touch the order of those inside.
class LastPair {
 public:
  explicit LastPair(const TokenList& tokens) : tokens_(tokens) {}

  /// Nothing where the merging of `piece` stops short of it.
  std::optional<std::pair<TokenId, TokenId>> of(std::string_view piece) {
    starts_.clear();
    for (std::size_t i = 0; i <= piece.size(); ++i) starts_.push_back({i, kNone});
    for (std::size_t i = 0; i + 2 < starts_.size(); ++i) starts_[i].rank = rank(piece, i);
    while (starts_.size() > 3) {
      const auto best = std::min_element(starts_.begin(), starts_.end() - 2,
                                         [](const Start& a, const Start& b) { return a.rank < b.rank; });
      if (best->rank == kNone) return std::nullopt;
      const auto at = static_cast<std::size_t>(best - starts_.begin());
      starts_.erase(best + 1);
      starts_[at].rank = rank(piece, at);
      if (at > 0) starts_[at - 1].rank = rank(piece, at - 1);
    }
    const auto left = tokens_.find(piece.substr(0, starts_[1].offset));
    const auto right = tokens_.find(piece.substr(starts_[1].offset));
    if (!left || !right) return std::nullopt;
    return std::pair(*left, *right);
  }

 private:
  static constexpr TokenId kNone = std::numeric_limits<TokenId>::max();
  struct Start {
    std::size_t offset;
    TokenId rank;  // of this part joined with the next
  };

  [[nodiscard]] TokenId rank(std::string_view piece, std::size_t at) const {
    if (at + 2 >= starts_.size()) return kNone;
    const std::size_t begin = starts_[at].offset;
    return tokens_.find(piece.substr(begin, starts_[at + 2].offset - begin)).value_or(kNone);
  }

  const TokenList& tokens_;
  std::vector<Start> starts_;
};

BytePairModel::Parts model_parts(const TokenList& tokens, const std::string& file) {
  BytePairModel::Parts parts;
  parts.file = file;
  for (unsigned byte = 0; byte < 256; ++byte) {
    parts.byte_ids[byte] = tokens.find(std::string(1, static_cast<char>(byte))).value_or(-1);
  }
  LastPair last_pair(tokens);
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const auto& piece = tokens.spelling(id);
    if (!piece) continue;
    const auto token = static_cast<TokenId>(id);
    parts.whole.insert(*piece, token);
    if (piece->size() < 2) continue;
    if (const auto pair = last_pair.of(*piece)) {
      parts.merges.insert(pair->first, pair->second, {static_cast<std::uint32_t>(id), token});
    }
  }
  return parts;
}

schemas::Vocabulary make_vocabulary(const TokenList& tokens) {
  std::vector<schemas::Vocabulary::Token> all(tokens.size());
  for (std::size_t id = 0; id < all.size(); ++id) all[id].bytes = tokens.spelling(id).value_or("");
  return {"bpe", std::move(all)};
}

}  // namespace

std::unique_ptr<Tokenizer> read_tiktoken(std::string_view content, const std::string& file) {
  const TokenList tokens = read_ranks(content, file);
  PreTokenizer pre_tokenizer;
  pre_tokenizer.add_split(Pattern(kPattern, file), PreTokenizer::Keep::kAll);
  return std::make_unique<PipelineTokenizer>(PipelineParts{
      .raw_tokens = {},
      .normalizer = {},
      .normalized_tokens = {},
      .pre_tokenizer = std::move(pre_tokenizer),
      .model = std::make_unique<BytePairModel>(model_parts(tokens, file)),
      .vocabulary = make_vocabulary(tokens),
      .prefix_token = std::nullopt,
  });
}

}  // namespace lil::record
