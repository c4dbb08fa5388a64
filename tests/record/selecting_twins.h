#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "tests/record/policy_runs.h"
#include "tests/record/slow_llama.h"

namespace lil::tests {

/// A policy that selects or drops pages or blocks, in plain loops over all keys and queries of a SlowLlama:
/// by the words of the document, in fp64.
class SelectingTwin {
 public:
  SelectingTwin(const SlowLlama& llama, std::int64_t prompt_tokens)
      : llama_(llama), prompt_tokens_(prompt_tokens) {}
  virtual ~SelectingTwin() = default;

  /// What each query head of a layer attends to, for the llama's current token, which is decoded.
  [[nodiscard]] virtual std::vector<AttentionView> choose(std::int64_t layer) = 0;
  /// The weights of the current token's heads, in the order of their views; of the prompt's tokens too.
  virtual void see(std::int64_t /*layer*/, const std::vector<AttentionView>& /*views*/,
                   const std::vector<SlowLlama::Vector>& /*weights*/) {}

 protected:
  [[nodiscard]] std::int64_t now() const { return llama_.tokens() - 1; }
  /// Quest's bound of a query head over the keys of these tokens.
  [[nodiscard]] double bound(std::int64_t layer, std::int64_t head, std::int64_t first,
                             std::int64_t end) const;
  /// Of a kv head, from those of its query heads: sum, mean or max.
  [[nodiscard]] double joined_bound(const std::string& gqa, std::int64_t layer, std::int64_t kv_head,
                                    std::int64_t first, std::int64_t end) const;

  const SlowLlama& llama_;
  std::int64_t prompt_tokens_;
};

[[nodiscard]] std::unique_ptr<SelectingTwin> make_selecting_twin(const Form& form, const SlowLlama& llama,
                                                                 std::int64_t prompt_tokens);

}  // namespace lil::tests
