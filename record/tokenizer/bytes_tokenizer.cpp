#include "record/tokenizer/tokenizer.h"

namespace lil::record {
namespace {

class BytesTokenizer : public Tokenizer {
 public:
  [[nodiscard]] std::vector<schemas::TokenId> encode(std::string_view text, SpecialTokens) const override {
    std::vector<schemas::TokenId> ids;
    ids.reserve(text.size());
    for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
    return ids;
  }
  [[nodiscard]] const schemas::Vocabulary& vocabulary() const override { return vocabulary_; }
  [[nodiscard]] std::optional<schemas::TokenId> prefix_token() const override { return std::nullopt; }

 private:
  schemas::Vocabulary vocabulary_ = schemas::Vocabulary::bytes();
};

}  // namespace

std::unique_ptr<Tokenizer> bytes_tokenizer() {
  return std::make_unique<BytesTokenizer>();
}

}  // namespace lil::record
