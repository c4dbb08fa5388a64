#include "record/tokenizer/tokenizer_json_model.h"

#include <fmt/format.h>

#include <utility>

#include "record/tokenizer/byte_alphabet.h"
#include "record/tokenizer/byte_pair.h"
#include "record/tokenizer/utf8.h"
#include "record/tokenizer/word_level.h"
#include "schemas/error.h"

namespace lil::record {
namespace {

using schemas::TokenId;

std::string fallback_spelling(unsigned byte) {
  return fmt::format("<0x{:02X}>", byte);
}

/// Reads one `model` together with the added tokens.
class ModelReader {
 public:
  ModelReader(const JsonNode& node, const JsonModelContext& context)
      : node_(node), context_(context), tokens_(read_tokens()) {
    is_special_.resize(tokens_.size());
    is_added_.resize(tokens_.size());
    for (const AddedToken& token : context_.added) {
      is_added_[static_cast<std::size_t>(token.id)] = true;
      if (token.special) is_special_[static_cast<std::size_t>(token.id)] = true;
    }
  }

  JsonModel read() && {
    const JsonNode type = node_.at("type");
    std::unique_ptr<Model> model;
    if (type.text() == "BPE") {
      model = read_byte_pair();
    } else if (type.text() == "WordLevel") {
      model = read_word_level();
    } else {
      type.fail(fmt::format("'{}' is not supported", type.text()));
    }
    schemas::Vocabulary vocabulary = make_vocabulary(type.text() == "BPE" ? "bpe" : "wordlevel");
    return {std::move(model), std::move(tokens_), std::move(vocabulary)};
  }

 private:
  TokenList read_tokens() const {
    const JsonNode vocab = node_.at("vocab");
    if (!vocab.value().is_object()) vocab.fail("an object of tokens and ids is wanted");
    TokenList tokens(vocab.value().size() + context_.added.size());
    for (const auto& [spelling, id] : vocab.value().items()) {
      const std::string where = fmt::format("{}['{}']", vocab.where(), spelling);
      tokens.add(spelling, JsonNode(id, where).integer(), where);
    }
    for (const AddedToken& token : context_.added) {
      tokens.add(token.content, token.id,
                 fmt::format("{}: added_tokens['{}']", context_.file, token.content));
    }
    return tokens;
  }

  [[nodiscard]] std::optional<TokenId> unknown_token() const {
    const auto unknown = node_.find("unk_token");
    return unknown ? tokens_.find(unknown->text()) : std::nullopt;
  }

  void refuse_unless_empty(std::string_view key) const {
    if (!node_.text_or(key, "").empty()) node_.at(key).fail("this is not supported");
  }

  std::unique_ptr<Model> read_byte_pair() {
    const auto dropout = node_.find("dropout");
    if (dropout && dropout->value() != 0) dropout->fail("dropout is not supported");
    refuse_unless_empty("continuing_subword_prefix");
    refuse_unless_empty("end_of_word_suffix");
    BytePairModel::Parts parts;
    parts.file = context_.file;
    parts.symbols =
        context_.byte_level ? BytePairModel::Symbols::kBytes : BytePairModel::Symbols::kCharacters;
    parts.unknown = unknown_token();
    parts.fuse_unknown = node_.flag_or("fuse_unk", false);
    read_symbols(parts);
    read_merges(parts.merges);
    auto model = std::make_unique<BytePairModel>(std::move(parts));
    add_whole_pieces(*model);
    return model;
  }

  void read_symbols(BytePairModel::Parts& parts) {
    const bool fallback = node_.flag_or("byte_fallback", false);
    byte_fallback_ = fallback && !context_.byte_level;
    parts.byte_fallback = byte_fallback_;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const std::string spelling = byte_fallback_
                                       ? fallback_spelling(byte)
                                       : std::string(byte_spelling(static_cast<unsigned char>(byte)));
      parts.byte_ids[byte] = tokens_.find(spelling).value_or(-1);
      if (fallback && parts.byte_ids[byte] < 0) {
        node_.at("byte_fallback").fail(fmt::format("the vocabulary has no token '{}'", spelling));
      }
    }
    for (std::size_t id = 0; !context_.byte_level && id < tokens_.size(); ++id) {
      const auto& spelling = tokens_.spelling(id);
      if (spelling && !is_special_[id] && !spelling->empty() &&
          character_length(*spelling) == spelling->size()) {
        parts.first.insert(*spelling, static_cast<TokenId>(id));
      }
    }
  }

  void read_merges(MergeTable& merges) const {
    const JsonNode list = node_.at("merges");
    for (std::size_t i = 0; i < list.items(); ++i) {
      const auto [left, right] = split_merge(list.item(i));
      const auto find = [&](const std::string& token) {
        const auto id = tokens_.find(token);
        if (!id) list.item(i).fail(fmt::format("'{}' is not in the vocabulary", token));
        return *id;
      };
      const TokenId left_id = find(left);
      const TokenId right_id = find(right);
      if (!merges.insert(left_id, right_id, {static_cast<std::uint32_t>(i), find(left + right)})) {
        list.item(i).fail(fmt::format("the pair '{}' and '{}' is there already", left, right));
      }
    }
  }

  /// `"a b"` or `["a", "b"]`.
  static std::pair<std::string, std::string> split_merge(const JsonNode& item) {
    if (item.value().is_array()) {
      if (item.items() != 2) item.fail("two tokens are wanted");
      return {item.item(0).text(), item.item(1).text()};
    }
    const std::string& both = item.text();
    const std::size_t space = both.find(' ');
    if (space == std::string::npos || both.find(' ', space + 1) != std::string::npos) {
      item.fail(fmt::format("two tokens with a space between are wanted, and this is '{}'", both));
    }
    return {both.substr(0, space), both.substr(space + 1)};
  }

  /// Pieces that are one token in the end need no merging: nearly all of a text is such.
  void add_whole_pieces(BytePairModel& model) const {
    const bool ignore_merges = node_.flag_or("ignore_merges", false);
    MergeBuffers buffers;
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      const auto& spelling = tokens_.spelling(id);
      if (!spelling || spelling->empty() || is_special_[id]) continue;
      const auto piece = context_.byte_level ? undo_byte_alphabet(*spelling) : spelling;
      if (!piece) continue;
      const std::vector<TokenId> alone{static_cast<TokenId>(id)};
      if (ignore_merges || model.merge_only(*piece, buffers) == alone) model.add_whole(*piece, alone.front());
    }
  }

  std::unique_ptr<Model> read_word_level() const {
    if (context_.byte_level)
      node_.at("type").fail("WordLevel with the ByteLevel pre-tokenizer is not supported");
    PieceTable words;
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      const auto& spelling = tokens_.spelling(id);
      if (spelling && !is_special_[id]) words.insert(*spelling, static_cast<TokenId>(id));
    }
    return std::make_unique<WordLevelModel>(context_.file, std::move(words), unknown_token());
  }

  /// The bytes that a token of the model stands for.
  [[nodiscard]] std::string bytes_of(const std::string& spelling) const {
    if (context_.byte_level) return undo_byte_alphabet(spelling).value_or(spelling);
    return context_.normalizer.undo_replacements(spelling);
  }

  [[nodiscard]] schemas::Vocabulary make_vocabulary(std::string kind) const {
    std::vector<schemas::Vocabulary::Token> all(tokens_.size());
    for (std::size_t id = 0; id < all.size(); ++id) {
      const auto& spelling = tokens_.spelling(id);
      if (!spelling) continue;
      all[id].bytes = is_added_[id] ? *spelling : bytes_of(*spelling);
      all[id].special = is_special_[id];
    }
    for (unsigned byte = 0; byte_fallback_ && byte < 256; ++byte) {
      all[static_cast<std::size_t>(*tokens_.find(fallback_spelling(byte)))].bytes = static_cast<char>(byte);
    }
    return {std::move(kind), std::move(all)};
  }

  const JsonNode& node_;
  const JsonModelContext& context_;
  TokenList tokens_;
  std::vector<bool> is_special_;
  std::vector<bool> is_added_;
  bool byte_fallback_ = false;
};

}  // namespace

JsonModel read_json_model(const JsonNode& node, const JsonModelContext& context) {
  return ModelReader(node, context).read();
}

}  // namespace lil::record
