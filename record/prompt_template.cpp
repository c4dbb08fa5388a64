#include "record/prompt_template.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "schemas/error.h"

namespace lil::record {
namespace {

constexpr std::string_view kPlace = "{problem}";

std::string find_text(const std::string& name_or_path) {
  std::string known;
  for (const PromptTemplate& row : prompt_templates()) {
    if (row.name == name_or_path) return std::string(row.text);
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  std::ifstream in(name_or_path, std::ios::binary);
  if (!in || !std::filesystem::is_regular_file(name_or_path)) {
    throw Error(ErrorCode::kUsage, fmt::format("'{}' is neither a file nor a known template; known are: {}",
                                               name_or_path, known));
  }
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

std::string find_prompt_template(const std::string& name_or_path) {
  std::string text = find_text(name_or_path);
  if (text.find(kPlace) == std::string::npos) {
    throw Error(ErrorCode::kInput, fmt::format("the template {} has no {}", name_or_path, kPlace));
  }
  return text;
}

std::string render_prompt(std::string_view template_text, std::string_view problem) {
  std::string text;
  for (std::size_t from = 0; from <= template_text.size();) {
    const std::size_t place = template_text.find(kPlace, from);
    text += template_text.substr(from, place - from);
    if (place == std::string_view::npos) break;
    text += problem;
    from = place + kPlace.size();
  }
  return text;
}

std::vector<schemas::TokenId> encode_prompt(const Tokenizer& tokenizer, std::string_view template_text,
                                            std::string_view problem) {
  const std::string text = render_prompt(template_text, problem);
  std::vector<schemas::TokenId> ids = tokenizer.encode(text, Tokenizer::SpecialTokens::kAsTokens);
  const auto prefix = tokenizer.prefix_token();
  if (prefix && (ids.empty() || ids.front() != *prefix)) ids.insert(ids.begin(), *prefix);
  if (ids.empty()) {
    throw Error(ErrorCode::kInput, "the prompt is empty, and the tokenizer has no token that starts a text");
  }
  return ids;
}

}  // namespace lil::record
