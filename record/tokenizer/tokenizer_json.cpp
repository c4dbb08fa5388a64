#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "record/tokenizer/formats.h"
#include "record/tokenizer/json_node.h"
#include "record/tokenizer/pipeline.h"
#include "record/tokenizer/tokenizer_json_model.h"
#include "schemas/error.h"

namespace lil::record {
namespace {

using schemas::TokenId;

/// What the ByteLevel pre-tokenizer cuts by [Radford 2019].
constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

[[noreturn]] void refuse_type(const JsonNode& type) {
  type.fail(fmt::format("'{}' is not supported", type.text()));
}

nlohmann::json parse(std::string_view content, const std::string& file) {
  try {
    return nlohmann::json::parse(content);
  } catch (const nlohmann::json::parse_error& error) {
    std::string_view what =
        error.what();  // "[json.exception.parse_error.101] parse error at line 3, column 5: …"
    what.remove_prefix(std::min(what.size(), what.find("] ") + 2));
    throw Error(ErrorCode::kInput, fmt::format("{} is not JSON: {}", file, what));
  }
}

void read_normalizer(const JsonNode& node, Normalizer& normalizer) {
  const JsonNode type = node.at("type");
  if (type.text() == "Sequence") {
    const JsonNode list = node.at("normalizers");
    for (std::size_t i = 0; i < list.items(); ++i) read_normalizer(list.item(i), normalizer);
  } else if (type.text() == "NFC") {
    normalizer.add_composition();
  } else if (type.text() == "Prepend") {
    normalizer.add_prepend(node.at("prepend").text());
  } else if (type.text() == "Replace") {
    // Only the replacement of the space can be undone in the text of a token.
    const JsonNode pattern = node.at("pattern");
    const JsonNode content = node.at("content");
    if (pattern.find("Regex") || pattern.at("String").text() != " ") {
      pattern.fail("only the space can be replaced: {\"String\": \" \"} is wanted");
    }
    if (content.text().empty()) content.fail("spaces would be lost");
    normalizer.add_replace(" ", content.text());
  } else {
    refuse_type(type);
  }
}

void read_split(const JsonNode& node, PreTokenizer& pre_tokenizer) {
  const JsonNode pattern = node.at("pattern");
  const auto literal = pattern.find("String");
  const JsonNode source = literal ? *literal : pattern.at("Regex");
  Pattern compiled(literal ? literal_pattern(source.text()) : source.text(), source.where());
  const JsonNode behavior = node.at("behavior");
  const bool invert = node.flag_or("invert", false);
  if (behavior.text() == "Isolated") {
    pre_tokenizer.add_split(std::move(compiled), PreTokenizer::Keep::kAll);
  } else if (behavior.text() == "Removed") {
    pre_tokenizer.add_split(std::move(compiled),
                            invert ? PreTokenizer::Keep::kMatches : PreTokenizer::Keep::kGaps);
  } else {
    behavior.fail(fmt::format("'{}' is not supported", behavior.text()));
  }
}

/// Returns whether the pieces are spelt in the byte alphabet from here on: ByteLevel was the last step.
bool read_pre_tokenizer(const JsonNode& node, PreTokenizer& pre_tokenizer) {
  const JsonNode type = node.at("type");
  if (type.text() == "Sequence") {
    const JsonNode list = node.at("pretokenizers");
    bool byte_level = false;
    for (std::size_t i = 0; i < list.items(); ++i) {
      if (byte_level) list.item(i).fail("nothing is supported after ByteLevel");
      byte_level = read_pre_tokenizer(list.item(i), pre_tokenizer);
    }
    return byte_level;
  }
  if (type.text() == "ByteLevel") {
    if (node.flag_or("add_prefix_space", true)) pre_tokenizer.add_space_prefix();
    if (node.flag_or("use_regex", true)) {
      pre_tokenizer.add_split(Pattern(kGpt2Pattern, type.where()), PreTokenizer::Keep::kAll);
    }
    return true;
  }
  if (type.text() == "Split") {
    read_split(node, pre_tokenizer);
  } else if (type.text() == "Digits") {
    const bool individual = node.flag_or("individual_digits", false);
    pre_tokenizer.add_split(Pattern(individual ? R"(\p{N})" : R"(\p{N}+)", type.where()),
                            PreTokenizer::Keep::kAll);
  } else {
    refuse_type(type);
  }
  return false;
}

std::vector<AddedToken> read_added_tokens(const JsonNode& root, std::vector<bool>& normalized) {
  std::vector<AddedToken> tokens;
  const auto list = root.find("added_tokens");
  for (std::size_t i = 0; list && i < list->items(); ++i) {
    const JsonNode node = list->item(i);
    const JsonNode content = node.at("content");
    const std::int64_t id = node.at("id").integer();
    if (content.text().empty()) content.fail("an added token has no text");
    if (id < 0 || id > std::numeric_limits<TokenId>::max())
      node.at("id").fail(fmt::format("id {} is out of range", id));
    tokens.push_back({.id = static_cast<TokenId>(id),
                      .content = content.text(),
                      .special = node.flag_or("special", false),
                      .single_word = node.flag_or("single_word", false),
                      .lstrip = node.flag_or("lstrip", false),
                      .rstrip = node.flag_or("rstrip", false)});
    normalized.push_back(node.flag_or("normalized", false));
  }
  return tokens;
}

/// The token that a template puts before the text.
std::optional<TokenId> read_template_prefix(const JsonNode& node, const TokenList& tokens) {
  const JsonNode single = node.at("single");
  std::optional<TokenId> prefix;
  for (std::size_t i = 0; i < single.items(); ++i) {
    const JsonNode item = single.item(i);
    const auto special = item.find("SpecialToken");
    if (!special) break;
    if (prefix) item.fail("more than one token before the text is not supported");
    const JsonNode ids = node.at("special_tokens").at(special->at("id").text()).at("ids");
    if (ids.items() != 1) ids.fail("one id is wanted");
    const std::int64_t id = ids.item(0).integer();
    if (id < 0 || static_cast<std::uint64_t>(id) >= tokens.size()) {
      ids.fail(fmt::format("id {} is outside the vocabulary of {} tokens", id, tokens.size()));
    }
    prefix = static_cast<TokenId>(id);
  }
  return prefix;
}

std::optional<TokenId> read_prefix_token(const JsonNode& node, const TokenList& tokens) {
  const JsonNode type = node.at("type");
  if (type.text() == "ByteLevel") return std::nullopt;  // it only moves offsets
  if (type.text() == "TemplateProcessing") return read_template_prefix(node, tokens);
  if (type.text() != "Sequence") refuse_type(type);
  const JsonNode list = node.at("processors");
  std::optional<TokenId> prefix;
  for (std::size_t i = 0; i < list.items(); ++i) {
    const auto own = read_prefix_token(list.item(i), tokens);
    if (own && prefix) list.item(i).fail("more than one token before the text is not supported");
    if (own) prefix = own;
  }
  return prefix;
}

}  // namespace

std::unique_ptr<Tokenizer> read_tokenizer_json(std::string_view content, const std::string& file) {
  const nlohmann::json document = parse(content, file);
  const JsonNode root(document, file + ": ");
  AddedTokens raw_tokens;
  AddedTokens normalized_tokens;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  if (const auto node = root.find("normalizer")) read_normalizer(*node, normalizer);
  const auto steps = root.find("pre_tokenizer");
  const bool byte_level = steps && read_pre_tokenizer(*steps, pre_tokenizer);

  std::vector<bool> is_normalized;
  const std::vector<AddedToken> added = read_added_tokens(root, is_normalized);
  for (std::size_t i = 0; i < added.size(); ++i) {
    std::string buffer;
    if (is_normalized[i]) {
      normalized_tokens.insert(added[i], normalizer.apply(added[i].content, buffer));
    } else {
      raw_tokens.insert(added[i], added[i].content);
    }
  }
  JsonModel model = read_json_model(root.at("model"), {file, byte_level, normalizer, added});
  const auto post_processor = root.find("post_processor");
  const auto prefix = post_processor ? read_prefix_token(*post_processor, model.tokens) : std::nullopt;
  return std::make_unique<PipelineTokenizer>(PipelineParts{
      .raw_tokens = std::move(raw_tokens),
      .normalizer = std::move(normalizer),
      .normalized_tokens = std::move(normalized_tokens),
      .pre_tokenizer = std::move(pre_tokenizer),
      .model = std::move(model.model),
      .vocabulary = std::move(model.vocabulary),
      .prefix_token = prefix,
  });
}

}  // namespace lil::record
