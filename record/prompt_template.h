#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "record/tokenizer/tokenizer.h"
#include "schemas/ids.h"

namespace lil::record {

/// The text around a problem; `{problem}` stands for it. The files in record/templates hold these byte for
/// byte: a line end at the end of a file belongs to the prompt.
struct PromptTemplate {
  std::string_view name;
  std::string_view text;
};

/// The templates inside the library, in order of name.
[[nodiscard]] std::span<const PromptTemplate> prompt_templates();

/// The text of a template by its name, or of the file at this path. Throws Error: kUsage listing the known
/// names where it is neither, kInput where the text lacks `{problem}`.
[[nodiscard]] std::string find_prompt_template(const std::string& name_or_path);

/// `template_text` with the problem in place of every `{problem}`.
[[nodiscard]] std::string render_prompt(std::string_view template_text, std::string_view problem);

/// The prompt's token ids: spellings of special tokens in the text become these tokens, and the tokenizer's
/// prefix token comes first unless the text starts with it already. Throws Error(kInput) where no token
/// is left.
[[nodiscard]] std::vector<schemas::TokenId> encode_prompt(const Tokenizer& tokenizer,
                                                          std::string_view template_text,
                                                          std::string_view problem);

}  // namespace lil::record
