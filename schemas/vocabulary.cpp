#include "schemas/vocabulary.h"

#include <fmt/format.h>

#include <utility>

#include "schemas/error.h"

namespace lil::schemas {

Vocabulary::Vocabulary(std::string kind, std::vector<Token> tokens)
    : kind_(std::move(kind)), tokens_(std::move(tokens)) {}

Vocabulary Vocabulary::bytes() {
  std::vector<Token> tokens(256);
  for (int byte = 0; byte < 256; ++byte) tokens[byte].bytes = std::string(1, static_cast<char>(byte));
  return {"bytes", std::move(tokens)};
}

const Vocabulary::Token& Vocabulary::token(TokenId id) const {
  if (id < 0 || id >= size()) {
    throw Error(ErrorCode::kInput,
                fmt::format("token id {} is outside the vocabulary of {} tokens", id, size()));
  }
  return tokens_[static_cast<std::size_t>(id)];
}

void Vocabulary::append_text(std::span<const TokenId> ids, std::string& text,
                             std::vector<std::int64_t>* ends) const {
  for (const TokenId id : ids) {
    const Token& piece = token(id);
    if (!piece.special) text += piece.bytes;
    if (ends != nullptr) ends->push_back(static_cast<std::int64_t>(text.size()));
  }
}

// A token: 4 bytes little-endian (length << 1 | special), then its bytes.
std::string Vocabulary::serialize() const {
  std::string out;
  for (const Token& piece : tokens_) {
    const auto header = static_cast<std::uint32_t>(piece.bytes.size() << 1) | (piece.special ? 1U : 0U);
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(header >> shift));
    out += piece.bytes;
  }
  return out;
}

Vocabulary Vocabulary::parse(const std::string& kind, std::string_view serialized) {
  std::vector<Token> tokens;
  for (std::size_t position = 0; position < serialized.size();) {
    std::uint32_t header = 0;
    if (serialized.size() - position >= 4) {
      for (std::size_t i = 0; i < 4; ++i) {
        header |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(serialized[position + i])) << (8 * i);
      }
    }
    if (serialized.size() - position < 4 || serialized.size() - position - 4 < header >> 1) {
      throw Error(ErrorCode::kCorrupt, fmt::format("vocabulary is cut off in token {}", tokens.size()));
    }
    tokens.push_back({std::string(serialized.substr(position + 4, header >> 1)), (header & 1) != 0});
    position += 4 + (header >> 1);
  }
  return {kind, std::move(tokens)};
}

}  // namespace lil::schemas
