#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "schemas/ids.h"
#include "tests/record/reference_model.h"
#include "tests/record/tiny_model.h"

namespace lil::tests {

/// A llama in fp64 that reads token by token and forgets nothing: what each query head attends to is asked
/// anew for every token and layer. The masked twin of a cache that drops or selects.
class SlowLlama {
 public:
  using Vector = std::vector<double>;

  /// What each query head of a layer attends to, for the current token, which may be among the tokens.
  using ChooseViews = std::function<std::vector<AttentionView>(std::int64_t layer)>;
  /// Softmax weights of each query head, in the order of its view's tokens.
  using Observe = std::function<void(std::int64_t layer, const std::vector<Vector>& weights)>;

  explicit SlowLlama(const TinyModel& model);

  /// Reads one token and gives the logits after it.
  Vector read(schemas::TokenId id, const ChooseViews& choose, const Observe& observe = {});

  [[nodiscard]] std::int64_t tokens() const { return tokens_; }
  [[nodiscard]] std::int64_t layers() const { return static_cast<std::int64_t>(history_.size()); }
  [[nodiscard]] std::int64_t heads() const { return static_cast<std::int64_t>(heads_); }
  [[nodiscard]] std::int64_t kv_heads() const { return static_cast<std::int64_t>(kv_heads_); }
  [[nodiscard]] std::int64_t group() const { return heads() / kv_heads(); }
  /// Rotated at the token's position; also those of the current token while its views are chosen.
  [[nodiscard]] Vector query(std::int64_t layer, std::int64_t token, std::int64_t head) const;
  [[nodiscard]] Vector key(std::int64_t layer, std::int64_t token, std::int64_t kv_head) const;

 private:
  /// Of a layer, by token, not rotated.
  struct History {
    std::vector<Vector> queries;
    std::vector<Vector> keys;
    std::vector<Vector> values;
  };

  [[nodiscard]] const TinyTensor& tensor(const std::string& name) const { return model_.tensors.at(name); }
  [[nodiscard]] Vector linear(const std::string& name, const Vector& x) const;
  [[nodiscard]] Vector norm(const std::string& name, const Vector& x) const;
  [[nodiscard]] Vector rotated(const Vector& x, std::int64_t head, std::int64_t position) const;
  [[nodiscard]] Vector weights_of(const History& history, std::int64_t head, const AttentionView& view) const;
  [[nodiscard]] Vector attention(std::int64_t layer, const std::vector<AttentionView>& views,
                                 const Observe& observe) const;

  TinyModel model_;
  std::size_t heads_;
  std::size_t kv_heads_;
  std::size_t head_dim_;
  std::vector<History> history_;  ///< by layer
  std::int64_t tokens_ = 0;
};

}  // namespace lil::tests
