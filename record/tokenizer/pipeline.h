#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "record/tokenizer/added_tokens.h"
#include "record/tokenizer/model.h"
#include "record/tokenizer/normalizer.h"
#include "record/tokenizer/pre_tokenizer.h"
#include "record/tokenizer/tokenizer.h"

namespace lil::record {

/// The parts of a tokenizer, in the order in which a text passes through them.
struct PipelineParts {
  AddedTokens raw_tokens;  ///< found in the text as it is
  Normalizer normalizer;
  AddedTokens normalized_tokens;  ///< found in the normalised text
  PreTokenizer pre_tokenizer;
  std::unique_ptr<Model> model;
  schemas::Vocabulary vocabulary;
  std::optional<schemas::TokenId> prefix_token;
};

/// A tokenizer put together of parts, as Hugging Face's is.
class PipelineTokenizer : public Tokenizer {
 public:
  explicit PipelineTokenizer(PipelineParts parts);
  ~PipelineTokenizer() override;

  [[nodiscard]] std::vector<schemas::TokenId> encode(std::string_view text,
                                                     SpecialTokens special) const override;
  [[nodiscard]] const schemas::Vocabulary& vocabulary() const override { return parts_.vocabulary; }
  [[nodiscard]] std::optional<schemas::TokenId> prefix_token() const override { return parts_.prefix_token; }

 private:
  struct Scratch;
  [[nodiscard]] std::unique_ptr<Scratch> take_scratch() const;
  void give_back(std::unique_ptr<Scratch> scratch) const;

  PipelineParts parts_;
  // One a thread at work, kept for its buffers and what it remembers of earlier pieces.
  mutable std::mutex idle_mutex_;
  mutable std::vector<std::unique_ptr<Scratch>> idle_;
};

}  // namespace lil::record
