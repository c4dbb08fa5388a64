#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/record/policy_runs.h"
#include "tests/record/slow_llama.h"

namespace lil::tests {

/// The slow twin of the policies that drop single tokens: sets of positions and scores in fp64, changed by
/// the words of the document, one token at a time. It follows a SlowLlama, which asks it for views.
class PolicyTwin {
 public:
  PolicyTwin(const Form& form, const SlowLlama& llama, std::int64_t prompt_tokens);

  /// After a token of the prompt.
  void see_prompt(std::int64_t layer, const std::vector<SlowLlama::Vector>& weights);
  /// The current token comes: what goes before attention goes.
  void make_room(std::int64_t layer);
  /// What is attended to, ascending.
  [[nodiscard]] std::vector<std::int32_t> kept(std::int64_t layer, std::int64_t kv_head) const;
  /// Takes another's set for its own. Returns how far apart the scores lay that decided otherwise: 0 where
  /// nothing differs, infinity where no scores were compared.
  double adopt(std::int64_t layer, std::int64_t kv_head, const std::vector<std::int32_t>& other);
  /// After attention: scores change, and what goes after attention goes.
  void see(std::int64_t layer, const std::vector<SlowLlama::Vector>& weights);

 private:
  /// Of one layer and kv head.
  struct Set {
    std::vector<std::int64_t> kept;          ///< ascending
    std::map<std::int64_t, double> scores;   ///< as they stand
    std::map<std::int64_t, double> decided;  ///< those that the latest drop compared
  };

  [[nodiscard]] Set& set(std::int64_t layer, std::int64_t kv_head);
  [[nodiscard]] const Set& set(std::int64_t layer, std::int64_t kv_head) const;
  void add_weights(std::int64_t layer, const std::vector<SlowLlama::Vector>& weights);
  [[nodiscard]] double joined(const std::vector<SlowLlama::Vector>& weights, std::int64_t kv_head,
                              std::size_t place) const;
  [[nodiscard]] std::int64_t pause(std::int64_t most, bool cuts_prompt) const;
  void drop(std::int64_t layer, std::int64_t kv_head, std::int64_t newest, std::int64_t most);
  void score_for_drop(std::int64_t layer, std::int64_t kv_head, std::int64_t newest);
  [[nodiscard]] bool may_go(std::int64_t token, std::int64_t newest) const;
  [[nodiscard]] std::map<std::int64_t, double> window_scores(std::int64_t layer, std::int64_t kv_head,
                                                             std::int64_t newest) const;
  [[nodiscard]] std::map<std::int64_t, double> pooled(std::int64_t layer, std::int64_t kv_head,
                                                      const std::vector<std::int64_t>& older) const;
  [[nodiscard]] std::map<std::int64_t, double> redundancy(std::int64_t layer, std::int64_t kv_head) const;
  [[nodiscard]] std::map<std::int64_t, double> draws(std::int64_t layer, std::int64_t kv_head) const;

  const Form& form_;
  const SlowLlama& llama_;
  std::string name_;
  std::int64_t prompt_tokens_;
  std::int64_t pinned_;
  std::int64_t recent_;
  std::vector<Set> sets_;  ///< (layers, kv_heads)
};

}  // namespace lil::tests
