#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "record/tokenizer/tokenizer.h"

namespace lil::record {

/// The readers behind load_tokenizer: `content` is the whole file, `file` its name for messages.
[[nodiscard]] std::unique_ptr<Tokenizer> read_tokenizer_json(std::string_view content,
                                                             const std::string& file);
[[nodiscard]] std::unique_ptr<Tokenizer> read_tiktoken(std::string_view content, const std::string& file);

}  // namespace lil::record
