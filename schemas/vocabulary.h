#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/ids.h"

namespace lil::schemas {

/// The bytes of every token of a tokenizer: all that is needed to turn ids into text. A token's bytes
/// may be part of a character. Special tokens (`<eos>`, `<|im_end|>`) have a spelling but add nothing
/// to a text stream, as in the detokenisers of serving engines. Immutable; safe to share between threads.
class Vocabulary {
 public:
  struct Token {
    std::string bytes;
    bool special = false;
  };

  /// `kind` names the tokenizer's form: `bytes`, `bpe`, `wordlevel`.
  Vocabulary(std::string kind, std::vector<Token> tokens);

  /// 256 tokens, each one byte.
  [[nodiscard]] static Vocabulary bytes();

  [[nodiscard]] const std::string& kind() const { return kind_; }
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(tokens_.size()); }
  /// Throws Error(kInput) where `id` is outside 0 .. size()-1.
  [[nodiscard]] const Token& token(TokenId id) const;

  /// Appends the text of `ids` to `text`. With `ends`, also appends for each id the length of `text`
  /// after it: the byte offset at which that token ends.
  void append_text(std::span<const TokenId> ids, std::string& text,
                   std::vector<std::int64_t>* ends = nullptr) const;

  /// A compact form of all tokens, and its inverse. parse throws Error(kCorrupt).
  [[nodiscard]] std::string serialize() const;
  [[nodiscard]] static Vocabulary parse(const std::string& kind, std::string_view serialized);

 private:
  std::string kind_;
  std::vector<Token> tokens_;
};

}  // namespace lil::schemas
