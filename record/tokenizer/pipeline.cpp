#include "record/tokenizer/pipeline.h"

#include <fmt/format.h>

#include <limits>
#include <string>
#include <utility>

#include "schemas/error.h"

namespace lil::record {

using schemas::TokenId;

struct PipelineTokenizer::Scratch {
  Pattern::Matcher matcher;
  std::unique_ptr<ModelScratch> model;
  std::string normalized;
};

PipelineTokenizer::PipelineTokenizer(PipelineParts parts) : parts_(std::move(parts)) {}

PipelineTokenizer::~PipelineTokenizer() = default;

std::unique_ptr<PipelineTokenizer::Scratch> PipelineTokenizer::take_scratch() const {
  {
    const std::lock_guard lock(idle_mutex_);
    if (!idle_.empty()) {
      auto scratch = std::move(idle_.back());
      idle_.pop_back();
      return scratch;
    }
  }
  auto scratch = std::make_unique<Scratch>();
  scratch->model = parts_.model->make_scratch();
  return scratch;
}

void PipelineTokenizer::give_back(std::unique_ptr<Scratch> scratch) const {
  const std::lock_guard lock(idle_mutex_);
  idle_.push_back(std::move(scratch));
}

std::vector<TokenId> PipelineTokenizer::encode(std::string_view text, SpecialTokens special) const {
  if (text.size() > std::numeric_limits<std::int32_t>::max()) {
    throw Error(ErrorCode::kInput,
                fmt::format("a text of {} bytes is too long to tokenize; 2 GiB is the most", text.size()));
  }
  std::unique_ptr<Scratch> scratch = take_scratch();
  const bool with_special = special == SpecialTokens::kAsTokens;
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 3);
  const auto encode_piece = [&](std::string_view piece) {
    parts_.model->encode(piece, *scratch->model, ids);
  };
  const auto encode_normalized = [&](std::string_view stretch, std::optional<TokenId> added) {
    if (added) {
      ids.push_back(*added);
    } else {
      parts_.pre_tokenizer.cut(stretch, scratch->matcher, encode_piece);
    }
  };
  parts_.raw_tokens.cut(text, with_special, [&](std::string_view stretch, std::optional<TokenId> added) {
    if (added) {
      ids.push_back(*added);
    } else {
      parts_.normalized_tokens.cut(parts_.normalizer.apply(stretch, scratch->normalized), with_special,
                                   encode_normalized);
    }
  });
  give_back(std::move(scratch));
  return ids;
}

}  // namespace lil::record
