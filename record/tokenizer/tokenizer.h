#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/ids.h"
#include "schemas/vocabulary.h"

namespace lil::record {

/// Turns text into token ids and knows the bytes of every token. Immutable after loading; encode may be
/// called from several threads at once.
class Tokenizer {
 public:
  enum class SpecialTokens {
    kAsText,    ///< `<eos>` in the text is five ordinary characters (text of others: logs)
    kAsTokens,  ///< the spelling of a special token becomes that token (templates of our own)
  };

  virtual ~Tokenizer() = default;

  /// The ids of `text`; nothing is put before or after it. Bytes that are not valid UTF-8 are kept: the
  /// text of the ids is `text` again wherever the vocabulary has every byte and the tokenizer does not
  /// normalise (NFC composes characters; a prepended `▁` shows as a space at the head). Added tokens that
  /// are not special (`<think>`) are found in either mode. Throws Error(kInput) where the vocabulary has
  /// neither a token for a part of `text` nor an unknown-token, and where `text` has more than 2 GiB.
  [[nodiscard]] virtual std::vector<schemas::TokenId> encode(std::string_view text,
                                                             SpecialTokens special) const = 0;
  [[nodiscard]] virtual const schemas::Vocabulary& vocabulary() const = 0;
  /// The begin-of-sentence token that the tokenizer's own post-processor puts first, where it does.
  [[nodiscard]] virtual std::optional<schemas::TokenId> prefix_token() const = 0;
};

/// A Hugging Face `tokenizer.json` (or a folder that holds one), or a tiktoken rank file (`*.tiktoken`).
/// Told apart by content. A rank file has neither special tokens nor a pattern: its vocabulary is the ranks
/// alone, and the text is cut by the pattern of Qwen 1.5, 2 and 2.5. Throws Error(kNotFound) where there is
/// no such file, and Error(kInput) that names the file and the part that is not supported.
[[nodiscard]] std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& path);

/// Each byte a token, 256 of them.
[[nodiscard]] std::unique_ptr<Tokenizer> bytes_tokenizer();

}  // namespace lil::record
